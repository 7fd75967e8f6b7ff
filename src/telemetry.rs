//! Logs: to standard error, what happens to the service itself. A refused call is the caller's matter
//! and not logged; an internal error is logged once, with the id that its caller was told.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Begins to log, as `RUST_LOG` says, or from `info` on.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
}
