//! Why a new run begins where one might have been resumed: what differs between two plans, in one line.

use super::census::changed_files;
use super::conclude::plan_of;
use super::folder::RunFolder;
use super::settings::Workspace;
use crate::model::event::{Planned, PlannedGrader, PlannedStratum};
use crate::model::grading::Stage;

/// Files that a line names before it only counts them.
const MOST_NAMED: usize = 5;

/// Why `other`, which did not finish, is not resumed by the plan of now; nothing if its own plan cannot be read.
pub(super) fn why_new(workspace: &Workspace, other: &RunFolder, now: &Planned) -> Option<String> {
    let before = plan_of(other).ok()?;
    let files = changed_files(&workspace.census(), &before.census, &now.census);
    let reasons = differences(&before, now, files.as_deref());
    Some(format!(
        "run `{}` did not finish and is not resumed, because {}: a new run begins, in which what is the same replays from \
         the cache",
        other.id,
        reasons.join("; ")
    ))
}

/// What differs. `files` says which files do; `None` if that is not known.
fn differences(before: &Planned, now: &Planned, files: Option<&[String]>) -> Vec<String> {
    let mut reasons = of_graders(before, now);
    match files {
        Some([]) => {}
        Some(files) => reasons.push(format!("the corpus changed: {}", listed(files))),
        None if before.census != now.census && before.corpus != now.corpus => {
            reasons.push("the corpus changed".to_owned());
        }
        None => {}
    }
    let mut differs = |what: &str, differs: bool| {
        if differs {
            reasons.push(format!("{what} changed"));
        }
    };
    differs("the cues", before.cues_hash != now.cues_hash);
    differs("the labels or definitions of the behaviour", before.behaviour_hash != now.behaviour_hash);
    differs("the definition counted", before.definition != now.definition);
    differs("`group_by`", before.group_by != now.group_by);
    differs("`unit`", before.unit != now.unit);
    differs("`sample_by`", before.unit == now.unit && before.sample_by != now.sample_by);
    differs("`cluster_by`", before.cluster_by != now.cluster_by);
    differs("the seed or the draw", (before.seed, before.draw) != (now.seed, now.draw));
    let sizes = |plan: &Planned| plan.strata.iter().map(|row: &PlannedStratum| row.planned).collect::<Vec<_>>();
    let same_corpus = files.is_none_or(<[String]>::is_empty) && before.cues_hash == now.cues_hash;
    differs("the size of the sample", same_corpus && sizes(before) != sizes(now));
    let set = |plan: &Planned| (plan.known.version, plan.known.units, plan.gate_includes_confirmer());
    differs("the sensitivity set", set(before) != set(now));
    if before.retry != now.retry {
        let which = if now.retry > before.retry { "this run" } else { "that run" };
        reasons.push(format!("{which} asks errors again (--retry-errors)"));
    }
    if reasons.is_empty() {
        reasons.push("the parameters, the revision, the window or the form of output of a grader changed".to_owned());
    }
    reasons
}

fn of_graders(before: &Planned, now: &Planned) -> Vec<String> {
    let of = |plan: &Planned, stage| plan.graders.iter().find(|grader| grader.stage == stage).cloned();
    let mut reasons = Vec::new();
    for stage in [Stage::Screen, Stage::Confirm] {
        let name = stage.as_str();
        match (of(before, stage), of(now, stage)) {
            (Some(before), Some(now)) => reasons.extend(of_grader(name, &before, &now)),
            (None, Some(_)) => reasons.push(format!("the {name} grader is new")),
            (Some(_), None) => reasons.push(format!("the {name} grader is gone")),
            (None, None) => {}
        }
    }
    reasons
}

fn of_grader(name: &str, before: &PlannedGrader, now: &PlannedGrader) -> Vec<String> {
    let mut reasons = Vec::new();
    if before.model != now.model {
        reasons.push(format!("the model of the {name} changed from `{}` to `{}`", before.model, now.model));
    }
    match (&before.prompt, &now.prompt) {
        (Some(first), Some(second)) if first != second => {
            reasons.push(format!("the prompt of the {name} changed from {first} to {second}"));
        }
        (Some(_), Some(label)) if before.prompt_hash != now.prompt_hash => {
            reasons.push(format!("the text of prompt {label} changed"));
        }
        (Some(_), Some(_)) | (None, None) => {}
        (Some(_), None) => reasons.push(format!("the {name} is recorded elsewhere now")),
        (None, Some(_)) => reasons.push(format!("the {name} was recorded elsewhere")),
    }
    if let (Some(first), Some(second)) = (&before.recorded, &now.recorded) {
        if first.digest != second.digest {
            reasons.push(format!("the recorded verdicts of the {name} changed (`{}`)", second.file));
        }
        if first.reading != second.reading {
            reasons.push(format!("how the recorded verdicts of the {name} are read changed"));
        }
    }
    let repeats = |grader: &PlannedGrader| grader.asking.as_ref().and_then(|asking| asking.repeats);
    if repeats(before) != repeats(now) {
        reasons.push(format!("`repeats` of the {name} changed"));
    }
    if before.simulated != now.simulated {
        let what = if now.simulated { "is simulated now" } else { "was simulated" };
        reasons.push(format!("the {name} grader {what}"));
    }
    reasons
}

fn listed(files: &[String]) -> String {
    let named = files.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match files.len().saturating_sub(MOST_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::asking::{Asking, OverLong, Shown};
    use crate::model::fixture::planned;
    use crate::model::grading::{PromptLabel, Structured};
    use crate::model::hash::Digest;
    use crate::model::repeats::{RepeatRule, Repeats};

    fn reasons(change: impl FnOnce(&mut Planned), files: Option<&[String]>) -> String {
        let before = planned(&[("core", "rl", 90, 60)]);
        let mut now = before.clone();
        change(&mut now);
        differences(&before, &now, files).join("; ")
    }

    #[test]
    fn every_difference_is_named() {
        let graders = reasons(
            |now| {
                now.graders[0].model = "gpt-5".to_owned();
                now.graders[0].prompt = Some(PromptLabel { role: "screen".to_owned(), version: 2 });
                now.graders.pop();
            },
            Some(&[]),
        );
        insta::assert_snapshot!(graders, @"the model of the screen changed from `gpt-5-mini` to `gpt-5`; the prompt of the screen changed from screen@1 to screen@2; the confirm grader is gone");
        let policy = |now: &mut Planned| {
            now.graders[0].asking = Some(Asking {
                params: BTreeMap::new(),
                on_truncated: BTreeMap::new(),
                revision: String::new(),
                structured: Structured::JsonSchema,
                window: Shown {
                    neighbours: 4,
                    max_chars: Some(100),
                    max_tokens: None,
                    min_coverage: 0.5,
                    over_long: OverLong::Cut,
                },
                channels: BTreeSet::new(),
                framing: None,
                repeats: Some(Repeats { rule: RepeatRule::Any, flagged: 2, near_threshold: 1, near: 10, random: 0.0 }),
            });
        };
        assert_eq!(reasons(policy, Some(&[])), "`repeats` of the screen changed");
        let sample = reasons(|now| (now.strata[0].planned, now.seed) = (70, 8), Some(&[]));
        insta::assert_snapshot!(sample, @"the seed or the draw changed; the size of the sample changed");
        let files: Vec<_> = (0..7).map(|n| format!("`{n}.jsonl` changed")).collect();
        insta::assert_snapshot!(reasons(|now| now.census = Digest::of(b"other"), Some(&files)), @"the corpus changed: `0.jsonl` changed, `1.jsonl` changed, `2.jsonl` changed, `3.jsonl` changed, `4.jsonl` changed and 2 more");
        let rest = "the parameters, the revision, the window or the form of output of a grader changed";
        assert_eq!(reasons(|_| {}, Some(&[])), rest);
        assert_eq!(reasons(|now| now.retry = 1, Some(&[])), "this run asks errors again (--retry-errors)");
    }
}
