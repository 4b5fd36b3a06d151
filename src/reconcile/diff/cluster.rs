//! Flips that belong together: units of one conversation or cluster, and exact copies of one text.

use std::collections::HashMap;

use super::pairing::{Direction, Net};

/// Flips joined by cluster and by text, one after the other.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    /// The set that each set was merged into; itself where it was not.
    parent: Vec<usize>,
    by_cluster: HashMap<u64, usize>,
    by_content: HashMap<u128, usize>,
    flips: Vec<(usize, Direction)>,
}

impl Clusters {
    pub(super) fn add(&mut self, cluster: u64, content: u128, direction: Direction) {
        let fresh = self.parent.len();
        self.parent.push(fresh);
        for known in
            [*self.by_cluster.entry(cluster).or_insert(fresh), *self.by_content.entry(content).or_insert(fresh)]
        {
            let (of_known, of_fresh) = (self.root(known), self.root(fresh));
            self.parent[of_fresh] = of_known;
        }
        self.flips.push((fresh, direction));
    }

    fn root(&self, mut set: usize) -> usize {
        while self.parent[set] != set {
            set = self.parent[set];
        }
        set
    }

    /// Clusters by what most of their flips do.
    pub(super) fn net(&self) -> Net {
        let mut sums: HashMap<usize, i64> = HashMap::new();
        for (set, direction) in &self.flips {
            let step = match direction {
                Direction::Gained => 1,
                Direction::Lost => -1,
            };
            *sums.entry(self.root(*set)).or_default() += step;
        }
        let count = |wanted: fn(i64) -> bool| sums.values().filter(|sum| wanted(**sum)).count() as u64;
        Net { gained: count(|sum| sum > 0), lost: count(|sum| sum < 0), balanced: count(|sum| sum == 0) }
    }
}
