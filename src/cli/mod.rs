//! The command line: one file per command. Commands print results to standard output and errors to standard
//! error, and exit with 0 only if what they were asked for is done and sound.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's result goes to standard output")]

mod backup;
mod call;
mod client;
mod completions;
mod config;
mod config_file;
mod develop;
mod healthcheck;
mod manual;
mod migrate;
mod printable;
mod reference;
mod restore;
mod running;
mod serve;
mod verify;
mod whole_number;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::repository::url::DatabaseUrl;

/// Purchase orders for retail stores: order, receive in parts, complete, and back-order what did not
/// come.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// A configuration file, in TOML
    #[arg(long, global = true, env = config_file::VARIABLE)]
    config: Option<PathBuf>,
    /// The database: `sqlite:PATH`, or `postgres://USER@HOST/DATABASE`
    ///
    /// A relative path starts at the working directory.
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite:purchase-orders.sqlite"
    )]
    database_url: String,
    /// A file with the password of the user in `--database-url`, for PostgreSQL
    ///
    /// Line breaks at its end do not count.
    #[arg(long, global = true, env = "DATABASE_PASSWORD_FILE")]
    database_password_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    develop: develop::Develop,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve on this machine only, without credentials: callers give their own name (the default)
    ///
    /// It listens on loopback alone, and refuses to start if `TOKEN_KEYS`, `CLIENT_CA` or `TLS_CERTIFICATE` is set.
    Develop(develop::Develop),
    /// Serve callers with tokens or client certificates
    Serve(Box<serve::Serve>),
    /// Migrate the database to the schema of this version
    ///
    /// Safe to start several times at once: one migrates, the others wait.
    Migrate,
    /// Copy a SQLite database that may be in use into one file, and check the copy
    Backup(backup::Backup),
    /// Replace a SQLite database that is not in use by a copy made with `backup`; the old files are kept
    Restore(restore::Restore),
    /// Check every invariant of the whole database, which may be in use
    ///
    /// Prints one line for each violation, then how many stores, orders and events there are and when the newest was. On
    /// PostgreSQL it also tells whether there are planner statistics. Ends with status 1 if anything is wrong.
    Verify,
    /// Show or check the configuration of a server without starting it
    Config(config::Config),
    /// Ask a running service for its health; status 0 if it is SERVING
    Healthcheck(healthcheck::Healthcheck),
    /// Call a method of a running service with JSON; list and describe its methods
    ///
    /// The answer is printed as JSON; of a stream, each message. A refusal is printed to standard error with its reason. The
    /// caller's token can be named by `CALL_TOKEN_FILE`.
    Call(Box<call::Call>),
    /// Print the completions of all commands and options for a shell
    Completions(completions::Completions),
    /// Write the manual pages of all commands into a folder
    Manual(manual::Manual),
}

/// How the program was called: its command line with what a configuration file added to it.
#[derive(Debug)]
struct Invocation {
    matches: ArgMatches,
    /// The options that the file has set, by their names in it.
    from_file: BTreeSet<String>,
    /// The options in the file that belong to other commands than this one.
    of_other_commands: BTreeSet<String>,
}

/// Runs the command that the arguments name; the first of them is the name of the program. An error is printed to
/// standard error.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "an option's variable is looked at where its declaration names it")]
    let variable = |name: &str| std::env::var_os(name);
    let mut program = Cli::command();
    program.build();
    let done = match config_file::expand(&program, arguments.into_iter().collect(), variable) {
        Ok(config_file::Expanded { arguments, from_file, of_other_commands }) => {
            let matches = program.get_matches_from(arguments);
            Invocation { matches, from_file, of_other_commands }.run()
        }
        Err(error) => Err(error.into()),
    };
    done.unwrap_or_else(|error| {
        eprintln!("purchase-order-service: {}", printable::printable(&error.to_string()));
        ExitCode::FAILURE
    })
}

impl Invocation {
    fn run(self) -> Result<ExitCode, CommandError> {
        let Cli { database_url, database_password_file, command, develop, .. } = Cli::from_arg_matches(&self.matches)?;
        // Only for the commands that have a database. It is parsed here and not by clap, which would print a value that it
        // refuses, password and all.
        let url = || -> Result<DatabaseUrl, CommandError> {
            let url: DatabaseUrl = database_url.parse()?;
            let Some(path) = &database_password_file else { return Ok(url) };
            let password = std::fs::read_to_string(path);
            let password = password.map_err(|error| format!("the password file {}: {error}", path.display()))?;
            Ok(url.with_password(password.trim_end_matches(['\r', '\n']))?)
        };
        match command.unwrap_or(Command::Develop(develop)) {
            Command::Develop(develop) => develop.run(url()?, &self),
            Command::Serve(serve) => serve.run(url()?),
            Command::Migrate => migrate::run(&url()?),
            Command::Backup(backup) => backup.run(&url()?),
            Command::Restore(restore) => restore.run(&url()?),
            Command::Verify => verify::run(&url()?),
            Command::Config(config) => config.run(url()?, &self),
            Command::Healthcheck(healthcheck) => healthcheck.run(),
            Command::Call(call) => call.run(),
            Command::Completions(completions) => Ok(completions.run()),
            Command::Manual(manual) => manual.run(),
        }
    }
}

/// Why a command failed: it is only printed, so its type does not matter.
type CommandError = Box<dyn std::error::Error>;

/// A number with its noun in singular or plural.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
