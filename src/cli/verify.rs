//! `verify`: checks every invariant, store by store, each in one snapshot.

use std::process::ExitCode;

use indicatif::ProgressBar;

use super::{CommandError, counted};
use crate::repository::dialect::Purpose;
use crate::repository::migrate::{SchemaState, schema_state};
use crate::repository::session::Session;
use crate::repository::url::DatabaseUrl;
use crate::server::StartError;
use crate::verify::verify;

/// Prints one line per violation; status 1 if there is any. A bar shows the progress on a terminal.
pub fn run(url: &DatabaseUrl) -> Result<ExitCode, CommandError> {
    let mut session = Session::connect(url, Purpose::Inspect, None)?;
    match schema_state(&mut session)? {
        SchemaState::Current => {}
        SchemaState::Older(_) => return Err(StartError::SchemaOlder(url.clone()).into()),
        SchemaState::Newer(_) => return Err(StartError::SchemaNewer(url.clone()).into()),
    }
    let bar = ProgressBar::new(0);
    let mut stores = 0;
    let findings = verify(&mut session, |done, of| {
        stores = of;
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => println!("{url}: {}, every invariant holds", counted(stores, "store")),
        count => println!("{url}: {}, {}", counted(stores, "store"), counted(count, "violation")),
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
