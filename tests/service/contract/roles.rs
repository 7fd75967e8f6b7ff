//! Stories of CreateRole, UpdateRole, DeleteRole and ListRoles: a store's roles are its own to make,
//! to change, and to take away.

use purchase_order_service::proto::v1::Permission::{
    CompletePurchaseOrders, Edit, ManageAccess, ManageStore, Place, Receive, View,
};
use purchase_order_service::proto::v1::{
    CreateRoleRequest, DeleteRoleRequest, ListRolesRequest, Permission, Role, UpdateRoleRequest,
};
use rstest::rstest;
use tonic::Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{AN_ID, Story};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World};

fn role(id: &str, permissions: &[Permission]) -> Role {
    Role { role_id: id.to_owned(), permissions: permissions.iter().map(|permission| (*permission).into()).collect() }
}

/// An owner makes up roles until there are enough of them.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn create_role(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<CreateRoleRequest>::on(on).await else { return };
    let (alice, operator) = (story.world.alice(), story.world.operator());

    let created = story.ok(alice.create_role("clerk", &[Place, View]).id(AN_ID)).await;
    assert_eq!(created.role, Some(role("clerk", &[View, Place])));
    assert_eq!(story.ok(alice.create_role("clerk", &[Place, View]).id(AN_ID)).await, created, "sent again");
    let refused = story.refused(alice.create_role("clerk", &[Edit]), AlreadyExists, "ROLE_EXISTS").await;
    assert_eq!(refused.metadata("role_id"), "clerk");
    let other = alice.create_role("buyer", &[Edit]).id(AN_ID);
    story.refused(other, InvalidArgument, "REQUEST_ID_REUSED").await;
    let unknown = alice.create_role("Buyer", &[Edit, Edit]).with(|request| request.permissions.push(0));
    let refused = story.refused(unknown, InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["role_id", "permissions[1]", "permissions[2]"]);
    let nowhere = operator.at("south").create_role("buyer", &[Edit]);
    story.refused(nowhere, NotFound, "STORE_NOT_FOUND").await;
    let refused =
        story.refused(story.world.carol().create_role("buyer", &[Edit]), PermissionDenied, "PERMISSION_MISSING");
    assert_eq!(refused.await.metadata("permission"), "MANAGE_ACCESS");

    for number in 5..=100 {
        alice.create_role(&format!("role-{number}"), &[View]).ok().await;
    }
    story.refused(operator.create_role("role-101", &[View]), FailedPrecondition, "TOO_MANY_ROLES").await;
    alice.delete_role("role-7").ok().await;
    story.ok(operator.create_role("role-101", &[View])).await;
    story.end().await;
}

/// A role gains and loses permissions while principals hold it.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn update_role(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<UpdateRoleRequest>::on(on).await else { return };
    story.world.alice().create_role("clerk", &[View, Edit]).ok().await;
    story.world.alice().grant("dora", "clerk").ok().await;
    what_is_added_counts_at_once_and_what_is_removed_no_more(&story).await;
    nobody_adds_what_they_do_not_hold(&story).await;
    somebody_keeps_the_keys(&story).await;
    what_cannot_be_changed(&story).await;
    story.end().await;
}

type Changing = Story<UpdateRoleRequest>;

async fn what_is_added_counts_at_once_and_what_is_removed_no_more(story: &Changing) {
    let (alice, dora) = (story.world.alice(), story.world.caller("dora"));
    let order = alice.received(&[("apples", "3")], &[(1, "1")]).await;
    let other = alice.received(&[("pears", "3")], &[(1, "3")]).await;
    dora.complete(&order).refused(PermissionDenied, "PERMISSION_MISSING").await;

    let grown = alice.update_role("clerk", &[CompletePurchaseOrders, View, Edit]).id(AN_ID);
    let updated = story.ok(grown.clone()).await;
    assert_eq!(updated.role, Some(role("clerk", &[View, Edit, CompletePurchaseOrders])));
    assert!(updated.event_number > 0);
    dora.back_order(&order).await;
    let unchanged = story.ok(alice.update_role("clerk", &[View, Edit, CompletePurchaseOrders])).await;
    assert_eq!((unchanged.event_number, unchanged.role), (0, updated.role.clone()), "that is what it allows");

    let shrunk = story.ok(alice.update_role("clerk", &[View])).await;
    assert_eq!(shrunk.role, Some(role("clerk", &[View])));
    assert_eq!(shrunk.event_number, updated.event_number + 3, "the completion and its back order were between them");
    let refused = dora.complete(&other).refused(PermissionDenied, "PERMISSION_MISSING").await;
    assert_eq!(refused.metadata("permission"), "COMPLETE_PURCHASE_ORDERS");
    dora.preview(&other).refused(PermissionDenied, "PERMISSION_MISSING").await;
    dora.create(&[("apples", "1")]).refused(PermissionDenied, "PERMISSION_MISSING").await;
    assert!(dora.seen(&other.purchase_order_id).await.allowed_actions.is_empty(), "and nothing is offered any more");

    assert_eq!(story.ok(grown.clone()).await, updated, "sent again, it is what was answered");
    dora.complete(&other).refused(PermissionDenied, "PERMISSION_MISSING").await;
    let reused = grown.with(|request| request.permissions.truncate(1));
    story.refused(reused, InvalidArgument, "REQUEST_ID_REUSED").await;
}

async fn nobody_adds_what_they_do_not_hold(story: &Changing) {
    let (alice, keeper) = (story.world.alice(), story.world.caller("kim"));
    alice.create_role("keeper", &[ManageAccess, View]).ok().await;
    alice.grant("kim", "keeper").ok().await;

    for target in ["clerk", "keeper"] {
        let wanted = keeper.update_role(target, &[View, ManageAccess, Receive, CompletePurchaseOrders]);
        let refused = story.refused(wanted, PermissionDenied, "PERMISSION_NOT_HELD").await;
        assert_eq!(refused.metadata("role_id"), target);
        assert_eq!(refused.metadata("permissions"), "RECEIVE,COMPLETE_PURCHASE_ORDERS");
    }
    let grown = story.ok(alice.update_role("clerk", &[View, Edit, Receive])).await;
    assert_eq!(grown.role.unwrap().permissions.len(), 3);
    // What a role has already is no gift, and to take something away one need not hold it.
    let swapped = story.ok(keeper.update_role("clerk", &[View, Receive])).await;
    assert_eq!(swapped.role, Some(role("clerk", &[View, Receive])));
    let by_operator = story.world.operator().update_role("clerk", &[View, CompletePurchaseOrders]);
    story.ok(by_operator).await;
    let given_back = keeper.update_role("clerk", &[View, CompletePurchaseOrders, ManageStore]);
    let refused = story.refused(given_back, PermissionDenied, "PERMISSION_NOT_HELD").await;
    assert_eq!(refused.metadata("permissions"), "MANAGE_STORE");
}

async fn somebody_keeps_the_keys(story: &Changing) {
    let (alice, keeper) = (story.world.alice(), story.world.caller("kim"));
    let keyless = |caller: &Caller, role: &str| caller.update_role(role, &[View, Edit, Place, Receive]);
    // Kim holds them too.
    story.ok(keyless(&story.world.operator(), "owner")).await;
    alice.list_roles().refused(PermissionDenied, "PERMISSION_MISSING").await;
    for caller in [keeper.clone(), story.world.operator()] {
        let last = caller.update_role("keeper", &[View]);
        story.refused(last, FailedPrecondition, "LAST_ACCESS_MANAGER").await;
    }
    let everything: Vec<Permission> = (1..=12).filter_map(|number| Permission::try_from(number).ok()).collect();
    story.ok(story.world.operator().update_role("owner", &everything)).await;
    story.ok(alice.update_role("keeper", &[View])).await;
    keeper.list_roles().refused(PermissionDenied, "PERMISSION_MISSING").await;
}

async fn what_cannot_be_changed(story: &Changing) {
    let (alice, operator) = (story.world.alice(), story.world.operator());
    let refused = story.refused(alice.update_role("pilot", &[View]), NotFound, "ROLE_NOT_FOUND").await;
    assert_eq!(refused.metadata("role_id"), "pilot");
    story.refused(operator.at("south").update_role("clerk", &[View]), NotFound, "STORE_NOT_FOUND").await;
    story.refused(alice.at("south").update_role("clerk", &[View]), PermissionDenied, "NO_STORE_ACCESS").await;
    let carol = story.world.carol();
    story.refused(carol.update_role("clerk", &[View]), PermissionDenied, "PERMISSION_MISSING").await;
    let wrong = alice.update_role("clerk", &[View, View]).with(|request| request.permissions.push(13));
    let refused = story.refused(wrong, InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["permissions[1]", "permissions[2]"]);
    let empty = story.refused(alice.update_role("clerk", &[]), InvalidArgument, "INVALID_REQUEST").await;
    empty.names_fields(&["permissions"]);
    let maskless = alice.update_role("clerk", &[View]).with(|request| request.update_mask = None);
    story.refused(maskless, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["update_mask"]);
    let renamed = alice.update_role("clerk", &[View]);
    let renamed = renamed.with(|request| request.update_mask.as_mut().unwrap().paths.push("role_id".to_owned()));
    let refused = story.refused(renamed, InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["update_mask.paths[1]"]);
    story.refused(story.world.caller("").update_role("clerk", &[View]), Unauthenticated, "NO_CREDENTIALS").await;
}

/// A role goes once nobody holds it, and what comes after it under its name is another.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn delete_role(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<DeleteRoleRequest>::on(on).await else { return };
    let alice = story.world.alice();
    alice.create_role("temp", &[View, CompletePurchaseOrders]).ok().await;
    let temps: Vec<String> = (10..33).map(|number| format!("temp-{number}")).collect();
    for temp in &temps {
        alice.grant(temp, "temp").ok().await;
    }

    let refused = story.refused(alice.delete_role("temp"), FailedPrecondition, "ROLE_IN_USE").await;
    assert_eq!((refused.metadata("principals"), refused.metadata("total")), (temps[..20].join(","), "23".to_owned()));
    assert!(refused.message().contains("temp-10, temp-11") && refused.message().contains("and 3 more"));
    for temp in &temps[1..] {
        alice.revoke(temp, "temp").ok().await;
    }
    let refused = story.refused(story.world.operator().delete_role("temp"), FailedPrecondition, "ROLE_IN_USE").await;
    assert_eq!((refused.metadata("principals"), refused.metadata("total")), ("temp-10".to_owned(), "1".to_owned()));
    let last = alice.revoke("temp-10", "temp").ok().await;
    let deleted = story.ok(alice.delete_role("temp").id(AN_ID)).await;
    assert_eq!(deleted.event_number, last.event_number + 1);
    story.refused(alice.delete_role("temp"), NotFound, "ROLE_NOT_FOUND").await;
    alice.grant("temp-10", "temp").refused(NotFound, "ROLE_NOT_FOUND").await;

    a_name_is_used_again(&story.world).await;
    assert_eq!(story.ok(alice.delete_role("temp").id(AN_ID)).await, deleted, "sent again, it deletes nothing");
    alice.list_roles().ok().await.roles.iter().find(|role| role.role_id == "temp").expect("the new one stands");
    story.refused(alice.delete_role("owner").id(AN_ID), InvalidArgument, "REQUEST_ID_REUSED").await;
    let refused = story.refused(alice.delete_role("owner"), FailedPrecondition, "ROLE_IN_USE").await;
    assert_eq!(refused.metadata("principals"), "alice", "so the last key cannot go that way");

    let nowhere = story.world.operator().at("south").delete_role("temp");
    story.refused(nowhere, NotFound, "STORE_NOT_FOUND").await;
    story.refused(alice.delete_role(""), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["role_id"]);
    story.refused(story.world.carol().delete_role("temp"), PermissionDenied, "PERMISSION_MISSING").await;
    story.end().await;
}

async fn a_name_is_used_again(world: &World) {
    let alice = world.alice();
    let order = alice.received(&[("apples", "1")], &[(1, "1")]).await;
    alice.create_role("temp", &[Receive, View]).ok().await;
    for former in ["temp-10", "temp-32"] {
        let former = world.caller(former);
        former.get(&order.purchase_order_id).refused(PermissionDenied, "NO_STORE_ACCESS").await;
        assert_eq!(former.list_stores().ok().await.stores, [], "what they held was another");
    }
    alice.grant("temp-32", "temp").ok().await;
    let again = world.caller("temp-32");
    again.get(&order.purchase_order_id).ok().await;
    again.complete(&order).refused(PermissionDenied, "PERMISSION_MISSING").await;
}

/// An owner looks through the roles of their store.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_roles(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListRolesRequest>::on(on).await else { return };
    let (alice, operator) = (story.world.alice(), story.world.operator());
    alice.create_role("clerk", &[Place, View]).ok().await;

    let roles = story.ok(alice.list_roles()).await.roles;
    let ids: Vec<&str> = roles.iter().map(|role| role.role_id.as_str()).collect();
    assert_eq!(ids, ["clerk", "manager", "owner", "receiver"]);
    assert_eq!((&roles[0], &roles[3]), (&role("clerk", &[View, Place]), &role("receiver", &[View, Receive])));
    assert_eq!(roles[2].permissions, (1..=12).collect::<Vec<i32>>(), "an owner may do everything");
    assert_eq!(story.ok(operator.list_roles()).await.roles, roles, "the operator sees the same");

    story.refused(operator.at("south").list_roles(), NotFound, "STORE_NOT_FOUND").await;
    story.refused(alice.at("south").list_roles(), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.carol().list_roles(), PermissionDenied, "PERMISSION_MISSING").await;
    story.refused(alice.at("No Store").list_roles(), InvalidArgument, "INVALID_REQUEST").await;
    story.end().await;
}
