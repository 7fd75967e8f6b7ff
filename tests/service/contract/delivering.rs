//! The story of ReceiveDelivery: one lorry brings the goods of several orders.

use purchase_order_service::proto::v1::{NewReceiptItem, PurchaseOrder, ReceiveDeliveryRequest};
use rstest::rstest;
use tonic::Code::{Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};

use crate::contract::story::{AN_ID, Story, absent, as_much_as_there_may_be};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, line_text, lot_text, together, unlisted_item};

type Delivering = Story<ReceiveDeliveryRequest>;

/// A delivery is scanned for two orders, and told again when the answer got lost.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn receive_delivery(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Delivering::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let first = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    let second = alice.order(&[("apples", "6")]).await;

    let lorry = bob.deliver().accept_product("apples", "12").accept_line(&first, 2, "5").etag(&first).id(AN_ID);
    let delivered = story.ok(lorry.clone()).await;
    let touched: Vec<String> = delivered.orders.iter().flat_map(|order| order.lines.iter().map(line_text)).collect();
    assert_eq!(
        touched,
        [
            "1 apples: 10 ordered, 10 received",
            "2 pears: 5 ordered, 5 received",
            "1 apples: 6 ordered, 2 received, 4 pending"
        ]
    );
    assert_eq!(story.ok(lorry.clone()).await, delivered, "scanned twice, it came once");
    let other = lorry.accept_line(&second, 1, "1");
    story.refused(other, InvalidArgument, "REQUEST_ID_REUSED").await;

    what_cannot_have_come(&story, &first).await;
    what_was_booked_before(&story, &second).await;
    in_lots(&story, &alice).await;
    beyond_what_a_delivery_can_hold(&story, &alice).await;
    beyond_what_an_order_can_hold(&story).await;
    story.end().await;
}

async fn what_cannot_have_come(story: &Delivering, order: &PurchaseOrder) {
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let over = story.refused(bob.deliver().accept_product("apples", "5"), FailedPrecondition, "OVER_RECEIPT").await;
    assert_eq!((over.metadata("line_numbers"), over.metadata("total")), ("1,1".to_owned(), "2".to_owned()));
    story.refused(bob.deliver().accept_product("coal", "1"), NotFound, "PRODUCT_NOT_RECEIVABLE").await;
    story.refused(bob.deliver().accept_line(order, 3, "1"), NotFound, "LINE_NOT_FOUND").await;
    let absent = bob.deliver().accept_line(order, 1, "1").accept_line(&absent(), 1, "1");
    let refused = story.refused(absent, NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    assert_eq!(refused.metadata("total"), "1");
    let outdated = bob.deliver().accept_line(order, 1, "1").etag(order);
    let refused = story.refused(outdated, Aborted, "ETAG_MISMATCH").await;
    assert_eq!(refused.metadata("purchase_orders"), order.number);
    let draft = alice.draft(&[("apples", "1")]).await;
    let refused = story.refused(bob.deliver().accept_line(&draft, 1, "1"), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!((refused.metadata("state"), refused.metadata("purchase_orders")), ("DRAFT".to_owned(), draft.number));
    let of_other = bob.deliver().accept_line(order, 1, "1").with(|request| request.supplier_id = "bolt".to_owned());
    let refused = story.refused(of_other, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["items[0].purchase_order_id"]);
    let unlisted =
        || NewReceiptItem { purchase_order_id: order.purchase_order_id.clone(), ..unlisted_item("soap", "1") };
    story.refused(bob.deliver().item(unlisted()), FailedPrecondition, "UNLISTED_ITEMS_NOT_ALLOWED").await;
}

async fn what_was_booked_before(story: &Delivering, order: &PurchaseOrder) {
    let bob = story.world.bob();
    let noted = || bob.deliver().accept_line(order, 1, "1").with(|request| request.delivery_note = "LS 88".to_owned());
    assert_eq!(story.ok(noted()).await.same_delivery_note, None);
    let once = noted().with(|request| request.refuse_known_delivery_note = true);
    let refused = story.refused(once, AlreadyExists, "DELIVERY_NOTE_KNOWN").await;
    assert_eq!(refused.metadata("number"), order.number);
}

async fn beyond_what_an_order_can_hold(story: &Delivering) {
    let alice = story.world.alice();
    let unlisted = alice.update_store(&["allow_unlisted_items"]);
    unlisted.with(|request| request.allow_unlisted_items = true).ok().await;
    let dear = alice.order(&[("gold", "200")]).await;
    let dear = alice.deliver().accept_line(&dear, 1, "101").with(|request| {
        request.items[0].unit_cost = Some("1000000000".to_owned());
    });
    story.refused(dear, FailedPrecondition, "RECEIVED_VALUE_OUT_OF_RANGE").await;
    let full = alice.order(&as_much_as_there_may_be("grain")).await;
    alice.receive(&full).all_pending().ok().await;
    let one_more = alice.order(&[("grain", "1")]).await;
    let refused =
        story.refused(alice.deliver().accept_line(&one_more, 1, "1"), FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    assert_eq!(refused.metadata("product_ids"), "grain");

    let lines: Vec<String> = (1..=5_000).map(|number| format!("part-{number}")).collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|part| (part.as_str(), "5")).collect();
    let order = alice.order(&lines).await;
    let one_more = NewReceiptItem { purchase_order_id: order.purchase_order_id.clone(), ..unlisted_item("soap", "1") };
    story.refused(alice.deliver().item(one_more), FailedPrecondition, "TOO_MANY_LINES").await;
    for _ in 0..4 {
        (1..=5_000).fold(alice.receive(&order), |call, line| call.accept(line, "1")).ok().await;
    }
    let twenty_thousand_and_one = alice.deliver().accept_line(&order, 1, "1");
    story.refused(twenty_thousand_and_one, FailedPrecondition, "TOO_MANY_RECEIPT_ITEMS").await;
}

/// 5,000 lots, and few.
async fn in_lots(story: &Delivering, alice: &Caller) {
    let order = alice.order(&[("cups", "2500"), ("cups", "2501")]).await;
    let mut many = alice.deliver().accept_product("cups", "5001");
    for lot in 0..5_000 {
        // 5,000 lots fit, but this one is divided over two lines.
        many = many.lot(&lot.to_string(), "", if lot == 2_499 { "2" } else { "1" });
    }
    story.refused(many, FailedPrecondition, "RECEIPT_TOO_LARGE").await;
    let few = story.ok(alice.deliver().accept_product("cups", "2501").lot("L1", "2026-04-01", "2501")).await;
    let lots = few.orders[0].receipt.as_ref().unwrap().items.iter().map(|item| lot_text(&item.lots[0]));
    assert_eq!(lots.collect::<Vec<_>>(), ["L1 2026-04-01: 2500", "L1 2026-04-01: 1"]);
    alice.void(&order, 1).ok().await;
}

async fn beyond_what_a_delivery_can_hold(story: &Delivering, alice: &Caller) {
    for order in together((0..51).map(|_| alice.create(&[("salt", "1")]))).await {
        alice.place(&order.unwrap().purchase_order.unwrap()).ok().await;
    }
    story.refused(alice.deliver().accept_product("salt", "51"), FailedPrecondition, "DELIVERY_TOO_LARGE").await;
    assert_eq!(story.ok(alice.deliver().accept_product("salt", "50")).await.orders.len(), 50);
    alice.order(&[("salt", "1"); 1_000]).await;
    let refused =
        story.refused(alice.deliver().accept_product("salt", "1"), FailedPrecondition, "TOO_MANY_CANDIDATE_LINES");
    assert!(refused.await.message().contains("name the orders"));
}
