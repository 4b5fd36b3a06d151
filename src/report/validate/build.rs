//! From joined labels to figures and what must be said beside them.

use super::stage::{StageFigures, decided};
use super::{GraderRow, LabelsRow, LooksRow, ScoreFigures, VALIDATION_SCHEMA, Validation};
use crate::model::event::Planned;
use crate::model::grading::Stage;
use crate::model::tally::Tally;
use crate::reconcile::diff::Standing;
use crate::reconcile::validate::{Joined, Row, Truth};
use crate::report::rate::count;

/// As many decided units all of whose labels equal the verdicts raise the question where the labels come from.
const SUSPICIOUS: u64 = 50;

/// What a validation is made of.
#[derive(Debug)]
pub struct Validated<'a> {
    /// The run's id.
    pub run: &'a str,
    /// The run, counted as its report counts it.
    pub tally: &'a Tally,
    /// The plan as the run recorded it.
    pub recorded: &'a Planned,
    /// Labelled units and what the run says of them.
    pub joined: &'a Joined,
    /// The label file; its counts of units are filled in here.
    pub labels: LabelsRow,
    /// Looks at the test split.
    pub looks: LooksRow,
    /// What is to be said of where the labels come from.
    pub remarks: Vec<String>,
}

impl Validation {
    /// Computes every figure.
    #[must_use]
    pub fn new(validated: Validated<'_>) -> Self {
        let Validated { run, tally, recorded, joined, labels, looks, remarks } = validated;
        let (rows, level) = (&joined.rows, tally.level);
        let stages = [Stage::Screen, Stage::Confirm].into_iter().take(if joined.has_confirmer { 2 } else { 1 });
        let scores = ScoreFigures::of(rows, level);
        let mut validation = Self {
            schema: VALIDATION_SCHEMA,
            run: run.to_owned(),
            audit: tally.plan.audit.clone(),
            unit: tally.plan.unit,
            behaviour: tally.plan.behaviour.clone(),
            definition: tally.plan.definition.clone(),
            level: level.get(),
            simulated: recorded.graders.iter().any(|grader| grader.simulated),
            watermark: recorded.watermark(),
            graders: graders(tally, recorded),
            labels: counted(labels, rows),
            looks,
            stages: stages.map(|stage| StageFigures::of(stage, rows, &recorded.group_by, level)).collect(),
            scores_reason: scores.is_none().then_some("no labelled positive and negative with a score"),
            scores,
            warnings: Vec::new(),
        };
        validation.warnings = warnings(&validation, tally, recorded, rows);
        validation.warnings.extend(remarks);
        validation
    }
}

fn graders(tally: &Tally, recorded: &Planned) -> Vec<GraderRow> {
    let row = |planned: &crate::model::event::PlannedGrader| GraderRow {
        stage: planned.stage,
        model: planned.model.clone(),
        models_served: tally
            .stage(planned.stage)
            .map(|stage| stage.by_model.keys().cloned().collect())
            .unwrap_or_default(),
        prompt: planned.prompt.clone(),
        prompt_hash: planned.prompt_hash,
        recorded: planned.recorded.clone(),
        simulated: planned.simulated,
    };
    recorded.graders.iter().map(row).collect()
}

fn counted(labels: LabelsRow, rows: &[Row]) -> LabelsRow {
    let of = |truth| rows.iter().filter(|row| row.truth == truth).count() as u64;
    LabelsRow {
        units: rows.len() as u64,
        yes: of(Truth::Yes),
        no: of(Truth::No),
        undecided: of(Truth::Undecided),
        disputed: of(Truth::Disputed),
        ..labels
    }
}

fn warnings(validation: &Validation, tally: &Tally, recorded: &Planned, rows: &[Row]) -> Vec<String> {
    let mut warnings = Vec::new();
    let LooksRow { total, same_prompts } = validation.looks;
    if validation.labels.is_test && total > 1 {
        warnings.push(format!(
            "this is look {} at the sealed test split ({} at these prompts): whatever was chosen by an earlier look looks \
             better here than it is. Label a new split for a figure to publish",
            count(total),
            count(same_prompts)
        ));
    }
    if validation.labels.malformed_lines > 0 {
        warnings.push(format!(
            "lines of the labels that cannot be read, and are in no figure: {}. Mend them: {}",
            count(validation.labels.malformed_lines),
            validation.labels.examples.join("; ")
        ));
    }
    if recorded.behaviour_hash != tally.plan.behaviour_hash {
        warnings.push(
            "`behaviour.toml` has other labels, definitions or another threshold than when the run began: it is counted by \
             what they are now"
                .to_owned(),
        );
    }
    if !tally.mixed_stages().is_empty() {
        warnings.push("several models served the run: its verdicts are not one measurement".to_owned());
    }
    let asked_once = rows.iter().filter(|row| row.screen == Standing::AskedOnce).count() as u64;
    if asked_once > 0 {
        warnings.push(format!(
            "{} labelled units would be asked about again by the definitions of now, and were not: they are in no figure, though \
             nearly all of them are ones that those definitions say yes to, so that every figure leans. Run the audit again",
            count(asked_once)
        ));
    }
    warnings.extend(selected(validation, rows));
    warnings.extend(clustered(validation, rows));
    warnings
}

/// What the labels' choice of units does to the figures.
fn selected(validation: &Validation, rows: &[Row]) -> Option<String> {
    let screen = validation.stages.first()?;
    if screen.decided > 0 && screen.missed + screen.cleared == 0 {
        return Some(
            "every labelled unit was flagged by this run's screen: labels that follow flags say nothing about what it misses, \
             and its sensitivity is 100% whatever it is. Label units of a draw that is blind to verdicts"
                .to_owned(),
        );
    }
    let is_always_right = screen.false_alarms + screen.missed == 0 && screen.detected > 0 && screen.cleared > 0;
    let decided = rows.iter().filter(|row| decided(Stage::Screen, row).is_some()).count() as u64;
    (is_always_right && decided >= SUSPICIOUS).then(|| {
        format!(
            "all {} labels equal the screen's verdicts: were they made from them? Labels of the same grader prove nothing",
            count(decided)
        )
    })
}

/// Whether limits that take units for independent are too narrow.
fn clustered(validation: &Validation, rows: &[Row]) -> Option<String> {
    let decided = rows.iter().filter(|row| decided(Stage::Screen, row).is_some());
    let clusters: Vec<u64> = decided.filter_map(|row| row.place.as_ref()).map(|place| place.cluster).collect();
    let units = clusters.len();
    let distinct = clusters.into_iter().collect::<std::collections::BTreeSet<_>>().len();
    (distinct < units).then(|| {
        format!(
            "the {} labelled {}s come from {} conversations or values of `cluster_by`: the limits take them for independent \
             and may be too narrow",
            count(units as u64),
            validation.unit.as_str(),
            count(distinct as u64)
        )
    })
}
