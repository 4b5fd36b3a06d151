//! What a reader should know of verdicts that were recorded elsewhere.

use super::rate::{count, units};
use crate::model::grading::Stage;
use crate::model::outcome::OutcomeKind;
use crate::model::recorded::{EvidencePolicy, Recorded, RecordedLines};
use crate::model::tally::Tally;

/// One stage after the other: what its verdicts rest on, and what its file lacks.
pub(super) fn warnings(tally: &Tally) -> Vec<String> {
    let graders = tally.plan.graders.iter();
    graders
        .filter_map(|grader| Some((grader.stage, grader.recorded.as_ref()?)))
        .flat_map(|(stage, recorded)| {
            let missing = tally.stage(stage).and_then(|tally| tally.outcomes.get(&OutcomeKind::NotRecorded).copied());
            let missing = missing.filter(|units| *units > 0).map(|missing| {
                format!(
                    "{} without a verdict in `{}`: ungraded and bracketed, never a no",
                    units(missing, tally.plan.unit),
                    recorded.file
                )
            });
            [Some(of_evidence(stage, recorded)), of_scores(recorded), missing, of_lines(recorded)].into_iter().flatten()
        })
        .collect()
}

fn of_evidence(stage: Stage, recorded: &Recorded) -> String {
    let (stage, file) = (stage.as_str(), &recorded.file);
    match recorded.evidence {
        EvidencePolicy::Trusted => format!(
            "THE EVIDENCE OF THE {} WAS NOT CHECKED: its verdicts were recorded elsewhere, in `{file}`, and taken at their \
             word. A \"present\" counts without a quote that stands in the transcript",
            stage.to_uppercase()
        ),
        EvidencePolicy::Verified => format!(
            "the verdicts of the {stage} were recorded elsewhere, in `{file}`, and not given by assize; their quotes were \
             looked up in the transcript"
        ),
    }
}

fn of_scores(recorded: &Recorded) -> Option<String> {
    (!recorded.has_scores).then(|| {
        format!(
            "`{}` states no scores: present counts as 100, suspected as 50 and absent as 0, so that no threshold says more \
             than the verdicts",
            recorded.file
        )
    })
}

fn of_lines(recorded: &Recorded) -> Option<String> {
    let RecordedLines { read, used, empty, repeated, elsewhere, unreadable, examples } = &recorded.lines;
    if used == read {
        return None;
    }
    let rest = [
        (*elsewhere, "about nothing in the sample"),
        (*repeated, "that repeat an earlier one"),
        (*empty, "without a verdict"),
        (*unreadable, "that cannot be read"),
    ];
    let rest = rest.into_iter().filter(|(lines, _)| *lines > 0);
    let rest: Vec<_> = rest.map(|(lines, what)| format!("{} {what}", count(lines))).collect();
    let mend = if *unreadable > 0 { format!(". Mend them: {}", examples.join("; ")) } else { String::new() };
    Some(format!("`{}`: {} of {} lines used, {}{mend}", recorded.file, count(*used), count(*read), rest.join(", ")))
}
