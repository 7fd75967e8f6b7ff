//! `verify`: checks every invariant, store by store, each in one snapshot.

use std::process::ExitCode;

use indicatif::ProgressBar;

use super::{CommandError, counted};
use crate::repository::database_file::{FileState, inspect};
use crate::repository::dialect::Purpose;
use crate::repository::migrate::{SchemaState, schema_state};
use crate::repository::session::Session;
use crate::repository::url::DatabaseUrl;
use crate::server::StartError;
use crate::verify::{Contents, contents, verify};

/// The result of checking a database.
pub(super) struct Checked {
    /// How many stores, orders and other rows it has.
    pub(super) contents: Contents,
    /// How many violations were printed.
    pub(super) violations: usize,
}

/// Prints one line per violation and a summary. The exit status is 1 if an invariant is broken, or if the latest
/// changes may be missing.
pub fn run(url: &DatabaseUrl) -> Result<ExitCode, CommandError> {
    let (in_use, state) = inspect(url)?;
    if state == FileState::LogMissing {
        // Reported before the check, which may fail because the schema itself is missing.
        eprintln!(
            "{url} was in use when it was last written, and its write-ahead log (-wal) is missing: what was written \
             last may be missing too. Copy a running service's database by `backup`. If you know that nothing is \
             missing, start the service on it once."
        );
    }
    let Checked { contents, violations } = check(url)?;
    match violations {
        0 => println!("{url}: {contents}, every invariant holds"),
        count => println!("{url}: {contents}, {}", counted(count, "violation")),
    }
    if state == FileState::LogMissing {
        return Ok(ExitCode::FAILURE);
    }
    // If no other process uses it, what a crash left in the log is moved into the file.
    if let Some(in_use) = in_use {
        in_use.close()?;
    }
    Ok(if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks a database of this binary's schema. A bar shows the progress on a terminal.
pub(super) fn check(url: &DatabaseUrl) -> Result<Checked, CommandError> {
    let mut session = Session::connect(url, Purpose::Inspect, None)?;
    match schema_state(&mut session)? {
        SchemaState::Current => {}
        SchemaState::Older(_) => return Err(StartError::SchemaOlder(url.clone()).into()),
        SchemaState::Newer(_) => return Err(StartError::SchemaNewer(url.clone()).into()),
    }
    let contents = contents(&mut session)?;
    let bar = ProgressBar::new(0);
    let findings = verify(&mut session, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    for finding in &findings {
        println!("{finding}");
    }
    Ok(Checked { contents, violations: findings.len() })
}
