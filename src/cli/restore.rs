//! `restore`: replaces a SQLite database that is not in use by a copy made with `backup`. The old files are kept
//! under another name.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::CommandError;
use super::verify::{self, Checked};
use crate::clock::{Clock, SystemClock};
use crate::repository::backup::{copy_backup, lock_exclusively};
use crate::repository::database_file::{FileState, inspect};
use crate::repository::url::DatabaseUrl;

/// Replace a SQLite database that is not in use by a copy made with `backup`
#[derive(Debug, Args)]
pub struct Restore {
    /// The copy to restore from
    backup: PathBuf,
}

impl Restore {
    /// Verifies a copy of the backup and then replaces the database by it, so that nothing is replaced by a
    /// database that breaks an invariant.
    pub fn run(self, url: &DatabaseUrl) -> Result<ExitCode, CommandError> {
        // Held to the end, so that no service begins to use what is being replaced.
        let replaced = lock_exclusively(url)?;
        let copied = copy_backup(&self.backup, url)?;
        let (_, state) = inspect(&copied.url())?;
        if state == FileState::LogMissing {
            let cure = "it lacks the latest changes, which were in the write-ahead log; use a copy made by `backup`";
            return Err(format!("{} was copied from a running service: {cure}", self.backup.display()).into());
        }
        let Checked { contents, violations } = verify::check(&copied.url())?;
        if violations > 0 {
            return Err(
                format!("{} breaks {violations} invariants, so nothing was replaced", self.backup.display()).into()
            );
        }
        // After the check, which opens the copy: the file alone takes the place of the database, without a log.
        copied.close()?;
        let stamp = SystemClock.now().micros().to_string();
        for kept in copied.replace(replaced, &stamp)? {
            println!("kept: {}", kept.display());
        }
        println!("{url} is restored from {}: {contents}, every invariant holds", self.backup.display());
        Ok(ExitCode::SUCCESS)
    }
}
