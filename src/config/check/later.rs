//! Keys that the schema knows and this version refuses, so that no capability seems to be there that is not.

use super::super::ledger::Ledger;
use super::super::loose::Loose;
use super::super::written::{Corpus, Endpoint, Grader, LaterSection, Written};

/// Notes a problem for every key whose capability comes later, unless it says what this version does anyway.
pub(super) fn refuse(written: &Written, ledger: &mut Ledger<'_>) {
    corpus(&written.corpus, ledger);
    whole_section("scores", &written.scores, ledger);
    if let Some(review) = &written.review {
        for (key, written) in
            [("per_item", &review.per_item), ("overlap", &review.overlap), ("adjudicator", &review.adjudicator)]
        {
            any(&format!("review.{key}"), written.is_some(), ledger);
        }
    }
    for (name, written) in &written.endpoint {
        endpoint(&format!("endpoint.{name}"), written, ledger);
    }
    for (stage, written) in [("screen", &written.grader.screen), ("confirm", &written.grader.confirm)] {
        if let Some(written) = written {
            grader(&format!("grader.{stage}"), written, ledger);
        }
    }
    let privacy = &written.privacy;
    any("privacy.redact_before_grading", is_filled(privacy.redact_before_grading.as_ref()), ledger);
    only("privacy.keep_text", privacy.keep_text.as_deref(), "forever", None, ledger);
}

fn corpus(written: &Corpus, ledger: &mut Ledger<'_>) {
    for (index, source) in written.source.iter().enumerate() {
        only(&format!("corpus.source[{index}].settled_for"), source.settled_for.as_deref(), "0s", None, ledger);
    }
}

fn endpoint(path: &str, written: &Endpoint, ledger: &mut Ledger<'_>) {
    only(&format!("{path}.lane"), written.lane.as_deref(), "sync", Some(&["flex", "batch"]), ledger);
}

fn grader(path: &str, written: &Grader, ledger: &mut Ledger<'_>) {
    let at = |key: &str| format!("{path}.{key}");
    any(&at("datamark"), written.datamark == Some(true), ledger);
    any(&at("cleared"), written.cleared.as_ref().is_some_and(|cleared| *cleared != Loose::Whole(0)), ledger);
}

fn whole_section(name: &str, section: &LaterSection, ledger: &mut Ledger<'_>) {
    let Some(keys) = section else { return };
    any(name, keys.is_empty(), ledger);
    for key in keys.keys() {
        any(&format!("{name}.{key}"), true, ledger);
    }
}

/// A key with one value so far. With `later`, other values are unknown; without, anything may come later.
fn only(path: &str, written: Option<&str>, now: &str, later: Option<&[&str]>, ledger: &mut Ledger<'_>) {
    ledger.record_written(path, written.unwrap_or(now));
    match (written, later) {
        (Some(value), None) if value != now => ledger.later(path, Some(value)),
        (written, later) => {
            ledger.choice(path, written, &[(now, ())], later.unwrap_or_default());
        }
    }
}

fn any(path: &str, is_set: bool, ledger: &mut Ledger<'_>) {
    if is_set {
        ledger.later(path, None);
    }
}

fn is_filled(list: Option<&Vec<String>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}
