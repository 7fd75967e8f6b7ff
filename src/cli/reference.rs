//! The page `docs/configuration.md`, made from the options themselves, so that it cannot say something else than they do.

use std::fmt::Write;

use clap::{Arg, Command};

const BEGINNING: &str = "\
# Configuration

_This page is printed by `purchase-order-service config reference`._

An option is given on the command line behind the name of the command, by its variable, or in a configuration file; where
several say something, the first of these counts. The file is TOML, and is named by `--config` or `CONFIG`. It has each option under the name in the
first column without the hyphens in front, and with `_` for `-`:

_Not run in CI: an example of a configuration file._

```toml
database_url = \"postgres://app@db.example/orders?sslrootcert=/etc/purchase-orders/database-ca.pem\"
database_password_file = \"/run/secrets/database\"
listen = \"0.0.0.0:50051\"
max_connections = 500
tls_certificate = \"/etc/purchase-orders/tls.crt\"
tls_key = \"/etc/purchase-orders/tls.key\"
client_ca = \"/etc/purchase-orders/clients.crt\"
operator_certificates = [\"uri:spiffe://corp.example/ops\"]
```

_Not run in CI: it needs the configuration of a server._

```sh
purchase-order-service config show serve
purchase-order-service config check serve
```

`config show serve` prints each option with its value and where that is from, and `config check serve` tells whether `serve`
would accept all of them and the files that they name. A secret is never an option itself but in a file that one names,
except for a password in `--database-url`, which is never printed.

What is logged is chosen by the variable `RUST_LOG` alone, such as `warn` or `purchase_order_service=debug`; it is `info` if
unset.
";

/// The whole page.
pub fn page(program: &Command) -> String {
    let mut program = program.clone();
    program.build();
    let mut page = BEGINNING.to_owned();
    let global: Vec<&Arg> = program.get_arguments().filter(|option| option.is_global_set()).collect();
    let of = |name: &str| -> Vec<&Arg> {
        let options = program.find_subcommand(name).into_iter().flat_map(Command::get_arguments);
        options.filter(|option| !option.is_global_set() && option.get_env().is_some()).collect()
    };
    let develop = of("develop");
    let of_both = |option: &&Arg| develop.iter().any(|it| it.get_id() == option.get_id());
    let (both, serve): (Vec<&Arg>, Vec<&Arg>) = of("serve").into_iter().partition(of_both);
    for (title, options) in [("all commands", global), ("`develop` and `serve`", both), ("`serve` alone", serve)] {
        let _ = write!(page, "\n## Options of {title}\n\n");
        page.push_str("| option | variable | default | |\n| --- | --- | --- | --- |\n");
        for option in options {
            page.push_str(&row(option));
        }
    }
    page.push_str("\n## Commands\n\n| command | |\n| --- | --- |\n");
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        let about = command.get_long_about().or_else(|| command.get_about());
        let about = about.map(|text| on_one_line(&text.to_string())).unwrap_or_default();
        let _ = writeln!(page, "| `{}` | {about} |", usage(command));
    }
    page.push_str("\n`purchase-order-service COMMAND --help` tells the options that one command has.\n");
    page
}

/// A command's name with its positional arguments.
fn usage(command: &Command) -> String {
    let mut usage = command.get_name().to_owned();
    for argument in command.get_positionals() {
        let name = argument.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        let _ = write!(usage, " {name}");
    }
    let inner: Vec<&str> = command.get_subcommands().map(Command::get_name).filter(|name| *name != "help").collect();
    if !inner.is_empty() {
        let _ = write!(usage, " {}", inner.join("\\|"));
    }
    usage
}

fn row(option: &Arg) -> String {
    let help = option.get_long_help().or_else(|| option.get_help()).map(ToString::to_string).unwrap_or_default();
    let help = on_one_line(&help);
    // A default that is found out at the start is told by the help alone.
    let (help, told) = match help.split_once(" [default: ") {
        Some((before, rest)) => {
            let (default, after) = rest.split_once(']').unwrap_or((rest, ""));
            (format!("{before}{after}"), default.to_owned())
        }
        None => (help, String::new()),
    };
    let defaults: Vec<String> =
        option.get_default_values().iter().map(|it| it.to_string_lossy().into_owned()).collect();
    let default = match defaults.join(",") {
        default if default.is_empty() || !option.get_action().takes_values() => told,
        default => format!("`{default}`"),
    };
    let variable = option.get_env().unwrap_or_default().to_string_lossy();
    format!("| `--{}` | `{variable}` | {default} | {help} |\n", option.get_long().unwrap_or_default())
}

/// The paragraphs of a text as sentences on one line.
fn on_one_line(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let sentences: Vec<String> = paragraphs.map(|text| text.trim_end_matches('.').to_owned()).collect();
    sentences.join(". ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::page;
    use crate::cli::Cli;

    #[test]
    fn the_page_of_the_documentation_is_up_to_date() {
        let page = page(&Cli::command());
        assert!(
            page == include_str!("../../docs/configuration.md"),
            "run: cargo run -- config reference > docs/configuration.md\n{page}"
        );
    }
}
