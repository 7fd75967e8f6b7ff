//! `completions`: the script with which a shell completes commands and options.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// Print the completions of all commands and options for a shell
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(&self) -> ExitCode {
        clap_complete::generate(self.shell, &mut Cli::command(), "purchase-order-service", &mut std::io::stdout());
        ExitCode::SUCCESS
    }
}
