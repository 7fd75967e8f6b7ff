//! Who may call what: every rpc of the contract, with the permission that it takes and with each that
//! it does not. An rpc that is missing here fails the test.

use std::collections::BTreeSet;

use prost::Message;
use purchase_order_service::proto::DESCRIPTORS;
use purchase_order_service::proto::v1::{PendingDisposition, Permission, PurchaseOrder, PurchaseOrderAction};
use rstest::rstest;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, Entry, Needs, World, every_rpc};

const PERMISSIONS: [Permission; 12] = [
    Permission::View,
    Permission::ViewCosts,
    Permission::Edit,
    Permission::Place,
    Permission::Receive,
    Permission::CompletePurchaseOrders,
    Permission::Reopen,
    Permission::Cancel,
    Permission::AdjustInventory,
    Permission::ManageStore,
    Permission::ManageAccess,
    Permission::ViewReports,
];

/// `COMPLETE_PURCHASE_ORDERS`, as refusals name it.
fn name(permission: Permission) -> &'static str {
    permission.as_str_name().trim_start_matches("PERMISSION_")
}

/// The reason that a call is denied by; `None` if its caller may, whatever else stands in the way.
async fn denied(entry: &Entry, caller: &Caller) -> Option<String> {
    let status = (entry.call)(caller).await.err()?;
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    let permission = info.metadata.get("permission").map_or(String::new(), |permission| format!(" {permission}"));
    let is_denial = matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated);
    is_denial.then(|| format!("{}{permission}", info.reason))
}

#[test]
fn every_rpc_of_the_contract_is_in_the_grid() {
    let contract = prost_types::FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut uncovered = BTreeSet::new();
    for file in contract.file {
        for service in &file.service {
            let path = |method: &str| format!("/{}.{}/{method}", file.package(), service.name());
            uncovered.extend(service.method.iter().map(|method| path(method.name())));
        }
    }
    every_rpc().iter().for_each(|entry| assert!(uncovered.remove(entry.path), "{} is no rpc", entry.path));
    assert_eq!(uncovered, BTreeSet::new());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_rpc_takes_its_permission_and_no_other(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for permission in PERMISSIONS {
        let label = name(permission).to_lowercase().replace('_', "-");
        let others: Vec<Permission> = PERMISSIONS.into_iter().filter(|other| *other != permission).collect();
        for (role, permissions) in [(format!("only-{label}"), vec![permission]), (format!("all-but-{label}"), others)] {
            world.alice().create_role(&role, &permissions).ok().await;
            world.alice().grant(&role, &role).ok().await;
        }
    }
    world.alice().create_role("edit-and-costs", &[Permission::Edit, Permission::ViewCosts]).ok().await;
    world.alice().grant("edit-and-costs", "edit-and-costs").ok().await;
    for entry in every_rpc() {
        if entry.needs == Needs::RoleWithCosts(Permission::Edit) {
            assert_eq!(denied(&entry, &world.caller("edit-and-costs")).await, None, "{} takes no more", entry.path);
        }
        for permission in PERMISSIONS {
            let label = name(permission).to_lowercase().replace('_', "-");
            let missing = |needed| Some(format!("PERMISSION_MISSING {}", name(needed)));
            let (with_it, without_it) = match entry.needs {
                Needs::Nothing | Needs::AnyRole => (None, None),
                Needs::Operator => (Some("NOT_PLATFORM_OPERATOR".to_owned()), Some("NOT_PLATFORM_OPERATOR".to_owned())),
                // The rpc's own permission is judged first.
                Needs::RoleWithCosts(needed) if needed == permission => {
                    (missing(Permission::ViewCosts), missing(needed))
                }
                Needs::RoleWithCosts(needed) if permission == Permission::ViewCosts => {
                    (missing(needed), missing(permission))
                }
                Needs::Role(needed) | Needs::RoleOrOperator(needed) if needed == permission => (None, missing(needed)),
                Needs::Role(needed) | Needs::RoleOrOperator(needed) | Needs::RoleWithCosts(needed) => {
                    (missing(needed), None)
                }
            };
            let holder = world.caller(&format!("only-{label}"));
            assert_eq!(denied(&entry, &holder).await, with_it, "{} by only-{label}", entry.path);
            let lacker = world.caller(&format!("all-but-{label}"));
            assert_eq!(denied(&entry, &lacker).await, without_it, "{} by all-but-{label}", entry.path);
        }
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn strangers_operators_and_the_nameless(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for entry in every_rpc() {
        let nameless = denied(&entry, &world.caller("")).await;
        assert_eq!(nameless.as_deref(), Some("NO_CREDENTIALS"), "{}", entry.path);
        let stranger = denied(&entry, &world.caller("mallory")).await;
        let expected = match entry.needs {
            Needs::Nothing => None,
            Needs::Operator => Some("NOT_PLATFORM_OPERATOR"),
            _ => Some("NO_STORE_ACCESS"),
        };
        assert_eq!(stranger.as_deref(), expected, "{} by a stranger", entry.path);
        let operator = denied(&entry, &world.operator()).await;
        let expected = matches!(entry.needs, Needs::Role(_) | Needs::RoleWithCosts(_)).then_some("NO_STORE_ACCESS");
        assert_eq!(operator.as_deref(), expected, "{} by the operator", entry.path);
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_others_and_none_at_all_give_one_answer(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    world.operator().at("other").create_store("sam").ok().await;
    for entry in every_rpc().iter().filter(|entry| entry.needs != Needs::Nothing) {
        let refusal_in = async |store: &str| {
            let status = (entry.call)(&world.alice().at(store)).await.unwrap_err();
            let details = status.get_error_details();
            let metadata = format!("{:?}", details.error_info().unwrap().metadata);
            (status.code(), status.message().replace(store, "..."), metadata.replace(store, "..."))
        };
        assert_eq!(refusal_in("other").await, refusal_in("absent").await, "{}", entry.path);
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_another_store_and_none_at_all_give_one_answer(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    world.operator().at("south").create_store("alice").ok().await;
    let southern = world.alice().at("south").received(&[("apples", "2")], &[(1, "1")]).await;
    let absent = PurchaseOrder { purchase_order_id: "01234567-89ab-7cde-8f01-23456789abcd".into(), ..southern.clone() };
    let alice = world.alice();
    for order in [&southern, &absent] {
        let expected = (Code::NotFound, "there is no such purchase order in this store".to_owned());
        let refusals = [
            alice.get(&order.purchase_order_id).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.update(order, &["note"]).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.list_lines(order).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.receipt(order, 1).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.list_receipts(order).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.place(order).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.receive(order).accept(1, "1").refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.receive(order).all_pending().refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.void(order, 1).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.correct(order, 1).accept(1, "1").refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.preview(order).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.complete(order).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.cancel(order).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.amend(order, &[(1, "9")]).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.confirm(order, &[(1, "")]).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.cancel_lines(order, &[(1, "")]).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.reopen(order).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.copy(order).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
            alice.chain(order).refused(Code::NotFound, "PURCHASE_ORDER_NOT_FOUND").await.parts(),
        ];
        assert!(
            refusals.iter().all(|(code, message, _)| (*code, message) == (expected.0, &expected.1)),
            "{refusals:?}"
        );
    }
    world.verify().await;
}

const ACTIONS: [PurchaseOrderAction; 12] = [
    PurchaseOrderAction::Update,
    PurchaseOrderAction::Place,
    PurchaseOrderAction::Receive,
    PurchaseOrderAction::VoidReceipt,
    PurchaseOrderAction::CorrectReceipt,
    PurchaseOrderAction::Complete,
    PurchaseOrderAction::Cancel,
    PurchaseOrderAction::CancelLines,
    PurchaseOrderAction::Copy,
    PurchaseOrderAction::Amend,
    PurchaseOrderAction::Confirm,
    PurchaseOrderAction::Reopen,
];

/// An order of two apples in some state.
async fn in_state(alice: &Caller, state: &str) -> PurchaseOrder {
    let lines = [("apples", "2")];
    match state {
        "draft" => alice.draft(&lines).await,
        "on order" => alice.order(&lines).await,
        "accepted" => alice.received(&lines, &[(1, "1")]).await,
        "rejected" => {
            let order = alice.order(&lines).await;
            alice.receive(&order).reject(1, "1", "mouldy").ok().await;
            order
        }
        "completed" => {
            let order = alice.received(&lines, &[(1, "2")]).await;
            alice.complete(&order).ok().await;
            order
        }
        _ => {
            let order = alice.draft(&lines).await;
            alice.cancel(&order).ok().await;
            order
        }
    }
}

/// Does to an order what an action stands for.
async fn attempt(caller: &Caller, action: PurchaseOrderAction, order: &PurchaseOrder) -> Result<(), Status> {
    match action {
        PurchaseOrderAction::Update => caller.update(order, &["note"]).await.map(drop),
        PurchaseOrderAction::Place => caller.place(order).await.map(drop),
        PurchaseOrderAction::Receive => caller.receive(order).accept(1, "1").await.map(drop),
        PurchaseOrderAction::VoidReceipt => caller.void(order, 1).await.map(drop),
        PurchaseOrderAction::CorrectReceipt => caller.correct(order, 1).accept(1, "1").await.map(drop),
        PurchaseOrderAction::Complete => caller.complete(order).rest(PendingDisposition::BackOrder).await.map(drop),
        PurchaseOrderAction::Cancel => caller.cancel(order).await.map(drop),
        PurchaseOrderAction::CancelLines => caller.cancel_lines(order, &[(1, "1")]).await.map(drop),
        PurchaseOrderAction::Copy => caller.copy(order).await.map(drop),
        PurchaseOrderAction::Amend => caller.amend(order, &[(1, "9")]).await.map(drop),
        PurchaseOrderAction::Confirm => caller.confirm(order, &[(1, "9")]).await.map(drop),
        PurchaseOrderAction::Reopen => caller.reopen(order).await.map(drop),
        PurchaseOrderAction::Unspecified => panic!("it stands for nothing"),
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_role_is_offered_what_it_may_do_and_nothing_else(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    alice.create_role("clerk", &[Permission::View, Permission::Edit, Permission::Place]).ok().await;
    alice.grant("dora", "clerk").ok().await;
    let mut grid = Vec::new();
    for (role, principal) in [("owner", "alice"), ("manager", "carol"), ("receiver", "bob"), ("clerk", "dora")] {
        let caller = world.caller(principal);
        for state in ["draft", "on order", "rejected", "accepted", "completed", "cancelled"] {
            let order = in_state(&alice, state).await;
            let seen = caller.seen(&order.purchase_order_id).await;
            let listed = caller.list().ok().await.purchase_orders;
            assert!(listed.contains(&seen), "a list shows what Get shows");
            let offered: Vec<PurchaseOrderAction> = seen.allowed_actions().collect();
            for action in ACTIONS {
                let order = in_state(&alice, state).await;
                let refused = attempt(&caller, action, &order).await.err();
                assert_eq!(refused.is_none(), offered.contains(&action), "{action:?} by {role}, {state}: {refused:?}");
            }
            let offered: Vec<&str> = offered.into_iter().map(action_name).collect();
            grid.push(format!("{role}, {state}: {}", offered.join(" ")));
        }
    }
    assert_eq!(
        grid,
        [
            "owner, draft: UPDATE PLACE CANCEL COPY AMEND",
            "owner, on order: UPDATE RECEIVE CANCEL CANCEL_LINES COPY AMEND CONFIRM",
            "owner, rejected: UPDATE RECEIVE VOID_RECEIPT CORRECT_RECEIPT CANCEL CANCEL_LINES COPY AMEND CONFIRM",
            "owner, accepted: UPDATE RECEIVE VOID_RECEIPT CORRECT_RECEIPT COMPLETE CANCEL_LINES COPY AMEND CONFIRM",
            "owner, completed: COPY REOPEN",
            "owner, cancelled: COPY",
            "manager, draft: UPDATE PLACE CANCEL COPY AMEND",
            "manager, on order: UPDATE RECEIVE CANCEL CANCEL_LINES COPY AMEND CONFIRM",
            "manager, rejected: UPDATE RECEIVE VOID_RECEIPT CORRECT_RECEIPT CANCEL CANCEL_LINES COPY AMEND CONFIRM",
            "manager, accepted: UPDATE RECEIVE VOID_RECEIPT CORRECT_RECEIPT COMPLETE CANCEL_LINES COPY AMEND CONFIRM",
            "manager, completed: COPY REOPEN",
            "manager, cancelled: COPY",
            "receiver, draft: ",
            "receiver, on order: RECEIVE",
            "receiver, rejected: RECEIVE VOID_RECEIPT CORRECT_RECEIPT",
            "receiver, accepted: RECEIVE VOID_RECEIPT CORRECT_RECEIPT",
            "receiver, completed: ",
            "receiver, cancelled: ",
            "clerk, draft: UPDATE PLACE COPY AMEND",
            "clerk, on order: UPDATE COPY AMEND CONFIRM",
            "clerk, rejected: UPDATE COPY AMEND CONFIRM",
            "clerk, accepted: UPDATE COPY AMEND CONFIRM",
            "clerk, completed: COPY",
            "clerk, cancelled: COPY",
        ]
    );
    world.verify().await;
}

fn action_name(action: PurchaseOrderAction) -> &'static str {
    action.as_str_name().trim_start_matches("PURCHASE_ORDER_ACTION_")
}
