//! From two tallies and their pairing to a [`Diff`].

use super::changed::changed;
use super::figures::{self, ClusterTest, agreement};
use super::{ApartRow, Cost, DIFF_SCHEMA, Diff, FlipRow, GraderRow, Replies, SideRow, StageRow, StratumCross};
use crate::model::event::Planned;
use crate::model::grading::Stage;
use crate::model::tally::Tally;
use crate::reconcile::diff::{Pairing, StagePairing};
use crate::report::build::fields;
use crate::report::rate::count;

/// One side: its run, and what stands behind its verdicts.
pub struct SideTally<'a> {
    /// The run's id.
    pub run: &'a str,
    /// The run, counted.
    pub tally: &'a Tally,
    /// The plan as the run recorded it.
    pub recorded: &'a Planned,
    /// The definition that was asked for with the run, if one was.
    pub named: Option<&'a str>,
    /// The replies behind its verdicts.
    pub replies: Replies,
}

/// Two sides and what pairing them gave.
pub struct Paired<'a> {
    /// The sides, A first.
    pub sides: [SideTally<'a>; 2],
    /// Their pairing.
    pub pairing: &'a Pairing,
    /// Every unit that flipped.
    pub flips: Vec<FlipRow>,
}

impl Diff {
    /// The comparison of two sides.
    #[must_use]
    pub fn new(paired: Paired<'_>) -> Self {
        let Paired { sides, pairing, flips } = paired;
        let [a, b] = sides.each_ref().map(side);
        let plan = &sides[0].tally.plan;
        let mut stages = vec![stage(plan, sides[0].tally, Stage::Screen, &pairing.screen)];
        stages.extend(pairing.confirm.as_ref().map(|confirm| stage(plan, sides[0].tally, Stage::Confirm, confirm)));
        let changed = changed(&a, &b);
        let mut diff = Self {
            schema: DIFF_SCHEMA,
            unit: plan.unit,
            behaviour: plan.behaviour.clone(),
            level: plan.level,
            simulated: a.graders.iter().chain(&b.graders).any(|grader| grader.simulated),
            watermark: sides.iter().find_map(|side| side.recorded.watermark()),
            a,
            b,
            changed,
            stages,
            flips,
            warnings: Vec::new(),
        };
        diff.warnings = warnings(&diff, &sides);
        diff
    }
}

fn side(side: &SideTally<'_>) -> SideRow {
    let SideTally { run, tally, recorded, named, replies } = side;
    let graders = recorded.graders.iter().map(|planned| GraderRow {
        stage: planned.stage,
        model: planned.model.clone(),
        models_served: tally
            .stage(planned.stage)
            .map(|stage| stage.by_model.keys().cloned().collect())
            .unwrap_or_default(),
        endpoint: planned.endpoint.clone(),
        prompt: planned.prompt.clone(),
        prompt_hash: planned.prompt_hash,
        recorded: planned.recorded.clone(),
        asking: planned.asking.clone(),
        simulated: planned.simulated,
    });
    SideRow {
        run: (*run).to_owned(),
        audit: tally.plan.audit.clone(),
        named: named.map(str::to_owned),
        definition: named.unwrap_or(&tally.plan.definition).to_owned(),
        complete: tally.is_complete(),
        parser: tally.parser,
        graders: graders.collect(),
        cost: Cost {
            usd: tally.spend.total.usd(),
            sent: tally.requests.sent,
            replayed: tally.requests.replayed,
            replies: *replies,
        },
    }
}

fn stage(plan: &Planned, tally: &Tally, stage: Stage, pairing: &StagePairing) -> StageRow {
    let cross = pairing.cross;
    let asked_once = pairing.asked_once();
    let (exact_p, mid_p) = if asked_once > 0 { (None, None) } else { figures::test(cross) };
    let apart = pairing.apart.iter().map(|((a, b), units)| ApartRow { a: a.as_str(), b: b.as_str(), units: *units });
    let strata = pairing.by_stratum.iter().map(|(stratum, cross)| StratumCross {
        class: stratum.class.clone(),
        group: fields(plan, &stratum.group),
        both: cross.both,
        lost: cross.first_only,
        gained: cross.second_only,
        neither: cross.neither,
    });
    StageRow {
        stage,
        units: pairing.total(),
        decided_by_both: cross.total(),
        both: cross.both,
        lost: cross.first_only,
        gained: cross.second_only,
        neither: cross.neither,
        apart: apart.collect(),
        other_text: pairing.other_text,
        exact_p,
        mid_p,
        by_cluster: if asked_once > 0 { ClusterTest::untested(pairing.net) } else { ClusterTest::of(pairing.net) },
        agreement: if asked_once > 0 { None } else { agreement(cross, tally.level) },
        reason: untested(cross.total(), asked_once),
        strata: strata.collect(),
    }
}

/// Why there is no test.
fn untested(decided: u64, asked_once: u64) -> Option<String> {
    if asked_once > 0 {
        return Some(format!(
            "{} would be asked about again by a definition that is not the run's own, and were not: nearly all of them are flips \
             one way, so that a test without them would lean. Run the audit under that definition",
            count(asked_once)
        ));
    }
    (decided == 0).then(|| "no unit was decided by both: nothing to compare".to_owned())
}

fn warnings(diff: &Diff, sides: &[SideTally<'_>; 2]) -> Vec<String> {
    let mut warnings = Vec::new();
    match diff.changed.as_slice() {
        [] => warnings.extend(unexplained(diff, sides)),
        [_] => {}
        several => {
            let names: Vec<_> = several.iter().map(|row| row.what.as_str()).collect();
            warnings.push(format!(
                "{} things differ ({}): no flip can be put down to one of them; change one at a time",
                several.len(),
                names.join(", ")
            ));
        }
    }
    let rows = || diff.a.graders.iter().chain(&diff.b.graders);
    if rows().any(|grader| grader.asking.is_none()) {
        warnings.push(
            "a journal of an earlier version does not say parameters and window: whether these differ is not known"
                .to_owned(),
        );
    }
    for (name, side, row) in [("A", &sides[0], &diff.a), ("B", &sides[1], &diff.b)] {
        if side.recorded.behaviour_hash != side.tally.plan.behaviour_hash {
            warnings.push(format!(
                "`behaviour.toml` has other labels, definitions or another threshold than when {name} began: both sides are \
                 counted by what they are now"
            ));
        }
        if !side.tally.mixed_stages().is_empty() {
            warnings.push(format!("several models served {name}: its verdicts are not one measurement"));
        }
        if !row.complete {
            warnings.push(format!("{name} is not complete: what it did not decide is in no comparison"));
        }
        if row.cost.replies.missing > 0 {
            warnings.push(format!(
                "{} replies of {name} are no longer stored: they have no quotes here and no price",
                row.cost.replies.missing
            ));
        }
    }
    warnings
}

/// What to say where nothing that is written down differs.
fn unexplained(diff: &Diff, sides: &[SideTally<'_>; 2]) -> Option<String> {
    let has_flips = diff.stages.iter().any(|stage| stage.gained + stage.lost > 0);
    let is_same_run = sides[0].run == sides[1].run;
    (has_flips && !is_same_run).then(|| {
        "nothing that the runs recorded differs: these flips are the grader contradicting itself, or a change on its server"
            .to_owned()
    })
}
