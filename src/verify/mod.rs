//! The invariants, checked over a whole database by SQL alone. This shares no code with what writes:
//! a fault there must not hide itself here. Each check is one query, in a file by its topic.

mod access;
mod chains;
mod check;
mod contents;
mod counters;
mod database;
mod events;
mod finding;
mod lines;
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

/// Every check that is made of each store.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    let topics = [
        lines::CHECKS,
        chains::CHECKS,
        orders::CHECKS,
        counters::CHECKS,
        stock::CHECKS,
        events::CHECKS,
        times::CHECKS,
        requests::CHECKS,
        access::CHECKS,
    ];
    topics.into_iter().flatten()
}

/// The titles of the checks that are made of the database as a whole, with their invariants.
pub fn database_checks() -> impl Iterator<Item = (u8, &'static str)> {
    database::TITLES.into_iter()
}

/// Checks everything: the database as a whole, then store after store, each on one snapshot, so that
/// a service that goes on writing is no finding. `progress` is told how many stores are done, of how
/// many, before each and at the end.
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

#[derive(diesel::QueryableByName)]
struct StoreId {
    #[diesel(sql_type = Text)]
    store_id: String,
}

/// The stores there are, by pages.
fn stores(session: &mut Session) -> Result<Vec<String>, DbError> {
    const PAGE: i64 = 1_000;
    let text = "SELECT store_id FROM store WHERE store_id > $1 ORDER BY store_id LIMIT $2";
    let mut stores: Vec<String> = Vec::new();
    loop {
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

fn in_store(session: &mut Session, store: &str) -> Result<Vec<Finding>, DbError> {
    let mut findings = Vec::new();
    for check in checks() {
        let details: Vec<Option<String>> = session.load(check.in_store(store))?;
        findings.extend(told(check, store, details));
    }
    Ok(findings)
}

fn told(check: &Check, store: &str, details: Vec<Option<String>>) -> Vec<Finding> {
    let more = details.len() > check::SHOWN;
    let shown = details.into_iter().take(check::SHOWN);
    let shown = shown.map(|detail| detail.map_or_else(|| format!("wrong: {}", check.title), |text| readable(&text)));
    let more = more.then(|| format!("there are more like these than the {} shown: {}", check::SHOWN, check.title));
    let finding = |detail| Finding { store: store.to_owned(), invariant: check.invariant, title: check.title, detail };
    shown.chain(more).map(finding).collect()
}
