//! `config`: what a server would be started with, shown or checked without starting one, and the reference of all options.

use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, CommandFactory, Subcommand};

use super::develop::Develop;
use super::serve::Serve;
use super::{Cli, CommandError, Invocation, config_file, reference};
use crate::config::ServeConfig;
use crate::repository::url::DatabaseUrl;
use crate::server::Server;

/// Show or check the configuration of a server without starting it
#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every option with its value and where that is from, as a configuration file; passwords are left out
    Show {
        #[command(subcommand)]
        command: Serving,
    },
    /// Check every option and the files that they name, without the database
    Check {
        #[command(subcommand)]
        command: Serving,
    },
    /// Print the reference of all options and commands, in Markdown
    Reference,
}

#[derive(Debug, Subcommand)]
enum Serving {
    /// As `develop` would be started
    Develop(Box<Develop>),
    /// As `serve` would be started
    Serve(Box<Serve>),
}

impl Config {
    /// Prints what is asked for.
    pub fn run(&self, database: DatabaseUrl, invocation: &Invocation) -> Result<ExitCode, CommandError> {
        match &self.action {
            Action::Show { command } => {
                command.config(database.clone(), invocation)?;
                print!("{}", shown(invocation, &database));
            }
            Action::Check { command } => {
                let config = command.config(database, invocation)?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(Server::check_files(&config))?;
                println!("the configuration is valid");
            }
            Action::Reference => print!("{}", reference::page(&Cli::command())),
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Serving {
    fn config(&self, database: DatabaseUrl, invocation: &Invocation) -> Result<ServeConfig, CommandError> {
        match self {
            Self::Develop(develop) => develop.config(database, invocation),
            Self::Serve(serve) => serve.config(database),
        }
    }
}

/// The options of the innermost command that was named, one a line.
fn shown(invocation: &Invocation, database: &DatabaseUrl) -> String {
    let mut program = Cli::command();
    program.build();
    let (mut command, mut matches): (&Command, &ArgMatches) = (&program, &invocation.matches);
    while let Some((name, inner)) = matches.subcommand() {
        let Some(found) = command.find_subcommand(name) else { break };
        (command, matches) = (found, inner);
    }
    let mut lines = String::new();
    for option in command.get_arguments().filter(|option| option.get_env().is_some()) {
        let id = option.get_id().as_str();
        // A file cannot name another one.
        if id == config_file::OPTION {
            continue;
        }
        let Some(values) = matches.try_get_raw(id).ok().flatten() else {
            lines.push_str(&format!("# {id} is not set\n"));
            continue;
        };
        let mut values: Vec<String> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        let mut source = source(invocation, option, matches.value_source(id));
        if id == "database_url" {
            // Options may hold a password too.
            if values.iter().any(|url| url.contains('?')) {
                source.push_str("; its options are left out");
            }
            values = vec![database.to_string()];
        }
        lines.push_str(&format!("{id} = {}  # {source}\n", as_toml(option, values)));
    }
    lines
}

/// Where a value is from.
fn source(invocation: &Invocation, option: &Arg, source: Option<ValueSource>) -> String {
    match source {
        _ if invocation.from_file.contains(option.get_id().as_str()) => "configuration file".to_owned(),
        Some(ValueSource::CommandLine) => format!("--{}", option.get_long().unwrap_or_default()),
        Some(ValueSource::EnvVariable) => option.get_env().unwrap_or_default().to_string_lossy().into_owned(),
        _ => "default".to_owned(),
    }
}

/// The values as a configuration file has them.
fn as_toml(option: &Arg, values: Vec<String>) -> toml::Value {
    if option.get_value_delimiter().is_some() {
        return toml::Value::Array(values.into_iter().map(toml::Value::String).collect());
    }
    let text = values.into_iter().next().unwrap_or_default();
    if !option.get_action().takes_values() {
        return toml::Value::Boolean(text == "true");
    }
    // A text that would be written otherwise as a number, such as 007, stays a text.
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => toml::Value::Integer(number),
        _ => toml::Value::String(text),
    }
}
