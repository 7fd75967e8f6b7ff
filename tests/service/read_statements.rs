//! What a read costs: the statements of each read rpc, counted as the readers send them. One statement
//! is a snapshot by itself; BEGIN and ROLLBACK count where a read needs more than one.

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Database, Recorder, Rpc, STORE, Setup, World, position};
use purchase_order_service::proto::v1::PurchaseOrderState::{Completed, OnOrder, Receiving};
use purchase_order_service::proto::v1::{
    EventType, ListEventsRequest, PendingDisposition, PurchaseOrderSorting, PurchaseOrderView,
};
use rstest::rstest;
use tonic::Code::NotFound;

/// The most statements of a read that is not named in [`MORE`].
const MOST: usize = 1;

/// Reads that need more, each with how many and why.
const MORE: [(&str, usize, &str); 10] = [
    ("ListEvents of two stores", 5, "each store is judged and read by itself, on one snapshot"),
    ("FindReceivable", 4, "the caller's access is judged before a product's orders of all time are looked through"),
    (
        "ListOutstandingLines",
        5,
        "the store's zone says what is overdue; and one scan finds the lines that are then loaded",
    ),
    ("ListOutstandingLines over stores", 6, "it finds first which stores come first"),
    ("ListPurchaseOrders by product", 5, "which index leads to the list depends on how many orders have the product"),
    ("ListPurchaseOrders by number", 5, "the same of the number"),
    ("ListPurchaseOrders by both", 5, "the same of both, the number first"),
    ("ListPurchaseOrders overdue", 5, "the store's zone says what is overdue"),
    ("GetSupplierPerformance", 9, "its size is judged first, and each of its parts is planned by itself"),
    ("PreviewCompletion", 7, "it loads what a completion needs, behind the same gate"),
];

struct Counted {
    recorder: Recorder,
    wrong: Vec<String>,
}

impl Counted {
    /// Answers a call, counts its statements, and notes if there are more than there may be.
    async fn count<R: Rpc>(&mut self, on: Engine, name: &str, call: Call<R>) -> R::Answer {
        self.recorder.take();
        let answer = call.ok().await;
        let statements = self.recorder.take();
        // The service asks now and then whether the database is there.
        let statements: Vec<_> = statements.iter().filter(|statement| statement.text != "SELECT 1").collect();
        let most = MORE.iter().find(|(of, ..)| *of == name).map_or(MOST, |(_, most, _)| *most);
        println!("{on:?}: {name}: {}", statements.len());
        if statements.is_empty() || statements.len() > most {
            self.wrong.push(format!("{name} takes {} statements: {statements:#?}", statements.len()));
        }
        answer
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_one_statement(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(database) = Database::migrated(on) else { return };
    let recorder = Recorder::of("reader");
    let world = World::set_up(database, Setup { observer: Some(recorder.observer()), ..Setup::default() }).await;
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
    let child = alice.back_order(&order).await;
    alice.receive(&child).accept(2, "1").ok().await;
    world.operator().at("south").create_store("alice").ok().await;
    let mut counted = Counted { recorder, wrong: Vec::new() };

    counted.count(on, "GetStore", alice.get_store()).await;
    counted.count(on, "ListStores", alice.list_stores()).await;
    counted.count(on, "ListRoles", alice.list_roles()).await;
    counted.count(on, "ListGrants", alice.list_grants()).await;
    counted.count(on, "GetInventoryLevel", alice.level("apples")).await;
    counted.count(on, "ListInventoryLevels", alice.list_levels()).await;
    let named = alice.list_levels().with(|request| request.product_ids = vec!["apples".into(), "pears".into()]);
    counted.count(on, "ListInventoryLevels by product", named).await;
    counted.count(on, "ListInventoryLots", alice.list_lots()).await;
    let expiring = alice.list_lots().with(|r| (r.product_id, r.expires_before) = ("pears".into(), "2026-05-01".into()));
    counted.count(on, "ListInventoryLots of a product", expiring).await;
    counted.count(on, "ListStockMovements", alice.movements("apples")).await;
    counted.count(on, "GetPurchaseOrder BASIC", alice.get(&order.purchase_order_id)).await;
    let full = alice.get(&order.purchase_order_id).with(|request| request.view = PurchaseOrderView::Full.into());
    let lines = counted.count(on, "GetPurchaseOrder FULL", full).await.lines;
    assert_eq!(lines.iter().map(|line| line.line_number).collect::<Vec<_>>(), [1, 2]);
    counted.count(on, "ListPurchaseOrderLines", alice.list_lines(&order)).await;
    let pending = alice.list_lines(&order).with(|request| request.pending_only = true);
    counted.count(on, "ListPurchaseOrderLines, pending", pending).await;
    counted.count(on, "ListPurchaseOrders", alice.list()).await;
    let of_states =
        alice.list().with(|request| request.states = [OnOrder, Receiving, Completed].map(Into::into).into());
    let found = counted.count(on, "ListPurchaseOrders by states", of_states).await;
    assert_eq!(found.purchase_orders.len(), 2);
    counted.count(on, "ListPurchaseOrders by supplier", alice.list().with(|r| r.supplier_id = "acme".into())).await;
    counted.count(on, "ListPurchaseOrders by product", alice.list().with(|r| r.product_id = "pears".into())).await;
    counted.count(on, "ListPurchaseOrders by number", alice.list().with(|r| r.number_prefix = "PO".into())).await;
    let both = alice.list().with(|r| (r.number_prefix, r.product_id) = ("PO".into(), "pears".into()));
    counted.count(on, "ListPurchaseOrders by both", both).await;
    counted.count(on, "GetReceipt", alice.receipt(&order, 1)).await;
    counted.count(on, "ListReceipts", alice.list_receipts(&order)).await;
    counted.count(on, "ListReceipts of the store", alice.list_all_receipts()).await;
    let overdue = alice.list().with(|request| request.overdue = true);
    counted.count(on, "ListPurchaseOrders overdue", overdue).await;
    let by_date = alice.list().with(|request| request.order_by = PurchaseOrderSorting::ExpectedDate.into());
    counted.count(on, "ListPurchaseOrders by expected date", by_date).await;
    counted.count(on, "ListOutstandingLines", alice.outstanding()).await;
    counted.count(on, "ListOutstandingLines over stores", alice.at("-").outstanding()).await;
    counted.count(on, "FindReceivable", alice.find("pears")).await;
    let named = alice.get("").with(|request| request.external_id = "erp-1".to_owned());
    named.refused(NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    counted.count(on, "GetBackOrderChain", alice.chain(&order)).await;
    counted.count(on, "GetSupplierPerformance", alice.performance()).await;
    counted.count(on, "ListPurchaseOrderHistory", alice.history(&order)).await;
    counted.count(on, "ListEvents", alice.events(0)).await;
    let positions = vec![position("south", 0), position(STORE, 0)];
    let both = alice.call(ListEventsRequest { positions, ..ListEventsRequest::default() });
    counted.count(on, "ListEvents of two stores", both).await;
    let placed = alice.events(0).with(|request| request.types = vec![EventType::OrderPlaced.into()]);
    counted.count(on, "ListEvents of a type", placed).await;
    counted.count(on, "PreviewCompletion", alice.preview(&child).rest(PendingDisposition::BackOrder)).await;

    assert!(counted.wrong.is_empty(), "{}", counted.wrong.join("\n"));
    world.verify().await;
}
