//! What a reader of a report should know, and what to do about it.

use super::drift;
use super::rate::{count, units};
use super::recorded;
use super::repeats;
use crate::estimate::Recall;
use crate::estimate::interval::Limits;
use crate::model::bucket::Bucket;
use crate::model::event::StopReason;
use crate::model::grading::Stage;
use crate::model::outcome::OutcomeKind;
use crate::model::rate::{Rate, Target};
use crate::model::tally::{StageTally, Tally};
use crate::model::unit::{Group, UnitKind};

/// What the counts themselves give reason to warn of, then what the run noted.
pub(super) fn warnings(tally: &Tally, rates: &[Rate], recalls: &[Recall]) -> Vec<String> {
    let mut warnings = recorded::warnings(tally);
    warnings.extend(of_corpus(tally));
    warnings.extend(of_clusters(tally, rates));
    warnings.extend(of_recall(&tally.plan.group_by, recalls));
    warnings.extend(of_draw(tally));
    warnings.extend(of_verdicts(tally));
    warnings.extend(of_look(tally));
    warnings.extend(of_models(tally));
    warnings.extend(drift::warnings(tally));
    warnings.extend(repeats::warnings(tally));
    warnings.extend(of_labels(tally));
    let repeated = tally.requests.repeated;
    if repeated > 0 {
        warnings.push(format!("after a crash, {} requests may have been paid for twice", count(repeated)));
    }
    warnings.extend(tally.warnings.iter().cloned());
    warnings
}

/// Below so many clusters with a confirmed turn, limits of other traffic hold a little less often than they say
/// (`statistics-formulas.md` sections 3 and 11).
const FEW_CLUSTERS: u64 = 20;

/// Limits for other traffic that rest on few clusters, each scope once.
fn of_clusters(tally: &Tally, rates: &[Rate]) -> Option<String> {
    let (plan, corpus) = (&tally.plan, &tally.plan.corpus);
    let may_cluster = match plan.unit {
        UnitKind::Turn => corpus.turns > corpus.conversations,
        UnitKind::Conversation => plan.cluster_by.is_some(),
    };
    let is_few = |rate: &&Rate| {
        rate.target == Target::Traffic
            && rate.unit == plan.unit
            && rate.upper.is_some()
            && rate.clusters.is_some_and(|clusters| clusters < FEW_CLUSTERS)
            && may_cluster
    };
    let cluster = tally.plan.cluster_by.as_deref().unwrap_or("conversation");
    let mut scopes: Vec<String> = Vec::new();
    for rate in rates.iter().filter(is_few) {
        let scope = rate.group.as_ref().map_or_else(|| "all groups".to_owned(), ToString::to_string);
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return None;
    }
    Some(format!(
        "fewer than {FEW_CLUSTERS} {cluster}s hold a confirmed {unit} ({}): limits for other traffic hold a little less often \
         than they say",
        scopes.join(", "),
        unit = plan.unit.as_str(),
    ))
}

/// Two groups whose prefilter recalls have disjoint intervals: of all such pairs the one that is farthest apart.
fn of_recall(group_by: &[String], recalls: &[Recall]) -> Option<String> {
    let of_groups: Vec<(&Group, Limits, f64)> =
        recalls.iter().filter_map(|row| Some((row.group.as_ref()?, row.limits?, row.estimate?))).collect();
    let mut disjoint = Vec::new();
    for (higher, limits, share) in &of_groups {
        for (lower, others, other_share) in of_groups.iter().filter(|(_, others, _)| others.upper < limits.lower) {
            disjoint.push((limits.lower - others.upper, (higher, limits, share), (lower, others, other_share)));
        }
    }
    let (_, (higher, limits, share), (lower, others, other_share)) =
        disjoint.iter().max_by(|one, other| one.0.total_cmp(&other.0))?;
    let percent = |share: f64, limits: &Limits| {
        let [share, lower, upper] = [share, limits.lower, limits.upper].map(|share| share * 100.0);
        format!("{share:.1}% [{lower:.1}, {upper:.1}]")
    };
    let fields = group_by.iter().zip(&lower.0).map(|(field, value)| format!("{field}={value}"));
    let more = match disjoint.len() {
        1 => String::new(),
        pairs => format!(" ({} more pairs of groups do not overlap either)", pairs - 1),
    };
    Some(format!(
        "the cues hit {} of what there is to catch in `{higher}` and only {} in `{lower}`, and these intervals do not \
         overlap{more}: floors rest mostly on units with a cue, so comparing the floors of these groups is biased against \
         `{lower}`. Compare catchable rates, and look for its vocabulary: `assize mine --group '{}' --confirmed`",
        percent(**share, limits),
        percent(**other_share, others),
        fields.collect::<Vec<_>>().join(","),
    ))
}

/// What the corpus lacks, if the run stopped for that.
/// Records that are in no figure are worth a word from this share on.
const WORTH_SAYING: f64 = 0.01;

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn of_corpus(tally: &Tally) -> Vec<String> {
    let corpus = &tally.plan.corpus;
    let unreadable: u64 = corpus.unreadable.values().sum();
    let mut warnings = of_expectations(tally);
    let are_many = |records: u64| records > 0 && records as f64 >= WORTH_SAYING * corpus.records as f64;
    if are_many(unreadable) {
        warnings.push(format!(
            "{} of {} records are unreadable and in no figure: mend them, or state under [expect] how many there may be",
            count(unreadable),
            count(corpus.records)
        ));
    }
    if are_many(corpus.duplicates) {
        warnings.push(format!(
            "{} of {} records are left out because their group holds a conversation of the same id, whatever they say: give \
             conversations that differ ids that differ",
            count(corpus.duplicates),
            count(corpus.records)
        ));
    }
    warnings
}

fn of_expectations(tally: &Tally) -> Vec<String> {
    match &tally.sessions.stop {
        Some(StopReason::Unexpected { missing }) => missing.clone(),
        Some(
            StopReason::Finished
            | StopReason::Budget
            | StopReason::Deadline
            | StopReason::NarrowEnough(_)
            | StopReason::Interrupted
            | StopReason::ModelChanged { .. }
            | StopReason::Unusable { .. },
        )
        | None => Vec::new(),
    }
}

/// A conversation that was admitted in part is no part of a sample of whole conversations.
fn of_draw(tally: &Tally) -> Option<String> {
    (tally.set_back > 0).then(|| {
        format!(
            "admission closed within a conversation: what was admitted of it ({}) counts as not admitted, whatever was \
             found there, so that the sample is one of whole conversations; its replies are kept, and a run that goes on \
             admits the rest",
            units(tally.set_back, tally.plan.unit)
        )
    })
}

/// A few unverified quotes say nothing of a grader.
const SOME_UNVERIFIED: u64 = 5;

fn of_verdicts(tally: &Tally) -> Vec<String> {
    let unit = tally.plan.unit;
    let (share, limit) = (tally.ungraded_share(), tally.plan.max_ungraded);
    let mut warnings = Vec::new();
    if share > limit {
        let (share, limit, unit) = (share * 100.0, limit * 100.0, unit.as_str());
        warnings.push(format!(
            "{share:.2}% of the admitted {unit}s have no usable verdict (limit {limit:.2}%): see the outcomes \
             in the funnel"
        ));
    }
    let unverified = tally.screen.outcomes.get(&OutcomeKind::EvidenceUnverified).copied().unwrap_or_default();
    let flagged = tally.buckets(None).count(Bucket::is_flagged);
    if unverified >= SOME_UNVERIFIED && 5 * unverified >= flagged {
        warnings.push(format!(
            "{} of {} flags of the screen have no quote that stands in the transcript: the grader makes quotes up, or rewords \
             them. They are flags all the same, for a second grader and people",
            count(unverified),
            count(flagged)
        ));
    }
    let pending = tally.buckets(None).count(|bucket| *bucket == Bucket::Pending);
    if pending > 0 {
        let verb = if pending == 1 { "awaits" } else { "await" };
        warnings.push(format!("{} {verb} a decision, which can only add to the floor", units(pending, unit)));
    }
    let suspected = tally.injection_suspected;
    if suspected > 0 {
        warnings.push(format!(
            "{} may address the grader or imitate its delimiters: what no second grader upheld of them waits for people",
            units(suspected, unit)
        ));
    }
    warnings
}

/// What was on its way when a run knew enough, which no look decides.
fn of_look(tally: &Tally) -> Option<String> {
    let look = tally.narrow_look()?;
    let beyond = tally.buckets(None).count(Bucket::is_admitted).saturating_sub(look.units);
    (beyond > 0).then(|| {
        format!(
            "{} had been admitted when look {} closed admission: they count in the funnel and the floors, and how many they \
             are depends on the timing of this run, so that another one may have another digest; `grader_confirmed` rests \
             on the first {} alone",
            units(beyond, tally.plan.unit),
            count(look.number),
            units(look.units, tally.plan.unit)
        )
    })
}

/// Verdicts of several models are not one measurement.
fn of_models(tally: &Tally) -> Vec<String> {
    let tally_unit = tally.plan.unit;
    let stages = tally.plan.graders.iter().filter_map(|grader| Some((grader.stage, tally.stage(grader.stage)?)));
    let sentence = |(name, stage): (Stage, &StageTally)| {
        let held = if name == Stage::Screen { "flagged" } else { "upheld" };
        let models = stage.by_model.iter().map(|(model, tally)| {
            let units = units(tally.outcomes.values().sum(), tally_unit);
            format!("{model} ({units}, {held} {})", count(tally.holds))
        });
        format!(
            "the {} stage was served by {}: verdicts of two models are not one measurement, so no rate is given; set \
             another `revision` to ask everything of the model that is served now",
            name.as_str(),
            models.collect::<Vec<_>>().join(" and ")
        )
    };
    stages.filter(|(_, stage)| stage.is_mixed()).map(sentence).collect()
}

fn of_labels(tally: &Tally) -> Vec<String> {
    let (labels, unit) = (&tally.labels, tally.plan.unit.as_str());
    let mut warnings = Vec::new();
    if labels.malformed > 0 {
        let (lines, examples) = (count(labels.malformed), labels.examples.join("; "));
        warnings.push(format!("label lines that cannot be read: {lines}. Mend them: {examples}"));
    }
    if labels.unmatched > 0 {
        warnings.push(format!("labels about {unit}s that this run did not admit: {}", count(labels.unmatched)));
    }
    if labels.ambiguous > 0 {
        let labels = count(labels.ambiguous);
        warnings.push(format!("labels that fit {unit}s of several groups: {labels}. Add `group` to them to use them"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recall(name: Option<&str>, estimate: f64, lower: f64, upper: f64) -> Recall {
        let group = name.map(|name| Group(vec![name.to_owned()]));
        Recall { group, estimate: Some(estimate), limits: Some(Limits { lower, upper }), reason: None }
    }

    fn warned(recalls: &[Recall]) -> Option<String> {
        of_recall(&["checkpoint".to_owned()], recalls)
    }

    #[test]
    fn disjoint_recalls_of_two_groups_are_warned_of_by_name() {
        let (early, late) = (recall(Some("rl-early"), 0.8, 0.65, 0.9), recall(Some("rl-late"), 0.3, 0.2, 0.45));
        let warning = warned(&[early.clone(), late.clone()]).unwrap();
        assert!(warning.contains("80.0% [65.0, 90.0] of what there is to catch in `rl-early`"), "{warning}");
        assert!(warning.contains("only 30.0% [20.0, 45.0] in `rl-late`"), "{warning}");
        assert!(warning.contains("biased against `rl-late`"), "{warning}");
        assert!(warning.ends_with("`assize mine --group 'checkpoint=rl-late' --confirmed`"), "{warning}");
        assert_eq!(warned(&[late.clone(), early.clone()]), Some(warning), "the order of groups says nothing");
        let third = recall(Some("production"), 0.5, 0.46, 0.6);
        let warning = warned(&[early, third, late]).unwrap();
        assert!(warning.contains("in `rl-early`") && warning.contains("in `rl-late`"), "the farthest apart: {warning}");
        assert!(warning.contains("2 more pairs"), "{warning}");
    }

    #[test]
    fn what_overlaps_or_is_not_known_is_no_reason_to_warn() {
        let (one, other) = (recall(Some("a"), 0.8, 0.5, 0.9), recall(Some("b"), 0.4, 0.2, 0.5));
        assert_eq!(warned(&[one.clone(), other]), None, "limits that touch are not disjoint");
        let all = recall(None, 0.1, 0.05, 0.2);
        assert_eq!(warned(&[one.clone(), all]), None, "all groups together are no group");
        let unknown = Recall { estimate: None, limits: None, reason: Some("none".to_owned()), ..one.clone() };
        assert_eq!(warned(&[one, unknown]), None);
    }
}
