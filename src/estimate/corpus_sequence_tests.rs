use super::*;
use crate::estimate::interval::{Share, clopper_pearson};
use crate::model::event::{Ordinal, Planned};
use crate::model::fixture::planned;
use crate::model::unit::UnitKind;

fn asking(relative_width: f64, strata: &[crate::model::fixture::StratumSpec]) -> Planned {
    let rule = StopWhen { relative_width: RelativeWidth::new(relative_width).unwrap() };
    Planned { stop_when: Some(rule), ..planned(strata) }
}

fn looked(ended: u64, confirmed: u64) -> Looked {
    Looked { ended, confirmed }
}

/// Numbers for simulations: `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[test]
fn the_whole_corpus_is_spoken_of_and_not_the_sample() {
    let plan = asking(0.5, &[("core", "rl", 200, 100), ("none", "rl", 4_000, 1_000), ("none", "empty", 0, 0)]);
    let sequence = CorpusSequence::of(&plan).unwrap();
    let all = sequence.at(&[looked(100, 20), looked(1_000, 1), looked(0, 0)], |_| true);
    assert_eq!((all.confirmed, all.frame, all.estimate), (21, 4_200, Some(44.0)));
    assert!(all.lower >= 21 && all.lower < 44 && all.upper > 44, "{all:?}");
    let parts = [0, 1].map(|part| sequence.at(&[looked(100, 20), looked(1_000, 1)], |stratum| stratum == part));
    assert_eq!(parts[0].upper + parts[1].upper, all.upper, "the limits of parts hold together with their sum's");
    let whole = sequence.at(&[looked(200, 33), looked(4_000, 7)], |_| true);
    assert_eq!((whole.lower, whole.upper, whole.width()), (40, 40, RelativeWidth::new(0.0)));
}

#[test]
fn what_is_unseen_or_empty_has_no_width() {
    let sequence = CorpusSequence::of(&asking(0.5, &[("core", "rl", 200, 100), ("none", "rl", 400, 100)])).unwrap();
    let width = |looked: [Looked; 2]| sequence.at(&looked, |_| true).width();
    assert_eq!(width([looked(50, 5), looked(0, 0)]), None, "a stratum is unseen");
    assert_eq!(width([looked(50, 0), looked(50, 0)]), None, "nothing was confirmed");
    assert!(width([looked(50, 5), looked(50, 0)]).is_some());
}

#[test]
fn a_plan_that_supports_no_sequence_says_what_to_add() {
    let reason = |plan: &Planned| CorpusSequence::of(plan).unwrap_err();
    let mut alone = planned(&[("core", "rl", 10, 10)]);
    alone.graders.pop();
    assert_eq!(reason(&alone), NoSequence::NoConfirmer);
    let drawn = Planned { sample_by: UnitKind::Conversation, ..planned(&[("core", "rl", 10, 10)]) };
    assert_eq!(reason(&drawn), NoSequence::NotTurns);
    assert_eq!(reason(&planned(&[])), NoSequence::Nothing);
    let left_out = reason(&planned(&[("core", "rl", 10, 10), ("none", "rl", 10, 0)]));
    assert_eq!(left_out.to_string(), "no unit of class `none` in rl is drawn: set its size under [sample]");
    assert!(Looks::of(&planned(&[])).unwrap().is_none(), "a plan that does not ask needs nothing");
}

/// The first narrow look of 5,000 units of which every eighth is confirmed, ended in order but for swaps in a window.
fn first_narrow(window: u64, seed: u64) -> Look {
    let looks = Looks::of(&asking(0.5, &[("core", "rl", 8_000, 5_000)])).unwrap().unwrap();
    let (mut prefix, mut dice) = (Prefix::new(1, Ordinal(0)), Dice(seed));
    let (mut open, mut next): (Vec<u64>, u64) = (Vec::new(), 0);
    loop {
        while next < 5_000 && (open.len() as u64) < window {
            prefix.admit(Ordinal(next), 0);
            open.push(next);
            next += 1;
        }
        let ended = open.swap_remove(usize::try_from(dice.below(open.len() as u64)).unwrap());
        prefix.finish(Ordinal(ended), ended % 8 == 3);
        while prefix.step() {
            if let Some(look) = looks.narrow_at(&prefix) {
                return look;
            }
        }
    }
}

#[test]
fn a_look_depends_on_the_prefix_alone() {
    let one_by_one = first_narrow(1, 0);
    assert!(one_by_one.units.is_multiple_of(BETWEEN_LOOKS) && one_by_one.units < 5_000, "{one_by_one:?}");
    assert_eq!((one_by_one.number, one_by_one.strata[0].ended), (one_by_one.units / 1_000, one_by_one.units));
    assert!(one_by_one.satisfies(one_by_one.rule));
    for (window, seed) in [(7, 1), (64, 2), (2_500, 3)] {
        assert_eq!(first_narrow(window, seed), one_by_one, "window {window}");
    }
}

/// Runs that stop as soon as they know enough: the sequence covers what is there at least as often as it says, over all
/// looks that a run may stop at. Of the limits for a fixed number of units nobody knows that, and here they miss more.
#[test]
fn the_sequence_covers_at_the_stop() {
    const RUNS: u64 = 400;
    const EVENTS: u64 = 240;
    const UNITS: u64 = 40_000;
    let plan = asking(1.2, &[("core", "rl", UNITS, UNITS)]);
    let sequence = CorpusSequence::of(&plan).unwrap();
    let looks = Looks::of(&plan).unwrap().unwrap();
    let (mut covered, mut covered_fixed, mut stops) = (0, 0, std::collections::BTreeSet::new());
    for run in 0..RUNS {
        let (mut dice, mut prefix, mut left) = (Dice(run << 32), Prefix::new(1, Ordinal(0)), EVENTS);
        let look = (0..UNITS).find_map(|unit| {
            let confirmed = dice.below(UNITS - unit) < left;
            left -= u64::from(confirmed);
            prefix.admit(Ordinal(unit), 0);
            prefix.finish(Ordinal(unit), confirmed);
            prefix.step();
            looks.narrow_at(&prefix)
        });
        let look = look.expect("a whole corpus is known exactly");
        stops.insert(look.number);
        let seen = sequence.at(&look.strata, |_| true);
        assert_eq!((seen.lower, seen.upper), (look.lower, look.upper));
        covered += u64::from((look.lower..=look.upper).contains(&EVENTS));
        let fixed =
            clopper_pearson(Share::new(look.strata[0].confirmed, look.units).unwrap(), Level::new(0.95).unwrap());
        let truth = 0.006;
        covered_fixed += u64::from(fixed.lower <= truth && truth <= fixed.upper);
    }
    assert!(stops.len() > 3, "the looks at which runs stop vary: {stops:?}");
    assert!(covered * 100 >= RUNS * 95, "{covered} of {RUNS} are covered");
    assert!(covered_fixed < covered, "{covered_fixed} by fixed limits, {covered} by the sequence");
}
