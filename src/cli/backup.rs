//! `backup`: copies a SQLite database that may be in use, and checks the copy before it gets its name.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::CommandError;
use super::verify::{self, Checked};
use crate::repository::backup::copy;
use crate::repository::url::DatabaseUrl;

/// Copy a SQLite database that may be in use into one file, and check the copy
#[derive(Debug, Args)]
pub struct Backup {
    /// The copy to make; nothing may have that name
    target: PathBuf,
}

impl Backup {
    /// Copies and verifies. The copy gets its final name only after it was verified, so a file with that name is
    /// always sound.
    pub fn run(self, url: &DatabaseUrl) -> Result<ExitCode, CommandError> {
        let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}")?);
        let copied = copy(url, &self.target, |done, of| {
            bar.set_length(of);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let copied = copied?;
        let Checked { contents, violations } = verify::check(&copied.url())?;
        if violations > 0 {
            return Err(format!("the copy breaks {violations} invariants; run verify on {url}").into());
        }
        // After the check, which opens the copy: closing moves what its log holds into the file.
        copied.close()?;
        copied.publish(&self.target)?;
        println!("{url} is copied to {}: {contents}, every invariant holds", self.target.display());
        Ok(ExitCode::SUCCESS)
    }
}
