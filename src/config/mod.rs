//! File, environment and flags merged into checked settings.
//!
//! Two steps: what was written (every key known, nothing checked), then what it means ([`Audit`], fully checked). Code
//! sees only the second. Flags win over the environment, the environment over the file, the file
//! over defaults; every value remembers which of them it came from.
//!
//! This module reads the environment, the audit file, `.env` files and the user's list of trusted files. It opens no
//! other file, looks up no price and knows no cue: whoever steers by a setting checks it against the world.

mod address;
mod check;
mod document;
mod environment;
mod error;
mod ledger;
mod loose;
mod nearest;
mod origin;
mod trust;
mod units;
mod written;

use std::path::{Path, PathBuf};

use crate::clock::UnixMs;
use crate::grade::settings::Concurrency;
use crate::model::hash::Digest;
use crate::run::settings::{Audit, CacheMode, Workspace};

use check::Context;
use document::Document;
use ledger::Ledger;
use trust::TrustList;

pub use environment::Environment;
pub use error::{ConfigError, Place, Problem, Problems};
pub use origin::{Origin, Override, Setting};
pub use units::moment;

/// The name of an audit file in its folder.
pub const AUDIT_FILE: &str = "audit.toml";
/// The file that marks a workspace.
pub const WORKSPACE_MARKER: &str = ".assize";

/// What the command line says over the audit file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--date`: fills `{date}` in the paths of sources.
    pub date: Option<Override<String>>,
    /// `--cache`.
    pub cache: Option<Override<CacheMode>>,
    /// `--max-cost`, in dollars.
    pub max_cost: Option<Override<f64>>,
    /// `--deadline`, as `[budget] deadline`.
    pub deadline: Option<Override<String>>,
    /// `--max-concurrency`, for every endpoint.
    pub max_concurrency: Option<Override<Concurrency>>,
    /// `--max-requests-per-minute`, for every endpoint.
    pub max_requests_per_minute: Option<Override<u32>>,
    /// `--max-tokens-per-minute`, for every endpoint.
    pub max_tokens_per_minute: Option<Override<u32>>,
    /// `--limit`: most units that are admitted.
    pub limit: Option<Override<u64>>,
    /// `--retry-errors`: units whose stored reply is no verdict are asked again.
    pub retry_errors: bool,
    /// `--strict`: the first unreadable record stops the run.
    pub strict: Option<Override<bool>>,
}

/// What to load, and with what.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    /// The audit file, or a folder that holds an [`AUDIT_FILE`]; relative to the current folder.
    pub audit: PathBuf,
    /// `--workspace`.
    pub workspace: Option<PathBuf>,
    /// Flags.
    pub overrides: Overrides,
    /// The environment.
    pub environment: Environment,
    /// The time that deadlines such as `07:00 Europe/Zurich` count from.
    pub now: UnixMs,
}

impl LoadRequest {
    /// Loads this file with nothing over it.
    #[must_use]
    pub fn new(audit: impl Into<PathBuf>, environment: Environment, now: UnixMs) -> Self {
        Self { audit: audit.into(), workspace: None, overrides: Overrides::default(), environment, now }
    }
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The audit.
    pub audit: Audit,
    /// Every value with its origin, sorted by key.
    pub settings: Vec<Setting>,
    /// What is odd but allowed: sentences for the user.
    pub warnings: Vec<String>,
}

/// An audit file that was trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// What it may do now; empty if it asks for nothing that needs trust.
    pub grants: Vec<String>,
    /// The list that names it.
    pub list: PathBuf,
}

/// Loads and checks an audit file.
///
/// # Errors
///
/// If a file cannot be read, if anything in it is wrong (as many problems at once as can be told apart), or if it asks
/// for what only a trusted file may: an endpoint that is neither loopback nor the provider's own, or a command.
pub fn load(request: &LoadRequest) -> Result<Loaded, ConfigError> {
    let checked = check_file(request)?;
    let reasons = checked.needs_trust;
    if !reasons.is_empty() && !TrustList::open(&request.environment)?.contains(&checked.digest) {
        return Err(ConfigError::Untrusted { file: checked.shown, reasons });
    }
    Ok(checked.loaded)
}

/// Trusts an audit file as it stands now.
///
/// # Errors
///
/// As [`load`], or if the list of trusted files cannot be written.
pub fn trust(request: &LoadRequest) -> Result<Trusted, ConfigError> {
    let checked = check_file(request)?;
    let list = TrustList::open(&request.environment)?.add(checked.digest)?;
    Ok(Trusted { grants: checked.needs_trust, list })
}

/// The workspace of a file: the nearest folder at or above it that holds a [`WORKSPACE_MARKER`], else its own folder.
#[must_use]
pub fn workspace_of(folder: &Path) -> Workspace {
    let marked = folder.ancestors().find(|folder| folder.join(WORKSPACE_MARKER).exists());
    Workspace { root: marked.unwrap_or(folder).to_owned() }
}

struct CheckedFile {
    /// The file, as the user named it.
    shown: PathBuf,
    digest: Digest,
    needs_trust: Vec<String>,
    loaded: Loaded,
}

fn check_file(request: &LoadRequest) -> Result<CheckedFile, ConfigError> {
    let shown = if request.audit.is_dir() { request.audit.join(AUDIT_FILE) } else { request.audit.clone() };
    let text = error::read_text(&shown)?;
    let digest = Digest::of(text.as_bytes());
    let wrong = |list| ConfigError::Problems(Problems { file: shown.clone(), list });
    let file = absolute(&shown)?;
    let folder = file.parent().unwrap_or(&file);
    let workspace = match &request.workspace {
        Some(root) => Workspace { root: absolute(root)? },
        None => workspace_of(folder),
    };
    let mut environment = request.environment.clone();
    environment.add_dotenv(folder)?;
    environment.add_dotenv(&workspace.root)?;

    let (document, written) = Document::parse(text).map_err(|problem| wrong(vec![problem]))?;
    let mut ledger = Ledger::new(&document);
    let (overrides, environment) = (&request.overrides, &environment);
    let context = Context { file: &file, folder, workspace: &workspace, environment, overrides, now: request.now };
    let audit = check::audit(written, &mut ledger, &context);
    let Ledger { mut settings, mut problems, warnings, needs_trust, .. } = ledger;
    if !problems.is_empty() {
        problems.sort();
        problems.dedup();
        return Err(wrong(problems));
    }
    settings.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(CheckedFile { shown, digest, needs_trust, loaded: Loaded { audit, settings, warnings } })
}

fn absolute(path: &Path) -> Result<PathBuf, ConfigError> {
    std::path::absolute(path).map_err(|source| ConfigError::Read { file: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
