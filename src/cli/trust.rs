//! `assize trust`: allows an audit file, as it stands, what only a trusted file may.

use serde_json::json;

use crate::config;

use super::args::{AuditFile, OverrideArgs};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;

/// Trusts an audit file and says what that allows.
pub(super) fn run(invocation: &Invocation, file: &AuditFile, printer: Printer) -> Result<Exit, Failure> {
    let trusted = config::trust(&invocation.load_request(file, &OverrideArgs::default()))?;
    let value = json!({ "audit": file.audit, "grants": trusted.grants, "list": trusted.list });
    printer.result(&value, || {
        if trusted.grants.is_empty() {
            return format!("`{}` asks for nothing that needs trust", file.audit.display());
        }
        format!("`{}` is trusted as it stands: {}", file.audit.display(), trusted.grants.join("; "))
    })?;
    Ok(Exit::Complete)
}
