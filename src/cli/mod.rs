//! Commands: each one a file of glue, the work in the library. Here alone is decided how a command ends.

pub mod args;
mod completions;
mod config;
pub mod exit;
mod init;
mod invocation;
mod printer;
mod trust;

use std::ffi::OsString;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::config::Environment;

use args::Command;
use exit::{Exit, Failure};
use invocation::Invocation;
use printer::Printer;

/// Runs the command that these arguments name; the first is the program's own name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (invocation, command) = match Invocation::parse(args, Environment::of_process()) {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error).into(),
    };
    let printer = Printer::new(&invocation.global, &invocation.environment);
    log_to_stderr(invocation.global.verbose, printer);
    match dispatch(&invocation, command, printer) {
        Ok(exit) => exit.into(),
        Err(Failure::ClosedPipe) => Exit::Complete.into(),
        Err(Failure::Error { exit, error, hint }) => {
            printer.failure(&error, hint.as_deref());
            exit.into()
        }
    }
}

fn dispatch(invocation: &Invocation, command: Command, printer: Printer) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(&args, printer),
        Command::Config(args) => config::run(invocation, &args, printer),
        Command::Trust(args) => trust::run(invocation, &args, printer),
        Command::Completions { shell } => completions::shell(shell, printer),
        Command::Man => completions::manual(printer),
        Command::Plan(_)
        | Command::Run(_)
        | Command::Report(_)
        | Command::Status(_)
        | Command::Show(_)
        | Command::Prompts(_)
        | Command::Cache(_)
        | Command::Rehearse(_) => Err(Failure::new(Exit::Usage, anyhow::anyhow!("this command is not wired up"))),
    }
}

/// Prints what clap has to say: an error, or the help or version that was asked for.
fn usage(error: &clap::Error) -> Exit {
    // A closed pipe (`assize --help | head`) is no failure, and nobody is left to tell about any other.
    drop(error.print());
    if error.use_stderr() { Exit::Usage } else { Exit::Complete }
}

fn log_to_stderr(verbose: u8, printer: Printer) {
    let level = match verbose {
        0 => "warn",
        1 => "warn,assize=info",
        2 => "info,assize=debug",
        _ => "debug,assize=trace",
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_ansi(printer.is_colored())
        .with_writer(std::io::stderr);
    // A second call in one process (tests) keeps the first subscriber.
    drop(subscriber.try_init());
}

#[cfg(test)]
mod tests;
