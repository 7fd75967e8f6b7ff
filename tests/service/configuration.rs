//! The configuration as an operator meets it: flags, variables and a file, what a server would be started with, and what is
//! said of a wrong value. And the commands that need no database.

use std::fs;
use std::process::{Command, Output};

use rstest::rstest;
use tempfile::TempDir;

use crate::credentials::secured::Secured;
use crate::support::Engine::Sqlite;

/// The program with nothing in its environment but what is given.
fn program(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"));
    command.env_clear().envs(environment.iter().copied()).args(arguments).output().unwrap()
}

/// What a command prints that succeeds.
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command says on standard error when it fails.
fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with a configuration file, and the path of that.
fn configured(text: &str) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("orders.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn a_flag_is_stronger_than_a_variable_and_that_than_the_file() {
    let (_folder, file) = configured("listen = '127.0.0.1:1'\nwriters = 3\nmax_connections = 50\ndrain_seconds = 9");
    let environment = [("CONFIG", &*file), ("WRITERS", "4"), ("MAX_CONNECTIONS", "60")];

    let shown = printed(&program(&["config", "show", "develop", "--max-connections", "70"], &environment));

    for line in [
        "listen = \"127.0.0.1:1\"  # configuration file",
        "drain_seconds = 9  # configuration file",
        "writers = 4  # WRITERS",
        "max_connections = 70  # --max-connections",
        "max_deadline_seconds = 30  # default",
        "# event_retention_days is not set",
        "database_url = \"sqlite:purchase-orders.sqlite\"  # default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    // What is shown can be used as a file.
    let (_folder, again) = configured(&shown);
    let shown_again = printed(&program(&["config", "show", "develop", "--config", &again], &[]));
    let values = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.split_once("  #")?.0.to_owned())).collect()
    };
    assert_eq!(values(&shown), values(&shown_again));
}

#[test]
fn no_password_is_shown() {
    let (folder, file) = configured("database_url = 'postgres://app@localhost/orders'");
    let password = folder.path().join("password");
    fs::write(&password, "hunter2\n").unwrap();
    let password = password.to_str().unwrap();

    let show = ["config", "show", "develop", "--config", &file, "--database-password-file", password];
    let shown = printed(&program(&show, &[]));
    assert!(
        shown.contains("database_url = \"postgres://app@localhost/orders\"") && !shown.contains("hunter2"),
        "{shown}"
    );
    let url = ["config", "show", "develop", "--database-url", "postgres://app:hunter3@localhost/orders"];
    let shown = printed(&program(&url, &[]));
    assert!(!shown.contains("hunter3"), "{shown}");
    let twice = program(&[&url[..], &["--database-password-file", password]].concat(), &[]);
    let twice = complaint(&twice);
    assert!(twice.contains("has a password already") && !twice.contains("hunter"), "{twice}");
    let absent = complaint(&program(&["verify", "--database-password-file", "/absent"], &[]));
    assert!(absent.contains("/absent"), "{absent}");
}

#[rstest]
#[case("--writers", "x", "must be a whole number from 1 to 64")]
#[case("--writers", "65", "must be a whole number from 1 to 64")]
#[case("--request-retention-days", "0", "must be a whole number from 1 to 3650")]
#[case("--event-retention-days", "", "must be a whole number from 1 to 36500")]
#[case("--trace-ratio", "1.5", "must be a number from 0 to 1")]
#[case("--otlp-endpoint", "collector:4317", "must be http://HOST:PORT or https://HOST:PORT")]
#[case("--database-layout", "spread", "single, sharded")]
#[case("--listen", "localhost", "socket address")]
fn a_wrong_value_is_named_with_what_is_allowed(#[case] option: &str, #[case] value: &str, #[case] allowed: &str) {
    let typed = complaint(&program(&["develop", option, value], &[]));
    assert!(typed.contains(allowed) && typed.contains(option), "{typed}");
    let key = option.trim_start_matches('-').replace('-', "_");
    let (_folder, file) = configured(&format!("{key} = '{value}'"));
    let configured = complaint(&program(&["config", "check", "develop", "--config", &file], &[]));
    assert!(configured.contains(allowed) && configured.contains(option), "{configured}");
}

#[test]
fn a_file_that_is_meant_for_serve_does_not_serve_without_credentials() {
    let (_folder, file) = configured("token_keys = 'keys.json'\ntoken_issuer = 'i'\ntoken_audience = 'a'");

    let unawares = complaint(&program(&["--config", &file], &[]));
    assert!(unawares.contains("token_audience in the configuration file") && unawares.contains("serve"), "{unawares}");
    let missing = complaint(&program(&["config", "check", "serve", "--config", &file], &[]));
    assert!(missing.contains("keys.json"), "{missing}");
    let collector = ["--otlp-endpoint", "https://collector:4317", "--otlp-ca", "/absent.pem"];
    let missing = complaint(&program(&[&["config", "check", "develop"][..], &collector].concat(), &[]));
    assert!(missing.contains("/absent.pem"), "{missing}");
    let shown = printed(&program(&["config", "show", "serve", "--config", &file], &[]));
    assert!(shown.contains("token_keys = \"keys.json\"  # configuration file"), "{shown}");
    let unknown = complaint(&program(&["config", "show", "serve", "--config", "/absent.toml"], &[]));
    assert!(unknown.contains("/absent.toml"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_over_tls_too() {
    let Some(secured) = Secured::on(Sqlite).await else { return };
    let (address, authority) = (secured.address(), secured.authority_file());
    let check = move |more: &[&str]| {
        let arguments = [&["healthcheck", "--listen", &address][..], more].concat();
        program(&arguments, &[])
    };
    let done = tokio::task::spawn_blocking(move || {
        let named = check(&["--server-ca", &authority, "--server-name", "localhost"]);
        assert_eq!(printed(&named), "SERVING\n");
        let other = complaint(&check(&["--server-ca", &authority, "--server-name", "other.example"]));
        assert!(other.contains("certificate"), "{other}");
        complaint(&check(&[]));
    });
    done.await.unwrap();
}

#[test]
fn shells_and_man_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&program(&["completions", shell], &[]));
        assert!(script.contains("healthcheck") && script.contains("database-url"), "{shell}");
    }
    let folder = TempDir::new().unwrap();
    printed(&program(&["manual", folder.path().to_str().unwrap()], &[]));
    let pages: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    for page in ["purchase-order-service.1", "purchase-order-service-serve.1", "purchase-order-service-config-show.1"] {
        assert!(pages.iter().any(|found| found == page), "{pages:?}");
    }
}
