//! What is accepted comes back exactly, in normal form C, from every read, and is found by it.

use purchase_order_service::proto::v1::*;
use rstest::rstest;
use unicode_normalization::UnicodeNormalization;

use super::malformed::TEXTS;
use super::rules::Rule;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, line};

/// The texts that any text field accepts, codes too.
fn texts() -> impl Iterator<Item = &'static str> {
    TEXTS.into_iter().filter(|text| Rule::Required(64).admits(text))
}

/// An order that holds a text wherever one may be.
async fn written(alice: &Caller, text: &str) -> PurchaseOrder {
    let create = alice.create(&[]).with(|request| {
        request.supplier_id = text.to_owned();
        request.supplier_reference = text.to_owned();
        request.note = text.to_owned();
        request.lines.push(NewLine { description: text.to_owned(), ..line(text, "9") });
    });
    let order = create.ok().await.purchase_order.unwrap();
    alice.place(&order).ok().await;
    let receive = alice.receive(&order).accept(1, "1").with(|request| {
        request.items[0].rejected = Some("1".to_owned());
        request.items[0].reject_reason = RejectReason::Other.into();
        request.items[0].reject_note = text.to_owned();
        request.delivery_note = text.to_owned();
        request.note = text.to_owned();
    });
    receive.ok().await;
    alice.void(&order, 1).with(|request| request.reason = text.to_owned()).ok().await;
    alice.receive(&order).accept(1, "1").ok().await;
    alice.complete(&order).rest(PendingDisposition::Cancel).because(text).ok().await;
    order
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn texts_of_orders_come_back_as_they_were_sent(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    assert!(texts().count() > 12);
    for text in texts() {
        let order = written(&alice, text).await;
        let kept: String = text.nfc().collect();

        let header = alice.seen(&order.purchase_order_id).await;
        let said = [&header.supplier_id, &header.supplier_reference, &header.note, &header.cancel_reason];
        assert_eq!(said, [&kept; 4]);
        let lines = alice.lines(&order).await;
        assert_eq!((&lines[0].product_id, &lines[0].description), (&kept, &kept));
        let receipt = alice.receipt(&order, 1).ok().await.receipt.unwrap();
        let said = [&receipt.delivery_note, &receipt.note, &receipt.void_reason, &receipt.items[0].reject_note];
        assert_eq!(said, [&kept; 4]);
        let stock = alice.movements(text).ok().await.stock_movements;
        assert_eq!((stock.len(), alice.stock(text).await.as_str()), (1, "1 on hand"), "{text:?}");
        is_found(&alice, text, &header).await;
    }
    world.verify().await;
}

/// Each filter by a text finds the one order that has it.
async fn is_found(alice: &Caller, text: &str, header: &PurchaseOrder) {
    let by: [fn(&mut ListPurchaseOrdersRequest, String); 3] =
        [|r, text| r.supplier_id = text, |r, text| r.product_id = text, |r, text| r.supplier_reference = text];
    for filter in by {
        let found = alice.list().with(|request| filter(request, text.to_owned())).ok().await;
        assert_eq!(found.purchase_orders, std::slice::from_ref(header), "{text:?}");
        assert_eq!(found.next_page_token, "");
    }
    let levels = alice.list_levels().with(|request| request.product_ids = vec![text.to_owned()]).ok().await;
    assert_eq!(levels.inventory_levels.len(), 1, "{text:?}");
    let number = alice.list().with(|request| request.number_prefix = text.to_owned()).ok().await;
    assert_eq!(number.purchase_orders, [], "no number begins with {text:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn names_of_stores_and_people_come_back_as_they_were_sent(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    for text in texts() {
        let kept: String = text.nfc().collect();
        let update = alice.update_store(&["display_name"]).with(|request| request.display_name = text.to_owned());
        update.ok().await;
        assert_eq!(alice.get_store().ok().await.store.unwrap().display_name, kept);
        assert_eq!(alice.grant(text, "receiver").ok().await.grant.unwrap().principal, kept);
        assert_eq!(alice.grant(&kept, "receiver").ok().await.event_number, 0, "{text:?} holds it already");
        let grants = alice.list_grants().with(|request| request.principal = text.to_owned()).ok().await.grants;
        assert_eq!(grants, [Grant { principal: kept, role_id: "receiver".to_owned() }]);
        assert_ne!(alice.revoke(text, "receiver").ok().await.event_number, 0, "{text:?}");
    }
    world.verify().await;
}
