//! The story of ListOutstandingLines: what a buyer asks for every morning.

use purchase_order_service::proto::v1::ListOutstandingLinesRequest;
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument, PermissionDenied, Unauthenticated};

use crate::contract::story::{FEWER_STORES, MORE_STORES, Story};
use crate::support::Engine::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_outstanding_lines(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListOutstandingLinesRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let order = alice.order(&[("rice", "10"), ("tea", "4")]).await;
    alice.receive(&order).accept(1, "10").ok().await;

    for caller in [alice.clone(), alice.at("-")] {
        let found = story.ok(caller.outstanding()).await.lines;
        let pending: Vec<_> = found.iter().map(|line| (line.line_number, &*line.pending)).collect();
        assert_eq!(pending, [(2, "4")], "what was received is awaited no more");
    }
    assert_eq!(story.ok(bob.at("-").outstanding()).await.lines, [], "bob reads no reports anywhere");

    for (wrong, field) in [
        (alice.outstanding().with(|request| request.due_from = "2026-02-30".to_owned()), "due_from"),
        (alice.outstanding().with(|request| request.due_before = "tomorrow".to_owned()), "due_before"),
        (alice.outstanding().with(|request| request.chain_position_from = -1), "chain_position_from"),
        (alice.outstanding().with(|request| request.chain_position_to = Some(-1)), "chain_position_to"),
        (alice.outstanding().with(|request| request.product_id = " rice".to_owned()), "product_id"),
        (alice.outstanding().with(|request| request.supplier_id = "a\u{7}".to_owned()), "supplier_id"),
        (alice.outstanding().with(|request| request.page_token = "AAAA".to_owned()), "page_token"),
        (alice.outstanding().with(|request| request.page_size = -1), "page_size"),
        (alice.at("No Store").outstanding(), "store_id"),
    ] {
        story.refused(wrong, InvalidArgument, "INVALID_REQUEST").await.names_fields(&[field]);
    }
    let mut session = story.world.database.session();
    session.batch(MORE_STORES).unwrap();
    story.refused(alice.at("-").outstanding(), FailedPrecondition, "TOO_MANY_STORES").await;
    story.ok(alice.outstanding()).await;
    session.batch(FEWER_STORES).unwrap();
    story.refused(bob.outstanding(), PermissionDenied, "PERMISSION_MISSING").await;
    story.refused(story.world.operator().outstanding(), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").outstanding(), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}
