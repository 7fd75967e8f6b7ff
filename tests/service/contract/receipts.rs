//! Stories of GetReceipt and ListReceipts: what was booked, when, by whom, and whether it stands.

use purchase_order_service::proto::v1::{GetReceiptRequest, ListReceiptsRequest, PurchaseOrder, Receipt};
use rstest::rstest;
use tonic::Code::{InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{Story, absent};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, at};

/// Four deliveries a day apart, the second and the fourth voided by carol.
async fn four_deliveries(world: &World) -> PurchaseOrder {
    let order = world.alice().order(&[("apples", "10"), ("pears", "10"), ("plums", "10")]).await;
    for (day, lines) in [(3, 1), (4, 3), (5, 2), (6, 1)] {
        world.clock.set(&format!("2026-03-0{day}T10:00:00Z"));
        let receive = (1..=lines).fold(world.bob().receive(&order), |call, line| call.accept(line, "1"));
        receive.with(|request| request.delivery_note = format!("LS {day}")).ok().await;
    }
    world.clock.set("2026-03-07T10:00:00Z");
    for receipt in [2, 4] {
        world.carol().void(&order, receipt).ok().await;
    }
    order
}

/// A clerk looks up a delivery that stands and one that was taken back.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn get_receipt(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<GetReceiptRequest>::on(on).await else { return };
    let bob = story.world.bob();
    let order = four_deliveries(&story.world).await;
    let rejected = bob.receive(&order).accept(2, "3").reject(1, "2", "mouldy");
    let booked = rejected.with(|request| request.note = "two crates".to_owned()).ok().await.receipt;

    let receipt = story.ok(bob.receipt(&order, 5)).await.receipt;
    assert_eq!(receipt, booked, "it is told as it was answered");
    let receipt = receipt.unwrap();
    assert_eq!((receipt.receipt_number, &*receipt.booked_by, &*receipt.note), (5, "bob", "two crates"));
    assert_eq!((receipt.void_time, &*receipt.void_reason, &*receipt.voided_by), (None, "", ""));
    let items: Vec<_> =
        receipt.items.iter().map(|i| (i.line_number, &*i.accepted, &*i.rejected, &*i.reject_note)).collect();
    assert_eq!((&items[..], receipt.item_count), (&[(1, "0", "2", "mouldy"), (2, "3", "0", "")][..], 2));

    let voided = story.ok(bob.receipt(&order, 2)).await.receipt.unwrap();
    assert_eq!((voided.void_time, &*voided.voided_by), (at("2026-03-07T10:00:00Z"), "carol"));
    assert_eq!((&*voided.void_reason, &*voided.booked_by), ("counted again", "bob"));
    assert_eq!((voided.receive_time, voided.book_time), (at("2026-03-04T10:00:00Z"), at("2026-03-04T10:00:00Z")));
    assert_eq!((voided.items.len(), voided.item_count), (3, 3), "what it held is still told");

    let refused = story.refused(bob.receipt(&order, 6), NotFound, "RECEIPT_NOT_FOUND").await;
    assert_eq!(
        (refused.metadata("receipt_number"), refused.metadata("number")),
        ("6".to_owned(), order.number.clone())
    );
    story.refused(bob.receipt(&order, i32::MAX), NotFound, "RECEIPT_NOT_FOUND").await;
    story.refused(bob.receipt(&absent(), 1), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    for number in [0, -1, i32::MIN] {
        let refused = story.refused(bob.receipt(&order, number), InvalidArgument, "INVALID_REQUEST").await;
        refused.names_fields(&["receipt_number"]);
    }
    story.refused(story.world.operator().receipt(&order, 1), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").receipt(&order, 1), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

/// Over all orders the goods that arrived last come first, and any mix of filters holds.
async fn of_the_store(story: &Story<ListReceiptsRequest>, order: &PurchaseOrder) {
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let create = alice.create(&[("tea", "9")]).with(|request| request.supplier_id = "bolt".to_owned());
    let other = alice.place(&create.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    bob.receive(&other).accept(1, "1").with(|request| request.delivery_note = "LS 5".to_owned()).ok().await;
    bob.receive(&other).accept(1, "1").with(|request| request.delivery_note = "B 1".to_owned()).ok().await;
    let told = |receipts: &[Receipt]| -> Vec<String> {
        receipts.iter().map(|receipt| format!("{}/{}", receipt.purchase_order_number, receipt.receipt_number)).collect()
    };
    let all = ["PO-000003/2", "PO-000003/1", "PO-000001/4", "PO-000001/3", "PO-000001/2", "PO-000001/1"];
    assert_eq!(told(&story.ok(bob.list_all_receipts()).await.receipts), all);
    let (mut paged, mut token) = (Vec::new(), String::new());
    loop {
        let page = bob.list_all_receipts().with(|request| request.page_size = 2);
        let page = story.ok(page.with(|request| request.page_token = token.clone())).await;
        paged.extend(told(&page.receipts));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all, "page by page");
    let with = async |change: fn(&mut ListReceiptsRequest)| {
        told(&story.ok(bob.list_all_receipts().with(change)).await.receipts)
    };
    assert_eq!(with(|request| request.delivery_note = "LS 5".to_owned()).await, ["PO-000003/1", "PO-000001/3"]);
    assert_eq!(with(|request| request.supplier_id = "bolt".to_owned()).await, all[..2]);
    assert_eq!(with(|request| request.active_only = true).await, [all[0], all[1], all[3], all[5]]);
    assert_eq!(
        with(|request| {
            request.receive_time_from = at("2026-03-04T10:00:00Z");
            request.receive_time_before = at("2026-03-06T10:00:00Z");
        })
        .await,
        all[3..5]
    );
    assert_eq!(
        with(|request| {
            request.supplier_id = "acme".to_owned();
            request.delivery_note = "LS 5".to_owned();
        })
        .await,
        ["PO-000001/3"]
    );
    let of_order = bob.list_receipts(order).with(|request| request.delivery_note = "LS 4".to_owned());
    assert_eq!(told(&story.ok(of_order).await.receipts), ["PO-000001/2"]);
    let wrong = bob.list_all_receipts().with(|request| {
        request.supplier_id = "acme ".to_owned();
        request.delivery_note = "LS\n5".to_owned();
    });
    story.refused(wrong, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["delivery_note", "supplier_id"]);
    for page_token in ["x", "AAAAAAAAAAAAAAAAAAAAAAAA", "1"] {
        let forged = bob.list_all_receipts().with(|request| request.page_token = page_token.to_owned());
        story.refused(forged, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    }
    for size in [-1, -2, i32::MIN] {
        let negative = bob.list_all_receipts().with(|request| request.page_size = size);
        story.refused(negative, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_size"]);
    }
    for who in ["mallory", "eve", "trent"] {
        story.refused(story.world.caller(who).list_all_receipts(), PermissionDenied, "NO_STORE_ACCESS").await;
    }
}

fn numbers(receipts: &[Receipt]) -> Vec<i32> {
    receipts.iter().map(|receipt| receipt.receipt_number).collect()
}

/// A clerk goes through the deliveries of an order, page by page, with and without those taken back.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_receipts(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListReceiptsRequest>::on(on).await else { return };
    let bob = story.world.bob();
    let order = four_deliveries(&story.world).await;
    let active = |caller: &Caller| caller.list_receipts(&order).with(|request| request.active_only = true);

    let all = story.ok(bob.list_receipts(&order)).await;
    assert_eq!((numbers(&all.receipts), &*all.next_page_token), (vec![1, 2, 3, 4], ""));
    assert!(all.receipts.iter().all(|receipt| receipt.items.is_empty()), "items are left out");
    assert_eq!(all.receipts.iter().map(|receipt| receipt.item_count).collect::<Vec<_>>(), [1, 3, 2, 1]);
    for listed in all.receipts {
        let whole = bob.receipt(&order, listed.receipt_number).ok().await.receipt.unwrap();
        assert_eq!(listed, Receipt { items: Vec::new(), ..whole }, "the rest is as GetReceipt tells it");
    }
    let kept = story.ok(active(&bob)).await.receipts;
    assert_eq!(numbers(&kept), [1, 3]);
    assert!(kept.iter().all(|receipt| receipt.void_time.is_none() && receipt.voided_by.is_empty()));
    let none = bob.list_receipts(&story.world.alice().draft(&[("apples", "1")]).await);
    assert_eq!(story.ok(none).await.receipts, []);

    of_the_store(&story, &order).await;

    let first = story.ok(active(&bob).with(|request| request.page_size = 1)).await;
    let token = first.next_page_token;
    let second = story.ok(active(&bob).with(|request| request.page_token = token.clone())).await;
    assert_eq!((numbers(&first.receipts), numbers(&second.receipts)), (vec![1], vec![3]));
    assert_eq!(second.next_page_token, "", "and that was the last page");

    let unfiltered = bob.list_receipts(&order).with(|request| request.page_token = token);
    story.refused(unfiltered, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    let negative = bob.list_receipts(&order).with(|request| request.page_size = -1);
    story.refused(negative, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_size"]);
    story.refused(bob.list_receipts(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    story.refused(active(&story.world.caller("mallory")), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(active(&story.world.caller("")), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}
