//! What differs between two sides, as far as it shapes verdicts: what a flip can be due to.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Changed, GraderRow, SideRow};
use crate::model::asking::Asking;
use crate::model::grading::Stage;
use crate::model::repeats::Repeats;

/// Everything that differs, one row each. What `behaviour.toml` tells graders is part of a prompt's digest; what it counts
/// by is the same on both sides, as it stands now.
pub(super) fn changed(a: &SideRow, b: &SideRow) -> Vec<Changed> {
    let mut rows = Rows(Vec::new());
    for stage in [Stage::Screen, Stage::Confirm] {
        let [first, second] = [a, b].map(|side| side.graders.iter().find(|grader| grader.stage == stage));
        let name = stage.as_str();
        match (first, second) {
            (Some(first), Some(second)) => rows.graders(name, first, second),
            (Some(_), None) => rows.add(format!("{name} grader"), "there is one", "none"),
            (None, Some(_)) => rows.add(format!("{name} grader"), "none", "there is one"),
            (None, None) => {}
        }
    }
    let [first, second] = [a, b].map(counts_by);
    rows.add("definition", &first, &second);
    if let Some((first, second)) = a.parser.zip(b.parser) {
        rows.add("parser", &first.to_string(), &second.to_string());
    }
    rows.0
}

fn counts_by(side: &SideRow) -> String {
    match &side.named {
        Some(named) => format!("`{named}`, at the screen as well"),
        None => format!("`{}`", side.definition),
    }
}

struct Rows(Vec<Changed>);

impl Rows {
    fn add(&mut self, what: impl Into<String>, a: &str, b: &str) {
        let named = |value: &str| if value.is_empty() { "none".to_owned() } else { value.to_owned() };
        if a != b {
            self.0.push(Changed { what: what.into(), a: named(a), b: named(b) });
        }
    }

    fn graders(&mut self, stage: &str, a: &GraderRow, b: &GraderRow) {
        let prompt = GraderRow::given_by;
        // One label over one text is one prompt; either alone may change.
        self.add(format!("{stage} prompt"), &prompt(a), &prompt(b));
        let model = |grader: &GraderRow| match listed(&grader.models_served) {
            served if served.is_empty() || served == grader.model => grader.model.clone(),
            served => format!("{}, served {served}", grader.model),
        };
        // Which model was served follows from which was asked: one row for both.
        self.add(format!("{stage} model"), &model(a), &model(b));
        self.add(format!("{stage} endpoint"), &a.endpoint, &b.endpoint);
        let [simulated_a, simulated_b] = [a, b].map(|grader| if grader.simulated { "simulated" } else { "real" });
        self.add(format!("{stage} grader"), simulated_a, simulated_b);
        if let (Some(a), Some(b)) = (&a.asking, &b.asking) {
            self.asking(stage, a, b);
        }
    }

    fn asking(&mut self, stage: &str, a: &Asking, b: &Asking) {
        let Asking { params, on_truncated, revision, structured, window, channels, repeats, framing } = a;
        self.add(format!("{stage} params"), &json!(params).to_string(), &json!(b.params).to_string());
        let truncated = [on_truncated, &b.on_truncated].map(|params| json!(params).to_string());
        self.add(format!("{stage} on_truncated"), &truncated[0], &truncated[1]);
        self.add(format!("{stage} revision"), revision, &b.revision);
        self.add(format!("{stage} structured"), structured.as_str(), b.structured.as_str());
        self.add(format!("{stage} window"), &json!(window).to_string(), &json!(b.window).to_string());
        self.add(format!("{stage} channels"), &json!(channels).to_string(), &json!(b.channels).to_string());
        let policy = |repeats: Option<Repeats>| repeats.map(|repeats| json!(repeats).to_string()).unwrap_or_default();
        self.add(format!("{stage} repeats"), &policy(*repeats), &policy(b.repeats));
        let framings = [framing, &b.framing].map(|framing| framing.clone().unwrap_or_default());
        self.add(format!("{stage} framing"), &framings[0], &framings[1]);
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}
