//! Units that were admitted and have no usable verdict: what they could be, from none of them to all.

use super::support::Unsupported;
use super::total::{Funnel, Total};

/// Units of one stratum: N in the frame, s of them admitted in hash order, q of these without a usable verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    frame: u64,
    units: u64,
    ungraded: u64,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
impl Admitted {
    /// `admitted` of `frame` units, `ungraded` of them without a verdict, if there can be so many.
    #[must_use]
    pub const fn new(frame: u64, admitted: u64, ungraded: u64) -> Option<Self> {
        if admitted > frame || ungraded > admitted { None } else { Some(Self { frame, units: admitted, ungraded }) }
    }

    /// Units of the frame per unit with a usable verdict, N/g; 1 for a stratum without units.
    ///
    /// # Errors
    ///
    /// [`Unsupported::NotCovered`] if no unit has one.
    pub fn expansion(&self) -> Result<f64, Unsupported> {
        let graded = self.units - self.ungraded;
        match (self.frame, graded) {
            (0, _) => Ok(1.0),
            (_, 0) => Err(Unsupported::NotCovered { frame: self.frame, admitted: self.units }),
            (frame, graded) => Ok(frame as f64 / graded as f64),
        }
    }

    /// Units of the frame per admitted unit, N/s: the expansion if what has no verdict is known to be negative.
    fn all_admitted(&self) -> f64 {
        if self.units == 0 { 1.0 } else { self.frame as f64 / self.units as f64 }
    }
}

/// The total if units without a verdict are like the others, if none of them counts, and if all do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bracket {
    /// They are like the others of their stratum.
    pub headline: Total,
    /// None of them counts.
    pub all_no: Total,
    /// Each counts as confirmed, by itself: no cluster is known of what was not graded.
    pub all_yes: Total,
}

/// The bracket of the cells for which `stratum` gives one: the index of theirs among `strata`. A cell of an index that is
/// not there does not count, nor do the ungraded units of strata that no cell is kept of. The cells' own expansion is
/// the headline's.
///
/// # Errors
///
/// The first of [`Funnel::shortages`].
pub fn bracket(
    funnel: &Funnel,
    strata: &[Admitted],
    stratum: impl Fn(usize) -> Option<usize>,
) -> Result<Bracket, Unsupported> {
    let of = |cell: usize| stratum(cell).and_then(|index| strata.get(index));
    let headline = funnel.total(|cell| of(cell).is_some())?;
    let all_no = funnel.total_at(|cell| of(cell).map(Admitted::all_admitted))?;
    let mut kept = vec![false; strata.len()];
    for index in (0..funnel.cells().len()).filter_map(&stratum) {
        if let Some(kept) = kept.get_mut(index) {
            *kept = true;
        }
    }
    let kept = strata.iter().zip(kept).filter(|(_, kept)| *kept);
    let all_yes =
        kept.fold(all_no, |total, (admitted, _)| total.with_confirmed(admitted.ungraded, admitted.all_admitted()));
    Ok(Bracket { headline, all_no, all_yes: Total { is_census: false, ..all_yes } })
}
