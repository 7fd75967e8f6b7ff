//! How a supplier performed: an order in three deliveries with a rejection, its back order, and two that were cancelled
//! or came at once. Every figure can be worked out by hand.

use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};
use purchase_order_service::proto::v1::{CancelReason, LineRate, Permission, PurchaseOrder, SupplierPerformance};
use rstest::rstest;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World};

fn rate(rate: Option<&LineRate>) -> String {
    rate.map(|rate| format!("{:?} of {}", rate.mean, rate.line_count)).unwrap_or_default()
}

/// The figures of a supplier as a person would read them.
fn told(figures: &SupplierPerformance) -> Vec<String> {
    let SupplierPerformance { supplier_id, order_count, back_order_count, line_count, .. } = figures;
    let mut told = vec![
        format!("{supplier_id}: {order_count} orders, {back_order_count} back orders, {line_count} lines"),
        format!("filled at first {}", rate(figures.first_fill_rate.as_ref())),
        format!("in the end {}", rate(figures.final_fill_rate.as_ref())),
        format!("on time {}", rate(figures.on_time_rate.as_ref())),
    ];
    if let Some(time) = &figures.lead_time {
        let (least, most) = (time.least_days, time.most_days);
        told.push(format!("{} days, {least} to {most}, of {}", time.mean_days, time.line_count));
    }
    for rejected in &figures.rejected {
        told.push(format!("{:?}: {} items, {} lines", rejected.reason(), rejected.item_count, rejected.line_count));
    }
    for cancelled in &figures.cancelled {
        told.push(format!("cancelled, {:?}: {} lines", cancelled.reason(), cancelled.line_count));
    }
    let shown = |cost: &Option<String>| cost.clone().unwrap_or_else(|| "hidden".to_owned());
    told.push(format!("{} dearer, {} outstanding", shown(&figures.price_variance), shown(&figures.outstanding_cost)));
    told
}

async fn performance(caller: &Caller) -> Vec<SupplierPerformance> {
    let answer = caller.performance().ok().await;
    assert_eq!(answer.next_page_token, "");
    assert!(answer.suppliers.iter().all(|figures| figures.currency == "EUR"));
    answer.suppliers
}

/// An order of ten apples and eight pears, promised for Friday, in three deliveries until Monday: six apples and six
/// pears came, two pears of them too late. Of what is missing an apple was given up.
async fn in_three_deliveries(world: &World) -> PurchaseOrder {
    let alice = world.alice();
    let create = alice.create(&[("apples", "10"), ("pears", "8")]).with(|r| r.expected_date = "2026-03-06".to_owned());
    let order = alice.place(&create.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    world.clock.set("2026-03-03T10:00:00Z");
    let first = alice.receive(&order).accept(1, "4").reject(2, "2", "mouldy");
    first.with(|request| request.items[0].unit_cost = Some("3".to_owned())).ok().await;
    // An hour before midnight in Amsterdam.
    world.clock.set("2026-03-06T22:00:00Z");
    alice.receive(&order).accept(1, "2").accept(2, "4").ok().await;
    world.clock.set("2026-03-09T10:00:00Z");
    alice.receive(&order).accept(2, "2").ok().await;
    let miscounted = alice.receive(&order).accept(2, "1").ok().await.receipt.unwrap();
    alice.void(&order, miscounted.receipt_number).ok().await;
    let complete = alice.complete(&order).line(1, "3", "1").rest(BackOrder).because("none left");
    let completed = complete.with(|request| request.cancel_reason_code = CancelReason::OutOfStock.into()).ok().await;
    alice.seen(&completed.back_order.unwrap().purchase_order_id).await
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_supplier_is_judged_by_whole_chains(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, carol) = (world.alice(), world.carol());
    let plums = alice.order(&[("plums", "4")]).await;
    let figs = alice.order(&[("figs", "5")]).await;
    alice.cancel(&figs).with(|request| request.reason_code = CancelReason::Late.into()).ok().await;
    alice.draft(&[("dates", "100")]).await;
    let bolts = alice.create(&[("bolts", "2")]).with(|request| request.supplier_id = "bolt".to_owned());
    alice.place(&bolts.ok().await.purchase_order.unwrap()).ok().await;
    let back_order = in_three_deliveries(&world).await;
    alice
        .receive(&plums)
        .accept(1, "4")
        .with(|r| r.receive_time = crate::support::at("2026-03-04T09:00:00Z"))
        .ok()
        .await;
    alice.complete(&plums).ok().await;
    world.clock.set("2026-03-12T10:00:00Z");
    alice.receive(&back_order).accept(1, "3").ok().await;

    let suppliers = performance(&alice).await;
    assert_eq!(
        told(&suppliers[0]),
        [
            "acme: 3 orders, 1 back orders, 4 lines",
            // Apples 6 of 10, pears 6 of 8, plums 4 of 4; the figs' order was never completed.
            "filled at first \"0.7833\" of 3",
            // Plums and figs: the chain of apples and pears is open.
            "in the end \"0.5\" of 2",
            // Apples 6 of 10, pears 4 of 8; nothing else was promised.
            "on time \"0.55\" of 2",
            // Apples after 10 days, pears after 7, plums after 2.
            "6.3333 days, 2 to 10, of 3",
            "Damaged: 1 items, 1 lines",
            "cancelled, OutOfStock: 1 lines",
            "cancelled, Late: 1 lines",
            // Four apples at 3 in place of 2.5; two pears are pending.
            "2 dearer, 5 outstanding",
        ]
    );
    assert_eq!(
        told(&suppliers[1]),
        [
            "bolt: 1 orders, 0 back orders, 1 lines",
            "filled at first \"\" of 0",
            "in the end \"\" of 0",
            "on time \"\" of 0",
            "0 dearer, 5 outstanding",
        ]
    );
    assert_eq!(suppliers.len(), 2);

    // The chain ends: the pears that are missing are given up, and nobody says of which kind that is.
    alice.complete(&back_order).rest(Cancel).because("enough").ok().await;
    let ended = told(&performance(&carol).await[0]);
    // Apples 9 of 10, pears 6 of 8, plums 4 of 4, figs none.
    assert_eq!(ended[2], "in the end \"0.6625\" of 4");
    assert_eq!(ended[1..2], ["filled at first \"0.7833\" of 3"]);
    assert_eq!(
        ended[6..],
        [
            "cancelled, Unspecified: 1 lines",
            "cancelled, OutOfStock: 1 lines",
            "cancelled, Late: 1 lines",
            "2 dearer, 0 outstanding",
        ]
    );
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_folded_back_does_not_count(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    alice.back_order(&order).await;
    alice.reopen(&order).ok().await;

    let reopened = told(&performance(&alice).await[0]);
    assert_eq!(
        reopened[..3],
        ["acme: 1 orders, 0 back orders, 1 lines", "filled at first \"\" of 0", "in the end \"\" of 0"]
    );
    assert_eq!(reopened[4..], ["0 days, 0 to 0, of 1", "0 dearer, 15 outstanding"], "what was cancelled of it neither");
    alice.complete(&order).rest(BackOrder).ok().await;
    let again = told(&performance(&alice).await[0]);
    assert_eq!(again[..2], ["acme: 1 orders, 1 back orders, 1 lines", "filled at first \"0.4\" of 1"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_came_beyond_the_order_does_not_make_up_for_what_was_cancelled(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let create = alice.create(&[("apples", "10")]).with(|request| {
        request.expected_date = "2026-03-06".to_owned();
        request.lines[0].over_receipt_tolerance = Some("50".to_owned());
    });
    let order = alice.place(&create.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    alice.cancel_lines(&order, &[(1, "4")]).ok().await;
    alice.receive(&order).accept(1, "8").ok().await;
    alice.complete(&order).ok().await;

    let figures = told(&performance(&alice).await[0]);

    // Six were wanted, and two of the eight that came are in excess.
    assert_eq!(figures[1..4], ["filled at first \"0.6\" of 1", "in the end \"0.6\" of 1", "on time \"0.6\" of 1"]);
    world.verify().await;
}

/// Head office looks at all its stores, one of which counts in another currency and by other days.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn suppliers_are_judged_store_by_store(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, operator) = (world.alice(), world.operator());
    let (boston, empty) = (alice.at("boston"), alice.at("empty"));
    let create = operator.at("boston").create_store("alice");
    create.with(|r| (r.currency, r.time_zone) = ("USD".to_owned(), "America/New_York".to_owned())).ok().await;
    operator.at("empty").create_store("alice").ok().await;
    operator.at("west").create_store("sam").ok().await;
    for (caller, supplier) in
        [(&alice, "acme"), (&alice, "bolt"), (&boston, "acme"), (&world.caller("sam").at("west"), "acme")]
    {
        let create = caller.create(&[("apples", "2")]).with(|request| request.supplier_id = supplier.to_owned());
        caller.place(&create.ok().await.purchase_order.unwrap()).ok().await;
    }
    let everywhere = alice.at("-");
    let told =
        |figures: &SupplierPerformance| format!("{} {} {}", figures.store_id, figures.supplier_id, figures.currency);
    let all = ["boston acme USD", "north acme EUR", "north bolt EUR"];
    for size in [1, 2, 3, 50] {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let page = everywhere.performance().with(|r| (r.page_size, r.page_token) = (size, token.clone()));
            let page = page.ok().await;
            assert!(page.suppliers.len() <= size as usize);
            found.extend(page.suppliers.iter().map(told));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(found, all, "by {size}");
    }
    let bolt = everywhere.performance().with(|request| request.supplier_id = "bolt".to_owned());
    assert_eq!(bolt.ok().await.suppliers.iter().map(told).collect::<Vec<_>>(), [all[2]]);

    // What is shown of a store follows from the roles there.
    boston.create_role("analyst", &[Permission::ViewReports]).ok().await;
    boston.grant("dora", "analyst").ok().await;
    empty.grant("dora", "owner").ok().await;
    alice.create_role("analyst", &[Permission::ViewReports, Permission::ViewCosts]).ok().await;
    alice.grant("dora", "analyst").ok().await;
    let shown = world.caller("dora").at("-").performance().ok().await.suppliers;
    let costs: Vec<_> = shown.iter().map(|it| (&*it.store_id, it.outstanding_cost.is_some())).collect();
    assert_eq!(costs, [("boston", false), ("north", true), ("north", true)]);
    // A store whose role is taken away is not on the next page.
    let first = world.caller("dora").at("-").performance().with(|request| request.page_size = 1).ok().await;
    alice.revoke("dora", "analyst").ok().await;
    let rest = world.caller("dora").at("-").performance();
    let rest = rest.with(|request| (request.page_size, request.page_token) = (1, first.next_page_token)).ok().await;
    assert_eq!((rest.suppliers.len(), &*rest.next_page_token), (0, ""));
    assert_eq!(world.operator().at("-").performance().ok().await.suppliers.len(), 0, "an operator has no roles");
    world.verify().await;
}
