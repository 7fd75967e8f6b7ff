//! The clients' journal held against the database and what the service shows.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::chaos::journal::{Answer, Effect, Entry, Journal};
use crate::support::{Caller, Database};

/// An event: its store, number, actor and order.
type Event = (String, i64, String, Option<String>);

#[derive(QueryableByName)]
struct EventRow {
    #[diesel(sql_type = Text)]
    store_id: String,
    #[diesel(sql_type = BigInt)]
    event_number: i64,
    #[diesel(sql_type = Text)]
    actor: String,
    #[diesel(sql_type = Nullable<Text>)]
    po_id: Option<String>,
}

#[derive(QueryableByName)]
struct RecordRow {
    #[diesel(sql_type = Text)]
    store_id: String,
    #[diesel(sql_type = Text)]
    principal: String,
    #[diesel(sql_type = Text)]
    request_id: String,
}

/// Checks that everything acknowledged was done once, and that nothing else was done. `opened` tells
/// the last event of each store before the first intention; `alice` may see them all.
pub async fn audit(database: &Database, alice: &Caller, journal: &Journal, opened: &BTreeMap<String, i64>) {
    assert_events(database, journal, opened);
    assert_records(database, journal);
    for store in opened.keys() {
        let alice = alice.at(store);
        assert_orders(&alice, journal, store).await;
        assert_on_hand(&alice, journal, store).await;
    }
}

/// The intentions that were acknowledged.
fn done(journal: &Journal) -> impl Iterator<Item = (&Entry, &Effect)> {
    journal.entries.iter().filter_map(|entry| match &entry.answer {
        Answer::Done(effect) => Some((entry, effect)),
        Answer::Refused(_) => None,
    })
}

/// Checks that the first holds the same as the second, and tells what differs.
fn assert_equal<T: Ord + std::fmt::Debug>(what: &str, stored: &BTreeSet<T>, written_down: &BTreeSet<T>) {
    let unknown: Vec<&T> = stored.difference(written_down).take(10).collect();
    let missing: Vec<&T> = written_down.difference(stored).take(10).collect();
    assert!(
        unknown.is_empty() && missing.is_empty(),
        "{what}\n  nobody was told of: {unknown:#?}\n  are missing: {missing:#?}"
    );
}

fn assert_events(database: &Database, journal: &Journal, opened: &BTreeMap<String, i64>) {
    let mut expected: BTreeSet<Event> = BTreeSet::new();
    let mut numbers: BTreeSet<(&str, i64)> = BTreeSet::new();
    for (entry, effect) in done(journal) {
        for (number, order) in &effect.events {
            assert!(numbers.insert((&entry.store, *number)), "event {number} of {} was answered twice", entry.store);
            expected.insert((entry.store.clone(), *number, entry.principal.clone(), order.clone()));
        }
    }
    let query = "SELECT store_id, event_number, actor, po_id FROM event";
    let rows: Vec<EventRow> = database.session().load(diesel::sql_query(query)).unwrap();
    let since = rows.into_iter().filter(|row| opened.get(&row.store_id).is_some_and(|last| row.event_number > *last));
    let stored = since.map(|row| (row.store_id, row.event_number, row.actor, row.po_id)).collect();
    assert_equal("events", &stored, &expected);
}

fn assert_records(database: &Database, journal: &Journal) {
    let key = |entry: &Entry| (entry.store.clone(), entry.principal.clone(), entry.id.to_string());
    let expected = done(journal).map(|(entry, _)| key(entry)).collect();
    let query = "SELECT store_id, principal, request_id FROM stored_response";
    let rows: Vec<RecordRow> = database.session().load(diesel::sql_query(query)).unwrap();
    let stored = rows.into_iter().map(|row| (row.store_id, row.principal, row.request_id)).collect();
    assert_equal("stored responses", &stored, &expected);
}

/// Every order was created, or is a back order that a completion told of.
async fn assert_orders(alice: &Caller, journal: &Journal, store: &str) {
    let of_store = done(journal).filter(|(entry, _)| entry.store == store);
    let expected: BTreeSet<String> = of_store.filter_map(|(_, effect)| effect.made.clone()).collect();
    let (mut shown, mut token) = (BTreeSet::new(), String::new());
    loop {
        let page = alice.list().with(|r| (r.page_size, r.page_token) = (1_000, token)).ok().await;
        shown.extend(page.purchase_orders.into_iter().map(|order| order.purchase_order_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_equal(&format!("orders of {store}"), &shown, &expected);
}

async fn assert_on_hand(alice: &Caller, journal: &Journal, store: &str) {
    let of_store = journal.on_hand.iter().filter(|((of, _), quantity)| of == store && **quantity > 0);
    let expected = of_store.map(|((_, product), quantity)| (product.clone(), quantity.to_string())).collect();
    let levels = alice.list_levels().with(|request| request.page_size = 1_000).ok().await;
    let shown = levels.inventory_levels.into_iter().filter(|level| level.on_hand != "0");
    let shown = shown.map(|level| (level.product_id, level.on_hand)).collect();
    assert_equal(&format!("what {store} has on hand"), &shown, &expected);
}
