//! Where an admitted unit ends: the one place that ranks screen, confirmer and people.

use super::labels::Ruling;
use super::unit::UnitState;
use crate::model::bucket::Bucket;
use crate::model::rate::Decider;

/// The bucket of an admitted unit. `code` is the exclusion that the confirmer gave, if it turned the unit down.
///
/// People outrank the confirmer, and only flagged units can be confirmed: a yes about a cleared unit speaks of what
/// the screen misses, not of what it flagged.
pub(super) fn bucket(unit: &UnitState, ruling: Ruling, code: Option<String>) -> Bucket {
    let Some(screen) = unit.screen() else { return Bucket::Unfinished };
    if !screen.kind.is_usable() {
        return Bucket::Ungraded(screen.kind);
    }
    if !screen.holds {
        return Bucket::Cleared;
    }
    match ruling {
        Ruling::Upheld => Bucket::Confirmed { by: Decider::People },
        Ruling::TurnedDown { code } => Bucket::Rejected { by: Decider::People, code },
        Ruling::Disputed => Bucket::Disputed,
        Ruling::Silent | Ruling::Undecided => match unit.confirm().filter(|mark| mark.kind.is_usable()) {
            Some(mark) if mark.holds => Bucket::Confirmed { by: Decider::Grader },
            // What talks to graders is no matter for graders.
            Some(_) if unit.addresses_grader() => Bucket::Pending,
            Some(_) => Bucket::Rejected { by: Decider::Grader, code },
            None => Bucket::Pending,
        },
    }
}
