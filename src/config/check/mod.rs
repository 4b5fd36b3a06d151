//! From what was written to what it means. Every function here takes a written section, notes each value and each
//! problem in the ledger, and returns settings that count only if the ledger has no problems in the end.

mod anchors;
mod corpus;
mod endpoint;
mod expect;
mod gold;
mod grader;
mod later;
mod price;
mod recorded;
mod repeats;
mod review;
mod sample;

use std::path::Path;

use crate::clock::UnixMs;
use crate::grade::settings::BudgetSettings;
use crate::model::money::NanoUsd;
use crate::model::stop::{RelativeWidth, StopWhen};
use crate::run::settings::{Audit, CacheMode, Workspace};

use super::address::Address;
use super::environment::Environment;
use super::ledger::Ledger;
use super::origin::Origin;
use super::units;
use super::written::{Budget, Notify, Privacy, Written};
use super::{Override, Overrides};

/// What checking needs beside the file itself.
pub(super) struct Context<'a> {
    /// The audit file, absolute.
    pub(super) file: &'a Path,
    /// Its folder.
    pub(super) folder: &'a Path,
    /// The workspace.
    pub(super) workspace: &'a Workspace,
    /// Environment and `.env` files.
    pub(super) environment: &'a Environment,
    /// The command line.
    pub(super) overrides: &'a Overrides,
    /// The time that deadlines count from.
    pub(super) now: UnixMs,
}

/// Checks a whole file.
pub(super) fn audit(mut written: Written, ledger: &mut Ledger<'_>, context: &Context<'_>) -> Audit {
    later::refuse(&written, ledger);
    let stem = context.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = ledger.or_default("name", written.name.take(), stem);
    ledger.require("name", !name.trim().is_empty(), "must not be empty");
    let seed = ledger.or_default("seed", written.seed, 0);
    let level = ledger.or_default("level", written.level, 0.95);
    ledger.require("level", level > 0.0 && level < 1.0, "must lie between 0 and 1, both excluded");
    if let Some(date) = &context.overrides.date {
        ledger.record("date", &date.value, date.origin.clone());
        ledger.require("date", units::is_date(&date.value), "must be a day such as `2026-11-23`");
    }
    let corpus = corpus::check(written.corpus, ledger, context);
    let expect = expect::check(written.expect, &corpus.group_by, ledger);
    let behaviour = ledger.required("behaviour.name", written.behaviour.name, "name = \"metagaming\"");
    if !behaviour.is_empty() {
        ledger.require("behaviour.name", is_folder_name(&behaviour), "must be the name of a folder under `prompts`");
    }
    let definition = written.behaviour.definition;
    ledger.record_written("behaviour.definition", definition.as_deref().unwrap_or(&behaviour));
    let classes = sample::classes(written.prefilter.classes, ledger);
    let sample = sample::check(&written.sample, classes.as_deref(), seed, ledger, context);
    let assume = sample::assumptions(&written.assume, ledger);
    let key_variables = endpoint::key_variables(&written.endpoint);
    let mut endpoints = endpoint::check_all(written.endpoint, &key_variables, ledger, context);
    recorded::complete(&mut endpoints, &corpus, ledger);
    let anchors = anchors::check(&mut written.grader, ledger, context);
    let (screen, confirm) = grader::check_all(written.grader, &endpoints, ledger);
    recorded::refuse_twice(
        &screen.endpoint,
        confirm.as_ref().map(|confirm| confirm.endpoint.as_str()),
        &endpoints,
        ledger,
    );
    recorded::refuse_anchors(endpoints.get(&screen.endpoint), anchors.is_some(), ledger);
    let gold = gold::check(written.review.as_ref(), ledger);
    let review = review::review(written.review, ledger);
    let compare = review::compare(written.compare, &corpus.group_by, ledger);
    let budget = budget(&written.budget, ledger, context);
    let can_look = budget.stop_when.is_none() || confirm.is_some();
    ledger.require(
        "budget.stop_when",
        can_look,
        "looks at what a second grader confirms: add [grader.confirm], or take `stop_when` away",
    );
    sample::require_cap(&sample, corpus.draws_several(), budget.max_cost.is_some(), ledger);
    let cache = cache_mode(ledger, context);
    let retry_errors = context.overrides.retry_errors;
    if retry_errors && cache != CacheMode::On {
        ledger.problem("cache", "`--retry-errors` asks part of the questions again: it needs `--cache on`");
    }
    let allowed_endpoints = privacy(written.privacy, ledger);
    endpoint::check_allowed(&endpoints, &allowed_endpoints, ledger);
    Audit {
        name,
        file: context.file.to_owned(),
        workspace: context.workspace.clone(),
        level,
        corpus,
        expect,
        behaviour,
        definition,
        classes,
        sample,
        assume,
        endpoints,
        screen,
        confirm,
        anchors,
        review,
        gold,
        compare,
        budget,
        cache,
        retry_errors,
        notify: notify(written.notify, ledger),
        key_variables,
        allowed_endpoints,
    }
}

fn budget(written: &Budget, ledger: &mut Ledger<'_>, context: &Context<'_>) -> BudgetSettings {
    let flags = context.overrides;
    let max_cost = ledger.flag_or("budget.max_cost", flags.max_cost.as_ref(), written.max_cost);
    let max_cost = max_cost.map(|usd| dollars("budget.max_cost", usd, ledger));
    let max_cost_from = match flags.max_cost.as_ref().map(|flag| &flag.origin) {
        Some(Origin::Flag { name } | Origin::Environment { name }) => name.clone(),
        Some(Origin::DotEnv { .. } | Origin::File { .. } | Origin::Default) | None => {
            context.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
        }
    };
    let max_cost_total = ledger.or_default("budget.max_cost_total", written.max_cost_total.map(Some), None);
    let max_cost_total = max_cost_total.map(|usd| dollars("budget.max_cost_total", usd, ledger));
    let deadline = ledger.flag_or("budget.deadline", flags.deadline.as_ref(), written.deadline.clone());
    let deadline = deadline.map(|text| {
        let deadline = ledger.ok_or("budget.deadline", units::deadline(&text, context.now), context.now);
        if deadline < context.now {
            ledger.warnings.push(format!("the deadline `{text}` has passed: nothing will be sent"));
        }
        deadline
    });
    let max_ungraded = ledger.or_default("budget.max_ungraded", written.max_ungraded, 0.01);
    require_share("budget.max_ungraded", max_ungraded, ledger);
    let stop_when = stop_when(written.stop_when.relative_width, ledger);
    BudgetSettings { max_cost, max_cost_from, max_cost_total, deadline, max_ungraded, stop_when }
}

fn stop_when(relative_width: Option<f64>, ledger: &mut Ledger<'_>) -> Option<StopWhen> {
    const PATH: &str = "budget.stop_when.relative_width";
    let written = ledger.or_default(PATH, relative_width.map(Some), None)?;
    let width = RelativeWidth::new(written).filter(|width| width.get() > 0.0);
    ledger.require(
        PATH,
        width.is_some(),
        "must be a number above 0, such as `0.5`: upper minus lower limit over the estimate",
    );
    width.map(|relative_width| StopWhen { relative_width })
}

fn dollars(path: &str, usd: f64, ledger: &mut Ledger<'_>) -> NanoUsd {
    let checked = NanoUsd::from_usd(usd).ok_or_else(|| "must lie between 0 and 1000000000 dollars".to_owned());
    ledger.ok_or(path, checked, NanoUsd::ZERO)
}

/// The base URLs of `[privacy] endpoints`, in the spelling of checked endpoints.
fn privacy(written: Privacy, ledger: &mut Ledger<'_>) -> Vec<String> {
    const PATH: &str = "privacy.endpoints";
    let urls = ledger.or_default(PATH, written.endpoints, Vec::new());
    let mut allowed = Vec::new();
    for (index, url) in urls.iter().enumerate() {
        match Address::parse(url) {
            Ok(address) => allowed.push(address.base_url),
            Err(message) => ledger.problem(PATH, format!("entry {} of `endpoints` {message}", index + 1)),
        }
    }
    allowed
}

/// The command at the end of a run.
fn notify(written: Notify, ledger: &mut Ledger<'_>) -> Vec<String> {
    let command = ledger.or_default("notify.command", written.command, Vec::new());
    if let Some(program) = command.first() {
        ledger.require("notify.command", !program.is_empty(), "must name a program");
        ledger.needs_trust.push(format!("every run ends with the command `{}`", command.join(" ")));
    }
    command
}

fn cache_mode(ledger: &mut Ledger<'_>, context: &Context<'_>) -> CacheMode {
    let (mode, origin) = match &context.overrides.cache {
        Some(Override { value, origin }) => (*value, origin.clone()),
        None => (CacheMode::default(), Origin::Default),
    };
    let name = match mode {
        CacheMode::On => "on",
        CacheMode::ReadOnly => "read-only",
        CacheMode::Refresh => "refresh",
    };
    ledger.record("cache", name, origin);
    mode
}

fn require_share(path: &str, share: f64, ledger: &mut Ledger<'_>) {
    ledger.require(path, (0.0..=1.0).contains(&share), "must lie between 0 and 1");
}

/// Whether a behaviour's name stays inside `prompts`.
fn is_folder_name(name: &str) -> bool {
    !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
