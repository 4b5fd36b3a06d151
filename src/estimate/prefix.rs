//! The completed beginning of the order of admission.
//!
//! In each stratum units are admitted in the order of a hash, so the first ones that ended without a gap are a random draw,
//! without replacement, from the stratum. Units that ended out of turn wait until the gap before them is closed: what
//! takes longer, such as a unit that is confirmed, would be missing otherwise.

use std::collections::VecDeque;

use crate::model::event::Ordinal;
use crate::model::stop::Looked;

/// Units in order of admission, counted by stratum as far as they ended without a gap. What is behind a gap takes eight
/// bytes a unit, because one that is stuck lets as many others pass as end meanwhile.
#[derive(Debug, Clone, Default)]
pub struct Prefix {
    looked: Vec<Looked>,
    /// The unit that the beginning begins with: known positives come before it.
    first: u64,
    units: u64,
    rest: VecDeque<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    stratum: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended { confirmed: bool },
}

impl Prefix {
    /// An empty prefix over so many strata, of which `first` will be the first unit.
    #[must_use]
    pub fn new(strata: usize, first: Ordinal) -> Self {
        Self { looked: vec![Looked::default(); strata], first: first.0, units: 0, rest: VecDeque::new() }
    }

    /// The next unit in order was admitted. One out of order is ignored: it cannot be part of a beginning.
    pub fn admit(&mut self, unit: Ordinal, stratum: u32) {
        if unit.0 == self.first + self.units + self.rest.len() as u64 {
            self.rest.push_back(Place { stratum, state: State::Open });
        }
    }

    /// A unit ended. It counts once [`step`](Self::step) takes it in.
    pub fn finish(&mut self, unit: Ordinal, confirmed: bool) {
        let place = unit.0.checked_sub(self.first + self.units).and_then(|place| usize::try_from(place).ok());
        if let Some(place) = place.and_then(|place| self.rest.get_mut(place)) {
            place.state = State::Ended { confirmed };
        }
    }

    /// Takes the next unit in, if it has ended.
    pub fn step(&mut self) -> bool {
        let Some(Place { stratum, state: State::Ended { confirmed } }) = self.rest.front().copied() else {
            return false;
        };
        self.rest.pop_front();
        self.units += 1;
        if let Some(looked) = self.looked.get_mut(stratum as usize) {
            looked.ended += 1;
            looked.confirmed += u64::from(confirmed);
        }
        true
    }

    /// Units taken in.
    #[must_use]
    pub const fn units(&self) -> u64 {
        self.units
    }

    /// The same by stratum, in the order of the plan.
    #[must_use]
    pub fn looked(&self) -> &[Looked] {
        &self.looked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_out_of_turn_waits_for_the_gap() {
        let mut prefix = Prefix::new(2, Ordinal(0));
        for unit in 0..4_u32 {
            prefix.admit(Ordinal(u64::from(unit)), unit % 2);
        }
        prefix.admit(Ordinal(9), 0);
        prefix.finish(Ordinal(2), true);
        prefix.finish(Ordinal(1), true);
        assert!(!prefix.step());
        prefix.finish(Ordinal(0), false);
        assert!(prefix.step() && prefix.step() && prefix.step() && !prefix.step());
        let looked = |ended, confirmed| Looked { ended, confirmed };
        assert_eq!((prefix.units(), prefix.looked()), (3, [looked(2, 1), looked(1, 1)].as_slice()));
        prefix.finish(Ordinal(0), true);
        assert_eq!(prefix.looked()[0].confirmed, 1, "what is taken in does not change");
    }
}
