//! Commands: each one a file of glue, the work in the library. Here alone is decided how a command ends.

mod anchors;
pub mod args;
mod cache;
mod completions;
mod config;
mod diff;
mod doctor;
pub mod exit;
mod init;
mod invariance;
mod invocation;
mod ls;
mod mine;
mod panics;
mod plan;
mod printer;
mod progress;
mod prompt_render;
mod prompts;
mod ready;
mod rehearse;
mod report;
mod review;
mod run;
mod sensitivity;
mod show;
mod status;
mod trial;
mod trust;
mod validate;

use std::ffi::OsString;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::config::Environment;

use args::Command;
use exit::{Exit, Failure};
use invocation::Invocation;
use printer::Printer;

/// Runs the command that these arguments name; the first is the program's own name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (invocation, command) = match Invocation::parse(args, Environment::of_process()) {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error).into(),
    };
    let printer = Printer::new(&invocation.global, &invocation.environment);
    panics::report_without_words(&invocation.environment, printer);
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
        Command::Doctor(args) => doctor::run(invocation, &args, printer),
        Command::Config(args) => config::run(invocation, &args, printer),
        Command::Trust(args) => trust::run(invocation, &args, printer),
        Command::Completions { shell } => completions::shell(shell, printer),
        Command::Man => completions::manual(printer),
        Command::Plan(args) => plan::run(invocation, &args, printer),
        Command::Run(args) => run::run(invocation, &args, printer),
        Command::Report(args) => report::report(invocation, &args, printer),
        Command::Diff(args) => diff::run(invocation, &args, printer),
        Command::Validate(args) => validate::run(invocation, &args, printer),
        Command::Try(args) => trial::run(invocation, &args, printer),
        Command::Status(args) => status::run(invocation, &args, printer),
        Command::Mine(args) => mine::run(invocation, &args, printer),
        Command::Ls(args) => ls::run(invocation, &args, printer),
        Command::Show(args) => show::run(invocation, &args, printer),
        Command::Review(command) => review::run(invocation, &command, printer),
        Command::Prompts(command) => prompts::run(invocation, &command, printer),
        Command::Sensitivity(command) => sensitivity::run(invocation, &command, printer),
        Command::Anchors(command) => anchors::run(invocation, &command, printer),
        Command::Cache(command) => cache::run(invocation, &command, printer),
        Command::Rehearse(args) => rehearse::run(invocation, &args, printer),
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
