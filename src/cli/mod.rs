//! The command line: one file per command.

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
    /// Serve on this machine alone, where callers name themselves; the default
    Develop(develop::Develop),
    /// Serve callers who prove who they are
    Serve(Box<serve::Serve>),
    /// Bring the database to this binary's schema
    Migrate,
    /// Copy a SQLite database that may be in use into one file, and check the copy
    Backup(backup::Backup),
    /// Put a copy made by `backup` in the place of a SQLite database that is not in use
    Restore(restore::Restore),
    /// Check every invariant over the whole database, also while it is in use
    Verify,
}

impl Cli {
    /// Runs the command; whatever it fails with is told on standard error.
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

/// What ends a command early.
type CommandError = Box<dyn std::error::Error>;

/// A number and what it counts.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
