//! The command line: one file per command. Commands print results to standard output and errors to standard
//! error, and exit with 0 only if what they were asked for is done and sound.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's result goes to standard output")]

mod backup;
mod develop;
mod migrate;
mod restore;
mod running;
mod serve;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::repository::url::DatabaseUrl;

/// Purchase orders for retail stores: order, receive in parts, complete, and back-order what did not
/// come.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// sqlite:PATH, or postgres://USER@HOST/DATABASE
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite:purchase-orders.sqlite"
    )]
    database_url: String,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    develop: develop::Develop,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve on this machine only, without credentials: callers give their own name (the default)
    Develop(develop::Develop),
    /// Serve callers with tokens or client certificates
    Serve(Box<serve::Serve>),
    /// Migrate the database to the schema of this version
    Migrate,
    /// Copy a SQLite database that may be in use into one file, and check the copy
    Backup(backup::Backup),
    /// Replace a SQLite database that is not in use by a copy made with `backup`
    Restore(restore::Restore),
    /// Check every invariant of the whole database, which may be in use
    Verify,
}

impl Cli {
    /// Runs the command. An error is printed to standard error.
    pub fn run(self) -> ExitCode {
        let done = self.execute();
        done.unwrap_or_else(|error| {
            eprintln!("purchase-order-service: {error}");
            ExitCode::FAILURE
        })
    }

    fn execute(self) -> Result<ExitCode, CommandError> {
        // Parsed here and not by clap, which would print a value that it refuses, password and all.
        let url: DatabaseUrl = self.database_url.parse()?;
        match self.command.unwrap_or(Command::Develop(self.develop)) {
            Command::Develop(develop) => develop.run(url),
            Command::Serve(serve) => serve.run(url),
            Command::Migrate => migrate::run(&url),
            Command::Backup(backup) => backup.run(&url),
            Command::Restore(restore) => restore.run(&url),
            Command::Verify => verify::run(&url),
        }
    }
}

/// Why a command failed: it is only printed, so its type does not matter.
type CommandError = Box<dyn std::error::Error>;

/// A number with its noun in singular or plural.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
