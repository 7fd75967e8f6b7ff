//! A valid request for every rpc, with something in every field, so that one field at a time can be
//! corrupted. An rpc that is missing here fails the tests.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prost_reflect::DynamicMessage;
use purchase_order_service::proto::v1::*;

use crate::support::contract::{RpcOf, dynamic};
use crate::support::{Call, Caller, MONDAY, Rpc, World, at, unlisted_item};

/// The store whose roles and settings are corrupted, so that [`crate::support::STORE`] stays whole.
pub const SOUTH: &str = "south";
/// A product that both stores count in kilograms.
pub const GRAIN: &str = "grain";

/// What requests are made with.
#[derive(Clone)]
pub struct Bench {
    pub alice: Caller,
    pub operator: Caller,
    serial: Arc<AtomicU64>,
}

impl Bench {
    /// A world with a second store, and [`GRAIN`] known in the first.
    pub async fn in_world(world: &World) -> Self {
        let bench = Self { alice: world.alice(), operator: world.operator(), serial: Arc::default() };
        bench.operator.at(SOUTH).create_store("alice").ok().await;
        let unlisted = bench.alice.update_store(&["allow_unlisted_items"]);
        unlisted.with(|request| request.allow_unlisted_items = true).ok().await;
        bench.draft().await;
        bench
    }

    fn fresh(&self, what: &str) -> String {
        format!("{what}-{}", self.serial.fetch_add(1, Ordering::SeqCst))
    }

    async fn draft(&self) -> PurchaseOrder {
        let create = self.alice.create(&[]).with(|request| request.lines.push(full_line()));
        create.ok().await.purchase_order.unwrap()
    }

    async fn order(&self) -> PurchaseOrder {
        let draft = self.draft().await;
        self.alice.place(&draft).ok().await.purchase_order.unwrap()
    }

    async fn received(&self) -> PurchaseOrder {
        let order = self.order().await;
        self.alice.receive(&order).accept(1, "4").ok().await.purchase_order.unwrap()
    }

    async fn role(&self) -> String {
        let role = self.fresh("role");
        self.alice.at(SOUTH).create_role(&role, &[Permission::View]).ok().await;
        role
    }
}

/// A line with something in every field.
pub fn full_line() -> NewLine {
    NewLine {
        product_id: GRAIN.to_owned(),
        description: "golden".to_owned(),
        gtin: "4006381333931".to_owned(),
        unit: Unit::Kilogram.into(),
        quantity: Some("10".to_owned()),
        unit_cost: Some("2.5".to_owned()),
        expected_date: "2026-03-10".to_owned(),
        supplier_product_id: "M-7".to_owned(),
        note: "ripe".to_owned(),
        pack_size: Some("5".to_owned()),
        packs: None,
        pack_cost: None,
        over_receipt_tolerance: Some("10".to_owned()),
        lot_required: false,
    }
}

/// A charge with something in every field.
pub fn full_charge() -> Charge {
    Charge { description: "freight".to_owned(), amount: Some("12.5".to_owned()) }
}

type Made = Pin<Box<dyn Future<Output = Vec<u8>> + Send>>;

/// How a valid request for one rpc is made.
pub struct Base {
    pub path: &'static str,
    /// Who sends it.
    pub principal: &'static str,
    make: Box<dyn Fn(Bench) -> Made + Send + Sync>,
}

impl Base {
    /// A request that would be answered OK.
    pub async fn make(&self, bench: &Bench, rpc: &RpcOf) -> DynamicMessage {
        dynamic(&rpc.input, &(self.make)(bench.clone()).await)
    }
}

fn base<R, F>(make: impl Fn(Bench) -> F + Send + Sync + 'static) -> Base
where
    R: Rpc,
    F: Future<Output = Call<R>> + Send + 'static,
{
    let make = move |bench: Bench| -> Made {
        let call = make(bench);
        Box::pin(async move { call.await.request.encode_to_vec() })
    };
    Base { path: R::PATH, principal: "alice", make: Box::new(make) }
}

fn by_operator(base: Base) -> Base {
    Base { principal: "operator", ..base }
}

/// The row of every rpc.
pub fn bases() -> Vec<Base> {
    [drafts(), receiving(), completing(), order_reads(), inventory(), stores(), access()]
        .into_iter()
        .flatten()
        .collect()
}

/// The row of one rpc.
pub fn base_of<'b>(bases: &'b [Base], rpc: &RpcOf) -> &'b Base {
    bases.iter().find(|base| base.path == rpc.path).unwrap_or_else(|| panic!("{} has no valid request here", rpc.path))
}

fn drafts() -> Vec<Base> {
    vec![
        base(|bench| async move {
            bench.alice.create(&[]).with(|request| {
                request.supplier_reference = "S-1".to_owned();
                request.note = "ring twice".to_owned();
                request.currency = "EUR".to_owned();
                request.expected_date = "2026-03-11".to_owned();
                request.external_id = bench.fresh("external");
                request.charges.push(full_charge());
                request.lines.push(full_line());
            })
        }),
        base(|bench| async move {
            let fields =
                ["supplier_id", "supplier_reference", "note", "external_id", "charges", "expected_date", "lines"];
            bench.alice.update(&bench.draft().await, &fields).with(|request| {
                request.supplier_id = "mill".to_owned();
                request.supplier_reference = "S-1".to_owned();
                request.note = "ring twice".to_owned();
                request.expected_date = "2026-03-11".to_owned();
                request.external_id = bench.fresh("external");
                request.charges.push(full_charge());
                request.lines.push(full_line());
            })
        }),
        base(|bench| async move {
            let draft = bench.draft().await;
            bench.alice.place(&draft).with(|request| request.order_time = at("2026-03-01T09:00:00Z"))
        }),
        base(|bench| async move {
            bench.alice.amend(&bench.draft().await, &[(1, "11")]).with(|request| {
                request.lines[0].unit_cost = Some("3".to_owned());
                request.lines[0].expected_date = Some("2026-03-12".to_owned());
                request.lines[0].note = Some("riper".to_owned());
                request.new_lines.push(full_line());
                request.expected_date = Some("2026-03-11".to_owned());
                request.charges = Some(ChargeList { charges: vec![full_charge()] });
            })
        }),
        base(|bench| async move {
            bench.alice.confirm(&bench.order().await, &[(1, "9")]).with(|request| {
                request.lines[0].expected_date = "2026-03-12".to_owned();
                request.confirm_rest = true;
                request.expected_date = "2026-03-11".to_owned();
            })
        }),
        base(|bench| async move { bench.alice.copy(&bench.draft().await) }),
        base(|bench| async move { bench.alice.cancel(&bench.order().await) }),
        base(|bench| async move { bench.alice.cancel_lines(&bench.order().await, &[(1, "4")]) }),
        base(|bench| async move {
            let order = bench.received().await;
            bench.alice.complete(&order).rest(PendingDisposition::BackOrder).because("late").ok().await;
            bench.alice.reopen(&order)
        }),
    ]
}

fn receiving() -> Vec<Base> {
    vec![
        base(|bench| async move {
            let receive = bench.alice.receive(&bench.order().await).accept(1, "1").lot("L1", "2026-04-01", "1");
            receive.with(|request| {
                request.items[0].rejected = Some("1".to_owned());
                request.items[0].reject_reason = RejectReason::Damaged.into();
                request.items[0].reject_note = "wet".to_owned();
                request.receive_time = at(MONDAY);
                request.delivery_note = "LS 88".to_owned();
                request.note = "two pallets".to_owned();
            })
        }),
        base(|bench| async move {
            let order = bench.order().await;
            let lorry = bench.alice.deliver().item(unlisted_item("extra", "1")).lot("L1", "2026-04-01", "1");
            lorry.etag(&order).with(|request| {
                request.items[0].purchase_order_id = order.purchase_order_id.clone();
                request.items[0].rejected = Some("1".to_owned());
                request.items[0].reject_reason = RejectReason::Damaged.into();
                request.items[0].reject_note = "wet".to_owned();
                request.receive_time = at(MONDAY);
                request.delivery_note = "LS 88".to_owned();
                request.note = "two pallets".to_owned();
            })
        }),
        base(|bench| async move { bench.alice.void(&bench.received().await, 1) }),
        base(|bench| async move {
            let correct = bench.alice.correct(&bench.received().await, 1).accept(1, "1").lot("L1", "2026-04-01", "1");
            correct.with(|request| {
                request.items[0].rejected = Some("1".to_owned());
                request.items[0].reject_reason = RejectReason::Damaged.into();
                request.items[0].reject_note = "wet".to_owned();
                request.receive_time = at(MONDAY);
                request.delivery_note = Some("LS 88".to_owned());
                request.note = Some("two pallets".to_owned());
            })
        }),
        base(|bench| async move { bench.alice.receipt(&bench.received().await, 1) }),
        base(|bench| async move {
            bench.alice.list_receipts(&bench.received().await).with(|request| {
                request.delivery_note = "LS 88".to_owned();
                request.supplier_id = "acme".to_owned();
                request.receive_time_from = at(MONDAY);
                request.receive_time_before = at("2026-03-09T09:00:00Z");
            })
        }),
        base(|bench| async move { bench.alice.find(GRAIN).with(|request| request.supplier_id = "acme".to_owned()) }),
    ]
}

fn completing() -> Vec<Base> {
    vec![
        base(|bench| async move {
            let preview = bench.alice.preview(&bench.received().await).line(1, "4", "2").because("sold out");
            preview.with(|request| request.expected_date = "2026-03-11".to_owned())
        }),
        base(|bench| async move {
            let complete = bench.alice.complete(&bench.received().await).line(1, "4", "2").because("sold out");
            complete.with(|request| request.expected_date = "2026-03-11".to_owned())
        }),
        base(|bench| async move { bench.alice.chain(&bench.received().await) }),
        base(|bench| async move { bench.alice.history(&bench.received().await) }),
        base(
            |bench| async move { bench.alice.events(0).with(|request| request.types.push(EventType::OrderPlaced.into())) },
        ),
        base(
            |bench| async move { bench.alice.watch(0).with(|request| request.types.push(EventType::OrderPlaced.into())) },
        ),
    ]
}

fn order_reads() -> Vec<Base> {
    vec![
        base(|bench| async move { bench.alice.get(&bench.order().await.purchase_order_id) }),
        base(|bench| async move { bench.alice.list_lines(&bench.order().await) }),
        base(|bench| async move {
            bench.alice.list().with(|request| {
                request.states = vec![PurchaseOrderState::Draft.into()];
                request.supplier_id = "acme".to_owned();
                request.product_id = GRAIN.to_owned();
                request.number_prefix = "PO-".to_owned();
                request.supplier_reference = "S-1".to_owned();
                request.create_time_from = at(MONDAY);
                request.create_time_before = at("2026-03-03T09:00:00Z");
                (request.expected_from, request.expected_before) = ("2026-03-01".to_owned(), "2026-04-01".to_owned());
                request.external_id = "erp-1".to_owned();
            })
        }),
        base(|bench| async move {
            bench.alice.outstanding().with(|request| {
                (request.supplier_id, request.product_id) = ("acme".to_owned(), GRAIN.to_owned());
                (request.due_from, request.due_before) = ("2026-03-01".to_owned(), "2026-04-01".to_owned());
                (request.number, request.chain_position_to) = ("PO-000001".to_owned(), Some(1));
            })
        }),
    ]
}

fn inventory() -> Vec<Base> {
    vec![
        base(|bench| async move { bench.alice.performance().with(|request| request.supplier_id = "acme".to_owned()) }),
        base(|bench| async move { bench.alice.level(GRAIN) }),
        base(|bench| async move { bench.alice.list_levels().with(|request| request.product_ids = vec![GRAIN.into()]) }),
        base(|bench| async move {
            bench.alice.list_lots().with(|request| {
                request.product_id = GRAIN.to_owned();
                request.expires_before = "2026-04-01".to_owned();
            })
        }),
        base(|bench| async move { bench.alice.movements(GRAIN) }),
        base(|bench| async move {
            let count = bench.alice.adjust(GRAIN, AdjustmentKind::Count, "7").costing("2.5");
            count.counted_in(Unit::Kilogram).of_lot("L1", "2026-04-01")
        }),
    ]
}

fn stores() -> Vec<Base> {
    vec![
        by_operator(base(|bench| async move { bench.operator.at(&bench.fresh("store")).create_store("sam") })),
        base(|bench| async move { bench.alice.at(SOUTH).get_store() }),
        base(|bench| async move { bench.alice.list_stores() }),
        base(|bench| async move {
            let fields = ["display_name", "time_zone", "over_receipt_tolerance"];
            bench.alice.at(SOUTH).update_store(&fields).with(|request| {
                request.display_name = "South".to_owned();
                request.time_zone = "Europe/Paris".to_owned();
                request.over_receipt_tolerance = "10".to_owned();
            })
        }),
        by_operator(base(|bench| async move { bench.operator.at(SOUTH).enable_back_orders() })),
        by_operator(base(|bench| async move { bench.operator.at(SOUTH).disable_back_orders() })),
    ]
}

fn access() -> Vec<Base> {
    vec![
        base(|bench| async move { bench.alice.at(SOUTH).create_role(&bench.fresh("role"), &[Permission::View]) }),
        base(|bench| async move { bench.alice.at(SOUTH).update_role(&bench.role().await, &[Permission::Edit]) }),
        base(|bench| async move { bench.alice.at(SOUTH).delete_role(&bench.role().await) }),
        base(|bench| async move { bench.alice.at(SOUTH).list_roles() }),
        base(|bench| async move { bench.alice.at(SOUTH).grant("dora", "receiver") }),
        base(|bench| async move { bench.alice.at(SOUTH).revoke("dora", "receiver") }),
        base(
            |bench| async move { bench.alice.at(SOUTH).list_grants().with(|request| request.principal = "alice".into()) },
        ),
    ]
}
