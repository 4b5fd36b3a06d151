//! How often a grader contradicts itself.

use crate::estimate::interval::Share;

/// Verdicts that changed between two draws of the same unit under the same prompt, grader and settings.
///
/// Only a unit's first two usable draws count, so that every unit is one trial and the limits of
/// [`clopper_pearson`](crate::estimate::interval::clopper_pearson) are exact for units repeated at random. A third draw,
/// where a policy asks for one only after a flag or a contradiction, would count the unstable units twice.
///
/// At rare prevalences `all` is small because nearly every unit is an easy negative; `lost` is the one that says how
/// far a flag can be relied upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flips {
    /// Units whose second draw differs from the first, of all units drawn twice: the flip rate.
    pub all: Share,
    /// Those not flagged again, of the units flagged by the first draw. None if there are none.
    pub lost: Option<Share>,
    /// Those flagged now, of the units not flagged by the first draw. None if there are none.
    pub gained: Option<Share>,
    /// Units with fewer than two usable draws: in none of the above.
    pub unrepeated: u64,
}

/// The flips among units given by their usable draws in the order they were made, true where flagged. None if no unit
/// has two.
#[must_use]
pub fn flips<U: IntoIterator<Item = bool>>(units: impl IntoIterator<Item = U>) -> Option<Flips> {
    // Units by their first and second draw.
    let mut counts = [[0_u64; 2]; 2];
    let mut unrepeated = 0;
    for unit in units {
        let mut draws = unit.into_iter();
        if let (Some(first), Some(second)) = (draws.next(), draws.next()) {
            counts[usize::from(first)][usize::from(second)] += 1;
        } else {
            unrepeated += 1;
        }
    }
    let [[never, gained], [lost, always]] = counts;
    Some(Flips {
        all: Share::new(lost + gained, never + gained + lost + always)?,
        lost: Share::new(lost, lost + always),
        gained: Share::new(gained, never + gained),
        unrepeated,
    })
}
