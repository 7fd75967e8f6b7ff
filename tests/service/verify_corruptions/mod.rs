//! Every check of `verify` is shown to find something: for each of them, a sound database is corrupted by hand in
//! several ways, one at a time, and that check must find each.

mod corruptions;
mod story;

use std::collections::BTreeSet;

use purchase_order_service::repository::session::Session;
use purchase_order_service::verify::{Finding, checks, computed_checks, database_checks, verify};
use rstest::rstest;

use self::corruptions::{Corruption, GUARD};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Database, STORE, World};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_corruption_is_found(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    story::play(&world).await;
    world.verify().await;

    let mut session = world.database.session();
    session.batch(&corruptions::keep()).unwrap();
    session.batch(corruptions::loosening(on)).unwrap();
    assert_eq!(found(&mut session), [], "a looser schema alone is nothing wrong");
    let each = corruptions::corruptions()
        .flat_map(|corruptions| corruptions.each.iter().map(move |statement| (corruptions, statement)));
    let missed: Vec<String> =
        each.filter_map(|(corruptions, statement)| missed(&mut session, corruptions, statement)).collect();
    assert!(missed.is_empty(), "{} were not found:\n{}", missed.len(), missed.join("\n"));
    assert_eq!(found(&mut session), [], "each was taken out again");
}

#[rstest]
fn each_hole_in_the_ledgers_guard_is_found(#[values(Sqlite, Postgres)] on: Engine) {
    for hole in corruptions::guards(on) {
        let Some(database) = Database::migrated(on) else { return };
        let mut session = database.session();
        assert_eq!(verify(&mut session, |_, _| {}).unwrap(), []);
        session.batch(hole).unwrap();
        let found = verify(&mut session, |_, _| {}).unwrap();
        assert_eq!(found.len(), 1, "{hole}: {found:?}");
        assert_eq!((found[0].invariant, found[0].title), (5, GUARD), "{hole}: {found:?}");
    }
}

#[test]
fn every_check_is_seen_red() {
    let corrupted =
        corruptions::corruptions().map(|corruptions| (corruptions.invariant, corruptions.check)).chain([(5, GUARD)]);
    let corrupted: BTreeSet<(u8, &str)> = corrupted.collect();
    let there = checks().map(|check| (check.invariant, check.title)).chain(database_checks()).chain(computed_checks());
    let there: Vec<(u8, &str)> = there.collect();

    let unseen: Vec<_> = there.iter().filter(|check| !corrupted.contains(check)).collect();
    let unknown: Vec<_> = corrupted.iter().filter(|check| !there.contains(check)).collect();
    assert!(unseen.is_empty() && unknown.is_empty(), "nothing is corrupted for {unseen:?}; there is no {unknown:?}");
    let invariants: BTreeSet<u8> = there.iter().map(|(invariant, _)| *invariant).collect();
    assert_eq!(invariants, (1..=13).collect(), "every invariant has checks");
    let titles: BTreeSet<&str> = there.iter().map(|(_, title)| *title).collect();
    assert_eq!(titles.len(), there.len(), "no two checks are called the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_in_every_order_is_reported_up_to_a_limit() {
    let Some(world) = World::on(Sqlite).await else { return };
    let alice = world.alice();
    for _ in 0..101 {
        alice.draft(&[("apples", "1")]).await;
    }
    world.verify().await;
    let mut session = world.database.session();
    session.batch("UPDATE purchase_order SET revision = 9").unwrap();

    let found = found(&mut session);
    assert_eq!(found.len(), 101, "{found:?}");
    assert!(found[100].detail.starts_with("there are more like these than the 100 shown"), "{}", found[100]);
    assert_eq!(
        found[0].to_string(),
        "store north: invariant 8: PO-000001 is DRAFT at revision 9, but event 5 left it DRAFT at revision 1"
    );
}

/// The findings but those about the ledger's triggers, which are off so that the ledger can be corrupted.
fn found(session: &mut Session) -> Vec<Finding> {
    let found = verify(session, |_, _| {}).expect("the database can be read");
    found.into_iter().filter(|finding| finding.title != GUARD).collect()
}

/// Corrupts by a statement, verifies and restores. If the check did not find it, or a finding has no text or names
/// another store, all that was found, as a text.
fn missed(session: &mut Session, corruptions: &Corruption, statement: &str) -> Option<String> {
    session.batch(&corruptions::statements(statement)).unwrap_or_else(|error| panic!("{statement}: {error}"));
    let found = found(session);
    session.batch(&corruptions::restore()).unwrap();
    let hit =
        found.iter().any(|finding| (finding.invariant, finding.title) == (corruptions.invariant, corruptions.check));
    let wordless = found.iter().any(|finding| finding.detail.starts_with("wrong: "));
    let elsewhere = found.iter().any(|finding| finding.store != STORE && !finding.store.is_empty());
    if hit && !wordless && !elsewhere {
        return None;
    }
    let found: Vec<String> = found.iter().map(|finding| format!("    {finding} [{}]", finding.title)).collect();
    Some(format!("invariant {}, {}: {statement}\n{}", corruptions.invariant, corruptions.check, found.join("\n")))
}
