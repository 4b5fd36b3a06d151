//! `assize completions` and the manual page, both from the definition of the command line.

use std::fmt::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::exit::{Exit, Failure};
use super::printer::Printer;

/// Prints a shell's completion script.
pub(super) fn shell(shell: Shell, printer: Printer) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    printer.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Complete)
}

/// Prints the manual page, exit codes included.
pub(super) fn manual(printer: Printer) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(anyhow::Error::from)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    page.push_str(".SH \"EXIT STATUS\"\n");
    for exit in Exit::ALL {
        writeln!(page, ".TP\n{}\n{}", exit.code(), exit.meaning()).map_err(anyhow::Error::from)?;
    }
    printer.text(&page)?;
    Ok(Exit::Complete)
}
