//! What would narrow the corrected rate most: the same prediction with one thing changed at a time.

use super::expectation::Slice;
use super::predict::{Known, Outline, width};
use crate::estimate::sensitivity::Sensitivity;
use crate::model::draw::SampleSize;
use crate::model::review::ReviewDraw;

/// One thing that can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lever {
    /// Every unit that a cue hits is graded.
    AllHits,
    /// Twice as many of the units without a cue are graded, or all of them.
    MoreOthers,
    /// Everything flagged is read.
    ReadAll,
    /// There are twice as many known positives.
    MoreKnown,
}

impl Lever {
    /// In words, for a sentence that says what would be so.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllHits => "grading every hit of the prefilter",
            Self::MoreOthers => "grading twice as many units without a cue",
            Self::ReadAll => "reading everything that is flagged",
            Self::MoreKnown => "twice as many known positives",
        }
    }
}

/// What a change would bring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gain {
    /// The change.
    pub lever: Lever,
    /// The relative width of the corrected rate of this corpus then.
    pub width: f64,
}

/// A gain of less than this part of the width is none.
const LEAST_GAIN: f64 = 0.01;

/// The changes that narrow the corrected rate, the one that narrows it most first.
#[must_use]
pub fn gains(outline: &Outline) -> Vec<Gain> {
    let Some(now) = width(outline) else { return Vec::new() };
    let levers = [Lever::AllHits, Lever::MoreOthers, Lever::ReadAll, Lever::MoreKnown].into_iter();
    let gains = levers.filter_map(|lever| Some(Gain { lever, width: width(&changed(outline, lever))? }));
    let mut gains: Vec<Gain> = gains.filter(|gain| gain.width < now * (1.0 - LEAST_GAIN)).collect();
    gains.sort_by(|one, other| one.width.total_cmp(&other.width));
    gains
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn changed(outline: &Outline, lever: Lever) -> Outline {
    let mut changed = outline.clone();
    let all = |slice: &Slice| slice.units as f64;
    match lever {
        Lever::AllHits => {
            for slice in changed.slices.iter_mut().filter(|slice| slice.is_hit()) {
                slice.graded = all(slice);
            }
        }
        Lever::MoreOthers => {
            for slice in changed.slices.iter_mut().filter(|slice| !slice.is_hit()) {
                slice.graded = (2.0 * slice.graded).min(all(slice));
            }
        }
        Lever::ReadAll => {
            changed.review = ReviewDraw { confirm_yes: SampleSize::All, ..changed.review };
            if !changed.gate_includes_confirmer {
                changed.review.confirm_no = SampleSize::All;
            }
        }
        Lever::MoreKnown => {
            let twice = |known: &Sensitivity| known.and(*known);
            let by_group = changed.known.by_group.iter().map(|(group, known)| (group.clone(), twice(known)));
            changed.known = Known { usual: twice(&changed.known.usual), by_group: by_group.collect(), ..changed.known };
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::predict::tests::outline;

    #[test]
    fn the_changes_that_help_are_named_in_order() {
        let outline = outline(&[("core", "a", 1_000, 1_000), ("none", "a", 99_000, 2_000)]);
        let found = gains(&outline);
        assert_eq!(found.first().map(|gain| gain.lever), Some(Lever::MoreOthers), "{found:?}");
        assert!(found.iter().all(|gain| gain.lever != Lever::AllHits), "all hits are graded already: {found:?}");
        assert!(found.windows(2).all(|pair| pair[0].width <= pair[1].width));
    }

    #[test]
    fn where_nothing_is_predicted_nothing_helps() {
        assert_eq!(gains(&outline(&[("core", "a", 1_000, 1_000), ("none", "a", 99_000, 0)])), []);
    }
}
