//! Stories of StoreService: stores are founded, renamed, moved, and given or refused their back
//! orders.

use purchase_order_service::proto::v1::{
    CreateStoreRequest, DisableBackOrdersRequest, EnableBackOrdersRequest, GetStoreRequest, ListStoresRequest,
    UpdateStoreRequest,
};
use rstest::rstest;
use tonic::Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{AN_ID, Story};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, MONDAY, at};

/// The operator founds a store and names its owner, who takes it from there.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn create_store(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<CreateStoreRequest>::on(on).await else { return };
    let south = story.world.operator().at("south");

    let created = story.ok(south.create_store("sam").id(AN_ID)).await;
    let store = created.store.clone().unwrap();
    assert_eq!((&*store.store_id, &*store.currency, &*store.time_zone), ("south", "EUR", "Europe/Amsterdam"));
    assert_eq!((store.create_time, store.back_orders_enabled, created.event_number), (at(MONDAY), false, 1));
    let sam = story.world.caller("sam").at("south");
    let roles: Vec<String> = sam.list_roles().ok().await.roles.into_iter().map(|role| role.role_id).collect();
    assert_eq!(roles, ["manager", "owner", "receiver"]);
    sam.order(&[("apples", "1")]).await;
    assert_eq!(story.ok(south.create_store("sam").id(AN_ID)).await.event_number, 1, "sent again, it is one store");

    let refused = story.refused(south.create_store("sam"), AlreadyExists, "STORE_EXISTS").await;
    assert_eq!(refused.metadata("store_id"), "south");
    story.refused(south.create_store("alice").id(AN_ID), InvalidArgument, "REQUEST_ID_REUSED").await;
    let nowhere = south.at("west").create_store("sam").with(|request| request.time_zone.clear());
    story.refused(nowhere, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["time_zone"]);
    let own = story.world.alice().at("east").create_store("alice");
    story.refused(own, PermissionDenied, "NOT_PLATFORM_OPERATOR").await;
    story.refused(story.world.caller("").at("east").create_store("alice"), Unauthenticated, "NO_CREDENTIALS").await;
    assert_eq!(story.world.operator().list_stores().ok().await.stores.len(), 2);
    story.end().await;
}

/// Callers with any role in a store may read it, others may not.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn get_store(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<GetStoreRequest>::on(on).await else { return };
    let (bob, operator) = (story.world.bob(), story.world.operator());
    story.world.alice().order(&[("apples", "1")]).await;

    let store = story.ok(bob.get_store()).await.store;
    assert_eq!(store.as_ref().map(|store| (&*store.store_id, store.back_orders_enabled)), Some(("north", true)));
    assert_eq!(store.as_ref().map(|store| store.open_purchase_order_count), Some(1));
    assert_eq!(story.ok(operator.get_store()).await.store, store, "the operator sees the same");

    let refused = story.refused(operator.at("south").get_store(), NotFound, "STORE_NOT_FOUND").await;
    assert_eq!(refused.metadata("store_id"), "south");
    story.refused(bob.at("south").get_store(), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("mallory").get_store(), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(bob.at("").get_store(), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["store_id"]);
    story.end().await;
}

/// Everybody sees the stores they work in.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_stores(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListStoresRequest>::on(on).await else { return };
    let (alice, operator) = (story.world.alice(), story.world.operator());
    for (store, owner) in [("south", "sam"), ("east", "alice")] {
        operator.at(store).create_store(owner).ok().await;
    }
    let seen = async |call: Call<ListStoresRequest>| -> Vec<String> {
        story.ok(call).await.stores.into_iter().map(|store| store.store_id).collect()
    };

    assert_eq!(seen(alice.list_stores()).await, ["east", "north"]);
    assert_eq!(seen(operator.list_stores()).await, ["east", "north", "south"]);
    alice.at("east").grant("dora", "receiver").ok().await;
    assert_eq!(seen(story.world.caller("dora").list_stores()).await, ["east"]);
    alice.at("east").revoke("dora", "receiver").ok().await;
    assert_eq!(seen(story.world.caller("dora").list_stores()).await, [""; 0]);

    for size in [-1, i32::MIN] {
        let negative = alice.list_stores().with(|request| request.page_size = size);
        story.refused(negative, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_size"]);
    }
    let made_up = alice.list_stores().with(|request| request.page_token = "north".to_owned());
    story.refused(made_up, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    story.refused(story.world.caller("").list_stores(), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

/// A store is renamed, and moves to Auckland, where tomorrow begins earlier.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn update_store(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<UpdateStoreRequest>::on(on).await else { return };
    let (alice, operator) = (story.world.alice(), story.world.operator());
    let with_values = |call: Call<UpdateStoreRequest>| {
        call.with(|request| {
            request.display_name = "North Shore".to_owned();
            request.time_zone = "Pacific/Auckland".to_owned();
        })
    };
    let before = alice.get_store().ok().await.store.unwrap();

    let renamed = story.ok(with_values(alice.update_store(&["display_name"])).id(AN_ID)).await;
    let store = renamed.store.clone().unwrap();
    assert_eq!((&*store.display_name, &*store.time_zone), ("North Shore", "Europe/Amsterdam"));
    let again = story.ok(with_values(alice.update_store(&["display_name"]))).await;
    assert_eq!((again.event_number, again.store), (0, Some(store)), "nothing is left to change");
    let replayed = story.ok(with_values(alice.update_store(&["display_name"])).id(AN_ID)).await;
    assert_eq!(replayed.event_number, renamed.event_number);
    let reused = with_values(alice.update_store(&["time_zone"])).id(AN_ID);
    story.refused(reused, InvalidArgument, "REQUEST_ID_REUSED").await;

    let due = alice.create(&[("apples", "1")]).with(|request| request.expected_date = "2026-03-02".to_owned());
    let due = due.ok().await.purchase_order.unwrap();
    story.world.clock.set("2026-03-02T12:30:00Z");
    let moved = story.ok(with_values(alice.update_store(&["time_zone"]))).await;
    assert_eq!(moved.event_number, renamed.event_number + 2, "the draft was between them");
    // Half past noon in London is half past one in the night of the 3rd in Auckland.
    alice.place(&due).refused(FailedPrecondition, "EXPECTED_DATE_PASSED").await;
    let back = with_values(operator.update_store(&["time_zone", "display_name"]));
    let back = back.with(|request| request.time_zone = "Europe/Amsterdam".to_owned());
    let back = back.with(|request| request.display_name.clear());
    let store = story.ok(back).await.store.unwrap();
    assert_eq!((&*store.display_name, &store.time_zone), ("", &before.time_zone));
    alice.place(&due).ok().await;
    let store = alice.get_store().ok().await.store.unwrap();
    assert_eq!((store.currency, store.open_purchase_order_count), (before.currency, 1));

    for path in ["currency", "store_id", "back_orders_enabled", "DisplayName", ""] {
        let fixed = story.refused(with_values(alice.update_store(&[path])), InvalidArgument, "INVALID_REQUEST").await;
        fixed.names_fields(&["update_mask.paths[0]"]);
    }
    let empty = story.refused(with_values(alice.update_store(&[])), InvalidArgument, "INVALID_REQUEST").await;
    empty.names_fields(&["update_mask"]);
    let nowhere = alice.update_store(&["time_zone"]).with(|request| request.display_name = "n".repeat(201));
    story.refused(nowhere, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["time_zone"]);
    let refused =
        story.refused(story.world.carol().update_store(&["display_name"]), PermissionDenied, "PERMISSION_MISSING");
    assert_eq!(refused.await.metadata("permission"), "MANAGE_STORE");
    story.refused(operator.at("south").update_store(&["display_name"]), NotFound, "STORE_NOT_FOUND").await;
    story.refused(alice.at("south").update_store(&["display_name"]), PermissionDenied, "NO_STORE_ACCESS").await;
    story.end().await;
}

/// A store gets its back orders once nothing is open any more.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn enable_back_orders(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<EnableBackOrdersRequest>::on(on).await else { return };
    let (alice, operator) = (story.world.alice(), story.world.operator());
    operator.disable_back_orders().ok().await;
    let mut orders = Vec::new();
    for _ in 0..22 {
        orders.push(alice.draft(&[("apples", "1")]).await);
    }

    let refused = story.refused(operator.enable_back_orders(), FailedPrecondition, "OPEN_PURCHASE_ORDERS").await;
    let named: Vec<String> = (1..=20).map(|number| format!("PO-{number:06}")).collect();
    assert_eq!((refused.metadata("numbers"), refused.metadata("total")), (named.join(","), "22".to_owned()));
    story.refused(alice.enable_back_orders(), PermissionDenied, "NOT_PLATFORM_OPERATOR").await;
    story.refused(operator.at("south").enable_back_orders(), NotFound, "STORE_NOT_FOUND").await;
    let malformed = operator.enable_back_orders().id("1");
    story.refused(malformed, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["request_id"]);
    for order in &orders {
        alice.cancel(order).ok().await;
    }

    let enabled = story.ok(operator.enable_back_orders()).await;
    assert!(enabled.event_number > 0 && enabled.store.unwrap().back_orders_enabled);
    assert_eq!(story.ok(operator.enable_back_orders()).await.event_number, 0, "it is on already");
    let order = alice.received(&[("apples", "2")], &[(1, "1")]).await;
    assert_eq!(alice.back_order(&order).await.number, "PO-000023-B1");
    story.end().await;
}

/// A store loses its back orders; the one that is under way runs its course.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn disable_back_orders(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<DisableBackOrdersRequest>::on(on).await else { return };
    let (alice, operator) = (story.world.alice(), story.world.operator());
    let back_order = alice.back_order(&alice.received(&[("apples", "3")], &[(1, "1")]).await).await;

    let disable = |caller: Caller| caller.disable_back_orders();
    story.refused(disable(alice.clone()), PermissionDenied, "NOT_PLATFORM_OPERATOR").await;
    story.refused(disable(operator.at("south")), NotFound, "STORE_NOT_FOUND").await;
    story.refused(disable(story.world.caller("")), Unauthenticated, "NO_CREDENTIALS").await;
    let disabled = story.ok(disable(operator.clone())).await;
    assert!(disabled.event_number > 0 && !disabled.store.unwrap().back_orders_enabled);
    assert_eq!(story.ok(disable(operator.clone())).await.event_number, 0, "it is off already");

    alice.receive(&back_order).all_pending().ok().await;
    assert_eq!(alice.complete(&back_order).ok().await.back_order, None);
    assert_eq!(alice.stock("apples").await, "3 on hand");
    story.end().await;
}
