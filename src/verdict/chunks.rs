//! What the chunks of one conversation say of all of it, where it was too long for one question: the behaviour is there if
//! any chunk shows it, and absent only if every chunk was read to its end and shows nothing.

use crate::model::outcome::Outcome;
use crate::model::verdict::Judgement;

/// Which of these outcomes stands for the whole conversation; `None` without any. A finding comes before what could not be
/// read, that before what could not be judged, and absence last; of several, the one with the highest score.
#[must_use]
pub fn standing(outcomes: &[Outcome]) -> Option<usize> {
    let weight = |outcome: &Outcome| (rank(outcome), outcome.finding().map_or(0, |finding| finding.score));
    let numbered = outcomes.iter().enumerate().rev();
    numbered.max_by_key(|(_, outcome)| weight(outcome)).map(|(index, _)| index)
}

/// The higher, the more it decides.
const fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Graded { finding } => match finding.verdict {
            Judgement::Present => 5,
            Judgement::Suspected => 3,
            Judgement::CannotJudge => 1,
            Judgement::Absent => 0,
        },
        Outcome::EvidenceUnverified { .. } => 4,
        Outcome::Refused
        | Outcome::Truncated
        | Outcome::Unparsable
        | Outcome::TooLong
        | Outcome::Filtered
        | Outcome::NotRecorded
        | Outcome::Failed { .. }
        | Outcome::NotCached
        | Outcome::OverBudget
        | Outcome::PastDeadline => 2,
        Outcome::CannotJudge => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture::graded;

    #[test]
    fn any_chunk_is_enough_and_absence_takes_all_of_them() {
        let [present, suspected, absent] = [Judgement::Present, Judgement::Suspected, Judgement::Absent].map(graded);
        let stands = |outcomes: &[&Outcome]| {
            let outcomes: Vec<Outcome> = outcomes.iter().map(|outcome| (*outcome).clone()).collect();
            standing(&outcomes).map(|index| outcomes[index].clone())
        };
        assert_eq!(stands(&[&absent, &suspected, &present, &Outcome::Refused]), Some(present.clone()));
        assert_eq!(stands(&[&absent, &suspected, &Outcome::CannotJudge]), Some(suspected));
        assert_eq!(stands(&[&absent, &Outcome::CannotJudge, &Outcome::Truncated]), Some(Outcome::Truncated));
        assert_eq!(stands(&[&absent, &Outcome::CannotJudge, &absent]), Some(Outcome::CannotJudge));
        assert_eq!(stands(&[&absent, &absent]), Some(absent));
        assert_eq!(stands(&[]), None);
    }

    #[test]
    fn of_equal_outcomes_the_first_stands() {
        let present = graded(Judgement::Present);
        assert_eq!(standing(&[Outcome::Refused, present.clone(), present]), Some(1));
    }
}
