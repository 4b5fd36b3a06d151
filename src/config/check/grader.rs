//! `[grader.screen]` and `[grader.confirm]`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::grade::settings::{EndpointSettings, GraderSettings, OnModelChange};
use crate::model::grading::{ApiKind, PromptLabel, RESERVED_PARAMS, Stage};
use crate::prompt::settings::DEFAULT_MAX_CHARS;
use crate::prompt::{OverLong, WindowLimit, WindowSettings};

use super::super::ledger::Ledger;
use super::super::nearest;
use super::super::written::{Grader, Graders, Window};
use super::{recorded, repeats, require_share};

const REHEARSAL_MODEL: &str = "rehearsal";
const ON_CHANGE: [(&str, OnModelChange); 2] = [("stop", OnModelChange::Stop), ("split", OnModelChange::Split)];
const ON_OVER_LONG: [(&str, OverLong); 2] = [("cut", OverLong::Cut), ("chunk", OverLong::Chunk)];

pub(super) fn check_all(
    written: Graders,
    endpoints: &BTreeMap<String, EndpointSettings>,
    ledger: &mut Ledger<'_>,
) -> (GraderSettings, Option<GraderSettings>) {
    let confirm = written.confirm.map(|written| check(Stage::Confirm, written, endpoints, ledger));
    let Some(screen) = written.screen else {
        ledger.problem(
            "grader.screen",
            "`grader.screen` is missing; write `[grader.screen]` with `endpoint` and `model`",
        );
        return (placeholder(Stage::Screen), confirm);
    };
    (check(Stage::Screen, screen, endpoints, ledger), confirm)
}

/// Stands for a grader that is missing, which has been noted as a problem.
fn placeholder(stage: Stage) -> GraderSettings {
    GraderSettings {
        endpoint: String::new(),
        model: String::new(),
        revision: String::new(),
        prompt: first_version(stage),
        params: BTreeMap::new(),
        on_truncated: BTreeMap::new(),
        window: None,
        on_model_change: OnModelChange::default(),
        repeats: None,
    }
}

fn first_version(stage: Stage) -> PromptLabel {
    PromptLabel { role: stage.as_str().to_owned(), version: 1 }
}

fn check(
    stage: Stage,
    written: Grader,
    endpoints: &BTreeMap<String, EndpointSettings>,
    ledger: &mut Ledger<'_>,
) -> GraderSettings {
    let at = |key: &str| format!("grader.{}.{key}", stage.as_str());
    let endpoint = ledger.required(&at("endpoint"), written.endpoint, "endpoint = \"main\"");
    let settings = endpoints.get(&endpoint);
    if settings.is_none() && !endpoint.is_empty() {
        let advice = nearest::suggestion(&endpoint, endpoints.keys().map(String::as_str));
        ledger.problem(&at("endpoint"), format!("there is no [endpoint.{endpoint}]; {advice}"));
    }
    let is_rehearsal = settings.is_some_and(|endpoint| endpoint.api == ApiKind::Rehearsal);
    let model = written.model.or_else(|| is_rehearsal.then(|| REHEARSAL_MODEL.to_owned()));
    let model = ledger.required(&at("model"), model, "model = \"gpt-5-mini\"");
    let revision = ledger.or_default(&at("revision"), written.revision, String::new());
    let prompt = prompt(stage, written.prompt, ledger);
    let params = checked_params(&at("params"), written.params, ledger);
    let on_truncated = checked_params(&at("on_truncated"), written.on_truncated, ledger);
    if stage == Stage::Screen {
        ledger.require(&at("cleared"), written.cleared.is_none(), "belongs in [grader.confirm]");
    }
    let window = written.window.map(|written| window(&at("window"), &written, ledger));
    ledger.record_written(&at("on_model_change"), written.on_model_change.as_deref().unwrap_or("stop"));
    let on_model_change = ledger.choice(&at("on_model_change"), written.on_model_change.as_deref(), &ON_CHANGE, &[]);
    let on_model_change = on_model_change.unwrap_or_default();
    let repeats = repeats::check(&at("repeats"), written.repeats, ledger);
    recorded::refuse_repeats(&at("repeats"), settings, repeats.is_some(), ledger);
    GraderSettings { endpoint, model, revision, prompt, params, on_truncated, window, on_model_change, repeats }
}

fn prompt(stage: Stage, written: Option<String>, ledger: &mut Ledger<'_>) -> PromptLabel {
    let path = format!("grader.{}.prompt", stage.as_str());
    let first = first_version(stage);
    let text = ledger.or_default(&path, written, first.to_string());
    let label = text.parse().map_err(|_| format!("cannot be `{text}`; write a label such as `{first}`"));
    let label: PromptLabel = ledger.ok_or(&path, label, first);
    ledger.require(&path, label.role == stage.as_str(), &format!("must name a `{}` prompt", stage.as_str()));
    label
}

fn checked_params(path: &str, written: BTreeMap<String, Value>, ledger: &mut Ledger<'_>) -> BTreeMap<String, Value> {
    for (name, value) in &written {
        let path = format!("{path}.{name}");
        ledger.record_written(&path, value);
        ledger.require(&path, !RESERVED_PARAMS.contains(&name.as_str()), "is set by assize itself");
        ledger.require(&path, !value.is_null(), "must be a finite number");
    }
    written
}

fn window(path: &str, written: &Window, ledger: &mut Ledger<'_>) -> WindowSettings {
    let default = WindowSettings::default();
    let at = |key: &str| format!("{path}.{key}");
    let neighbours = ledger.or_default(&at("neighbours"), written.neighbours, default.neighbours);
    let limit = match (written.max_chars, written.max_tokens) {
        (max_chars, Some(most)) => {
            ledger.record_written(&at("max_tokens"), most);
            ledger.require(&at("max_tokens"), most > 0, "must be at least 1");
            ledger.require(
                &at("max_chars"),
                max_chars.is_none(),
                "cannot stand beside `max_tokens`: state one of them",
            );
            WindowLimit::Tokens(most)
        }
        (max_chars, None) => {
            let most = ledger.or_default(&at("max_chars"), max_chars, DEFAULT_MAX_CHARS);
            ledger.require(&at("max_chars"), most > 0, "must be at least 1");
            WindowLimit::Chars(most)
        }
    };
    let min_coverage = ledger.or_default(&at("min_coverage"), written.min_coverage, default.min_coverage);
    require_share(&at("min_coverage"), min_coverage, ledger);
    // Stands in the list of settings only where it is written, so that the lists of existing audits stay as they are.
    let over_long = written.over_long.as_deref().and_then(|over_long| {
        ledger.record_written(&at("over_long"), over_long);
        ledger.choice(&at("over_long"), Some(over_long), &ON_OVER_LONG, &[])
    });
    WindowSettings { neighbours, limit, min_coverage, over_long: over_long.unwrap_or_default() }
}
