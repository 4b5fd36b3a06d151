//! Checks of this machine. Nothing is sent.

use std::collections::BTreeSet;
use std::path::Path;

use super::remote::Question;
use super::{Check, Health, Visit};
use crate::clock::{self, UnixMs};
use crate::grade::price::{PriceTable, price_of};
use crate::grade::provider::Provider;
use crate::grade::recorded::{self, RecordedSettings};
use crate::grade::settings::{EndpointSettings, KeySetting, PriceSetting};
use crate::journal;
use crate::model::behaviour::Behaviour;
use crate::model::grading::Stage;
use crate::model::money::Price;
use crate::model::recorded::RecordedLines;
use crate::prompt::library::read_lock;
use crate::prompt::lint::lint;
use crate::prompt::{BehaviourFiles, Library, LockState, Prompt};
use crate::run::assemble::{Stand, stands};
use crate::run::recorded::Asks;
use crate::run::settings::Audit;

/// A run stops to write below this; nothing useful can be done with less.
const LEAST_FREE_BYTES: u64 = 100 << 20;
/// Replies of a long night take this much.
const ENOUGH_FREE_BYTES: u64 = 2 << 30;
/// Prices older than this have changed somewhere.
const OLD_PRICES_DAYS: u64 = 120;

/// Looks at everything on this machine.
#[must_use]
pub fn examine(audit: Audit, now: UnixMs) -> Visit {
    let mut checks = vec![writable(&audit.workspace.root), space(&audit.workspace.root), lock(&audit)];
    checks.push(time_zones());
    let mut behaviour = None;
    let mut decided = Vec::new();
    match Library::open(&audit.workspace.prompts()).and_then(|library| library.behaviour(&audit.behaviour)) {
        Err(error) => checks.push(Check::new("behaviour", Health::Failed, error.to_string())),
        Ok(files) => {
            match stands(&audit, &files, &mut Vec::new()) {
                Err(error) => checks.push(Check::new("graders", Health::Failed, error.to_string())),
                Ok(stands) => {
                    checks.extend(stands.iter().map(|stand| questions_of(&audit, &files, stand)));
                    decided = stands;
                }
            }
            behaviour = Some(files.behaviour);
        }
    }
    checks.extend(decided.iter().map(|stand| price(stand, now)));
    checks.extend(cap(&audit, &decided));
    let mut endpoints: Vec<String> = Vec::new();
    for stand in &decided {
        if stand.endpoint.recorded.is_none() && !endpoints.contains(&stand.endpoint.name) {
            checks.push(key(&stand.endpoint));
            endpoints.push(stand.endpoint.name.clone());
        }
    }
    let questions = behaviour.iter().flat_map(|behaviour| questions(behaviour, &decided)).collect();
    let unpriced = decided.iter().any(|stand| price_of(stand.endpoint.price, &stand.settings.model).is_err());
    Visit { checks, audit, behaviour, stands: decided, questions, endpoints, unpriced }
}

/// One question per grader; graders that would ask the same are asked once.
fn questions(behaviour: &Behaviour, stands: &[Stand]) -> Vec<Question> {
    let mut seen = BTreeSet::new();
    let numbered = stands.iter().enumerate();
    numbered
        .filter_map(|(position, stand)| Question::of(behaviour, stand, position))
        .filter(|question| seen.insert(question.identity()))
        .collect()
}

fn writable(root: &Path) -> Check {
    match tempfile::NamedTempFile::new_in(root) {
        Ok(_) => Check::ok("workspace", format!("`{}` can be written to", root.display())),
        Err(error) => Check::new("workspace", Health::Failed, format!("cannot write to `{}`: {error}", root.display()))
            .fixed_by("give yourself permission, or name another folder with --workspace"),
    }
}

fn space(root: &Path) -> Check {
    let Ok(system) = rustix::fs::statvfs(root) else {
        return Check::new("disk", Health::Warning, "the file system does not say how much room it has");
    };
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    let says = format!("{} free", size(free));
    if free < LEAST_FREE_BYTES {
        Check::new("disk", Health::Failed, says).fixed_by("make room: what is paid for must be stored")
    } else if free < ENOUGH_FREE_BYTES {
        Check::new("disk", Health::Warning, says)
            .fixed_by("a million replies take about 2 GB: make room before a long night")
    } else {
        Check::ok("disk", says)
    }
}

fn size(bytes: u64) -> String {
    if bytes >= 1 << 30 { format!("{} GiB", bytes >> 30) } else { format!("{} MiB", bytes >> 20) }
}

fn lock(audit: &Audit) -> Check {
    match journal::holder(&audit.workspace.lock()) {
        Ok(None) => Check::ok("lock", "nobody else is at work in this workspace"),
        Ok(Some(held)) => {
            let who = held.holder.map_or_else(|| "another process".to_owned(), |holder| holder.to_string());
            Check::new("lock", Health::Warning, format!("held by {who}"))
                .fixed_by("a second run waits for nothing and ends: see `assize status`")
        }
        Err(error) => Check::new("lock", Health::Failed, error.to_string()),
    }
}

fn time_zones() -> Check {
    if clock::knows_time_zones() {
        return Check::ok("time zones", "deadlines such as `07:00 Europe/Zurich` can be told");
    }
    Check::new("time zones", Health::Warning, "there is no time zone data")
        .fixed_by("write deadlines with an offset, as 2026-11-24T07:00+01:00")
}

/// The prompt of a grader, or the file of one that asks nobody.
fn questions_of(audit: &Audit, files: &BehaviourFiles, stand: &Stand) -> Check {
    match (&stand.asks, &stand.endpoint.recorded) {
        (Asks::Prompt(prompted), _) => prompt(audit, files, (stand.stage, &prompted.prompt)),
        (Asks::Recorded(_), Some(settings)) => verdicts(audit, &files.behaviour, stand.stage, settings),
        (Asks::Recorded(_), None) => Check::new("verdicts", Health::Failed, "no file is named"),
    }
}

/// A file of verdicts, whatever the sample: a run says how many of its units are in it.
fn verdicts(audit: &Audit, behaviour: &Behaviour, stage: Stage, settings: &RecordedSettings) -> Check {
    let about = format!("{} verdicts", stage.as_str());
    let found = match recorded::examine(settings, behaviour, &audit.corpus.group_by) {
        Err(error) => {
            let failed = Check::new(&about, Health::Failed, error.to_string());
            return error.hint().into_iter().fold(failed, Check::fixed_by);
        }
        Ok(found) => found,
    };
    let RecordedLines { read, used, empty, unreadable, examples, .. } = &found.lines;
    let says = format!(
        "`{}` ({}): {read} lines, {used} with a verdict, {empty} without one, {unreadable} unreadable",
        found.file,
        found.digest.short()
    );
    match examples.first() {
        None if *used > 0 => Check::ok(&about, says),
        None => Check::new(&about, Health::Failed, says).fixed_by("name the file that has the verdicts"),
        Some(first) => {
            Check::new(&about, if *used > 0 { Health::Warning } else { Health::Failed }, format!("{says} ({first})"))
                .fixed_by(
                    "`columns` says where a line names its unit and its verdict, `values` what its words stand for",
                )
        }
    }
}

fn prompt(audit: &Audit, files: &BehaviourFiles, (stage, prompt): (Stage, &Prompt)) -> Check {
    let about = format!("{} prompt", stage.as_str());
    let label = &prompt.label;
    match read_lock(&audit.workspace.prompts_lock()) {
        Err(error) => return Check::new(&about, Health::Failed, error.to_string()),
        Ok(lock) => {
            if let LockState::Changed(changed) = lock.check(&audit.behaviour, prompt) {
                let says = format!("`{label}` was changed under its label");
                return Check::new(&about, Health::Failed, says).fixed_by(changed.hint());
            }
        }
    }
    match lint(prompt, &files.behaviour) {
        Err(error) => Check::new(&about, Health::Failed, format!("`{label}`: {error}")),
        Ok(findings) if findings.is_empty() => Check::ok(&about, format!("`{label}` has nothing to object to")),
        Ok(findings) => {
            let says = format!(
                "`{label}`: {} remarks, the first in line {}: {}",
                findings.len(),
                findings[0].line,
                findings[0].message
            );
            Check::new(&about, Health::Warning, says)
                .fixed_by(format!("`assize prompts lint {}` lists them", audit.behaviour))
        }
    }
}

fn price(stand: &Stand, now: UnixMs) -> Check {
    let about = format!("{} price", stand.stage.as_str());
    let model = &stand.settings.model;
    let price = match price_of(stand.endpoint.price, model) {
        Ok(price) => price,
        Err(unknown) => return Check::new(&about, Health::Warning, unknown.to_string()).fixed_by(unknown.hint()),
    };
    let PriceSetting::Table(Some(provider)) = stand.endpoint.price else {
        let says = if price == Price::FREE {
            format!("`{model}` is free")
        } else {
            format!("`{model}`: {}, as the audit says", dollars(&price))
        };
        return Check::ok(&about, says);
    };
    if provider == Provider::Rehearsal {
        return Check::ok(&about, format!("`{model}`: {}, rehearsed", dollars(&price)));
    }
    let table = PriceTable::of(provider);
    let says = format!("`{model}`: {}, as {} billed on {}", dollars(&price), provider.as_str(), table.date);
    let age = age_days(&table.date, now);
    if age.is_some_and(|days| days > OLD_PRICES_DAYS) {
        let fix = "compare it with your provider's page; state `price = { input = ..., cached = ..., output = ... }` if it differs";
        return Check::new(&about, Health::Warning, format!("{says}: {} days old", age.unwrap_or_default()))
            .fixed_by(fix);
    }
    Check::ok(&about, says)
}

/// Days since a day such as `2026-11-23`.
fn age_days(day: &str, now: UnixMs) -> Option<u64> {
    let taken = UnixMs::from_day(day)?;
    Some(now.since(taken).as_secs() / 86_400)
}

fn dollars(price: &Price) -> String {
    let [input, output] = [price.input, price.output].map(|nano| {
        let text = format!("{}.{:03}", nano / 1_000, nano % 1_000);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    });
    let long = price.long.map(|long| format!(", dearer above {} prompt tokens", long.above)).unwrap_or_default();
    format!("${input} in and ${output} out per million tokens{long}")
}

fn cap(audit: &Audit, stands: &[Stand]) -> Option<Check> {
    // What asks nobody spends nothing.
    let asks_nobody = !stands.is_empty() && stands.iter().all(|stand| stand.endpoint.recorded.is_some());
    (audit.budget.max_cost.is_none() && !asks_nobody).then(|| {
        Check::new("cap", Health::Warning, "there is none").fixed_by("set `max_cost` under [budget], or --max-cost")
    })
}

fn key(endpoint: &EndpointSettings) -> Check {
    let about = format!("{} key", endpoint.name);
    match &endpoint.key {
        KeySetting::NoKey => Check::ok(&about, "none is sent"),
        KeySetting::Value(_) => Check::ok(&about, "is set"),
        KeySetting::Command(_) => Check::ok(&about, "is printed by a command, which runs when something is sent"),
        KeySetting::Missing { variable } => Check::new(&about, Health::Unusable, format!("`{variable}` is not set"))
            .fixed_by(format!("export {variable}=..., or name another variable in `api_key_env`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_grow_old() {
        let day = |text| UnixMs::from_day(text).unwrap();
        assert_eq!(age_days("2026-11-23", day("2026-11-30")), Some(7));
        assert_eq!(age_days("2026-11-23", day("2026-11-01")), Some(0), "a clock that is wrong makes nothing old");
        assert_eq!(age_days("soon", day("2026-11-01")), None);
    }

    #[test]
    fn prices_are_said_in_dollars_per_million() {
        assert_eq!(dollars(&Price::flat(250, 25, 2_000)), "$0.25 in and $2 out per million tokens");
        assert_eq!(size(3 << 30), "3 GiB");
        assert_eq!(size(5 << 20), "5 MiB");
    }
}
