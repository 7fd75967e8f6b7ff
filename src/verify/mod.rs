//! The invariants, checked over a whole database by SQL alone, for operators (`verify`) and at the end of tests.
//!
//! Each check is one query for the rows that violate one sentence of an invariant, in a file by its topic. This
//! module runs them and collects what they find.
//!
//! It shares no code with the domain, nor with the rows and queries of the repository: if both used the same wrong
//! sum, list of states or conversion, `verify` would find the wrong data right. So what a check needs to know, such
//! as which event needs which permission, is written here a second time. Of the repository it uses the session
//! alone, to send SQL. It never writes.

mod access;
mod average_cost;
mod cancellations;
mod chains;
mod check;
mod contents;
mod costs;
mod counters;
mod database;
mod events;
mod finding;
mod lines;
mod lots;
mod orders;
mod requests;
mod stock;
mod times;

use diesel::sql_types::{BigInt, Text};

pub use self::check::Check;
pub use self::contents::{Contents, contents};
pub use self::finding::Finding;
use self::finding::readable;
use crate::repository::error::DbError;
use crate::repository::session::Session;

/// Every check that is made of each store, in the order in which they run. Tests take this list to prove that each
/// check was seen to find a violation.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    let topics = [
        lines::CHECKS,
        chains::CHECKS,
        orders::CHECKS,
        cancellations::CHECKS,
        counters::CHECKS,
        stock::CHECKS,
        lots::CHECKS,
        events::CHECKS,
        times::CHECKS,
        requests::CHECKS,
        access::CHECKS,
    ];
    topics.into_iter().flatten()
}

/// The invariants and titles of the checks that are made once for the database as a whole. They are no [`Check`]s,
/// because those are queries about one store.
pub fn database_checks() -> impl Iterator<Item = (u8, &'static str)> {
    database::TITLES.into_iter()
}

/// The titles of the checks of each store that are computed in code over rows read by SQL, with their
/// invariants.
pub fn computed_checks() -> impl Iterator<Item = (u8, &'static str)> {
    [average_cost::TITLE, costs::HEADER_TITLE, costs::ITEM_TITLE].into_iter()
}

/// Checks the database as a whole, then one store after another. Each of these reads one snapshot, so that a running
/// service, which changes rows between two queries, causes no findings. One snapshot per store is enough, since no
/// invariant spans two stores, and a shorter one keeps old row versions for less time.
///
/// `progress` is called before each store and at the end with the number of stores done and of all stores.
pub fn verify(session: &mut Session, mut progress: impl FnMut(usize, usize)) -> Result<Vec<Finding>, DbError> {
    let mut findings = session.read(database::findings)?;
    let stores = stores(session)?;
    for (done, store) in stores.iter().enumerate() {
        progress(done, stores.len());
        findings.extend(session.read(|session| in_store(session, store))?);
    }
    progress(stores.len(), stores.len());
    Ok(findings)
}

/// A row of the query for the stores' ids.
#[derive(diesel::QueryableByName)]
struct StoreId {
    #[diesel(sql_type = Text)]
    store_id: String,
}

/// The ids of all stores. They are read page by page, so that no single query has an unbounded result.
fn stores(session: &mut Session) -> Result<Vec<String>, DbError> {
    const PAGE: i64 = 1_000;
    let text = "SELECT store_id FROM store WHERE store_id > $1 ORDER BY store_id LIMIT $2";
    let mut stores: Vec<String> = Vec::new();
    loop {
        // Ids are not empty, so the empty text comes before the first.
        let last = stores.last().cloned().unwrap_or_default();
        let page = diesel::sql_query(text).bind::<Text, _>(last).bind::<BigInt, _>(PAGE);
        let page: Vec<StoreId> = session.load(page)?;
        let is_last = (page.len() as i64) < PAGE;
        stores.extend(page.into_iter().map(|row| row.store_id));
        if is_last {
            return Ok(stores);
        }
    }
}

/// Runs every check of one store, within the caller's snapshot.
fn in_store(session: &mut Session, store: &str) -> Result<Vec<Finding>, DbError> {
    let mut findings = Vec::new();
    for check in checks() {
        let details: Vec<Option<String>> = session.load(check.in_store(store))?;
        findings.extend(findings_of((check.invariant, check.title), store, details));
    }
    let averages = average_cost::findings(session, store, check::SHOWN + 1)?;
    findings.extend(findings_of(average_cost::TITLE, store, averages));
    let headers = costs::headers(session, store, check::SHOWN + 1)?;
    findings.extend(findings_of(costs::HEADER_TITLE, store, headers));
    let items = costs::items(session, store, check::SHOWN + 1)?;
    findings.extend(findings_of(costs::ITEM_TITLE, store, items));
    Ok(findings)
}

/// The findings for the rows that a check selected. If it selected more than are shown, a last finding says so.
fn findings_of((invariant, title): (u8, &'static str), store: &str, details: Vec<Option<String>>) -> Vec<Finding> {
    let has_more = details.len() > check::SHOWN;
    let mut texts = Vec::new();
    for detail in details.into_iter().take(check::SHOWN) {
        // A NULL in a sentence makes the sentence NULL. The row is a violation all the same.
        texts.push(detail.map_or_else(|| format!("wrong: {title}"), |text| readable(&text)));
    }
    if has_more {
        texts.push(format!("there are more like these than the {} shown: {title}", check::SHOWN));
    }
    let mut findings = Vec::with_capacity(texts.len());
    for detail in texts {
        findings.push(Finding { store: store.to_owned(), invariant, title, detail });
    }
    findings
}
