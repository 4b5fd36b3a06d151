//! Ratings of units by any number of graders, some of them missing.

/// Every unit's ratings. Who gave which does not matter here.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratings {
    /// All ratings, unit after unit, ascending within a unit.
    values: Vec<f64>,
    /// Where each unit with a rating ends.
    ends: Vec<usize>,
}

impl Ratings {
    /// The ratings of each unit, `None` where a grader gave none. A unit without any rating is left out. None if a
    /// rating is not a number, or is beyond 1e300.
    #[must_use]
    pub fn new<U: IntoIterator<Item = Option<f64>>>(units: impl IntoIterator<Item = U>) -> Option<Self> {
        const LARGEST: f64 = 1e300;
        let mut ratings = Self { values: Vec::new(), ends: Vec::new() };
        for unit in units {
            let start = ratings.values.len();
            for rating in unit.into_iter().flatten() {
                if rating.is_nan() || rating.abs() > LARGEST {
                    return None;
                }
                // Adding zero makes the negative zero, which sorts apart, a positive one.
                ratings.values.push(rating + 0.0);
            }
            ratings.values[start..].sort_by(f64::total_cmp);
            if ratings.values.len() > start {
                ratings.ends.push(ratings.values.len());
            }
        }
        Some(ratings)
    }

    /// Each unit's ratings, ascending; at least one.
    pub(super) fn units(&self) -> impl Iterator<Item = &[f64]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.values[start..*end])
    }

    /// Every value that occurs, ascending.
    pub(super) fn categories(&self) -> Vec<f64> {
        let mut categories = self.values.clone();
        categories.sort_by(f64::total_cmp);
        categories.dedup_by(|left, right| is_same(left, right));
        categories
    }
}

/// Whether two ratings are one category.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that `chunk_by` asks for")]
pub(super) fn is_same(left: &f64, right: &f64) -> bool {
    left.total_cmp(right).is_eq()
}
