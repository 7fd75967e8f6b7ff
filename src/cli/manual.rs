//! `manual`: the manual pages for man(1).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};

use super::{Cli, CommandError};

/// Write the manual pages of all commands into a folder
#[derive(Debug, Args)]
pub struct Manual {
    /// The folder, which must exist
    folder: PathBuf,
}

impl Manual {
    /// Writes the pages.
    pub fn run(&self) -> Result<ExitCode, CommandError> {
        let written = clap_mangen::generate_to(Cli::command(), &self.folder);
        written.map_err(|error| format!("{}: {error}", self.folder.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
