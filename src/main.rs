//! The program: parses the command line and runs one command. Everything else is in the library, where tests
//! reach it.

use std::process::ExitCode;

use clap::Parser;
use purchase_order_service::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
