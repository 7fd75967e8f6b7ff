//! Roles and grants: what a store's people may do is the store's to say, within bounds that nobody
//! can talk themselves out of.

use purchase_order_service::proto::v1::Permission::{CompletePurchaseOrders, ManageAccess, Receive, View};
use purchase_order_service::proto::v1::{Grant, ListRolesResponse};
use rstest::rstest;
use tonic::Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World};

async fn grants(caller: &Caller) -> Vec<(String, String)> {
    let pair = |grant: Grant| (grant.principal, grant.role_id);
    caller.list_grants().ok().await.grants.into_iter().map(pair).collect()
}

fn sizes(roles: &ListRolesResponse) -> Vec<(&str, usize)> {
    roles.roles.iter().map(|role| (role.role_id.as_str(), role.permissions.len())).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_begins_with_three_roles_and_an_owner(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };

    world.operator().at("south").create_store("sam").ok().await;

    let sam = world.caller("sam").at("south");
    assert_eq!(sizes(&sam.list_roles().ok().await), [("manager", 10), ("owner", 12), ("receiver", 2)]);
    assert_eq!(grants(&sam).await, [("sam".to_owned(), "owner".to_owned())]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_revoke_holds_from_its_commit_on(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, carol) = (world.alice(), world.carol());
    let order = carol.received(&[("apples", "2")], &[(1, "2")]).await;

    alice.revoke("carol", "manager").ok().await;
    carol.complete(&order).refused(PermissionDenied, "NO_STORE_ACCESS").await;
    carol.get(&order.purchase_order_id).refused(PermissionDenied, "NO_STORE_ACCESS").await;
    alice.grant("carol", "receiver").ok().await;
    let refused = carol.complete(&order).refused(PermissionDenied, "PERMISSION_MISSING").await;
    assert_eq!(refused.metadata("permission"), "COMPLETE_PURCHASE_ORDERS");
    alice.grant("carol", "manager").ok().await;

    carol.complete(&order).ok().await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_what_they_do_not_hold(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, dora) = (world.alice(), world.caller("dora"));
    alice.create_role("keys", &[ManageAccess, View]).ok().await;
    alice.create_role("finisher", &[View, CompletePurchaseOrders, Receive]).ok().await;
    alice.grant("dora", "keys").ok().await;

    let refused = dora.grant("dora", "finisher").refused(PermissionDenied, "PERMISSION_NOT_HELD").await;
    assert_eq!(refused.metadata("role_id"), "finisher");
    assert_eq!(refused.metadata("permissions"), "RECEIVE,COMPLETE_PURCHASE_ORDERS");
    // Making a role gives nobody anything; granting it is what is judged.
    dora.create_role("everything", &[View, CompletePurchaseOrders]).ok().await;
    dora.grant("dora", "everything").refused(PermissionDenied, "PERMISSION_NOT_HELD").await;
    dora.grant("emil", "keys").ok().await;
    world.operator().grant("emil", "finisher").ok().await;

    assert!(grants(&alice).await.contains(&("emil".to_owned(), "finisher".to_owned())));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn somebody_always_keeps_the_keys(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    for caller in [alice.clone(), world.operator()] {
        caller.revoke("alice", "owner").refused(FailedPrecondition, "LAST_ACCESS_MANAGER").await;
    }

    alice.create_role("keys", &[ManageAccess]).ok().await;
    alice.grant("alice", "keys").ok().await;
    alice.revoke("alice", "owner").ok().await;

    alice.revoke("alice", "keys").refused(FailedPrecondition, "LAST_ACCESS_MANAGER").await;
    world.operator().grant("dora", "owner").ok().await;
    alice.revoke("alice", "keys").ok().await;
    alice.list_roles().refused(PermissionDenied, "NO_STORE_ACCESS").await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_leaves_no_event(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();

    assert_eq!(alice.grant("bob", "receiver").ok().await.event_number, 0);
    assert_eq!(alice.revoke("bob", "manager").ok().await.event_number, 0);
    let first = alice.revoke("bob", "receiver").ok().await.event_number;
    assert_eq!(alice.revoke("bob", "receiver").ok().await.event_number, 0);
    let second = alice.grant("bob", "receiver").ok().await.event_number;

    assert_eq!(second, first + 1);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn roles_that_are_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();

    alice.create_role("owner", &[View]).refused(AlreadyExists, "ROLE_EXISTS").await;
    let refused = alice.grant("bob", "pilot").refused(NotFound, "ROLE_NOT_FOUND").await;
    assert_eq!(refused.metadata("role_id"), "pilot");
    alice.revoke("bob", "pilot").refused(NotFound, "ROLE_NOT_FOUND").await;
    let malformed = alice.create_role("Pilot!", &[View, View]).with(|request| request.permissions.push(99));
    let refused = malformed.refused(InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["role_id", "permissions[1]", "permissions[2]"]);
    let empty = alice.create_role("pilot", &[]).refused(InvalidArgument, "INVALID_REQUEST").await;
    empty.names_fields(&["permissions"]);
    alice.grant("", "owner").refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["principal"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_at_most_a_hundred_roles(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    for number in 4..=100 {
        alice.create_role(&format!("role-{number}"), &[View]).ok().await;
    }

    alice.create_role("role-101", &[View]).refused(FailedPrecondition, "TOO_MANY_ROLES").await;

    assert_eq!(alice.list_roles().ok().await.roles.len(), 100);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn grants_are_listed_by_principal_and_page_by_page(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    alice.grant("bob", "manager").ok().await;

    let expected = [("alice", "owner"), ("bob", "manager"), ("bob", "receiver"), ("carol", "manager")];
    let expected = expected.map(|(principal, role)| (principal.to_owned(), role.to_owned()));
    assert_eq!(grants(&alice).await, expected);
    let first = alice.list_grants().with(|request| request.page_size = 2).ok().await;
    let token = first.next_page_token.clone();
    let second = alice.list_grants().with(|request| request.page_token = token.clone()).ok().await;
    let paged = first.grants.into_iter().chain(second.grants).map(|grant| (grant.principal, grant.role_id));
    assert_eq!(paged.collect::<Vec<_>>(), expected);
    let bobs = alice.list_grants().with(|request| request.principal = "bob".to_owned());
    assert_eq!(bobs.clone().ok().await.grants.len(), 2);
    let other = bobs.with(|request| request.page_token = token);
    other.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn stores_are_made_by_the_operator(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let south = world.operator().at("south");

    let malformed = south.at("South Street").create_store("").with(|request| {
        request.currency = "euro".to_owned();
        request.time_zone = "Europe/Atlantis".to_owned();
        request.display_name = "n".repeat(201);
    });
    let refused = malformed.refused(InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["store_id", "display_name", "currency", "time_zone", "owner_principal"]);
    let created = south.create_store("sam").ok().await;
    assert_eq!(created.event_number, 1);
    let refused = south.create_store("sam").refused(AlreadyExists, "STORE_EXISTS").await;
    assert_eq!(refused.metadata("store_id"), "south");

    let store = world.caller("sam").at("south").get_store().ok().await.store;
    assert_eq!(store, created.store);
    south.at("nowhere").get_store().refused(NotFound, "STORE_NOT_FOUND").await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_their_own_stores(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for (store, owner) in [("south", "sam"), ("east", "alice"), ("west", "sam")] {
        world.operator().at(store).create_store(owner).ok().await;
    }
    let seen = async |caller: Caller| -> Vec<String> {
        caller.list_stores().ok().await.stores.into_iter().map(|store| store.store_id).collect()
    };

    assert_eq!(seen(world.alice()).await, ["east", "north"]);
    assert_eq!(seen(world.caller("sam")).await, ["south", "west"]);
    assert_eq!(seen(world.caller("mallory")).await, [""; 0]);
    assert_eq!(seen(world.operator()).await, ["east", "north", "south", "west"]);
    let first = world.operator().list_stores().with(|request| request.page_size = 3).ok().await;
    let token = first.next_page_token.clone();
    let second = world.operator().list_stores().with(|request| request.page_token = token.clone()).ok().await;
    assert_eq!((first.stores.len(), second.stores.len(), second.next_page_token.as_str()), (3, 1, ""));
    world.verify().await;
}
