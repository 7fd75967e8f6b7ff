//! The command line of the purchase order service.

use std::process::ExitCode;

use clap::Parser;
use purchase_order_service::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
