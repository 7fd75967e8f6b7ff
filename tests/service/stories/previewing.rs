//! Previewing: a screen shows what is pending, and what a completion would do, before anyone has
//! chosen; what it shows is what then happens.

use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};
use purchase_order_service::proto::v1::{PendingLine, PreviewCompletionResponse};
use rstest::rstest;
use tonic::Code::{Aborted, InvalidArgument, NotFound};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::World;

fn pending_text(line: &PendingLine) -> String {
    let PendingLine { line_number, product_id, pending, back_order, cancel, unsettled, .. } = line;
    format!("{line_number} {product_id}: {pending} pending = {back_order} + {cancel} + {unsettled}")
}

fn blockers(preview: &PreviewCompletionResponse) -> Vec<(&str, Vec<i32>)> {
    preview.blockers.iter().map(|blocker| (blocker.reason.as_str(), blocker.line_numbers.clone())).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_preview_lists_what_is_pending_before_anyone_has_chosen(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let create = alice.create(&[("apples", "10"), ("pears", "8"), ("plums", "3")]).with(|request| {
        request.expected_date = "2026-03-10".to_owned();
        request.lines[1].unit_cost = Some("0.3333".to_owned());
        request.lines[1].expected_date = "2026-03-12".to_owned();
    });
    let order = alice.place(&create.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    let order = alice.receive(&order).accept(1, "10").accept(2, "1").ok().await.purchase_order.unwrap();

    let preview = alice.preview(&order).ok().await;

    assert_eq!(
        preview.pending_lines.iter().map(pending_text).collect::<Vec<_>>(),
        ["2 pears: 7 pending = 0 + 0 + 7", "3 plums: 3 pending = 0 + 0 + 3",]
    );
    let [pears, plums] = &preview.pending_lines[..] else { panic!("{preview:?}") };
    assert_eq!((pears.unit_cost(), pears.pending_cost(), &*pears.expected_date), ("0.3333", "2.3331", "2026-03-12"));
    assert_eq!((plums.unit_cost(), plums.pending_cost(), &*plums.expected_date), ("2.5", "7.5", "2026-03-10"));
    assert_eq!(blockers(&preview), [("PENDING_UNSETTLED", vec![2, 3])]);
    assert_eq!((preview.purchase_order, &*preview.back_order_number), (Some(order), ""));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_preview_shows_is_what_happens(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let first = alice.received(&[("apples", "10"), ("pears", "8"), ("apples", "5")], &[(1, "4"), (3, "5")]).await;
    let order = alice.back_order(&first).await;
    alice.receive(&order).accept(1, "2").ok().await;

    let preview = alice.preview(&order).line(2, "5", "3").rest(BackOrder).because("late").ok().await;
    assert_eq!(blockers(&preview), []);
    assert_eq!((&*preview.back_order_number, preview.back_order_line_count), ("PO-000001-B2", 2));
    let etag = preview.purchase_order.unwrap().etag;
    let completion = alice.complete(&order).line(2, "5", "3").rest(BackOrder).because("late");
    let completed = completion.with(|request| request.etag = etag).ok().await;

    let child = completed.back_order.unwrap();
    assert_eq!((&*child.number, child.line_count), ("PO-000001-B2", 2));
    let lines = alice.lines(&order).await;
    for pending in &preview.pending_lines {
        let line = lines.iter().find(|line| line.line_number == pending.line_number).unwrap();
        assert_eq!((&line.back_ordered, &line.cancelled), (&pending.back_order, &pending.cancel));
    }
    assert_eq!(preview.stock.len(), 2);
    for stock in &preview.stock {
        let level = alice.level(&stock.product_id).ok().await.inventory_level.unwrap();
        assert_eq!((&level.on_hand, &level.back_ordered), (&stock.on_hand_after, &stock.back_ordered_after));
    }
    let apples = &preview.stock[0];
    assert_eq!((&*apples.received, &*apples.on_hand_before, &*apples.on_hand_after), ("2", "9", "11"));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn business_obstacles_stand_beside_the_list(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.operator().disable_back_orders().ok().await;
    let order = alice.order(&[("apples", "10"), ("pears", "8")]).await;

    let preview = alice.preview(&order).line(1, "10", "").ok().await;
    let expected = [("NOTHING_RECEIVED", vec![]), ("PENDING_UNSETTLED", vec![2]), ("BACK_ORDERS_DISABLED", vec![1])];
    assert_eq!(blockers(&preview), expected);
    assert_eq!(preview.pending_lines.len(), 2);
    assert!(preview.blockers.iter().all(|blocker| !blocker.message.is_empty()));
    alice.receive(&order).accept(1, "1").ok().await;
    let preview = alice.preview(&order).rest(Cancel).ok().await;
    assert_eq!(blockers(&preview), [("INVALID_FOR_STORED_DATA", vec![])], "nobody has said why yet");
    assert_eq!((preview.blockers[0].message.starts_with("cancel_reason "), preview.pending_lines.len()), (true, 2));
    let preview = alice.preview(&order).rest(Cancel).because("the feature is off").ok().await;
    assert_eq!(blockers(&preview), []);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_preview_changes_nothing(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    let (lines, level) = (alice.lines(&order).await, alice.level("apples").ok().await);

    alice.preview(&order).rest(BackOrder).ok().await;

    assert_eq!(alice.seen(&order.purchase_order_id).await, order);
    assert_eq!((alice.lines(&order).await, alice.level("apples").ok().await), (lines, level));
    let completed = alice.complete(&order).rest(BackOrder).ok().await;
    assert_eq!(completed.back_order.unwrap().number, "PO-000001-B1");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_refused_for_what_no_choice_can_mend(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;

    let old = alice.preview(&order).with(|request| request.etag = "1".to_owned());
    assert_eq!(old.refused(Aborted, "ETAG_MISMATCH").await.metadata("etag"), order.etag);
    let unfit = alice.preview(&order).line(1, "7", "");
    unfit.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["lines[0]"]);
    alice.preview(&order).line(2, "7", "").refused(NotFound, "LINE_NOT_FOUND").await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_long_preview_comes_in_pages(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let names: Vec<String> = (1..=7).map(|n| format!("product-{n}")).collect();
    let lines: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "2")).collect();
    let order = alice.received(&lines, &[(1, "1")]).await;
    let page = |token: String| {
        let preview = alice.preview(&order).rest(BackOrder);
        preview.with(|request| (request.page_size, request.page_token) = (3, token))
    };

    let (mut token, mut numbers, mut products) = (String::new(), Vec::new(), Vec::new());
    loop {
        let preview = page(token).ok().await;
        assert!(preview.pending_lines.len() <= 3 && preview.stock.len() <= 3);
        assert_eq!(preview.back_order_line_count, 7);
        numbers.extend(preview.pending_lines.into_iter().map(|line| line.line_number));
        products.extend(preview.stock.into_iter().map(|stock| stock.product_id));
        token = preview.next_page_token;
        if token.is_empty() {
            break;
        }
    }

    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(products, names);
    let first = page(String::new()).ok().await.next_page_token;
    let other = page(first).with(|request| request.rest = Cancel.into()).because("late");
    other.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    world.verify().await;
}
