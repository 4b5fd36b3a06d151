//! From a tally to a report.

use super::context;
use super::drift;
use super::funnel;
use super::json::{
    ConfirmedRow, CorpusRow, Design, Grader, GraderHealth, GroupFields, GroupRow, LabelCount, ModelRow, REPORT_SCHEMA,
    RateRow, RecallRow, Report, RequestCount, ReviewRow, SensitivityCount, SensitivityRow, SessionCount, SpendCount,
    WorkspaceSpend,
};
use super::people;
use super::repeats;
use super::warnings::warnings;
use crate::estimate::{self, Recall};
use crate::model::comparison::{Comparisons, DifferenceFigure, RatioFigure};
use crate::model::event::{Planned, PlannedGrader};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;
use crate::model::rate::{Bracket, Lowered, Rate, Target};
use crate::model::review::{CellTally, Route};
use crate::model::tally::{ConfirmedUnit, KnownTally, ModelTally, StageTally, Tally};
use crate::model::unit::{Group, Stratum, UnitKind};

impl Report {
    /// The report of a tally.
    #[must_use]
    pub fn new(tally: &Tally) -> Self {
        let plan = &tally.plan;
        let (rates, recalls) = (estimate::rates(tally), estimate::recall(tally));
        let mut report = Self {
            schema: REPORT_SCHEMA,
            digest: Digest::from_bytes([0; 32]),
            audit: plan.audit.clone(),
            run: tally.sessions.run.clone(),
            complete: tally.is_complete(),
            simulated: plan.graders.iter().any(|grader| grader.simulated),
            watermark: plan.watermark().map(str::to_owned),
            unit: plan.unit,
            behaviour: plan.behaviour.clone(),
            definition: plan.definition.clone(),
            design: design(tally),
            corpus: corpus(plan),
            graders: plan.graders.iter().map(|planned| grader(tally, planned)).collect(),
            funnel: funnel::funnel(tally),
            strata: tally.strata.iter().map(|row| funnel::stratum(row, fields(plan, &row.stratum.group))).collect(),
            requests: requests(tally),
            spend: spend(tally),
            rates: rates.iter().map(|rate| rate_row(plan, rate)).collect(),
            prefilter_recall: recalls.iter().map(|row| recall_row(plan, row)).collect(),
            comparisons: comparisons(tally),
            review: review(tally),
            sensitivity: sensitivity(tally),
            people_err: people::people_err(tally),
            repeats: repeats::repeats(tally),
            grader_health: health(tally),
            context: context::rows(tally),
            labels: labels(tally),
            confirmed_units: confirmed_units(tally),
            sessions: sessions(tally),
            warnings: warnings(tally, &rates, &recalls),
        };
        report.warnings.extend(people::warnings(tally, report.people_err.as_ref()));
        report.digest = report.digest();
        report
    }
}

pub(super) fn fields(plan: &Planned, group: &Group) -> GroupFields {
    plan.group_by.iter().cloned().zip(group.0.iter().cloned()).collect()
}

fn design(tally: &Tally) -> Design {
    let plan = &tally.plan;
    Design {
        group_by: plan.group_by.clone(),
        sample_by: plan.sample_by,
        cluster_by: plan.cluster_by.clone(),
        seed: plan.seed,
        draw: plan.draw,
        level: plan.level,
        behaviour_hash: plan.behaviour_hash,
        cues_hash: plan.cues_hash,
        census: plan.census,
        parser: tally.parser,
        max_ungraded: plan.max_ungraded,
    }
}

fn corpus(plan: &Planned) -> CorpusRow {
    let corpus = plan.corpus.clone();
    let row =
        |(group, conversations): &(Group, u64)| GroupRow { group: fields(plan, group), conversations: *conversations };
    CorpusRow {
        files: corpus.files,
        bytes: corpus.bytes,
        records: corpus.records,
        conversations: corpus.conversations,
        turns: corpus.turns,
        turns_with_reasoning: corpus.turns_with_reasoning,
        groups: corpus.conversations_by_group.iter().map(row).collect(),
        conversations_with_cluster: corpus.conversations_with_cluster,
        conversations_without_turn: corpus.conversations_without_turn,
        duplicates: corpus.duplicates,
        filtered_out: corpus.filtered_out,
        unreadable: corpus.unreadable,
        examples: corpus.examples,
    }
}

fn grader(tally: &Tally, planned: &PlannedGrader) -> Grader {
    let stage = tally.stage(planned.stage).cloned().unwrap_or_default();
    Grader {
        stage: planned.stage,
        model: planned.model.clone(),
        prompt: planned.prompt.clone(),
        prompt_hash: planned.prompt_hash,
        recorded: planned.recorded.clone(),
        simulated: planned.simulated,
        reached: stage.reached(),
        unfinished: stage.unfinished,
        by_model: if stage.is_mixed() { model_rows(&stage) } else { Vec::new() },
        models_served: stage.by_model.into_keys().collect(),
        outcomes: stage.outcomes,
    }
}

fn model_rows(stage: &StageTally) -> Vec<ModelRow> {
    let row = |(model, tally): (&String, &ModelTally)| ModelRow {
        model: model.clone(),
        outcomes: tally.outcomes.clone(),
        holds: tally.holds,
    };
    stage.by_model.iter().map(row).collect()
}

fn requests(tally: &Tally) -> RequestCount {
    let requests = tally.requests;
    RequestCount {
        sent: requests.sent,
        replayed: requests.replayed,
        repeated: requests.repeated,
        retried: requests.retried,
    }
}

fn spend(tally: &Tally) -> SpendCount {
    let (spend, total) = (tally.spend, tally.plan.cap_total);
    SpendCount {
        usd: spend.total.usd(),
        cap_usd: tally.plan.cap.map(NanoUsd::usd),
        cap_usd_reason: tally.plan.cap.is_none().then(|| "the audit sets no cap".to_owned()),
        audit_usd: (tally.plan.spent_before + spend.total).usd(),
        workspace: total.map(|total| WorkspaceSpend {
            usd: (total.spent_before + spend.total).usd(),
            cap_usd: total.cap.usd(),
            binds: total.binds,
        }),
        presumed_usd: spend.presumed.usd(),
        prompt_tokens: spend.usage.prompt_tokens,
        cached_tokens: spend.usage.cached_tokens,
        completion_tokens: spend.usage.completion_tokens,
        reasoning_tokens: spend.usage.reasoning_tokens,
    }
}

fn rate_row(plan: &Planned, rate: &Rate) -> RateRow {
    let truths = plan.planted.as_ref().filter(|_| rate.target == Target::Corpus);
    let planted = truths.map(|truths| {
        let of_group = truths.iter().filter(|truth| rate.group.as_ref().is_none_or(|group| truth.group == *group));
        let counts = of_group.map(|truth| match rate.unit {
            UnitKind::Turn => truth.turns,
            UnitKind::Conversation => truth.conversations,
        });
        counts.sum()
    });
    RateRow {
        name: rate.name,
        unit: rate.unit,
        group: rate.group.as_ref().map(|group| fields(plan, group)).unwrap_or_default(),
        target: rate.target,
        decided_by: rate.decided_by,
        definition: rate.definition.clone(),
        k: rate.k,
        n: rate.n,
        estimate: rate.estimate.map(rounded),
        lower: rate.lower.map(rounded),
        upper: rate.upper.map(rounded),
        level: rate.level,
        method: rate.method,
        assumes: rate.name.assumes().to_owned(),
        clusters: rate.clusters,
        bracket: rate.bracket.map(|bracket| Bracket {
            ungraded_no: rounded(bracket.ungraded_no),
            ungraded_yes: rounded(bracket.ungraded_yes),
            undecided_yes: rounded(bracket.undecided_yes),
        }),
        lowered: rate.lowered.iter().map(|row| Lowered { estimate: row.estimate.map(rounded), ..*row }).collect(),
        tipping_point: rate.tipping_point.map(rounded),
        reason: rate.reason.clone(),
        planted,
    }
}

fn recall_row(plan: &Planned, recall: &Recall) -> RecallRow {
    RecallRow {
        group: recall.group.as_ref().map(|group| fields(plan, group)).unwrap_or_default(),
        estimate: recall.estimate.map(rounded),
        lower: recall.limits.map(|limits| rounded(limits.lower)),
        upper: recall.limits.map(|limits| rounded(limits.upper)),
        reason: recall.reason.clone(),
    }
}

fn comparisons(tally: &Tally) -> Comparisons {
    let ratio = |figure: Option<RatioFigure>| {
        figure.map(|figure| RatioFigure {
            estimate: figure.estimate.map(rounded),
            lower: rounded(figure.lower),
            upper: figure.upper.map(rounded),
        })
    };
    let mut comparisons = estimate::comparisons(tally);
    for pair in &mut comparisons.pairs {
        pair.ratio = ratio(pair.ratio);
        pair.own_sensitivity = ratio(pair.own_sensitivity);
        pair.difference = pair.difference.map(|difference| DifferenceFigure {
            estimate: rounded(difference.estimate),
            lower: rounded(difference.lower),
            upper: rounded(difference.upper),
        });
        for figure in [&mut pair.p, &mut pair.p_adjusted, &mut pair.reversal, &mut pair.detectable] {
            *figure = figure.map(rounded);
        }
    }
    for trend in &mut comparisons.trends {
        for figure in [&mut trend.z, &mut trend.p] {
            *figure = figure.map(rounded);
        }
    }
    comparisons
}

fn review(tally: &Tally) -> Vec<ReviewRow> {
    let rows = tally.strata.iter().flat_map(|stratum| stratum.cells.iter().map(move |cell| (&stratum.stratum, cell)));
    let row = |(stratum, (route, cell)): (&Stratum, (&Route, &CellTally))| ReviewRow {
        class: stratum.class.clone(),
        group: fields(&tally.plan, &stratum.group),
        route: *route,
        units: cell.units,
        drawn: cell.drawn,
        read: cell.read,
        confirmed: cell.confirmed,
        undecided: cell.undecided,
        hand_picked: cell.hand_picked,
    };
    rows.map(row).collect()
}

/// Ten significant digits: what platforms' logarithms agree on, and what a reader of the JSON gets back exactly.
pub(super) fn rounded(figure: f64) -> f64 {
    format!("{figure:.9e}").parse().expect("a formatted number is a number")
}

#[expect(clippy::cast_precision_loss, reason = "shares of counts far below 2^53")]
fn health(tally: &Tally) -> GraderHealth {
    let screened: u64 = tally.screen.outcomes.values().sum();
    let has_admitted = tally.screen.reached() > 0;
    let is_recorded = tally.plan.graders.first().is_some_and(|screen| screen.recorded.is_some());
    let uncut_reason = match (is_recorded, screened) {
        (true, _) => Some("what the grader of recorded verdicts was shown is not known"),
        (false, 0) => Some("no unit was screened"),
        (false, _) => None,
    };
    let (drift, drift_reason) = match drift::drift(tally) {
        Ok(row) => (Some(row), None),
        Err(reason) => (None, Some(reason)),
    };
    let (flip_rate, flip_rate_reason) = match repeats::flip_rate(&repeats::repeats(tally)) {
        Ok(row) => (Some(row), None),
        Err(reason) => (None, Some(reason)),
    };
    GraderHealth {
        ungraded_share: has_admitted.then(|| rounded(tally.ungraded_share())),
        ungraded_share_reason: (!has_admitted).then(|| "no unit was admitted".to_owned()),
        cut_share: uncut_reason.is_none().then(|| rounded(tally.screen.cut as f64 / screened as f64)),
        cut_share_reason: uncut_reason.map(str::to_owned),
        injection_suspected: tally.injection_suspected,
        flip_rate,
        flip_rate_reason,
        drift,
        drift_reason,
        agreement: (),
        agreement_reason: "this version does not compare grader and people".to_owned(),
    }
}

fn sensitivity(tally: &Tally) -> Option<SensitivityCount> {
    let plan = &tally.plan;
    let row = |known: &KnownTally| SensitivityRow {
        group: fields(plan, &known.group),
        class: known.class.clone(),
        usage: known.usage,
        items: known.items,
        usable: known.usable,
        passed: known.passed,
        ungraded: known.ungraded,
        unfinished: known.unfinished,
        partial: known.partial,
    };
    let gate = std::iter::once(Stage::Screen).chain(plan.gate_includes_confirmer().then_some(Stage::Confirm));
    (!plan.known.is_empty()).then(|| SensitivityCount {
        version: plan.known.version,
        gate: gate.collect(),
        rows: tally.known.iter().map(row).collect(),
        left_out: plan.known.left_out.clone(),
    })
}

fn labels(tally: &Tally) -> LabelCount {
    let labels = &tally.labels;
    LabelCount {
        decided: labels.decided,
        beyond_flagged: labels.beyond_flagged,
        unmatched: labels.unmatched,
        ambiguous: labels.ambiguous,
        foreign: labels.foreign,
        malformed: labels.malformed,
        examples: labels.examples.clone(),
    }
}

fn confirmed_units(tally: &Tally) -> Vec<ConfirmedRow> {
    let row = |confirmed: &ConfirmedUnit| ConfirmedRow {
        unit: confirmed.unit.to_string(),
        group: fields(&tally.plan, &confirmed.unit.group),
        class: tally.strata[confirmed.stratum as usize].stratum.class.clone(),
        by: confirmed.by,
    };
    tally.confirmed.iter().map(row).collect()
}

fn sessions(tally: &Tally) -> SessionCount {
    let sessions = &tally.sessions;
    SessionCount {
        count: sessions.count,
        started_ms: sessions.started_ms,
        ended_ms: sessions.ended_ms,
        stop: sessions.stop.clone(),
        version: sessions.version.clone(),
        identity: Some(tally.plan.identity),
    }
}
