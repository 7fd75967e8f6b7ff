//! `develop`: serves on loopback without credentials: callers give their own name. It is the default command, so
//! that a first `cargo run` serves at once; it refuses every other address.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::running::Running;
use super::{CommandError, Invocation};
use crate::config::ServeConfig;
use crate::demo;
use crate::repository::url::DatabaseUrl;

/// If one of these is set, `serve` is meant: without this check a forgotten command name would start the service without
/// authentication.
const CREDENTIALS: [&str; 3] = ["TOKEN_KEYS", "CLIENT_CA", "TLS_CERTIFICATE"];

/// Serve on this machine only, without credentials: callers give their own name (the default)
#[derive(Debug, Args)]
pub struct Develop {
    #[command(flatten)]
    running: Running,
}

impl Develop {
    /// Serves until SIGTERM or Ctrl-C.
    pub fn run(&self, database: DatabaseUrl, invocation: &Invocation) -> Result<ExitCode, CommandError> {
        let config = self.config(database, invocation)?;
        self.running.serve(&config, announce)
    }

    /// What a server is started with, if these options may be served without credentials.
    pub fn config(&self, database: DatabaseUrl, invocation: &Invocation) -> Result<ServeConfig, CommandError> {
        let listened = [Some(self.running.listen), self.running.web_listen];
        if let Some(listen) = listened.into_iter().flatten().find(|listen| !listen.ip().is_loopback()) {
            let why = "in development mode callers name themselves, so only loopback may be listened on";
            return Err(format!("cannot listen on {listen}: {why}; `serve` has callers prove who they are").into());
        }
        #[expect(clippy::disallowed_methods, reason = "these options belong to `serve`, so they are not parsed here")]
        let variable = CREDENTIALS.into_iter().find(|name| std::env::var_os(name).is_some());
        // Whatever the file has of `serve`: it is a file for `serve`.
        let in_file = invocation.of_other_commands.first().map(|key| format!("{key} in the configuration file"));
        if let Some(set) = variable.map(str::to_owned).or(in_file) {
            let why = "development mode would let anybody in who says a name";
            return Err(format!("{set} is set, but {why}; run `purchase-order-service serve`").into());
        }
        let mut config = self.running.config(database, Duration::ZERO)?;
        config.demo_store = true;
        Ok(config)
    }
}

fn announce(database: &DatabaseUrl, address: SocketAddr) {
    println!("purchase-order-service listens on {address} with {database}");
    println!(
        "DEVELOPMENT MODE: callers are not authenticated; they give their name in the metadata key x-principal; do not expose this port"
    );
    println!(
        "demo store '{}': {} has every permission, {} may receive; 'operator' is the platform operator",
        demo::STORE,
        demo::OWNER,
        demo::RECEIVER
    );
    println!(
        "try: {} call --server {address} --as {} StoreService/GetStore '{{\"store_id\": \"{}\"}}'",
        program(),
        demo::OWNER,
        demo::STORE
    );
}

/// How this program was started, for a command that can be pasted.
fn program() -> String {
    let path = std::env::args_os().next().map(|path| path.to_string_lossy().into_owned());
    let path = path.unwrap_or_else(|| "purchase-order-service".to_owned());
    if path.chars().all(|character| character.is_ascii_alphanumeric() || "/._-".contains(character)) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}
