//! Back orders: what was left open goes on under the old number, with the old line numbers and every
//! time as it was, as often as it takes.

use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};
use purchase_order_service::proto::v1::{ChainLine, PurchaseOrder, PurchaseOrderState};
use rstest::rstest;
use tonic::Code::InvalidArgument;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, at, chain_line_text, line_text};

const ORDERED: &str = "2026-02-27T15:30:00Z";

/// Creates an order of four lines on Monday that was ordered by telephone on the Friday before.
async fn ordered_on_friday(world: &World) -> PurchaseOrder {
    let alice = world.alice();
    let draft = alice.draft(&[("apples", "10"), ("pears", "8"), ("plums", "6"), ("figs", "4")]).await;
    let placed = alice.place(&draft).with(|request| request.order_time = at(ORDERED)).ok().await;
    placed.purchase_order.unwrap()
}

async fn texts(caller: &Caller, order: &PurchaseOrder) -> Vec<String> {
    caller.lines(order).await.iter().map(line_text).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_back_order_of_a_back_order_of_a_back_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = ordered_on_friday(&world).await;
    assert_eq!((order.order_time, order.original_order_time), (at(ORDERED), at(ORDERED)));
    assert_eq!(order.place_time, at("2026-03-02T09:00:00Z"));

    world.clock.set("2026-03-03T10:00:00Z");
    alice.receive(&order).accept(1, "10").accept(2, "3").ok().await;
    world.clock.set("2026-03-03T11:00:00Z");
    let first = alice.back_order(&order).await;
    assert_eq!(
        texts(&alice, &first).await,
        ["2 pears: 5 ordered, 5 pending", "3 plums: 6 ordered, 6 pending", "4 figs: 4 ordered, 4 pending",]
    );

    world.clock.set("2026-03-10T10:00:00Z");
    alice.receive(&first).accept(3, "1").ok().await;
    world.clock.set("2026-03-11T10:00:00Z");
    alice.receive(&first).accept(3, "1").accept(2, "5").ok().await;
    world.clock.set("2026-03-12T10:00:00Z");
    let second = alice.back_order(&first).await;
    assert_eq!(texts(&alice, &second).await, ["3 plums: 4 ordered, 4 pending", "4 figs: 4 ordered, 4 pending"]);

    world.clock.set("2026-03-20T10:00:00Z");
    alice.receive(&second).accept(4, "1").ok().await;
    let third = alice.back_order(&second).await;
    assert_eq!(texts(&alice, &third).await, ["3 plums: 4 ordered, 4 pending", "4 figs: 3 ordered, 3 pending"]);

    assert_headers(&alice, [&order, &first, &second, &third]).await;
    assert_line_times(&alice, [&order, &first, &second, &third]).await;
    world.verify().await;
}

async fn assert_headers(alice: &Caller, chain: [&PurchaseOrder; 4]) {
    let back_ordered = ["2026-03-03T11:00:00Z", "2026-03-12T10:00:00Z", "2026-03-20T10:00:00Z"];
    let numbers = ["PO-000001", "PO-000001-B1", "PO-000001-B2", "PO-000001-B3"];
    for (position, known) in chain.into_iter().enumerate() {
        let order = alice.seen(&known.purchase_order_id).await;
        assert_eq!(order.number, numbers[position]);
        assert_eq!(order.back_order_sequence, position as i32);
        assert_eq!(order.original_order_time, at(ORDERED), "{}", order.number);
        assert_eq!(order.original_purchase_order_id, chain[0].purchase_order_id);
        let id_at = |position: usize| chain.get(position).map_or("", |order| order.purchase_order_id.as_str());
        assert_eq!(order.parent_purchase_order_id, position.checked_sub(1).map_or("", id_at));
        assert_eq!(order.back_order_purchase_order_id, id_at(position + 1));
        assert_eq!(order.complete_time, back_ordered.get(position).and_then(|time| at(time)), "{}", order.number);
        if position > 0 {
            let born = at(back_ordered[position - 1]);
            assert_eq!((order.create_time, order.order_time, order.place_time), (born, born, born), "{}", order.number);
        }
    }
}

async fn assert_line_times(alice: &Caller, chain: [&PurchaseOrder; 4]) {
    let (received, first_back) = (at("2026-03-03T10:00:00Z"), at("2026-03-03T11:00:00Z"));
    let (early, late, second_back) =
        (at("2026-03-10T10:00:00Z"), at("2026-03-11T10:00:00Z"), at("2026-03-12T10:00:00Z"));
    let third_back = at("2026-03-20T10:00:00Z");
    let expected = [
        (0, 1, received, received, None),
        (0, 2, received, received, first_back),
        (0, 3, None, None, first_back),
        (1, 2, late, late, None),
        (1, 3, early, late, second_back),
        (1, 4, None, None, second_back),
        (2, 3, None, None, third_back),
        (2, 4, third_back, third_back, third_back),
        (3, 3, None, None, None),
    ];
    for (position, number, first, last, back_ordered) in expected {
        let lines = alice.lines(chain[position]).await;
        let line = lines.iter().find(|line| line.line_number == number).unwrap();
        let times = (line.first_receive_time, line.last_receive_time, line.back_order_time);
        assert_eq!(times, (first, last, back_ordered), "line {number} of {}", chain[position].number);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_rolled_up_line_by_line(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = ordered_on_friday(&world).await;
    alice.receive(&order).accept(1, "10").accept(2, "3").reject(3, "6", "mouldy").ok().await;
    let first = alice.back_order(&order).await;
    world.clock.set("2026-03-10T10:00:00Z");
    alice.receive(&first).accept(2, "1").ok().await;
    let cancelled = alice.complete(&first).line(4, "", "4").rest(BackOrder).because("out of season");
    let second = cancelled.ok().await.back_order.unwrap();
    let second = alice.seen(&second.purchase_order_id).await;
    world.clock.set("2026-03-11T10:00:00Z");
    alice.receive(&second).accept(3, "2").ok().await;

    for member in [&order, &first, &second] {
        let chain = alice.chain(member).ok().await;
        let numbers: Vec<&str> = chain.purchase_orders.iter().map(|order| order.number.as_str()).collect();
        assert_eq!(numbers, ["PO-000001", "PO-000001-B1", "PO-000001-B2"]);
        assert_eq!(
            chain.lines.iter().map(chain_line_text).collect::<Vec<_>>(),
            [
                "1 apples: 10 ordered, 10 received, 10 on hand",
                "2 pears: 8 ordered, 4 received, 4 on hand, 4 pending",
                "3 plums: 6 ordered, 2 received, 4 pending, 6 rejected",
                "4 figs: 4 ordered, 4 cancelled",
            ]
        );
        let times = |line: &ChainLine| (line.first_receive_time, line.last_receive_time);
        assert_eq!(times(&chain.lines[1]), (at("2026-03-02T09:00:00Z"), at("2026-03-10T10:00:00Z")));
        // A rejection is a delivery too: plums came on Monday, and were refused.
        assert_eq!(times(&chain.lines[2]), (at("2026-03-02T09:00:00Z"), at("2026-03-11T10:00:00Z")));
        assert_eq!(times(&chain.lines[3]), (None, None));
        // Ordered on Friday 27 February: apples came on Monday the 2nd, pears last on the 10th.
        let days: Vec<_> = chain.lines.iter().map(|line| line.days_to_last_receipt).collect();
        assert_eq!(days, [Some(3), Some(11), Some(12), None]);
    }
    // A page of lines alone knows of the original order too.
    let page = alice.chain(&second).with(|request| request.page_size = 3).ok().await;
    let token = page.next_page_token;
    let rest = alice.chain(&second).with(|r| (r.page_size, r.page_token) = (3, token)).ok().await;
    assert_eq!((page.lines.len(), rest.lines.len(), rest.next_page_token.as_str()), (3, 1, ""));
    assert_eq!(rest.lines[0].line_number, 4);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_delivery_is_one_of_the_stores_calendar(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    // Half an hour before midnight in Amsterdam.
    world.clock.set("2026-03-02T22:30:00Z");
    let order = alice.order(&[("apples", "10"), ("pears", "8"), ("plums", "6")]).await;
    let days = async || {
        let lines = alice.chain(&order).ok().await.lines;
        lines.iter().map(|line| line.days_to_last_receipt).collect::<Vec<_>>()
    };
    alice.receive(&order).accept(1, "4").accept(2, "1").ok().await;
    world.clock.set("2026-03-02T23:00:00Z");
    alice.receive(&order).accept(2, "1").ok().await;
    assert_eq!(days().await, [Some(0), Some(1), None]);

    alice.void(&order, 2).ok().await;
    assert_eq!(days().await, [Some(0), Some(0), None], "a voided receipt does not count");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_back_order_copies_what_was_agreed_and_nothing_else(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let create = alice.create(&[("apples", "10"), ("pears", "8")]).with(|request| {
        request.supplier_reference = "their 4711".to_owned();
        request.note = "ring the bell".to_owned();
        request.expected_date = "2026-03-10".to_owned();
        request.lines[0].gtin = "4006381333931".to_owned();
        request.lines[0].unit_cost = Some("1.2345".to_owned());
        request.lines[0].expected_date = "2026-03-06".to_owned();
    });
    let draft = create.ok().await.purchase_order.unwrap();
    let order = alice.place(&draft).ok().await.purchase_order.unwrap();
    alice.receive(&order).accept(1, "4").reject(2, "1", "mouldy").ok().await;
    // By then both dates have passed: copied ones may.
    world.clock.set("2026-04-01T10:00:00Z");

    let child = alice.back_order(&order).await;

    assert_eq!(child.state(), PurchaseOrderState::OnOrder);
    assert_eq!((&*child.supplier_id, &*child.supplier_reference, &*child.note), ("acme", "their 4711", ""));
    assert_eq!((&*child.currency, &*child.expected_date), ("EUR", "2026-03-10"));
    assert_eq!((child.active_receipt_count, child.line_count, &*child.etag), (0, 2, "1"));
    let lines = alice.lines(&child).await;
    assert_eq!(
        (&*lines[0].gtin, lines[0].unit_cost(), &*lines[0].description),
        ("4006381333931", "1.2345", "fresh apples")
    );
    assert_eq!((&*lines[0].expected_date, &*lines[0].first_expected_date), ("2026-03-06", "2026-03-06"));
    assert_eq!((&*lines[1].expected_date, &*lines[1].first_expected_date), ("2026-03-10", "2026-03-10"));
    assert_eq!((&*lines[1].rejected, &*lines[1].first_ordered), ("0", "8"));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_date_for_the_back_order_keeps_the_first_promise(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let dated =
        alice.create(&[("apples", "10"), ("pears", "8")]).with(|r| r.lines[0].expected_date = "2026-03-06".into());
    let order = alice.place(&dated.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    alice.receive(&order).accept(1, "4").ok().await;
    // In Amsterdam it is the 10th already.
    world.clock.set("2026-03-09T23:30:00Z");
    let completion = |date: &str| alice.complete(&order).rest(BackOrder).with(|r| r.expected_date = date.to_owned());

    let refused = completion("2026-03-09").refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["expected_date"]);
    let completed = completion("2026-03-10").ok().await;

    let child = alice.seen(&completed.back_order.unwrap().purchase_order_id).await;
    assert_eq!(child.expected_date, "2026-03-10");
    let lines = alice.lines(&child).await;
    let dates: Vec<_> = lines.iter().map(|line| (&*line.expected_date, &*line.first_expected_date)).collect();
    assert_eq!(dates, [("2026-03-10", "2026-03-06"), ("2026-03-10", "2026-03-10")]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn numbers_go_on_beside_back_orders(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "2")], &[(1, "1")]).await;
    let child = alice.back_order(&order).await;
    alice.cancel(&child).ok().await;
    let draft = alice.draft(&[("apples", "1")]).await;
    alice.cancel(&draft).ok().await;

    let next = alice.received(&[("apples", "2")], &[(1, "1")]).await;

    let grandchild = alice.back_order(&next).await;
    let numbers = [&order.number, &child.number, &draft.number, &next.number, &grandchild.number];
    assert_eq!(numbers, ["PO-000001", "PO-000001-B1", "PO-000002", "PO-000003", "PO-000003-B1"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_open_back_order_runs_its_course_when_the_feature_is_turned_off(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "2")], &[(1, "4")]).await;
    let child = alice.back_order(&order).await;
    world.operator().disable_back_orders().ok().await;
    alice.receive(&child).accept(1, "5").ok().await;

    let again = alice.complete(&child).rest(BackOrder);
    let refused = again.refused(tonic::Code::FailedPrecondition, "BACK_ORDERS_DISABLED").await;
    assert_eq!((refused.metadata("line_numbers"), refused.metadata("total")), ("1,2".to_owned(), "2".to_owned()));
    let completed = alice.complete(&child).rest(Cancel).because("the feature is off").ok().await;

    assert_eq!(completed.back_order, None);
    assert_eq!(alice.stock("apples").await, "9 on hand");
    assert_eq!(alice.stock("pears").await, "");
    world.verify().await;
}
