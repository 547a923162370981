//! `qapi completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::{Exit, Failure};
use crate::print::Printer;

/// What `qapi completions` takes.
#[derive(Args)]
pub struct CompletionsInputs {
    /// The shell to write for
    shell: Shell,
}

/// Prints a completion script.
pub fn completions(inputs: &CompletionsInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(inputs.shell, &mut Arguments::command(), "qapi", &mut script);
    printer.bare(&script)
}
