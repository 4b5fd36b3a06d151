//! Confirmed units that belong together: what they add to the variance of a weighted total.

use std::cmp::Ordering;
use std::collections::HashMap;

/// A confirmed unit with both of its cluster keys and its weight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighted {
    pub(super) conversation: u64,
    pub(super) content: u64,
    /// The conversation that was drawn whole, and it with it.
    pub(super) drawn_with: Option<u64>,
    /// Units of the frame per graded unit of its stratum.
    pub(super) expansion: f64,
    pub(super) weight: f64,
}

/// What the clusters of a set of confirmed units amount to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Clustering {
    /// The sum over pairs of units of one cluster of twice the product of their weights, X.
    pub(super) between: f64,
    /// The sum over pairs of units drawn together of twice the product of their weights times 1 - 1/ex, Z.
    pub(super) together: f64,
    /// The heaviest cluster, by either key.
    pub(super) heaviest: f64,
    /// Sets of units that no key connects.
    pub(super) affected: u64,
}

/// Clusters by conversation and by content: X is that of the conversations plus that of the contents minus that of the
/// units that share both. Sorts `units`; the order they come in does not change a digit.
pub(super) fn clustering(units: &mut [Weighted]) -> Clustering {
    let together = together(units);
    units.sort_unstable_by(|a, b| by_conversation(a, b).then(a.content.cmp(&b.content)).then(by_weight(a, b)));
    let both = sums(units, |a, b| a.conversation == b.conversation && a.content == b.content);
    // Within a conversation the weights are now in the order of the contents, which is as good as any.
    let conversations = sums(units, |a, b| a.conversation == b.conversation);
    units.sort_unstable_by(|a, b| a.content.cmp(&b.content).then(by_conversation(a, b)).then(by_weight(a, b)));
    let contents = sums(units, |a, b| a.content == b.content);
    Clustering {
        between: (conversations.between + contents.between - both.between).max(0.0),
        together,
        heaviest: conversations.heaviest.max(contents.heaviest),
        affected: components(units),
    }
}

fn by_conversation(a: &Weighted, b: &Weighted) -> Ordering {
    a.conversation.cmp(&b.conversation)
}

fn by_weight(a: &Weighted, b: &Weighted) -> Ordering {
    a.weight.total_cmp(&b.weight)
}

/// What the draw of whole conversations adds to the variance in the corpus. Turns of one conversation are of one stratum,
/// the conversation's, so they have one expansion; units with two were not drawn together. Turns without a verdict raise it
/// above that of the draw, which errs on the wide side.
fn together(units: &mut [Weighted]) -> f64 {
    if units.iter().all(|unit| unit.drawn_with.is_none()) {
        return 0.0;
    }
    let by_draw =
        |a: &Weighted, b: &Weighted| a.drawn_with.cmp(&b.drawn_with).then(a.expansion.total_cmp(&b.expansion));
    units.sort_unstable_by(|a, b| by_draw(a, b).then(by_weight(a, b)));
    let conversations = units.chunk_by(|a, b| a.drawn_with.is_some() && by_draw(a, b).is_eq());
    conversations.map(|units| (1.0 - units[0].expansion.recip()) * sums(units, |_, _| true).between).sum()
}

/// The most units of one conversation that was drawn whole; at least 1.
pub(super) fn most_together(conversations: impl Iterator<Item = u64>) -> u32 {
    let mut counts = HashMap::new();
    for conversation in conversations {
        *counts.entry(conversation).or_insert(0_u32) += 1;
    }
    counts.into_values().fold(1, u32::max)
}

struct Sums {
    between: f64,
    heaviest: f64,
}

fn sums(sorted: &[Weighted], is_together: impl Fn(&Weighted, &Weighted) -> bool) -> Sums {
    let mut sums = Sums { between: 0.0, heaviest: 0.0 };
    for cluster in sorted.chunk_by(is_together) {
        // Twice the sum over pairs, so that a unit alone adds exactly nothing.
        let mut weight = 0.0;
        for unit in cluster {
            sums.between += 2.0 * weight * unit.weight;
            weight += unit.weight;
        }
        sums.heaviest = sums.heaviest.max(weight);
    }
    sums
}

/// Sets of units connected by either key, of units sorted by content: conversations, less one for every content that
/// joins two that were still apart.
fn components(units: &[Weighted]) -> u64 {
    let mut conversations: Vec<u64> = units.iter().map(|unit| unit.conversation).collect();
    conversations.sort_unstable();
    conversations.dedup();
    let mut parents: Vec<usize> = (0..conversations.len()).collect();
    let mut affected = conversations.len();
    for pair in units.windows(2).filter(|pair| pair[0].content == pair[1].content) {
        let roots = [&pair[0], &pair[1]].map(|unit| {
            let place = conversations.partition_point(|conversation| *conversation < unit.conversation);
            root(&mut parents, place)
        });
        if roots[0] != roots[1] {
            parents[roots[0].max(roots[1])] = roots[0].min(roots[1]);
            affected -= 1;
        }
    }
    u64::try_from(affected).unwrap_or(u64::MAX)
}

fn root(parents: &mut [usize], mut place: usize) -> usize {
    while parents[place] != place {
        parents[place] = parents[parents[place]];
        place = parents[place];
    }
    place
}
