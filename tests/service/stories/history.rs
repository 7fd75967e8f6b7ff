//! The history of an order: who did what to it and when, as a person would read it.

use prost::Message;
use purchase_order_service::proto::v1::AdjustmentKind::ReturnToSupplier;
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::event::Change;
use purchase_order_service::proto::v1::{
    AmendedLine, CancelReason, CancelledLine, Charge, ConfirmedLine, Event, LineQuantity, PurchaseOrder, ReceivedLine,
    SettledLine,
};
use rstest::rstest;
use tonic::Code::Internal;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, at, line, order_of, unlisted_item};

/// An entry as a line of text.
fn told(entry: &Event) -> String {
    let what = entry.change.as_ref().map(what).unwrap_or_default();
    let operator = if entry.as_operator { " as operator" } else { "" };
    format!("{} {}{operator} {:?}: {what}", order_of(entry).revision, entry.actor, order_of(entry).state())
}

fn what(change: &Change) -> String {
    match change {
        Change::Created(c) => {
            let from = if c.copied_from_purchase_order_id.is_empty() { "" } else { " as a copy" };
            format!("created {}{from} with {} lines: {}", c.number, c.line_count, quantities(&c.lines))
        }
        Change::Updated(c) => {
            let charges: Vec<String> =
                c.charges.iter().map(|charge| format!("{} {}", charge.description, charge.amount())).collect();
            format!(
                "changed {}: {:?} {:?} {:?} {:?} {:?} {charges:?}, {} lines: {}",
                c.changed_fields.join(" "),
                c.supplier_id,
                c.supplier_reference,
                c.note,
                c.expected_date,
                c.external_id,
                c.line_count,
                quantities(&c.lines),
            )
        }
        Change::Amended(c) => {
            let lines: Vec<String> = c.lines.iter().map(amended).collect();
            let charges: Vec<String> =
                c.charges.iter().map(|charge| format!("{} {}", charge.description, charge.amount())).collect();
            format!(
                "amended {:?} {:?} to {:?} {charges:?}, {} lines: {}",
                c.changed_fields.join(" "),
                c.expected_date_before,
                c.expected_date,
                c.line_count,
                lines.join(", "),
            )
        }
        Change::Confirmed(c) => {
            let text = |l: &ConfirmedLine| format!("{}: {} for {:?}", l.line_number, l.confirmed, l.expected_date);
            let lines: Vec<String> = c.lines.iter().map(text).collect();
            format!("confirmed {} lines: {}", c.line_count, lines.join(", "))
        }
        Change::Placed(c) => format!("ordered at {}", c.order_time.unwrap()),
        Change::ReceiptBooked(c) => {
            let delivery = if c.delivery_id.is_empty() { "" } else { " of a delivery" };
            let time = c.receive_time.unwrap();
            let (number, lines) = (c.receipt_number, c.line_count);
            let added = format!("added {} {:?}", c.added_line_count, c.added_line_numbers);
            format!("receipt {number}{delivery} at {time}, {lines} lines: {}, {added}", received(&c.lines))
        }
        Change::ReceiptVoided(c) => {
            format!("voided {}, {:?}, {} lines: {}", c.receipt_number, c.reason, c.line_count, received(&c.lines))
        }
        Change::ReceiptCorrected(c) => format!(
            "corrected {} by {}, {:?}, from {} lines: {}, to {} lines: {}, added {} {:?}",
            c.receipt_number,
            c.replacement_receipt_number,
            c.reason,
            c.line_count_before,
            received(&c.lines_before),
            c.line_count,
            received(&c.lines),
            c.added_line_count,
            c.added_line_numbers,
        ),
        Change::Completed(c) => {
            let settled: Vec<String> = c.lines.iter().map(settled).collect();
            let reason = format!("{:?}{}", c.cancel_reason, code(c.cancel_reason_code()));
            format!("completed, {reason}, {} lines: {}", c.line_count, settled.join(", "))
        }
        Change::BackOrderCreated(c) => {
            format!("created {} as a back order with {} lines: {}", c.number, c.line_count, quantities(&c.lines))
        }
        Change::LinesCancelled(c) => {
            let text = |l: &CancelledLine| {
                format!("{}: {} because {}{}", l.line_number, l.quantity, l.reason, code(l.reason_code()))
            };
            let lines: Vec<String> = c.lines.iter().map(text).collect();
            format!("cancelled {} lines: {}", c.line_count, lines.join(", "))
        }
        Change::Cancelled(c) => format!("cancelled, {:?}{}", c.reason, code(c.reason_code())),
        Change::StoreCreated(_)
        | Change::StoreUpdated(_)
        | Change::BackOrdersEnabled(_)
        | Change::BackOrdersDisabled(_)
        | Change::RoleCreated(_)
        | Change::RoleUpdated(_)
        | Change::RoleDeleted(_)
        | Change::RoleGranted(_)
        | Change::RoleRevoked(_) => panic!("no order's history has {change:?}"),
        Change::Reopened(c) => format!("reopened, {:?}", c.reason),
        Change::BackOrderFolded(c) => format!("folded back, {:?}", c.reason),
        Change::StockAdjusted(c) => format!(
            "{:?} {} of line {} {} at {}, {} left, {:?}",
            c.kind(),
            c.quantity,
            c.line_number,
            c.product_id,
            c.unit_cost.as_deref().unwrap_or("?"),
            c.on_hand,
            c.reason,
        ),
    }
}

fn amended(line: &AmendedLine) -> String {
    let mut text = line.line_number.to_string();
    for (word, is_so) in [("added", line.added), ("removed", line.removed), ("noted", line.note_changed)] {
        if is_so {
            text += &format!(" {word}");
        }
    }
    for (name, before, after) in [
        ("ordered", &line.ordered_before, &line.ordered),
        ("expected", &line.expected_date_before, &line.expected_date),
        ("unit", &line.unit_cost_before, &line.unit_cost),
        ("pack", &line.pack_cost_before, &line.pack_cost),
    ] {
        if let (Some(before), Some(after)) = (before, after) {
            text += &format!(" {name} {before:?} to {after:?}");
        }
    }
    text
}

fn settled(line: &SettledLine) -> String {
    let SettledLine { line_number, back_ordered, cancelled, cancel_reason, expected_date, .. } = line;
    let code = code(line.cancel_reason_code());
    format!("{line_number}: {back_ordered} to come {expected_date}, {cancelled} cancelled {cancel_reason}{code}")
}

/// The kind of a reason, where one was given.
fn code(code: CancelReason) -> String {
    if code == CancelReason::Unspecified { String::new() } else { format!(" ({code:?})") }
}

fn quantities(lines: &[LineQuantity]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("{}: {}", line.line_number, line.quantity)).collect();
    lines.join(", ")
}

fn received(lines: &[ReceivedLine]) -> String {
    let text = |line: &ReceivedLine| format!("{}: {} and not {}", line.line_number, line.accepted, line.rejected);
    lines.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// The history of an order, as much as its first page holds.
async fn history(caller: &Caller, order: &PurchaseOrder) -> Vec<Event> {
    caller.history(order).ok().await.events
}

async fn history_text(caller: &Caller, order: &PurchaseOrder) -> Vec<String> {
    history(caller, order).await.iter().map(told).collect()
}

/// An order that was drafted, changed and placed by alice, received by bob, who booked the first delivery
/// wrongly, and completed by carol, with a back order.
async fn told_order(world: &World) -> PurchaseOrder {
    let (alice, bob, carol) = (world.alice(), world.bob(), world.carol());
    let order = alice.draft(&[("apples", "9")]).await;
    world.clock.set("2026-03-02T10:00:00Z");
    let update = alice.update(&order, &["note", "charges", "lines"]).with(|request| {
        request.note = "ring twice".to_owned();
        request.charges = vec![Charge { description: "freight".to_owned(), amount: Some("12.50".to_owned()) }];
        request.lines = vec![line("apples", "10"), line("pears", "5")];
    });
    update.ok().await;
    let earlier = |request: &mut purchase_order_service::proto::v1::PlacePurchaseOrderRequest| {
        request.order_time = at("2026-03-01T08:00:00Z");
    };
    alice.place(&order).with(earlier).ok().await;
    world.clock.set("2026-03-03T10:00:00Z");
    bob.receive(&order).accept(1, "4").reject(2, "1", "wet").ok().await;
    bob.void(&order, 1).ok().await;
    let arrived = at("2026-03-03T07:30:00Z");
    bob.receive(&order).accept(1, "6").accept(2, "5").with(|request| request.receive_time = arrived).ok().await;
    // The note is emptied again.
    alice.update(&order, &["note"]).ok().await;
    world.clock.set("2026-03-04T10:00:00Z");
    carol.complete(&order).line(1, "3", "1").because("sold out").ok().await;
    order
}

const TOLD: [&str; 8] = [
    "1 alice Draft: created PO-000001 with 1 lines: 1: 9",
    r#"2 alice Draft: changed note charges lines: "" "" "ring twice" "" "" ["freight 12.5"], 2 lines: 1: 10, 2: 5"#,
    "3 alice OnOrder: ordered at 2026-03-01T08:00:00Z",
    "4 bob Receiving: receipt 1 at 2026-03-03T10:00:00Z, 2 lines: 1: 4 and not 0, 2: 0 and not 1, added 0 []",
    r#"5 bob OnOrder: voided 1, "counted again", 2 lines: 1: 4 and not 0, 2: 0 and not 1"#,
    "6 bob Receiving: receipt 2 at 2026-03-03T07:30:00Z, 2 lines: 1: 6 and not 0, 2: 5 and not 0, added 0 []",
    r#"7 alice Receiving: changed note: "" "" "" "" "" [], 0 lines: "#,
    r#"8 carol Completed: completed, "sold out", 1 lines: 1: 3 to come , 1 cancelled "#,
];

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_told_from_its_draft_to_its_back_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, carol) = (world.alice(), world.carol());
    let order = told_order(&world).await;
    assert_eq!(history_text(&alice, &order).await, TOLD);
    let entries = history(&alice, &order).await;
    assert_eq!(entries[7].event_time, at("2026-03-04T10:00:00Z"));
    assert_eq!(order_of(&entries[7]).revision.to_string(), alice.seen(&order.purchase_order_id).await.etag);

    let Some(Change::Completed(completed)) = &entries[7].change else { panic!("{:?}", entries[7]) };
    let back_order = alice.seen(&completed.back_order_purchase_order_id).await;
    assert_eq!(
        history_text(&alice, &back_order).await,
        ["1 carol OnOrder: created PO-000001-B1 as a back order with 1 lines: 1: 3"]
    );
    let began = history(&alice, &back_order).await.remove(0);
    assert_eq!((began.event_number, began.event_time), (entries[7].event_number + 1, entries[7].event_time));
    let Some(Change::BackOrderCreated(created)) = &began.change else { panic!("{began:?}") };
    assert_eq!(created.parent_purchase_order_id, order.purchase_order_id);

    // Two of the apples go back, and the rest of them will not come.
    carol.adjust("apples", ReturnToSupplier, "2").of_line(&order, 1).ok().await;
    assert_eq!(
        history_text(&alice, &order).await[8],
        r#"9 carol Completed: ReturnToSupplier -2 of line 1 apples at 2.5, 4 left, "as told""#
    );
    carol.cancel(&back_order).ok().await;
    assert_eq!(history_text(&alice, &back_order).await[1], r#"2 carol Cancelled: cancelled, "not needed any more""#);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn page_by_page_it_is_the_same(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = told_order(&world).await;
    // Events of other orders and of the store lie between.
    alice.draft(&[("plums", "1")]).await;
    alice.adjust("apples", ReturnToSupplier, "1").of_line(&order, 1).ok().await;
    let all = history(&alice, &order).await;
    assert_eq!(all.len(), 9);
    for size in [1, 2, 4, 8, 9, 10] {
        let pages = pages(&alice, &order, size).await;
        let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
        assert_eq!(sizes.len(), 9_usize.div_ceil(size as usize), "pages of {size}: {sizes:?}");
        assert_eq!(pages.concat(), all, "pages of {size}");
    }
    world.verify().await;
}

/// The pages of a history.
async fn pages(caller: &Caller, order: &PurchaseOrder, page_size: i32) -> Vec<Vec<Event>> {
    let (mut pages, mut page_token) = (Vec::new(), String::new());
    loop {
        let call = caller.history(order).with(|r| (r.page_size, r.page_token) = (page_size, page_token));
        let page = call.ok().await;
        assert!(page.events.len() <= page_size as usize && page.encoded_len() <= 4 * 1024 * 1024);
        pages.push(page.events);
        assert!(pages.len() <= 20, "the pages come to an end");
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return pages;
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_sees_no_costs_sees_none_in_a_history(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, bob) = (world.alice(), world.bob());
    let order = told_order(&world).await;
    alice.adjust("apples", ReturnToSupplier, "2").of_line(&order, 1).ok().await;

    let mut expected = history(&alice, &order).await;
    let mut hidden = 0;
    for entry in &mut expected {
        let order = entry.purchase_order.as_mut().unwrap();
        for cost in
            [&mut order.ordered_cost, &mut order.received_cost, &mut order.pending_cost, &mut order.charges_cost]
        {
            assert!(cost.take().is_some());
        }
        match &mut entry.change {
            Some(Change::Updated(change)) => {
                hidden += change.charges.iter_mut().filter_map(|charge| charge.amount.take()).count();
            }
            Some(Change::StockAdjusted(change)) => hidden += change.unit_cost.take().iter().count(),
            _ => {}
        }
    }
    assert_eq!(hidden, 2, "a charge and the cost of what went back");
    assert_eq!(history(&bob, &order).await, expected, "a receiver sees the rest");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn corrections_deliveries_copies_and_cancelled_lines_are_told(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, operator) = (world.alice(), world.operator());
    alice.update_store(&["allow_unlisted_items"]).with(|request| request.allow_unlisted_items = true).ok().await;
    alice.grant("operator", "receiver").ok().await;
    let original = alice.draft(&[("apples", "10")]).await;
    let order = alice.copy(&original).ok().await.purchase_order.unwrap();
    alice.place(&order).ok().await;
    let mut jam = unlisted_item("jam", "2");
    jam.purchase_order_id = order.purchase_order_id.clone();
    operator.deliver().accept_line(&order, 1, "4").item(jam).ok().await;
    operator.correct(&order, 1).accept(1, "5").ok().await;
    let cancel = alice.cancel_lines(&order, &[(1, "2")]);
    cancel.with(|request| request.lines[0].reason_code = CancelReason::OutOfStock.into()).ok().await;
    let completion = alice.complete(&order).line(1, "2", "1").with(|request| {
        request.lines[0].cancel_reason = "gone".to_owned();
        request.lines[0].cancel_reason_code = CancelReason::Discontinued.into();
        request.lines[0].expected_date = "2026-03-10".to_owned();
    });
    completion.ok().await;

    let entries = history(&alice, &order).await;
    assert_eq!(
        entries.iter().map(told).collect::<Vec<_>>(),
        [
            "1 alice Draft: created PO-000002 as a copy with 1 lines: 1: 10",
            "2 alice OnOrder: ordered at 2026-03-02T09:00:00Z",
            // An operator acts on orders by a role, like everybody else.
            "3 operator Receiving: receipt 1 of a delivery at 2026-03-02T09:00:00Z, 2 lines: 1: 4 and not 0, \
             2: 2 and not 0, added 1 [2]",
            "4 operator Receiving: corrected 1 by 2, \"counted again\", from 2 lines: 1: 4 and not 0, 2: 2 and not 0, \
             to 1 lines: 1: 5 and not 0, added 0 []",
            "5 alice Receiving: cancelled 1 lines: 1: 2 because sold out (OutOfStock)",
            r#"6 alice Completed: completed, "", 1 lines: 1: 2 to come 2026-03-10, 1 cancelled gone (Discontinued)"#,
        ]
    );
    let Some(Change::Created(created)) = &entries[0].change else { panic!("{:?}", entries[0]) };
    assert_eq!(created.copied_from_purchase_order_id, original.purchase_order_id);
    assert_eq!(history(&alice, &original).await.len(), 1, "an order does not tell of its copies");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_a_very_long_order_the_lines_are_counted(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    for (lines, shown) in [(1_000, 1_000), (1_500, 0)] {
        let order = alice.order(&vec![("apples", "2"); lines]).await;
        alice.receive(&order).all_pending().ok().await;
        alice.void(&order, 1).ok().await;
        let half = (1..=lines as i32).fold(alice.receive(&order), |call, line| call.accept(line, "1"));
        half.ok().await;
        alice.complete(&order).rest(BackOrder).ok().await;

        let entries = history(&alice, &order).await;
        let mut counted = Vec::new();
        for entry in &entries {
            match entry.change.as_ref().unwrap() {
                Change::Created(change) => counted.push((change.line_count, change.lines.len())),
                Change::ReceiptBooked(change) => counted.push((change.line_count, change.lines.len())),
                Change::ReceiptVoided(change) => counted.push((change.line_count, change.lines.len())),
                Change::Completed(change) => counted.push((change.line_count, change.lines.len())),
                Change::Placed(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(counted, [(lines as i32, shown); 5]);
    }
    world.verify().await;
}

/// A page ends early where its events are about very many lines: the service reads no more than it can send.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_ends_early_where_its_events_are_large(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    // Each event is stored with some 180,000 bytes.
    let quantities = ["999999999", "999999998"];
    let draft = alice.draft(&vec![("apples", quantities[0]); 5_000]).await;
    for change in 1..16 {
        let lines = vec![line("apples", quantities[change % 2]); 5_000];
        alice.update(&draft, &["lines"]).with(|request| request.lines = lines).ok().await;
    }

    let one_by_one = pages(&alice, &draft, 1).await.concat();
    assert_eq!(
        one_by_one.iter().map(|entry| order_of(entry).revision).collect::<Vec<_>>(),
        (1..=16).collect::<Vec<_>>()
    );
    let large = pages(&alice, &draft, 1_000).await;
    assert_eq!(large.concat(), one_by_one, "no gap and no double");
    let sizes: Vec<usize> = large.iter().map(Vec::len).collect();
    assert!(sizes.len() == 2 && (10..=13).contains(&sizes[0]), "{sizes:?}");
    world.verify().await;
}

/// What is not understood is not left out: the caller would take the rest for the whole history.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_is_an_error(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;
    let mut session = world.database.session();
    session.batch("UPDATE event SET event_type = 'ORDER_LOST' WHERE event_type = 'ORDER_PLACED'").unwrap();
    alice.history(&order).refused(Internal, "INTERNAL").await;
    let first = alice.history(&order).with(|request| request.page_size = 1).ok().await;
    assert_eq!(first.events.len(), 1, "what was before it can be read");
    session.batch("UPDATE event SET event_type = 'ORDER_PLACED' WHERE event_type = 'ORDER_LOST'").unwrap();
    assert_eq!(history(&alice, &order).await.len(), 2);
    world.verify().await;
}
