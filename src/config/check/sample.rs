//! `[prefilter]`, `[sample]` and `[assume]`: who is drawn, and what a forecast believes.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::unit::CLASS_NONE;
use crate::plan::settings::{Allocate, Assumptions, SampleSettings, SampleSize};

use super::super::ledger::Ledger;
use super::super::loose::Loose;
use super::super::nearest;
use super::super::written::Assume;
use super::{Context, require_share};

/// The classes of `[prefilter]`, in their order.
pub(super) fn classes(written: Option<Vec<String>>, ledger: &mut Ledger<'_>) -> Option<Vec<String>> {
    const PATH: &str = "prefilter.classes";
    ledger.record_written(PATH, &written);
    let classes = written?;
    let distinct: BTreeSet<&String> = classes.iter().collect();
    ledger.require(PATH, distinct.len() == classes.len(), "names a class twice");
    let has_none = classes.iter().any(|class| class == CLASS_NONE);
    ledger.require(PATH, !has_none, "must not name `none`, which is every unit that no class takes");
    Some(classes)
}

/// `[sample]`: `allocate` and `draw`, and a size for each class.
pub(super) fn check(
    written: &BTreeMap<String, Loose>,
    classes: Option<&[String]>,
    seed: u64,
    ledger: &mut Ledger<'_>,
    context: &Context<'_>,
) -> SampleSettings {
    let draw = draw(written.get("draw"), ledger);
    let mut sizes = BTreeMap::new();
    for (class, value) in written {
        if matches!(class.as_str(), "allocate" | "draw") {
            continue;
        }
        let path = format!("sample.{class}");
        require_known_class(&path, class, classes, ledger);
        if let Some(size) = size(&path, class, value, ledger) {
            sizes.insert(class.clone(), size);
        }
    }
    let limit = ledger.flag_or("sample.limit", context.overrides.limit.as_ref(), None);
    let allocate = allocate(written.get("allocate"), ledger);
    SampleSettings { seed, draw, sizes, allocate, by_stratum: BTreeMap::new(), limit }
}

fn allocate(written: Option<&Loose>, ledger: &mut Ledger<'_>) -> Allocate {
    const PATH: &str = "sample.allocate";
    let written = match written {
        None => None,
        Some(Loose::Text(text)) => Some(text.as_str()),
        Some(Loose::Whole(_) | Loose::Real(_) | Loose::Texts(_) | Loose::Numbers(_)) => {
            ledger.problem(PATH, "`allocate` expects `\"manual\"` or `\"auto\"`");
            None
        }
    };
    ledger.record_written(PATH, written.unwrap_or("manual"));
    let choices = [("manual", Allocate::Manual), ("auto", Allocate::Auto)];
    ledger.choice(PATH, written, &choices, &[]).unwrap_or_default()
}

/// Sizes that follow from the money need to know how much there is.
pub(super) fn require_cap(sample: &SampleSettings, draws_several: bool, has_cap: bool, ledger: &mut Ledger<'_>) {
    let is_known = has_cap || sample.allocate == Allocate::Manual;
    let message = "is `auto` and needs to know the money: set `max_cost` under [budget], or --max-cost";
    ledger.require("sample.allocate", is_known, message);
    let draws_units = !draws_several || sample.allocate == Allocate::Manual;
    let message =
        "is `auto`, which knows how many turns to draw and not how many conversations: name a size for each class";
    ledger.require("sample.allocate", draws_units, message);
}

fn draw(written: Option<&Loose>, ledger: &mut Ledger<'_>) -> u32 {
    const PATH: &str = "sample.draw";
    let draw = match written {
        None => Some(1),
        Some(Loose::Whole(number)) => u32::try_from(*number).ok().filter(|number| *number > 0),
        Some(Loose::Text(_) | Loose::Real(_) | Loose::Texts(_) | Loose::Numbers(_)) => None,
    };
    ledger.record_written(PATH, draw);
    ledger.ok_or(PATH, draw.ok_or_else(|| "expects a whole number from 1".to_owned()), 1)
}

fn require_known_class(path: &str, class: &str, classes: Option<&[String]>, ledger: &mut Ledger<'_>) {
    let Some(classes) = classes else { return };
    if class == CLASS_NONE || classes.iter().any(|known| known == class) {
        return;
    }
    let known = classes.iter().map(String::as_str).chain([CLASS_NONE]);
    let advice = nearest::suggestion(class, known);
    ledger.problem(path, format!("`{class}` is not a class of [prefilter]; {advice}"));
}

fn size(path: &str, class: &str, value: &Loose, ledger: &mut Ledger<'_>) -> Option<SampleSize> {
    let size = match value {
        Loose::Text(text) if text == "all" => {
            ledger.record_written(path, text);
            SampleSize::All
        }
        Loose::Whole(count) => {
            ledger.record_written(path, count);
            SampleSize::Count(*count)
        }
        Loose::Real(rate) if (0.0..=1.0).contains(rate) => {
            ledger.record_written(path, rate);
            SampleSize::Rate(*rate)
        }
        Loose::Real(_) => {
            ledger.problem(path, format!("`{class}` is a rate, which must lie between 0 and 1; a count has no point"));
            return None;
        }
        Loose::Text(_) | Loose::Texts(_) | Loose::Numbers(_) => {
            ledger.problem(
                path,
                format!("`{class}` expects `\"all\"`, a count such as `20_000` or a rate such as `0.1`"),
            );
            return None;
        }
    };
    Some(size)
}

/// `[assume]`.
pub(super) fn assumptions(written: &Assume, ledger: &mut Ledger<'_>) -> Assumptions {
    let default = Assumptions::default();
    let mut share = |key: &str, written: Option<f64>, default: f64| {
        let path = format!("assume.{key}");
        let share = ledger.or_default(&path, written, default);
        require_share(&path, share, ledger);
        share
    };
    let prevalence = share("prevalence", written.prevalence, default.prevalence);
    let prefilter_recall = share("prefilter_recall", written.prefilter_recall, default.prefilter_recall);
    let sensitivity = share("sensitivity", written.sensitivity, default.sensitivity);
    let flag_rate = share("flag_rate", written.flag_rate, default.flag_rate);
    let output_tokens = ledger.or_default("assume.output_tokens", written.output_tokens, default.output_tokens);
    let mut amount = |key: &str, written: Option<f64>, default: f64| {
        let path = format!("assume.{key}");
        let amount = ledger.or_default(&path, written, default);
        ledger.require(&path, (0.0..=1e6).contains(&amount), "must lie between 0 and 1000000");
        amount
    };
    let seconds_per_read = amount("seconds_per_read", written.seconds_per_read, default.seconds_per_read);
    let reviewer_cost_per_hour =
        amount("reviewer_cost_per_hour", written.reviewer_cost_per_hour, default.reviewer_cost_per_hour);
    Assumptions {
        prevalence,
        prefilter_recall,
        sensitivity,
        flag_rate,
        output_tokens,
        seconds_per_read,
        reviewer_cost_per_hour,
    }
}
