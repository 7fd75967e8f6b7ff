//! `migrate`: migrates the database to this binary's schema. Several may be started at the same time: one
//! migrates and the others find nothing to do.

use std::process::ExitCode;

use indicatif::ProgressBar;

use super::{CommandError, counted};
use crate::repository::dialect::Purpose;
use crate::repository::migrate::migrate;
use crate::repository::session::Session;
use crate::repository::url::DatabaseUrl;

/// Migrates and prints how many migrations were applied. On a terminal a bar shows the progress.
pub fn run(url: &DatabaseUrl) -> Result<ExitCode, CommandError> {
    let mut session = Session::connect(url, Purpose::Operate, None)?;
    let bar = ProgressBar::new(0);
    let applied = migrate(&mut session, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    match applied {
        0 => println!("{url} is up to date"),
        count => println!("{url}: applied {}", counted(count, "migration")),
    }
    Ok(ExitCode::SUCCESS)
}
