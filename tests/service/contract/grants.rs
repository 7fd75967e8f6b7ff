//! Stories of GrantRole, RevokeRole and ListGrants: who holds which role.

use purchase_order_service::proto::v1::Permission::{ManageAccess, View};
use purchase_order_service::proto::v1::{Grant, GrantRoleRequest, ListGrantsRequest, RevokeRoleRequest};
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{AN_ID, Story};
use crate::support::Caller;
use crate::support::Engine::{self, Postgres, Sqlite};

fn grant(principal: &str, role: &str) -> Grant {
    Grant { principal: principal.to_owned(), role_id: role.to_owned() }
}

/// Dora begins to work in the store.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn grant_role(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<GrantRoleRequest>::on(on).await else { return };
    let (alice, operator, dora) = (story.world.alice(), story.world.operator(), story.world.caller("dora"));
    alice.create_role("keys", &[ManageAccess, View]).ok().await;

    let granted = story.ok(alice.grant("dora", "keys").id(AN_ID)).await;
    assert_eq!(granted.grant, Some(grant("dora", "keys")));
    assert!(granted.event_number > 0);
    dora.list().ok().await;
    let again = story.ok(alice.grant("dora", "keys")).await;
    assert_eq!((again.event_number, again.grant), (0, granted.grant.clone()), "she holds it already");
    assert_eq!(story.ok(alice.grant("dora", "keys").id(AN_ID)).await, granted, "sent again, it is the same grant");
    let reused = alice.grant("emil", "keys").id(AN_ID);
    story.refused(reused, InvalidArgument, "REQUEST_ID_REUSED").await;

    let refused = story.refused(dora.grant("dora", "receiver"), PermissionDenied, "PERMISSION_NOT_HELD").await;
    assert_eq!((refused.metadata("role_id"), refused.metadata("permissions")), ("receiver".into(), "RECEIVE".into()));
    let refused = story.refused(alice.grant("dora", "pilot"), NotFound, "ROLE_NOT_FOUND").await;
    assert_eq!(refused.metadata("role_id"), "pilot");
    story.refused(operator.at("south").grant("dora", "keys"), NotFound, "STORE_NOT_FOUND").await;
    story.refused(story.world.bob().grant("bob", "owner"), PermissionDenied, "PERMISSION_MISSING").await;
    let nobody = alice.grant(&"d".repeat(201), "");
    story.refused(nobody, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["principal", "role_id"]);
    let held = story.ok(dora.grant("bob", "receiver")).await;
    assert_eq!(held.event_number, 0, "bob holds it already, so nothing is given");
    assert!(story.ok(operator.grant("dora", "receiver")).await.event_number > 0, "the operator may give anything");
    story.end().await;
}

/// Carol leaves; the store's keys cannot leave with her.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn revoke_role(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<RevokeRoleRequest>::on(on).await else { return };
    let (alice, carol, operator) = (story.world.alice(), story.world.carol(), story.world.operator());
    let order = carol.received(&[("apples", "1")], &[(1, "1")]).await;

    let revoked = story.ok(alice.revoke("carol", "manager").id(AN_ID)).await;
    carol.complete(&order).refused(PermissionDenied, "NO_STORE_ACCESS").await;
    alice.grant("carol", "manager").ok().await;
    let replayed = story.ok(alice.revoke("carol", "manager").id(AN_ID)).await;
    assert_eq!(replayed, revoked, "sent again, it is the revoke of then");
    carol.complete(&order).ok().await;
    assert_eq!(story.ok(alice.revoke("dora", "manager")).await.event_number, 0, "she never held it");

    for caller in [&alice, &operator] {
        story.refused(caller.revoke("alice", "owner"), FailedPrecondition, "LAST_ACCESS_MANAGER").await;
    }
    story.refused(alice.revoke("carol", "pilot"), NotFound, "ROLE_NOT_FOUND").await;
    story.refused(operator.at("south").revoke("carol", "manager"), NotFound, "STORE_NOT_FOUND").await;
    story.refused(carol.revoke("bob", "receiver"), PermissionDenied, "PERMISSION_MISSING").await;
    story.refused(alice.revoke("bob", "manager").id(AN_ID), InvalidArgument, "REQUEST_ID_REUSED").await;
    operator.grant("carol", "owner").ok().await;
    story.ok(carol.revoke("alice", "owner")).await;
    alice.list_grants().refused(PermissionDenied, "NO_STORE_ACCESS").await;
    story.end().await;
}

/// An owner looks through who may do what.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_grants(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListGrantsRequest>::on(on).await else { return };
    let (alice, operator) = (story.world.alice(), story.world.operator());
    alice.grant("bob", "manager").ok().await;
    alice.revoke("carol", "manager").ok().await;

    let all = story.ok(alice.list_grants()).await;
    let expected = [grant("alice", "owner"), grant("bob", "manager"), grant("bob", "receiver")];
    assert_eq!((&all.grants[..], &*all.next_page_token), (&expected[..], ""));
    let bobs = |caller: &Caller| caller.list_grants().with(|request| request.principal = "bob".into());
    assert_eq!(story.ok(bobs(&alice)).await.grants, expected[1..]);
    let page = story.ok(bobs(&operator).with(|request| request.page_size = 1)).await;
    assert_eq!(page.grants, expected[1..2]);

    let unfiltered = alice.list_grants().with(|request| request.page_token = page.next_page_token);
    story.refused(unfiltered, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    story.refused(operator.at("south").list_grants(), NotFound, "STORE_NOT_FOUND").await;
    story.refused(bobs(&story.world.bob()), PermissionDenied, "PERMISSION_MISSING").await;
    story.refused(story.world.caller("").list_grants(), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}
