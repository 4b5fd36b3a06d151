//! What commands about an audit need first: the audit, decided, and a runtime.

use crate::config;
use crate::run::assemble::{Assembly, assemble};

use super::args::AuditArgs;
use super::exit::Failure;
use super::invocation::Invocation;
use super::printer::Printer;

/// Loads and decides an audit, with its warnings printed.
pub(super) fn assembled(invocation: &Invocation, args: &AuditArgs, printer: Printer) -> Result<Assembly, Failure> {
    let loaded = config::load(&invocation.load_request(&args.file, &args.overrides))?;
    for warning in &loaded.warnings {
        printer.warning(warning);
    }
    Ok(assemble(loaded.audit)?)
}

/// The runtime of a command that opens sockets or waits.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // Every unit is prepared on a blocking thread for some tens of microseconds. Tokio would start hundreds of threads
    // for that, each with a heap of its own to fragment; a few per core keep the cores as busy.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(2 * cores + 2).enable_all().build();
    Ok(runtime.map_err(anyhow::Error::from)?)
}
