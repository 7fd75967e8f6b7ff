//! `completions`: the script with which a shell completes commands and options.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::call::methods;

/// Print the completions of all commands and options for a shell
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(&self) -> ExitCode {
        clap_complete::generate(self.shell, &mut Cli::command(), "purchase-order-service", &mut std::io::stdout());
        if self.shell == Shell::Fish {
            // Its script has options alone, and no values of what is no option.
            let names = methods::names().collect::<Vec<_>>().join(" ");
            println!("complete -c purchase-order-service -n '__fish_seen_subcommand_from call' -f -a '{names}'");
        }
        ExitCode::SUCCESS
    }
}
