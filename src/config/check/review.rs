//! `[review]` and `[compare]`: what people read, and what is compared.

use crate::model::compare::{Compare, Contrast};
use crate::model::draw::SampleSize;
use crate::model::review::ReviewDraw;

use super::super::ledger::Ledger;
use super::super::loose::Loose;
use super::super::nearest;
use super::super::written;

pub(super) fn review(written: Option<written::Review>, ledger: &mut Ledger<'_>) -> ReviewDraw {
    let written = written.unwrap_or_default();
    let default = ReviewDraw::default();
    ReviewDraw {
        confirm_yes: size("confirm_yes", written.confirm_yes.as_ref(), default.confirm_yes, ledger),
        confirm_no: size("confirm_no", written.confirm_no.as_ref(), default.confirm_no, ledger),
        cleared: size("cleared", written.cleared.as_ref(), default.cleared, ledger),
    }
}

fn size(key: &str, written: Option<&Loose>, default: SampleSize, ledger: &mut Ledger<'_>) -> SampleSize {
    let path = format!("review.{key}");
    let size = match written {
        None => default,
        Some(Loose::Text(text)) if text == "all" => SampleSize::All,
        Some(Loose::Whole(units)) => SampleSize::Count(*units),
        Some(Loose::Real(rate)) if (0.0..=1.0).contains(rate) => SampleSize::Rate(*rate),
        Some(Loose::Text(_) | Loose::Real(_) | Loose::Texts(_) | Loose::Numbers(_)) => {
            let expected = "expects `\"all\"`, a count of units of each stratum such as `200`, or a rate such as `0.1`";
            ledger.problem(&path, format!("`{key}` {expected}"));
            default
        }
    };
    match size {
        SampleSize::All => ledger.record_written(&path, "all"),
        SampleSize::Count(units) => ledger.record_written(&path, units),
        SampleSize::Rate(rate) => ledger.record_written(&path, rate),
    }
    size
}

pub(super) fn compare(written: Option<written::Compare>, group_by: &[String], ledger: &mut Ledger<'_>) -> Compare {
    let written = written.unwrap_or_default();
    let texts = ledger.or_default("compare.contrasts", written.contrasts, Vec::new());
    let mut contrasts = Vec::new();
    for text in &texts {
        match Contrast::parse(text) {
            Some(contrast) => contrasts.push(contrast),
            None => ledger.problem(
                "compare.contrasts",
                format!("`{text}` is no contrast: write two values of one field, such as `\"rl-late / rl-early\"`"),
            ),
        }
    }
    ledger.record_written("compare.order", &written.order);
    for (field, values) in &written.order {
        let path = format!("compare.order.{field}");
        if !group_by.contains(field) {
            let advice = nearest::suggestion(field, group_by.iter().map(String::as_str));
            ledger.problem(&path, format!("`{field}` is not a field of `group_by`; {advice}"));
        }
        ledger.require(&path, values.len() > 1, "must name at least two values, first to last");
    }
    let lineage = ledger.or_default("compare.lineage", written.lineage, String::new());
    let is_asked = !contrasts.is_empty() || !written.order.is_empty();
    let is_said = !lineage.trim().is_empty();
    ledger.require(
        "compare.lineage",
        is_said || !is_asked,
        "must say what changed between the groups, such as `\"same data; 12k further RL steps\"`",
    );
    let pool_sensitivity = ledger.or_default("compare.pool_sensitivity", written.pool_sensitivity, false);
    Compare { contrasts, order: written.order, lineage, pool_sensitivity }
}
