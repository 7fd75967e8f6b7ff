//! The configuration file: options of the command line under their names, in TOML.
//!
//! ```toml
//! database_url = "postgres://app@db.example/orders"
//! listen = "0.0.0.0:50051"
//! max_connections = 500
//! ```
//!
//! What the file says of an option counts where neither the command line nor the option's variable says anything. It is
//! added to the command line as if it had been typed, before that is parsed. So a value from the file is judged by the same
//! rules as one that was typed, and what an option requires or excludes holds for it as well.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};
use toml::{Table, Value};

/// The option that names the file, and its variable.
pub const OPTION: &str = "config";
/// The variable that names the file.
pub const VARIABLE: &str = "CONFIG";
/// The commands whose options a file may have. One file may be for all commands of a machine, so `verify` or `migrate` passes
/// over what is for a server; `develop` refuses what is for `serve`.
const SERVING: [&str; 2] = ["develop", "serve"];

/// Why a configuration file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// The file cannot be read.
    #[error("the configuration file {path}: {error}")]
    Unreadable {
        /// The path as it was given.
        path: String,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The file is no TOML.
    #[error("the configuration file {path}, line {line}, is not TOML: {cause}")]
    NotToml {
        /// The path as it was given.
        path: String,
        /// The number of the line, from 1. Its text is not shown: a password may be in it.
        line: usize,
        /// What is wrong.
        cause: String,
    },
    /// No command has such an option.
    #[error("the configuration file {path} has '{key}', which is no option; there are: {known}")]
    UnknownKey {
        /// The path as it was given.
        path: String,
        /// The key that is not known.
        key: String,
        /// All keys that are, separated by commas.
        known: String,
    },
    /// The value has a type that the option cannot have.
    #[error("the configuration file {path}: '{key}' must be {expected}")]
    WrongType {
        /// The path as it was given.
        path: String,
        /// The key of the value.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
}

/// A command line to which the options of a configuration file were added.
#[derive(Debug, Default)]
pub struct Expanded {
    /// The arguments to parse.
    pub arguments: Vec<OsString>,
    /// The options that the file has set, by their names in it.
    pub from_file: BTreeSet<String>,
    /// The options in the file that belong to other commands than this one.
    pub of_other_commands: BTreeSet<String>,
}

/// Adds the options of the file that `arguments` or the variable [`VARIABLE`] names, if any. `variable` reads the
/// environment.
pub fn expand(
    program: &Command,
    arguments: Vec<OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Expanded, ConfigFileError> {
    let Some(path) = typed_value(&arguments, OPTION).or_else(|| variable(VARIABLE).filter(|path| !path.is_empty()))
    else {
        return Ok(Expanded { arguments, ..Expanded::default() });
    };
    let shown = path.to_string_lossy().into_owned();
    let text =
        std::fs::read_to_string(&path).map_err(|error| ConfigFileError::Unreadable { path: shown.clone(), error })?;
    let table: Table = text.parse().map_err(|error| not_toml(&shown, &text, &error))?;
    add(program, arguments, &shown, table, variable)
}

fn not_toml(path: &str, text: &str, error: &toml::de::Error) -> ConfigFileError {
    let begin = error.span().map_or(0, |span| span.start);
    let line = 1 + text.bytes().take(begin).filter(|byte| *byte == b'\n').count();
    ConfigFileError::NotToml { path: path.to_owned(), line, cause: error.message().to_owned() }
}

fn add(
    program: &Command,
    mut arguments: Vec<OsString>,
    path: &str,
    table: Table,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Expanded, ConfigFileError> {
    let command = named_command(program, &arguments);
    let mut expanded = Expanded::default();
    let mut added = Vec::new();
    for (key, value) in table {
        let Some(argument) = option(command, program, &key) else {
            if !known_keys(program).contains(key.as_str()) {
                let known = known_keys(program).into_iter().collect::<Vec<_>>().join(", ");
                return Err(ConfigFileError::UnknownKey { path: path.to_owned(), key, known });
            }
            expanded.of_other_commands.insert(key);
            continue;
        };
        let is_set = argument.get_env().and_then(OsStr::to_str).is_some_and(|name| variable(name).is_some());
        if is_set || is_typed(&arguments, argument) {
            continue;
        }
        let typed = as_typed(argument, value).map_err(|expected| ConfigFileError::WrongType {
            path: path.to_owned(),
            key: key.clone(),
            expected,
        })?;
        added.extend(typed);
        expanded.from_file.insert(key);
    }
    // Options at the end belong to the innermost command that is named. What is behind `--` is no option.
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    arguments.splice(end..end, added);
    expanded.arguments = arguments;
    Ok(expanded)
}

/// The innermost command that the arguments name; options and their values are passed over.
fn named_command<'c>(program: &'c Command, arguments: &[OsString]) -> &'c Command {
    let mut command = program;
    let mut arguments = arguments.iter().skip(1);
    while let Some(argument) = arguments.next() {
        let Some(text) = argument.to_str() else { continue };
        match text.strip_prefix("--") {
            Some(name) if !name.contains('=') => {
                let option =
                    command.get_arguments().chain(program.get_arguments()).find(|it| it.get_long() == Some(name));
                if option.is_some_and(|option| option.get_action().takes_values()) {
                    arguments.next();
                }
            }
            Some(_) => {}
            None => command = command.find_subcommand(text).unwrap_or(command),
        }
    }
    command
}

/// The option of a command, or of all commands, that a key names. A file cannot name another file.
fn option<'c>(command: &'c Command, program: &'c Command, key: &str) -> Option<&'c Arg> {
    let global = program.get_arguments().filter(|argument| argument.is_global_set());
    let mut options = command.get_arguments().chain(global).filter(|argument| argument.get_env().is_some());
    options.find(|argument| argument.get_id() == key && key != OPTION)
}

/// The names of all options that a file may have.
fn known_keys(program: &Command) -> BTreeSet<&str> {
    let commands = SERVING.iter().filter_map(|name| program.find_subcommand(name)).chain([program]);
    let options = commands.flat_map(Command::get_arguments).filter(|argument| argument.get_env().is_some());
    options.map(|argument| argument.get_id().as_str()).filter(|id| *id != OPTION).collect()
}

/// The value of an option that was typed as `--name VALUE` or `--name=VALUE`.
fn typed_value(arguments: &[OsString], name: &str) -> Option<OsString> {
    let flag = format!("--{name}");
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let Some(text) = argument.to_str() else { continue };
        if text == flag {
            return arguments.next().cloned();
        }
        if let Some(value) = text.strip_prefix(&flag).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value.into());
        }
    }
    None
}

fn is_typed(arguments: &[OsString], option: &Arg) -> bool {
    let names = option.get_long().into_iter().chain(option.get_all_aliases().into_iter().flatten());
    let flags: Vec<String> = names.map(|name| format!("--{name}")).collect();
    let typed = arguments.iter().filter_map(|argument| argument.to_str()?.split('=').next());
    typed.into_iter().any(|typed| flags.iter().any(|flag| flag == typed))
}

/// The arguments that stand for a value of the file; what the value must be, if it cannot be one of this option.
fn as_typed(option: &Arg, value: Value) -> Result<Vec<OsString>, &'static str> {
    let flag = format!("--{}", option.get_long().unwrap_or_default());
    if !option.get_action().takes_values() {
        return match value {
            Value::Boolean(true) => Ok(vec![flag.into()]),
            // A flag cannot be typed as off, and is off where nothing says otherwise.
            Value::Boolean(false) => Ok(Vec::new()),
            _ => Err("true or false"),
        };
    }
    let text = match (value, option.get_value_delimiter()) {
        (Value::String(text), _) => text,
        (Value::Integer(number), _) => number.to_string(),
        (Value::Array(values), Some(_)) if values.is_empty() => return Ok(Vec::new()),
        (Value::Array(values), Some(delimiter)) => {
            let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
            texts.ok_or("a list of texts")?.join(&delimiter.to_string())
        }
        (_, Some(_)) => return Err("a list of texts"),
        (_, None) => return Err("a text or a whole number"),
    };
    // In one argument, so that a value that begins with a hyphen is not taken for an option.
    Ok(vec![format!("{flag}={text}").into()])
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn expanded(arguments: &str, file: &str, variables: &[&str]) -> Result<Expanded, ConfigFileError> {
        let arguments = format!("program {arguments}").split_whitespace().map(OsString::from).collect();
        let variable = |name: &str| variables.contains(&name).then(|| "set".into());
        add(&Cli::command(), arguments, "orders.toml", file.parse().unwrap(), variable)
    }

    fn added(arguments: &str, file: &str, variables: &[&str]) -> String {
        let typed = arguments.split_whitespace().count() + 1;
        let expanded = expanded(arguments, file, variables).unwrap();
        let added = expanded.arguments[typed..].iter().map(|argument| argument.to_string_lossy().into_owned());
        added.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_the_file_says_counts_where_nothing_stronger_does() {
        let listen = "listen = '127.0.0.1:1'";
        for (arguments, file, variables, expected) in [
            ("serve", listen, &[][..], "--listen=127.0.0.1:1"),
            ("", listen, &[], "--listen=127.0.0.1:1"),
            ("develop", "max_connections = 7", &[], "--max-connections=7"),
            ("serve", "public_reflection = true", &[], "--public-reflection"),
            ("serve", "public_reflection = false", &[], ""),
            ("serve", "operator_certificates = ['dns:a', 'dns:b']", &[], "--operator-certificates=dns:a,dns:b"),
            ("serve --listen 127.0.0.1:2", listen, &[], ""),
            ("serve --listen=127.0.0.1:2", listen, &[], ""),
            ("serve", listen, &["LISTEN"], ""),
            ("serve", listen, &["WRITERS"], "--listen=127.0.0.1:1"),
            ("verify", "database_url = 'sqlite:a'", &[], "--database-url=sqlite:a"),
            ("--database-url serve verify", listen, &[], ""),
            ("config show serve", listen, &[], "--listen=127.0.0.1:1"),
            ("healthcheck", listen, &[], "--server=127.0.0.1:1"),
            ("healthcheck --server 127.0.0.1:2", listen, &[], ""),
            ("healthcheck --listen 127.0.0.1:2", listen, &[], ""),
        ] {
            assert_eq!(added(arguments, file, variables), expected, "{arguments} with {file}");
        }
    }

    #[test]
    fn options_of_other_commands_are_passed_over_and_told() {
        let file = "client_ca = 'ca.pem'\ndatabase_url = 'sqlite:a'";
        let expanded = expanded("develop", file, &[]).unwrap();
        assert_eq!(expanded.from_file, ["database_url".to_owned()].into());
        assert_eq!(expanded.of_other_commands, ["client_ca".to_owned()].into());
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (file, words) in [
            ("lisen = '127.0.0.1:1'", &["'lisen'", "listen", "client_ca", "database_url"][..]),
            ("config = 'other.toml'", &["'config'"]),
            ("listen = 1.5", &["'listen'", "a text or a whole number"]),
            ("public_reflection = 'yes'", &["'public_reflection'", "true or false"]),
            ("operator_certificates = [1]", &["'operator_certificates'", "a list of texts"]),
        ] {
            let error = expanded("serve", file, &[]).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)) && error.contains("orders.toml"), "{error}");
        }
    }

    #[test]
    fn a_line_that_is_no_toml_is_named_and_not_shown() {
        let text = "listen = '127.0.0.1:1'\ndatabase_url = \"postgres://app:hunter2@h/o\n";
        let error = not_toml("orders.toml", text, &text.parse::<Table>().unwrap_err()).to_string();
        assert!(error.contains("orders.toml, line 2") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn options_are_added_before_what_is_no_option() {
        let expanded = expanded("backup -- out.sqlite", "database_url = 'sqlite:a'", &[]).unwrap();
        assert_eq!(expanded.arguments[1..], ["backup", "--database-url=sqlite:a", "--", "out.sqlite"]);
    }

    #[test]
    fn the_file_is_named_by_an_option_or_by_a_variable() {
        let none = |_: &str| None;
        let arguments = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(expand(&Cli::command(), arguments("program serve"), none).unwrap().arguments.len(), 2);
        for (text, variable) in [
            ("program serve --config /absent.toml", None),
            ("program --config=/absent.toml serve", None),
            ("program serve", Some("/absent.toml")),
        ] {
            let error = expand(&Cli::command(), arguments(text), |name| {
                variable.filter(|_| name == VARIABLE).map(OsString::from)
            });
            let error = error.unwrap_err().to_string();
            assert!(error.contains("/absent.toml"), "{error}");
        }
    }
}
