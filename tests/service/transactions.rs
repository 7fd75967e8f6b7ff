//! Transactions are counted by their name: what a server's counters show after calls of each kind.

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::World;
use purchase_order_service::repository::transaction::{TransactionName, TransactionStats};
use rstest::rstest;

/// Attempts of which this many were committed, and none failed.
fn committed(committed: u64) -> TransactionStats {
    TransactionStats { committed, ..TransactionStats::default() }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_transaction_is_counted_under_its_own_name(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let before = |name| world.transactions(name).committed;
    let (writes, reads, scans) =
        (before(TransactionName::WriteBatch), before(TransactionName::Read), before(TransactionName::PruneScan));

    let order = world.alice().create(&[("apples", "1")]).ok().await;
    world.alice().seen(&order.purchase_order.unwrap().purchase_order_id).await;
    world.prune().await.unwrap();

    assert_eq!(world.transactions(TransactionName::WriteBatch), committed(writes + 1));
    assert_eq!(world.transactions(TransactionName::Read), committed(reads + 1));
    assert!(world.transactions(TransactionName::PruneScan).committed > scans);
    assert_eq!(world.transactions(TransactionName::PruneNoteDay), committed(1));
    assert_eq!(world.transactions(TransactionName::PageKey), committed(1));
    assert_eq!(world.transactions(TransactionName::PruneDelete), committed(0), "nothing is old");
    assert_eq!(world.transactions(TransactionName::VerifySnapshot), committed(0), "only a command verifies");
    world.verify().await;
}
