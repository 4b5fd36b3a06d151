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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.map_err(anyhow::Error::from)?)
}
