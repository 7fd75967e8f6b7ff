//! Costs are shown to callers with VIEW_COSTS and to nobody else. Which fields hold one is read from the
//! contract, so that a field that is added tomorrow is tested as soon as it is there.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, Kind, MessageDescriptor, ReflectMessage, Value,
};
use purchase_order_service::proto::DESCRIPTORS;
use purchase_order_service::proto::v1::{
    AdjustmentKind, Charge, ChargeList, PendingDisposition, Permission, PurchaseOrderView, WatchEventsRequest,
};
use rstest::rstest;
use tonic::Code::{InvalidArgument, NotFound, PermissionDenied};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, Rpc, World, line};

const AN_ID: &str = "0191e0c8-0b5e-7c11-9f3a-2f6c1d8e4b7a";
/// Rpcs that nobody can call without naming a cost, so that there is no answer to be redacted.
const NAMES_COSTS: [&str; 1] = ["/purchasing.v1.PurchaseOrderService/CreatePurchaseOrder"];

/// The contract, and which of its fields are marked as costs.
struct Contract {
    pool: DescriptorPool,
    mark: ExtensionDescriptor,
}

impl Contract {
    fn read() -> Self {
        let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
        let mark = pool.get_extension_by_name("purchasing.v1.cost").unwrap();
        Self { pool, mark }
    }

    fn is_marked(&self, field: &prost_reflect::FieldDescriptor) -> bool {
        *field.options().get_extension(&self.mark) == Value::Bool(true)
    }

    /// What each rpc answers, by its path.
    fn answers(&self) -> BTreeMap<String, MessageDescriptor> {
        let methods = self.pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let path = |method: &prost_reflect::MethodDescriptor| {
            format!("/{}/{}", method.parent_service().full_name(), method.name())
        };
        methods.map(|method| (path(&method), method.output())).collect()
    }

    /// The paths of the costs that a message may hold: `lines.unit_cost`.
    fn costs_of(&self, message: &MessageDescriptor) -> BTreeSet<String> {
        let mut costs = BTreeSet::new();
        for field in message.fields() {
            if self.is_marked(&field) {
                costs.insert(field.name().to_owned());
            } else if let Kind::Message(inner) = field.kind() {
                costs.extend(self.costs_of(&inner).iter().map(|path| format!("{}.{path}", field.name())));
            }
        }
        costs
    }

    /// A message of this name with every cost unset.
    fn without_costs<M: Message + Default>(&self, message: &M, name: &str) -> M {
        let of = self.pool.get_message_by_name(name).unwrap();
        let mut dynamic = DynamicMessage::decode(of, message.encode_to_vec().as_slice()).unwrap();
        self.unset_costs(&mut dynamic);
        M::decode(dynamic.encode_to_vec().as_slice()).unwrap()
    }

    fn unset_costs(&self, message: &mut DynamicMessage) {
        for field in message.descriptor().fields() {
            if self.is_marked(&field) {
                message.clear_field(&field);
            } else if message.has_field(&field) && matches!(field.kind(), Kind::Message(_)) {
                match message.get_field_mut(&field) {
                    Value::List(elements) => {
                        elements.iter_mut().filter_map(Value::as_message_mut).for_each(|inner| self.unset_costs(inner));
                    }
                    other => other.as_message_mut().into_iter().for_each(|inner| self.unset_costs(inner)),
                }
            }
        }
    }

    /// The paths of the costs that are filled in a message.
    fn filled_in(&self, message: &DynamicMessage) -> BTreeSet<String> {
        let mut filled = BTreeSet::new();
        for (field, value) in message.fields() {
            if self.is_marked(&field) {
                filled.insert(field.name().to_owned());
                continue;
            }
            let elements = match value {
                Value::List(elements) => elements.as_slice(),
                other => std::slice::from_ref(other),
            };
            for inner in elements.iter().filter_map(Value::as_message) {
                filled.extend(self.filled_in(inner).iter().map(|path| format!("{}.{path}", field.name())));
            }
        }
        filled
    }
}

/// The answers that one caller got: for each rpc, the costs that were filled in any of its answers.
struct Answers {
    contract: Contract,
    filled: BTreeMap<String, BTreeSet<String>>,
}

impl Answers {
    fn none() -> Self {
        Self { contract: Contract::read(), filled: BTreeMap::new() }
    }

    async fn note<R: Rpc>(&mut self, call: Call<R>) {
        let answer = call.ok().await;
        self.note_message::<R>(&answer);
    }

    fn note_message<R: Rpc>(&mut self, message: &R::Answer) {
        let output = self.contract.answers().remove(R::PATH).unwrap();
        let message = DynamicMessage::decode(output, message.encode_to_vec().as_slice()).unwrap();
        let filled = self.contract.filled_in(&message);
        self.filled.entry(R::PATH.to_owned()).or_default().extend(filled);
    }

    /// Watches up to an event.
    async fn note_watch(&mut self, caller: &Caller, last: i64) {
        let mut watching = caller.watch(0).begin().await;
        let mut after = 0;
        while after < last {
            let message = watching.next().await.unwrap();
            self.note_message::<WatchEventsRequest>(&message);
            after = message.positions[0].after;
        }
    }

    /// Has a caller do and read everything about orders that have costs.
    async fn collect(&mut self, owner: &Caller, caller: &Caller, may_name_costs: bool) {
        let rest = PendingDisposition::BackOrder;
        let full = |request: &mut purchase_order_service::proto::v1::GetPurchaseOrderRequest| {
            request.view = PurchaseOrderView::Full.into();
        };
        let order = owner.draft(&[("apples", "10"), ("pears", "5")]).await;
        self.note(caller.update(&order, &["note"])).await;
        self.note(caller.copy(&order)).await;
        self.note(caller.place(&order)).await;
        self.note(caller.receive(&order).accept(1, "4")).await;
        self.note(caller.void(&order, 1)).await;
        self.note(caller.receive(&order).accept(1, "4")).await;
        self.note(caller.get(&order.purchase_order_id).with(full)).await;
        let priced = owner.create(&[("plums", "10"), ("figs", "4")]).with(|request| {
            request.charges.push(Charge { description: "freight".to_owned(), amount: Some("12.5".to_owned()) });
            request.lines[0].unit_cost = None;
            request.lines[0].pack_size = Some("5".to_owned());
            request.lines[0].pack_cost = Some("10".to_owned());
            request.lines[0].over_receipt_tolerance = Some("50".to_owned());
        });
        let priced = priced.ok().await.purchase_order.unwrap();
        self.note(caller.get(&priced.purchase_order_id).with(full)).await;
        self.note(caller.list_lines(&priced)).await;
        let dearer = owner.update(&priced, &["charges"]).with(|request| {
            request.charges.push(Charge { description: "freight".to_owned(), amount: Some("13".to_owned()) });
        });
        dearer.ok().await;
        owner.place(&priced).ok().await;
        let repriced = owner.amend(&priced, &[(1, "10")]).with(|request| {
            request.lines[0].pack_cost = Some("11".to_owned());
            let freight = Charge { description: "freight".to_owned(), amount: Some("14".to_owned()) };
            request.charges = Some(ChargeList { charges: vec![freight] });
        });
        repriced.ok().await;
        self.note(caller.amend(&priced, &[(1, "10"), (2, "5")])).await;
        self.note(caller.confirm(&priced, &[(1, "10")])).await;
        self.note(caller.cancel_lines(&priced, &[(1, "1")])).await;
        let invoiced = |by: &Caller| {
            by.receive(&priced).accept(1, "12").with(|request| {
                request.items[0].unit_cost = Some("2.1".to_owned());
                request.items[0].excess_unit_cost = Some("0".to_owned());
            })
        };
        let booked = invoiced(owner).ok().await.receipt.unwrap();
        self.note(caller.receipt(&priced, booked.receipt_number)).await;
        let corrected = caller.correct(&priced, booked.receipt_number).accept(1, "12").with(|request| {
            if may_name_costs {
                request.items[0].unit_cost = Some("2.1".to_owned());
                request.items[0].excess_unit_cost = Some("0".to_owned());
            }
        });
        self.note(corrected).await;
        self.note(caller.void(&priced, booked.receipt_number + 1)).await;
        let lorry = caller.deliver().accept_line(&priced, 1, "12").with(|request| {
            if may_name_costs {
                request.items[0].unit_cost = Some("2.1".to_owned());
                request.items[0].excess_unit_cost = Some("0".to_owned());
            }
        });
        self.note(lorry).await;
        caller.void(&priced, booked.receipt_number + 2).ok().await;
        // Who may not see costs cannot name them either.
        let again = if may_name_costs { invoiced(caller) } else { caller.receive(&priced).accept(1, "12") };
        self.note(again).await;
        self.note(caller.complete(&priced).rest(rest)).await;
        self.note(caller.reopen(&priced)).await;
        self.note(caller.complete(&priced).rest(rest)).await;
        self.note(caller.adjust("plums", AdjustmentKind::ReturnToSupplier, "1").of_line(&priced, 1)).await;
        self.note(caller.history(&priced)).await;
        self.note(caller.events(0).with(|request| request.page_size = 1_000)).await;
        self.note_watch(caller, owner.last_event().await).await;
        self.note(caller.list_lines(&order)).await;
        self.note(caller.list()).await;
        self.note(caller.outstanding()).await;
        self.note(caller.receipt(&order, 2)).await;
        self.note(caller.list_receipts(&order)).await;
        self.note(caller.preview(&order).rest(rest)).await;
        self.note(caller.complete(&order).rest(rest)).await;
        self.note(caller.chain(&order)).await;
        self.note(caller.performance()).await;
        self.note(caller.level("apples")).await;
        self.note(caller.list_levels()).await;
        self.note(caller.list_lots()).await;
        self.note(caller.movements("apples")).await;
        let other = owner.order(&[("apples", "1")]).await;
        self.note(caller.cancel(&other)).await;
    }
}

/// Every permission but VIEW_COSTS.
fn all_but_costs() -> Vec<Permission> {
    let all = Permission::View as i32..=Permission::ViewReports as i32;
    let all = all.map(|number| Permission::try_from(number).unwrap());
    all.filter(|permission| *permission != Permission::ViewCosts).collect()
}

async fn give(world: &World, principal: &str, permissions: &[Permission]) -> Caller {
    let role = format!("of-{principal}");
    world.alice().create_role(&role, permissions).ok().await;
    world.alice().grant(principal, &role).ok().await;
    world.caller(principal)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_cost_of_each_answer_is_filled_with_view_costs_and_unset_without(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, dora) = (world.alice(), give(&world, "dora", &all_but_costs()).await);

    let (mut shown, mut hidden) = (Answers::none(), Answers::none());
    shown.note(alice.create(&[("apples", "1")])).await;
    shown.collect(&alice, &alice, true).await;
    hidden.collect(&alice, &dora, false).await;

    let contract = Contract::read();
    let mut costs = 0;
    for (rpc, answer) in contract.answers() {
        let mut expected = contract.costs_of(&answer);
        costs += expected.len();
        if rpc.ends_with("/ListReceipts") {
            // A list has receipts without their items and values for every caller.
            expected.clear();
        }
        let filled = shown.filled.remove(&rpc).unwrap_or_default();
        assert_eq!(filled, expected, "{rpc}: the costs that this test has seen, and those that the contract has");
        let is_answered = hidden.filled.contains_key(&rpc) || NAMES_COSTS.contains(&rpc.as_str());
        assert!(is_answered || expected.is_empty(), "{rpc} was not called without VIEW_COSTS");
        let shown_to_dora = hidden.filled.remove(&rpc).unwrap_or_default();
        assert_eq!(shown_to_dora, BTreeSet::new(), "{rpc}: costs that are shown without VIEW_COSTS");
    }
    assert!(costs >= 7, "the marks are found: {costs}");
    world.verify().await;
}

#[test]
fn what_is_named_like_a_cost_is_marked_and_can_be_unset() {
    let contract = Contract::read();
    let mut wrong = Vec::new();
    for message in contract.pool.all_messages().filter(|message| message.package_name() == "purchasing.v1") {
        for field in message.fields() {
            let last = field.name().rsplit('_').next().unwrap();
            let is_cost = ["cost", "costs", "amount", "amounts", "value", "values", "price", "charge", "charges"];
            // A list of charges holds what each is for as well; its amounts are marked.
            let holds_costs = matches!(field.kind(), Kind::Message(inner) if !contract.costs_of(&inner).is_empty());
            if is_cost.contains(&last) && !contract.is_marked(&field) && !holds_costs {
                wrong.push(format!("{} is not marked", field.full_name()));
            }
            if contract.is_marked(&field) && !(field.is_list() || field.supports_presence()) {
                wrong.push(format!("{} cannot be told from one that is not shown", field.full_name()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn any_role_that_holds_view_costs_shows_them_and_operators_have_none(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, bob) = (world.alice(), world.bob());
    let order = alice.order(&[("apples", "10")]).await;

    assert_eq!(bob.list_lines(&order).ok().await.lines[0].unit_cost, None, "a receiver sees no costs");
    alice.create_role("costs", &[Permission::ViewCosts]).ok().await;
    alice.grant("bob", "costs").ok().await;
    assert_eq!(bob.list_lines(&order).ok().await.lines[0].unit_cost(), "2.5", "roles add up");
    let carols = world.carol().list_lines(&order).ok().await;
    assert_eq!(carols.lines[0].unit_cost(), "2.5", "a manager sees them");
    alice.grant("operator", "receiver").ok().await;
    assert_eq!(world.operator().list_lines(&order).ok().await.lines[0].unit_cost, None, "as any receiver");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_costs_by_the_permissions_of_its_own_moment(#[values(Sqlite, Postgres)] on: Engine) {
    use Permission::{Receive, View, ViewCosts};
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let dora = give(&world, "dora", &[View, ViewCosts, Receive]).await;
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    let received = || dora.receive(&order).accept(1, "4").id(AN_ID);

    let first = received().ok().await;
    assert_eq!(first.lines[0].unit_cost(), "2.5");
    alice.update_role("of-dora", &[View, Receive]).ok().await;
    let without = Contract::read().without_costs(&first, "purchasing.v1.ReceivePurchaseOrderResponse");
    assert_eq!(received().ok().await, without, "only the costs are gone");
    assert_eq!(dora.list_lines(&order).ok().await.lines[1].unit_cost, None);
    alice.update_role("of-dora", &[View, Receive, ViewCosts]).ok().await;
    assert_eq!(received().ok().await, first);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_sees_no_costs_names_none(#[values(Sqlite, Postgres)] on: Engine) {
    use Permission::{Edit, View, ViewCosts};
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let dora = give(&world, "dora", &[View, Edit]).await;
    let draft = alice.draft(&[("apples", "10")]).await;
    let create = || dora.create(&[("apples", "1")]).id(AN_ID);
    let replace =
        |fields: &[&str]| dora.update(&draft, fields).with(|request| request.lines = vec![line("pears", "3")]);

    let refused = create().refused(PermissionDenied, "PERMISSION_MISSING").await;
    let named = |name: &str| refused.metadata(name);
    assert_eq!((named("permission"), named("field")), ("VIEW_COSTS".to_owned(), "lines.unit_cost".to_owned()));
    let refused = replace(&["note", "lines"]).refused(PermissionDenied, "PERMISSION_MISSING").await;
    assert_eq!(refused.metadata("permission"), "VIEW_COSTS");
    // The order of checks: form, permission, existence.
    let malformed = create().with(|request| request.lines[0].unit_cost = Some("-1".to_owned()));
    malformed.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines[0].unit_cost"]);
    let absent = |request: &mut purchase_order_service::proto::v1::UpdatePurchaseOrderRequest| {
        request.purchase_order_id = AN_ID.to_owned();
    };
    replace(&["lines"]).with(absent).refused(PermissionDenied, "PERMISSION_MISSING").await;
    // What the mask does not name is ignored, and what names no cost takes EDIT alone.
    replace(&["note"]).ok().await;
    replace(&["note"]).with(absent).refused(NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    assert_eq!(alice.list_lines(&draft).ok().await.lines[0].product_id, "apples");

    // A refused call is judged afresh, and a replay by the permissions of its moment.
    alice.update_role("of-dora", &[View, Edit, ViewCosts]).ok().await;
    create().ok().await;
    replace(&["lines"]).ok().await;
    alice.update_role("of-dora", &[View, Edit]).ok().await;
    create().refused(PermissionDenied, "PERMISSION_MISSING").await;
    assert_eq!(alice.list().ok().await.purchase_orders.len(), 2);
    world.verify().await;
}
