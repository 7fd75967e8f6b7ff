//! Stories of CreatePurchaseOrder and PlacePurchaseOrder: what is wanted is written down, and then
//! ordered.

use purchase_order_service::proto::v1::{
    CreatePurchaseOrderRequest, PlacePurchaseOrderRequest, PurchaseOrderState, Unit,
};
use rstest::rstest;
use tonic::Code::{
    Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated,
};

use crate::contract::story::{AN_ID, Story, absent, as_much_as_there_may_be};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, MONDAY, at, line_text};

/// Ten apples and two and a half kilograms of rice for the fair.
fn wish_list(buyer: &Caller) -> Call<CreatePurchaseOrderRequest> {
    buyer.create(&[("apples", "10.0"), ("rice", "2.50")]).with(|request| {
        request.supplier_reference = "Q-77".to_owned();
        request.note = "for the fair".to_owned();
        request.expected_date = "2026-03-10".to_owned();
        request.lines[1].unit = Unit::Kilogram.into();
        request.lines[1].gtin = "4006381333931".to_owned();
        request.lines[1].expected_date = "2026-03-12".to_owned();
    })
}

/// A buyer writes down what the store wants; the answer gets lost, and one draft stands all the same.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn create_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<CreatePurchaseOrderRequest>::on(on).await else { return };
    let alice = story.world.alice();

    let created = story.ok(wish_list(&alice).id(AN_ID)).await;
    let draft = created.purchase_order.clone().unwrap();
    assert_eq!((&*draft.number, draft.state(), &*draft.etag), ("PO-000001", PurchaseOrderState::Draft, "1"));
    assert_eq!((&*draft.supplier_id, &*draft.supplier_reference, &*draft.note), ("acme", "Q-77", "for the fair"));
    assert_eq!((&*draft.currency, &*draft.expected_date, draft.create_time), ("EUR", "2026-03-10", at(MONDAY)));
    let lines = alice.lines(&draft).await;
    let texts: Vec<String> = lines.iter().map(line_text).collect();
    assert_eq!(texts, ["1 apples: 10 ordered, 10 pending", "2 rice: 2.5 ordered, 2.5 pending"]);
    assert_eq!((lines[1].unit(), &*lines[1].gtin, lines[1].unit_cost()), (Unit::Kilogram, "4006381333931", "2.5"));
    assert_eq!((&*lines[0].expected_date, &*lines[1].expected_date), ("2026-03-10", "2026-03-12"));

    assert_eq!(story.ok(wish_list(&alice).id(AN_ID)).await, created, "sent again, it is the same draft");
    let more = wish_list(&alice).id(AN_ID).with(|request| request.lines[0].quantity = Some("11".to_owned()));
    story.refused(more, InvalidArgument, "REQUEST_ID_REUSED").await.names_fields(&["request_id"]);

    let dollars = wish_list(&alice).with(|request| request.currency = "USD".to_owned());
    let refused = story.refused(dollars, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["currency"]);
    let by_the_piece = wish_list(&alice).with(|request| request.lines[1].unit = Unit::Box.into());
    let refused = story.refused(by_the_piece.clone(), InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["lines[1].quantity"]);
    let by_the_piece = by_the_piece.with(|request| request.lines[1].quantity = Some("2".to_owned()));
    let refused = story.refused(by_the_piece, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["lines[1].unit"]);
    let named = |id: &str| alice.create(&[("apples", "1")]).with(|request| request.external_id = id.to_owned());
    let first = story.ok(named("erp-7")).await.purchase_order.unwrap();
    assert_eq!(first.external_id, "erp-7");
    let refused = story.refused(named("erp-7"), AlreadyExists, "EXTERNAL_ID_EXISTS").await;
    assert_eq!(refused.metadata("purchase_order_id"), first.purchase_order_id);
    let dear = named("erp-8").with(|request| {
        request.lines[0].quantity = Some("101".to_owned());
        request.lines[0].unit_cost = Some("1000000000".to_owned());
    });
    story.refused(dear, InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["lines"]);
    alice.cancel(&first).ok().await;
    let refused = story.refused(wish_list(&story.world.bob()), PermissionDenied, "PERMISSION_MISSING").await;
    assert_eq!(refused.metadata("permission"), "EDIT");
    story.refused(wish_list(&story.world.caller("mallory")), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(wish_list(&story.world.caller("")), Unauthenticated, "NO_CREDENTIALS").await;

    let orders = alice.list().with(|request| request.states = vec![PurchaseOrderState::Draft.into()]);
    assert_eq!(orders.ok().await.purchase_orders, [draft]);
    assert_eq!((alice.stock("apples").await, alice.stock("rice").await), (String::new(), String::new()));
    story.end().await;
}

/// The telephone order of Friday is put in on Monday; what cannot be meant seriously is not ordered.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn place_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<PlacePurchaseOrderRequest>::on(on).await else { return };
    let alice = story.world.alice();
    let draft = wish_list(&alice).ok().await.purchase_order.unwrap();
    let friday = |request: &mut PlacePurchaseOrderRequest| request.order_time = at("2026-02-27T15:00:00Z");

    let tomorrow = alice.place(&draft).with(|request| request.order_time = at("2026-03-03T09:00:00Z"));
    let refused = story.refused(tomorrow, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["order_time"]);
    let unseen = alice.place(&draft).with(|request| request.etag = "7".to_owned());
    let refused = story.refused(unseen, Aborted, "ETAG_MISMATCH").await;
    assert_eq!((refused.metadata("etag"), refused.metadata("number")), ("1".to_owned(), "PO-000001".to_owned()));
    story.refused(story.world.bob().place(&draft), PermissionDenied, "PERMISSION_MISSING").await;
    story.refused(alice.place(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;

    let placed = story.ok(alice.place(&draft).with(friday).with(|request| request.etag = "1".to_owned())).await;
    let order = placed.purchase_order.unwrap();
    assert_eq!((order.state(), &*order.etag), (PurchaseOrderState::OnOrder, "2"));
    assert_eq!((order.order_time, order.place_time), (at("2026-02-27T15:00:00Z"), at(MONDAY)));
    assert_eq!(order.original_order_time, order.order_time);
    assert_eq!(alice.stock("rice").await, "2.5 on order");
    let refused = story.refused(alice.place(&draft), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "ON_ORDER");

    let empty = alice.draft(&[("apples", "1"), ("pears", "0")]).await;
    let refused = story.refused(alice.place(&empty), FailedPrecondition, "LINES_WITHOUT_QUANTITY").await;
    assert_eq!((refused.metadata("line_numbers"), refused.metadata("total")), ("2".to_owned(), "1".to_owned()));
    let late = wish_list(&alice).with(|request| request.expected_date = "2026-03-01".to_owned()).ok().await;
    let late = late.purchase_order.unwrap();
    let refused = story.refused(alice.place(&late), FailedPrecondition, "EXPECTED_DATE_PASSED").await;
    assert_eq!(refused.metadata("line_numbers"), "1", "the other line has a date of its own");
    let placed = story.ok(alice.place(&late).with(friday)).await.purchase_order.unwrap();
    assert_eq!(placed.number, "PO-000003", "seen from Friday, Sunday was still to come");

    alice.order(&as_much_as_there_may_be("grain")).await;
    let one_more = alice.draft(&[("grain", "1")]).await;
    let refused = story.refused(alice.place(&one_more), FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    assert_eq!(refused.metadata("product_ids"), "grain");
    assert_eq!(alice.stock("grain").await, "900000000000 on order");
    story.end().await;
}
