//! Two sides, joined unit by unit.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::cluster::Clusters;
use super::side::{Row, Side, Standing};
use crate::model::event::Ordinal;
use crate::model::unit::Stratum;

/// Units that both sides decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cross {
    /// Yes on both sides.
    pub both: u64,
    /// Yes on the first side only: lost.
    pub first_only: u64,
    /// Yes on the second side only: gained.
    pub second_only: u64,
    /// No on both sides.
    pub neither: u64,
}

impl Cross {
    /// All of them.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.both + self.first_only + self.second_only + self.neither
    }

    const fn add(&mut self, first: bool, second: bool) {
        match (first, second) {
            (true, true) => self.both += 1,
            (true, false) => self.first_only += 1,
            (false, true) => self.second_only += 1,
            (false, false) => self.neither += 1,
        }
    }
}

/// Which way a unit flipped, from the first side to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From no to yes.
    Gained,
    /// From yes to no.
    Lost,
}

/// Sets of flips that share a cluster or a text, by what most flips of a set do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Net {
    /// More gained than lost.
    pub gained: u64,
    /// More lost than gained.
    pub lost: u64,
    /// As many of both.
    pub balanced: u64,
}

/// One stage, compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StagePairing {
    /// Units that both sides decided.
    pub cross: Cross,
    /// The same by stratum. Where the sides class a unit differently, it is in a class of both names.
    pub by_stratum: BTreeMap<Stratum, Cross>,
    /// Units that at least one side did not decide, by how they stand.
    pub apart: BTreeMap<(Standing, Standing), u64>,
    /// Units whose text is another in the second run: not the same units.
    pub other_text: u64,
    /// The flips, by cluster.
    pub net: Net,
}

impl StagePairing {
    /// Units that either run admitted: every one of them is in exactly one figure.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cross.total() + self.apart.values().sum::<u64>() + self.other_text
    }

    /// Units that one side decided, or could have, and the other would have asked about again.
    #[must_use]
    pub fn asked_once(&self) -> u64 {
        let is_one_sided = |(a, b): &(Standing, Standing)| match (a, b) {
            (Standing::AskedOnce, other) | (other, Standing::AskedOnce) => {
                matches!(other, Standing::AskedOnce | Standing::Decided(_))
            }
            _ => false,
        };
        self.apart.iter().filter(|(standings, _)| is_one_sided(standings)).map(|(_, units)| units).sum()
    }

    /// Whether both runs admitted any unit.
    #[must_use]
    pub fn has_common(&self) -> bool {
        let is_common = |(a, b): &(Standing, Standing)| ![a, b].contains(&&Standing::NotAdmitted);
        self.cross.total() + self.other_text > 0 || self.apart.keys().any(is_common)
    }
}

/// One unit that flipped at a stage at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flip {
    /// Its positions in the first run and in the second.
    pub ordinals: [Ordinal; 2],
    /// At the screen.
    pub screen: Option<Direction>,
    /// After the second grader.
    pub confirm: Option<Direction>,
}

/// Two sides, compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairing {
    /// What the screen says.
    pub screen: StagePairing,
    /// What comes through both graders; absent unless both sides have a second one.
    pub confirm: Option<StagePairing>,
    /// The flips: those after the second grader first, gained and lost by turns, and each of them in an order that is a
    /// hash of the unit, so that the first few are a random few.
    pub flips: Vec<Flip>,
}

/// Joins two sides that were closed. Swapping them swaps what was gained and what was lost.
#[must_use]
pub fn pair(first: &Side, second: &Side) -> Pairing {
    let mut stages = [Stage::default(), Stage::default()];
    let has_confirm = first.has_confirmer() && second.has_confirmer();
    let mut kinds: [Vec<Flip>; 4] = Default::default();
    for (a, b) in joined(&first.rows, &second.rows) {
        let stratum = stratum(first, second, a, b);
        let ordinals = [a, b].map(|row| row.map_or(Ordinal(0), |row| row.ordinal));
        let screen = stages[0].unit(stratum.as_ref(), [a, b], |row| row.screen);
        let confirm = if has_confirm { stages[1].unit(stratum.as_ref(), [a, b], |row| row.confirm) } else { None };
        let kind = match (screen, confirm) {
            (_, Some(Direction::Gained)) => 0,
            (_, Some(Direction::Lost)) => 1,
            (Some(Direction::Gained), None) => 2,
            (Some(Direction::Lost), None) => 3,
            (None, None) => continue,
        };
        kinds[kind].push(Flip { ordinals, screen, confirm });
    }
    let [screen, confirm] = stages.map(Stage::finish);
    Pairing {
        screen,
        confirm: has_confirm.then_some(confirm),
        flips: [by_turns(&kinds[..2]), by_turns(&kinds[2..])].concat(),
    }
}

fn by_turns(kinds: &[Vec<Flip>]) -> Vec<Flip> {
    let longest = kinds.iter().map(Vec::len).max().unwrap_or_default();
    (0..longest).flat_map(|index| kinds.iter().filter_map(move |flips| flips.get(index).copied())).collect()
}

/// Rows of both sides in the order of their keys, those of one unit together.
fn joined<'a>(first: &'a [Row], second: &'a [Row]) -> Vec<(Option<&'a Row>, Option<&'a Row>)> {
    let (mut first, mut second) = (first.iter().peekable(), second.iter().peekable());
    let mut pairs = Vec::new();
    loop {
        let order = match (first.peek(), second.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.key.cmp(&b.key),
        };
        pairs.push(match order {
            Ordering::Less => (first.next(), None),
            Ordering::Greater => (None, second.next()),
            Ordering::Equal => (first.next(), second.next()),
        });
    }
}

fn stratum(first: &Side, second: &Side, a: Option<&Row>, b: Option<&Row>) -> Option<Stratum> {
    let of = |side: &Side, row: Option<&Row>| row.and_then(|row| side.strata.get(row.stratum as usize).cloned());
    let (a, b) = (of(first, a)?, of(second, b)?);
    if a.class == b.class {
        return Some(a);
    }
    Some(Stratum { class: format!("{} | {}", a.class.clone().min(b.class.clone()), a.class.max(b.class)), ..b })
}

#[derive(Default)]
struct Stage {
    pairing: StagePairing,
    clusters: Clusters,
}

impl Stage {
    /// Counts a unit. Says which way it flipped.
    fn unit(
        &mut self,
        stratum: Option<&Stratum>,
        [a, b]: [Option<&Row>; 2],
        of: fn(&Row) -> Standing,
    ) -> Option<Direction> {
        if let (Some(a), Some(b)) = (a, b)
            && a.content != b.content
        {
            self.pairing.other_text += 1;
            return None;
        }
        let standings = [a, b].map(|row| row.map_or(Standing::NotAdmitted, of));
        let [Some(first), Some(second)] = standings.map(Standing::decision) else {
            *self.pairing.apart.entry((standings[0], standings[1])).or_default() += 1;
            return None;
        };
        self.pairing.cross.add(first, second);
        if let Some(stratum) = stratum {
            self.pairing.by_stratum.entry(stratum.clone()).or_default().add(first, second);
        }
        let direction = match (first, second) {
            (false, true) => Direction::Gained,
            (true, false) => Direction::Lost,
            (true, true) | (false, false) => return None,
        };
        if let Some(row) = a {
            self.clusters.add(row.cluster, row.content, direction);
        }
        Some(direction)
    }

    fn finish(mut self) -> StagePairing {
        self.pairing.net = self.clusters.net();
        self.pairing
    }
}
