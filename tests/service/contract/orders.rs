//! Stories of GetPurchaseOrder, ListPurchaseOrderLines and ListPurchaseOrders: looking at what was
//! ordered.

use purchase_order_service::proto::v1::{
    GetPurchaseOrderRequest, ListPurchaseOrderLinesRequest, ListPurchaseOrdersRequest, PurchaseOrderLine,
    PurchaseOrderState, PurchaseOrderView,
};
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{FEWER_STORES, MORE_STORES, Story, absent};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, line_text};

/// A clerk looks an order up, with and without its lines.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn get_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<GetPurchaseOrderRequest>::on(on).await else { return };
    let bob = story.world.bob();
    let order = story.world.alice().received(&[("apples", "10"), ("pears", "5")], &[(1, "10")]).await;
    let get = |caller: &Caller| caller.get(&order.purchase_order_id);
    let viewed = |view: i32| get(&bob).with(|request| request.view = view);

    let header = story.ok(get(&bob)).await;
    let seen = header.purchase_order.unwrap();
    assert_eq!((seen.number, seen.totals, header.lines), (order.number.clone(), order.totals.clone(), vec![]));
    assert_ne!(seen.allowed_actions, order.allowed_actions, "bob may do less than alice");
    let full = story.ok(viewed(PurchaseOrderView::Full.into())).await;
    let lines: Vec<String> = full.lines.iter().map(line_text).collect();
    assert_eq!(lines, ["1 apples: 10 ordered, 10 received", "2 pears: 5 ordered, 5 pending"]);

    let own = story.world.alice().update(&order, &["external_id"]);
    own.with(|request| request.external_id = "erp-1".to_owned()).ok().await;
    let by_own = |id: &str| bob.get("").with(|request| request.external_id = id.to_owned());
    assert_eq!(story.ok(by_own("erp-1")).await.purchase_order.unwrap().number, order.number);
    let full = story.ok(by_own("erp-1").with(|request| request.view = PurchaseOrderView::Full.into())).await;
    assert_eq!(full.lines.iter().map(line_text).collect::<Vec<_>>(), lines, "with its lines by that id too");
    story.refused(by_own("erp-2"), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    let both = get(&bob).with(|request| request.external_id = "erp-1".to_owned());
    story.refused(both, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["purchase_order_id"]);
    story.refused(bob.get(""), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["purchase_order_id"]);

    story.refused(viewed(7), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["view"]);
    let malformed = story.refused(bob.get("PO-000001"), InvalidArgument, "INVALID_REQUEST").await;
    malformed.names_fields(&["purchase_order_id"]);
    story.refused(bob.get(&absent().purchase_order_id), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    story.refused(get(&story.world.caller("mallory")), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(get(&story.world.caller("")), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

fn numbers(lines: &[PurchaseOrderLine]) -> Vec<i32> {
    lines.iter().map(|line| line.line_number).collect()
}

/// A long order is read page by page, and what is still missing from it by itself.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_purchase_order_lines(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListPurchaseOrderLinesRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let lines: Vec<(&str, &str)> = (0..60).map(|n| (["apples", "pears", "plums"][n % 3], "2")).collect();
    let order = alice.order(&lines).await;
    let delivery =
        (1..=60).filter(|line| line % 10 != 0).fold(bob.receive(&order), |call, line| call.accept(line, "2"));
    delivery.ok().await;
    let pending = |size: i32, token: &str| {
        let list = bob.list_lines(&order).with(|request| (request.pending_only, request.page_size) = (true, size));
        list.with(|request| request.page_token = token.to_owned())
    };

    let first = story.ok(bob.list_lines(&order)).await;
    assert_eq!(numbers(&first.lines), (1..=50).collect::<Vec<_>>(), "0 means 50");
    let token = first.next_page_token;
    let rest = bob.list_lines(&order).with(|request| (request.page_size, request.page_token) = (10, token.clone()));
    let rest = story.ok(rest).await;
    assert_eq!((numbers(&rest.lines), &*rest.next_page_token), ((51..=60).collect(), ""));
    let paged: Vec<PurchaseOrderLine> = first.lines.into_iter().chain(rest.lines).collect();
    let costless =
        |line: PurchaseOrderLine| PurchaseOrderLine { unit_cost: None, ordered_cost: None, pending_cost: None, ..line };
    let all: Vec<PurchaseOrderLine> = alice.lines(&order).await.into_iter().map(costless).collect();
    assert_eq!(paged, all, "it is the same as all at once, without the costs");

    let some = story.ok(pending(4, "")).await;
    assert_eq!(numbers(&some.lines), [10, 20, 30, 40]);
    bob.receive(&order).accept(50, "2").accept(10, "1").ok().await;
    let others = story.ok(pending(4, &some.next_page_token)).await;
    assert_eq!((numbers(&others.lines), &*others.next_page_token), (vec![60], ""), "50 came meanwhile");
    assert_eq!(line_text(&story.ok(pending(1, "")).await.lines[0]), "10 apples: 2 ordered, 1 received, 1 pending");

    for other in [pending(0, &token), bob.list_lines(&order).with(|r| r.page_token = some.next_page_token.clone())] {
        story.refused(other, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    }
    story.refused(pending(-1, ""), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_size"]);
    story.refused(bob.list_lines(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    story.refused(story.world.operator().list_lines(&order), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").list_lines(&order), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

/// A buyer looks for an order of which they know little.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_purchase_orders(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListPurchaseOrdersRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let original = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "10")]).await;
    story.world.clock.set("2026-03-03T09:00:00Z");
    let back_order = alice.back_order(&original).await;
    alice.draft(&[("apples", "1")]).await;
    let found = async |filter: fn(&mut ListPurchaseOrdersRequest)| -> Vec<String> {
        let orders = story.ok(bob.list().with(filter)).await.purchase_orders;
        orders.into_iter().map(|order| order.number).collect()
    };

    assert_eq!(found(|_| {}).await, ["PO-000002", "PO-000001-B1", "PO-000001"], "the newest first");
    assert_eq!(found(|request| request.number_prefix = "PO-000001".into()).await, ["PO-000001-B1", "PO-000001"]);
    let open_with_pears = |request: &mut ListPurchaseOrdersRequest| {
        request.product_id = "pears".into();
        request.states = vec![PurchaseOrderState::OnOrder.into(), PurchaseOrderState::Draft.into()];
    };
    assert_eq!(found(open_with_pears).await, [&*back_order.number]);

    let unknown = bob.list().with(|request| request.states = vec![0, 2, 99]);
    story.refused(unknown, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["states[0]", "states[2]"]);
    let long = bob.list().with(|request| (request.supplier_id, request.page_size) = ("s".repeat(65), -5));
    story.refused(long, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["supplier_id", "page_size"]);
    let unsorted = bob.list().with(|request| (request.order_by, request.expected_from) = (3, "soon".into()));
    story.refused(unsorted, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["expected_from", "order_by"]);
    let mut session = story.world.database.session();
    session.batch(MORE_STORES).unwrap();
    story.refused(alice.at("-").list(), FailedPrecondition, "TOO_MANY_STORES").await;
    session.batch(FEWER_STORES).unwrap();
    story.refused(story.world.operator().list(), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").list(), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}
