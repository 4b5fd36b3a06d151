//! Why a number is not supported, in sentences that say what to add.

use super::design::Design;
use super::support::{Phase, Unsupported};
use crate::model::review::Route;
use crate::model::unit::Group;

/// Why nothing is corrected by the sensitivity of a draft prompt: its text goes on changing until it looks good on these very
/// items.
pub(super) const DRAFT: &str = "a draft prompt supports no corrected rate: `assize prompts lock` makes it a version, and a run \
                                with that one is corrected";

/// At most so many strata are named in one sentence.
const NAMED: usize = 3;

/// Why the total of a scope cannot be computed; empty if it can.
pub(super) fn of_total(design: &Design<'_>, group: Option<&Group>, with_cleared: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    let unit = design.tally.plan.unit.as_str();
    let asked_once = design.tally.asked_once;
    if asked_once > 0 {
        reasons.push(format!(
            "{asked_once} {unit}s are flagged, or may be, by definitions that are not those the run asked by, and were asked about \
             once where `repeats` asks again: run the audit again"
        ));
    }
    let uncovered: Vec<String> =
        design.uncovered(group).map(|stratum| design.tally.strata[stratum].stratum.to_string()).collect();
    if !uncovered.is_empty() {
        reasons.push(format!(
            "no {unit} of {} has a usable verdict, so that part of the corpus is not covered: draw some under [sample]",
            named(&uncovered)
        ));
    }
    let in_scope = |cell: usize| design.is_in(cell, group) && (with_cleared || design.is_gated(cell));
    let shortages: Vec<String> =
        design.funnel.shortages(in_scope).filter_map(|shortage| unread(design, &shortage)).collect();
    if !shortages.is_empty() {
        reasons.push(format!("people have to read at least {}", named(&shortages)));
    }
    reasons
}

/// What people have to read, in words.
fn unread(design: &Design<'_>, shortage: &Unsupported) -> Option<String> {
    let Unsupported::Unreviewed { cell, phase, flagged, reviewed, wanted } = *shortage else { return None };
    let place = design.places.get(cell)?;
    let stratum = &design.tally.strata[place.stratum].stratum;
    let which = match (phase, place.route?) {
        (Phase::Third, _) => "to be looked at once more",
        (Phase::Review, Route::Upheld) => "upheld",
        (Phase::Review, Route::TurnedDown) => "turned down",
        (Phase::Review, Route::Unconfirmed) => "flagged",
        (Phase::Review, Route::Addressed) => "that address the grader",
        (Phase::Review, Route::Copies) => "copies of each other",
        (Phase::Review, Route::Cleared) => "cleared",
    };
    Some(format!("{wanted} of {stratum} ({flagged} {which}, {reviewed} read)"))
}

/// The first of them, and how many there are.
fn named(all: &[String]) -> String {
    let shown = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > NAMED { format!("{shown} and so on in {} strata", all.len()) } else { shown }
}

/// The reason in words, where it is not about cells.
pub(super) fn sentence(reason: &Unsupported) -> String {
    match *reason {
        Unsupported::Unreviewed { flagged, reviewed, wanted, .. } => {
            format!("{flagged} units were flagged and {reviewed} read: read at least {wanted} of them")
        }
        Unsupported::NotCovered { frame, admitted } => {
            format!("none of {admitted} admitted of {frame} units has a usable verdict: draw some under [sample]")
        }
        Unsupported::TooFewKnown { detected, known } => format!(
            "{known} known positives, {detected} of them detected: at least 20 known and 10 detected are needed; see \
             `assize sensitivity status`"
        ),
        Unsupported::Uninformative { sensitivity, false_flags } => format!(
            "the grader is uninformative here: its sensitivity may be as low as {:.0}%, and it may pass {:.0}% of what is \
             no positive; mend the prompt first",
            sensitivity * 100.0,
            false_flags * 100.0
        ),
        Unsupported::Heterogeneous { p } => format!(
            "the groups' sensitivities differ (p = {p:.2}, below 0.2), so they are not pooled: add known positives to each \
             group and set pool_sensitivity = false"
        ),
        Unsupported::TooFewClusters { affected } => {
            format!("only {affected} conversations hold a confirmed turn, and at least 10 are needed")
        }
        Unsupported::NothingConfirmed => "nothing was confirmed in either group, so there is no ratio".to_owned(),
        Unsupported::TooLittleGold { positives, near_misses } => format!(
            "reviewers have seen {positives} hidden positives and {near_misses} hidden near misses: at least 50 and 100 \
             are needed"
        ),
        Unsupported::ReviewUninformative { sensitivity, false_confirmations } => format!(
            "reviewers confirm {:.0}% of what is there and {:.0}% of what is not: train them first",
            sensitivity * 100.0,
            false_confirmations * 100.0
        ),
    }
}
