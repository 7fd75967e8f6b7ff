//! The program: runs the command that its arguments name. Everything else is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    purchase_order_service::cli::run(std::env::args_os())
}
