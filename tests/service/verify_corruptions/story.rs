//! The story that violations are corrupted into: it leaves something of everything behind.

use purchase_order_service::proto::v1::AdjustmentKind::{Count, ReturnToSupplier, Sale};
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::Permission::{Edit, View};
use purchase_order_service::proto::v1::Unit;
use purchase_order_service::proto::v1::{NewReceiptItem, RejectReason};

use crate::support::{World, at, line, unlisted_item};

/// The other store: nothing is corrupted there.
const OTHER: &str = "south";

/// Plays it. Afterwards the store has
///
/// - `PO-000001` COMPLETED after a void, with rejections, back-ordered and cancelled quantities;
/// - `PO-000001-B1` COMPLETED, its back order, and `PO-000001-B2` RECEIVING, the back order of that;
/// - `PO-000002` DRAFT and rewritten since, `PO-000003` ON_ORDER, `PO-000004` RECEIVING;
/// - `PO-000005` CANCELLED with a rejection, `PO-000006` CANCELLED as a draft;
/// - `PO-000007` COMPLETED with nothing left open, and one plum of it returned;
/// - milk that came and went beside any order;
/// - `PO-000008` ON_ORDER by dora, whose role came and went and came again;
/// - `PO-000009` and `PO-000010` RECEIVING by one delivery, the second with a line that it does not order;
/// - `PO-000011` COMPLETED with cheese in two lots, the second with an excess at a cost of its own; one sold;
/// - `PO-000012` RECEIVING by a correction and one more delivery;
/// - `PO-000013` ON_ORDER with one line given up, confirmed in part and amended;
/// - `PO-000014` COMPLETED for the second time, after two cherries that were there: `PO-000014-B1` was folded back, and
///   `PO-000014-B2` is ON_ORDER;
/// - `PO-000015` RECEIVING, because it was reopened;
/// - back orders turned off and on again before any of them.
pub async fn play(world: &World) {
    toggle(world).await;
    chain(world).await;
    by_state(world).await;
    access(world).await;
    lorry(world).await;
    lots(world).await;
    correction(world).await;
    reopening(world).await;
    let south = world.operator().at(OTHER);
    south.create_store("alice").ok().await;
    world.alice().at(OTHER).draft(&[("apples", "1")]).await;
}

async fn lorry(world: &World) {
    let alice = world.alice();
    let unlisted = alice.update_store(&["allow_unlisted_items"]);
    unlisted.with(|request| request.allow_unlisted_items = true).ok().await;
    let (first, second) = (alice.order(&[("figs", "4")]).await, alice.order(&[("figs", "2")]).await);
    let unlisted = NewReceiptItem { purchase_order_id: second.purchase_order_id.clone(), ..unlisted_item("soap", "1") };
    alice.deliver().accept_line(&first, 1, "3").accept_line(&second, 1, "1").item(unlisted).ok().await;
}

async fn lots(world: &World) {
    let alice = world.alice();
    let cheese = alice.create(&[("cheese", "5")]).with(|request| {
        request.lines[0].lot_required = true;
        request.lines[0].over_receipt_tolerance = Some("100".to_owned());
    });
    let order = cheese.ok().await.purchase_order.unwrap();
    alice.place(&order).ok().await;
    let delivery = alice.receive(&order).accept(1, "7").lot("L1", "2026-04-01", "2").lot("L2", "2026-05-01", "5");
    delivery.with(|request| request.items[0].excess_unit_cost = Some("0".to_owned())).ok().await;
    alice.complete(&order).ok().await;
    alice.adjust("cheese", Sale, "1").ok().await;
}

async fn correction(world: &World) {
    let alice = world.alice();
    let order = alice.received(&[("limes", "5")], &[(1, "4")]).await;
    alice.correct(&order, 1).accept(1, "3").ok().await;
    alice.receive(&order).accept(1, "1").ok().await;
    let order = alice.order(&[("limes", "5"), ("kiwis", "2")]).await;
    alice.cancel_lines(&order, &[(1, "3")]).ok().await;
    alice.confirm(&order, &[(2, "1")]).ok().await;
    alice.amend(&order, &[(2, "3")]).ok().await;
}

async fn reopening(world: &World) {
    let alice = world.alice();
    alice.adjust("cherries", Count, "2").costing("1.5").counted_in(Unit::Each).ok().await;
    let order = alice.received(&[("cherries", "10")], &[(1, "4")]).await;
    alice.complete(&order).line(1, "5", "1").because("too many").ok().await;
    alice.reopen(&order).id(id(16)).ok().await;
    world.clock.set("2026-03-09T10:00:00Z");
    alice.back_order(&order).await;
    let order = alice.received(&[("grapes", "3")], &[(1, "3")]).await;
    alice.complete(&order).ok().await;
    alice.reopen(&order).ok().await;
}

async fn toggle(world: &World) {
    world.operator().disable_back_orders().id(id(1)).ok().await;
    world.operator().enable_back_orders().id(id(2)).ok().await;
}

async fn chain(world: &World) {
    let (alice, bob) = (world.alice(), world.bob());
    let draft = alice.create(&[("apples", "10"), ("pears", "8"), ("plums", "6")]).with(|request| {
        request.expected_date = "2026-03-09".to_owned();
        request.lines[1].gtin = "4006381333931".to_owned();
    });
    let draft = draft.id(id(3)).ok().await.purchase_order.unwrap();
    world.clock.set("2026-03-02T10:00:00Z");
    let placed = alice.place(&draft).with(|request| request.order_time = at("2026-03-01T12:00:00Z"));
    placed.id(id(4)).ok().await;
    world.clock.set("2026-03-03T10:00:00Z");
    let delivery = bob.receive(&draft).accept(1, "4").accept(2, "2").with(|request| {
        request.items[0].rejected = Some("1".to_owned());
        request.items[0].reject_reason = RejectReason::Damaged.into();
        request.items[0].reject_note = "mouldy".to_owned();
    });
    delivery.id(id(5)).ok().await;
    bob.receive(&draft).accept(2, "1").ok().await;
    world.clock.set("2026-03-04T10:00:00Z");
    bob.void(&draft, 2).id(id(6)).ok().await;
    world.clock.set("2026-03-05T10:00:00Z");
    bob.receive(&draft).accept(1, "2").with(|request| request.receive_time = at("2026-03-04T18:00:00Z")).ok().await;
    world.clock.set("2026-03-05T11:00:00Z");
    let complete = alice.complete(&draft).line(2, "4", "2").because("too many pears").rest(BackOrder);
    let completed = complete.id(id(7)).ok().await;
    let first = alice.seen(&completed.back_order.unwrap().purchase_order_id).await;
    world.clock.set("2026-03-06T10:00:00Z");
    bob.receive(&first).accept(1, "1").ok().await;
    let second = alice.back_order(&first).await;
    world.clock.set("2026-03-07T10:00:00Z");
    bob.receive(&second).accept(1, "1").reject(2, "1", "bruised").ok().await;
}

async fn by_state(world: &World) {
    let carol = world.carol();
    let draft = carol.draft(&[("apples", "5"), ("eggs", "12"), ("dates", "1")]).await;
    let rewritten = carol.update(&draft, &["note", "lines"]).with(|request| {
        request.note = "for Easter".to_owned();
        request.lines = vec![line("apples", "5"), line("eggs", "10")];
    });
    rewritten.id(id(10)).ok().await;
    carol.order(&[("pears", "5"), ("apples", "3")]).await;
    carol.received(&[("eggs", "12"), ("figs", "2")], &[(1, "6")]).await;
    let rejected = carol.order(&[("figs", "4")]).await;
    carol.receive(&rejected).reject(1, "4", "squashed").ok().await;
    world.clock.set("2026-03-08T10:00:00Z");
    carol.cancel(&rejected).id(id(8)).ok().await;
    let draft = carol.draft(&[("figs", "4")]).await;
    carol.cancel(&draft).with(|request| request.reason.clear()).ok().await;
    let whole = carol.received(&[("plums", "3"), ("figs", "2")], &[(1, "3"), (2, "2")]).await;
    carol.complete(&whole).ok().await;
    carol.adjust("plums", ReturnToSupplier, "1").of_line(&whole, 1).id(id(14)).ok().await;
    carol.adjust("milk", Count, "12").costing("1.5").counted_in(Unit::Bottle).id(id(15)).ok().await;
    carol.adjust("milk", Sale, "5").ok().await;
}

async fn access(world: &World) {
    let (alice, dora) = (world.alice(), world.caller("dora"));
    alice.create_role("buyer", &[View]).ok().await;
    alice.update_role("buyer", &[Edit, View]).id(id(11)).ok().await;
    alice.update_role("buyer", &[Edit]).ok().await;
    alice.create_role("temp", &[View]).ok().await;
    alice.delete_role("temp").id(id(12)).ok().await;
    let renamed = alice.update_store(&["display_name"]).with(|request| request.display_name = "North".to_owned());
    renamed.id(id(13)).ok().await;
    alice.grant("dora", "manager").id(id(9)).ok().await;
    dora.order(&[("plums", "1")]).await;
    alice.revoke("dora", "manager").ok().await;
    alice.grant("dora", "manager").ok().await;
}

fn id(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}
