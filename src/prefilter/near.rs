//! Terms in the company of other terms.

use super::literals::{Occurrence, Occurrences};

/// A [`Near`](super::class::Near) rule over numbered lists of terms.
#[derive(Debug, Clone, Copy)]
pub(super) struct NearTest {
    pub(super) terms: usize,
    pub(super) company: usize,
    pub(super) within: usize,
    /// A list, and how many different terms of it are needed.
    pub(super) also: Option<(usize, usize)>,
}

impl NearTest {
    /// The occurrences of `terms` that have the company they need.
    ///
    /// The distance is the number of characters between two terms; it is 0 if they touch or overlap.
    pub(super) fn matches<'a>(
        &'a self,
        text: &'a str,
        found: &'a Occurrences,
        longest: usize,
    ) -> impl Iterator<Item = Occurrence> + 'a {
        let company = &found[self.company];
        let anchors = if company.is_empty() { &[] } else { found[self.terms].as_slice() };
        anchors.iter().copied().filter(move |anchor| {
            let reach = Reach::around(text, *anchor, self.within, longest);
            reach.occurrences(company).next().is_some()
                && self.also.is_none_or(|(list, at_least)| has_different(reach.occurrences(&found[list]), at_least))
        })
    }
}

/// The bytes that are near enough to an occurrence.
struct Reach {
    anchor: Occurrence,
    left: usize,
    right: usize,
    longest: usize,
}

impl Reach {
    fn around(text: &str, anchor: Occurrence, within: usize, longest: usize) -> Self {
        let (before, after) =
            (text.get(..anchor.start).unwrap_or_default(), text.get(anchor.end..).unwrap_or_default());
        let left = before.char_indices().rev().nth(within - 1).map_or(0, |(at, _)| at);
        let right = after.char_indices().nth(within).map_or(text.len(), |(at, _)| anchor.end + at);
        Self { anchor, left, right, longest }
    }

    /// The occurrences within reach, other than the anchor itself.
    fn occurrences<'a>(&'a self, list: &'a [Occurrence]) -> impl Iterator<Item = Occurrence> + 'a {
        let from = list.partition_point(|other| other.end < self.left);
        let candidates =
            list.iter().skip(from).take_while(|other| other.end <= self.right.saturating_add(self.longest));
        candidates.copied().filter(|other| other.start <= self.right && *other != self.anchor)
    }
}

fn has_different(occurrences: impl Iterator<Item = Occurrence>, at_least: usize) -> bool {
    let mut seen = Vec::new();
    for occurrence in occurrences {
        if !seen.contains(&occurrence.term) {
            seen.push(occurrence.term);
        }
        if seen.len() >= at_least {
            return true;
        }
    }
    false
}
