//! Which units people were to read, and what came of it: the second phase of the sample.
//!
//! The draw depends on contents only (`statistics-formulas.md` section 1, rule 1), so it can be worked out at any time
//! from the journal. What somebody read beyond it is hand-picked: it is shown, and nothing is estimated from it.

use std::collections::{BTreeMap, HashMap};

use super::labels::Ruling;
use crate::model::draw::{SampleSize, draw_number, wants};
use crate::model::event::{Ordinal, Planned};
use crate::model::hash::Digest;
use crate::model::review::{CellTally, Route};

/// The purpose of the draw, which keeps it apart from the one that decided who is graded.
const PURPOSE: &str = "review";

/// One unit that people may be asked about.
#[derive(Debug, Clone)]
pub(super) struct Readable {
    pub(super) ordinal: Ordinal,
    pub(super) stratum: u32,
    pub(super) route: Route,
    pub(super) content: Digest,
    pub(super) ruling: Ruling,
}

/// What people have read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// By stratum and route.
    pub(super) cells: BTreeMap<(u32, Route), CellTally>,
    /// Units that were drawn or read: what people say, and the route on which it counts, unless they were picked by
    /// hand.
    rulings: HashMap<Ordinal, (Ruling, Option<Route>)>,
}

/// The number that decides whether and in which order people read a text.
pub(super) fn number(plan: &Planned, content: &Digest) -> u64 {
    draw_number(plan.seed, PURPOSE, plan.draw, content)
}

impl Reading {
    /// Draws what is to be read among these units, and counts what was.
    pub(super) fn of(plan: &Planned, mut units: Vec<Readable>) -> Self {
        share_among_copies(&mut units, plan.gate_includes_confirmer());
        let number = |unit: &Readable| number(plan, &unit.content);
        units.sort_by_cached_key(|unit| (unit.stratum, unit.route, number(unit), unit.content, unit.ordinal));
        let mut reading = Self::default();
        for unit in units {
            let cell = reading.cells.entry((unit.stratum, unit.route)).or_default();
            let is_drawn = match unit.route.size(&plan.review) {
                SampleSize::Count(most) => cell.units < most,
                size @ (SampleSize::All | SampleSize::Rate(_)) => wants(size, number(&unit)),
            };
            cell.units += 1;
            cell.drawn += u64::from(is_drawn);
            let route = is_drawn.then_some(unit.route);
            if unit.ruling == Ruling::Silent {
                if is_drawn {
                    reading.rulings.insert(unit.ordinal, (Ruling::Silent, route));
                }
                continue;
            }
            if is_drawn {
                cell.read += 1;
                match unit.ruling {
                    Ruling::Upheld => cell.confirmed += 1,
                    Ruling::Disputed | Ruling::Undecided => cell.undecided += 1,
                    Ruling::TurnedDown { .. } | Ruling::Silent => {}
                }
            } else {
                cell.hand_picked += 1;
            }
            reading.rulings.insert(unit.ordinal, (unit.ruling, route));
        }
        reading
    }

    /// What people say about a unit, and the route on which that counts.
    pub(super) fn take(&mut self, ordinal: Ordinal) -> (Ruling, Option<Route>) {
        self.rulings.remove(&ordinal).unwrap_or((Ruling::Silent, None))
    }
}

/// Exact copies are one text: what people say about one of them holds for all, and they are read together. Where only
/// what both graders say yes to reaches people, what the confirmer turned down does not for being a copy either.
fn share_among_copies(units: &mut [Readable], gate_includes_confirmer: bool) {
    let reaches_people = |unit: &Readable| match unit.route {
        Route::Upheld | Route::Addressed | Route::Copies => true,
        Route::TurnedDown | Route::Unconfirmed => !gate_includes_confirmer,
        Route::Cleared => false,
    };
    let mut texts: HashMap<Digest, (u64, Ruling)> = HashMap::new();
    for unit in units.iter().filter(|unit| reaches_people(unit)) {
        let (copies, ruling) = texts.entry(unit.content).or_insert((0, Ruling::Silent));
        *copies += 1;
        *ruling = std::mem::replace(ruling, Ruling::Silent).or(&unit.ruling);
    }
    for unit in units.iter_mut().filter(|unit| reaches_people(unit)) {
        if let Some((2.., ruling)) = texts.get(&unit.content) {
            unit.route = Route::Copies;
            unit.ruling = ruling.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::event::{Admitted, Event, Planned};
    use crate::model::fixture::{admitted, graded, judged, label, planned, unit};
    use crate::model::grading::Stage;
    use crate::model::hash::Digest;
    use crate::model::label::{Decision, Label};
    use crate::model::tally::Tally;
    use crate::model::verdict::Judgement::{self, Absent, Present};
    use crate::reconcile::{Definitions, Fold};

    use super::*;
    use crate::model::review::ReviewDraw;

    fn plan(units: u64, review: ReviewDraw) -> Event {
        Event::Planned(Box::new(Planned { review, ..planned(&[("core", "rl", units, units)]) }))
    }

    fn verdict(ordinal: u64, stage: Stage, verdict: Judgement) -> Event {
        Event::Judged(Box::new(judged(ordinal, stage, graded(verdict))))
    }

    fn fold(events: &[Event], labels: &[Label]) -> Tally {
        let mut fold = Fold::new(Definitions::plain(true));
        for event in events {
            fold.event(event);
        }
        for label in labels {
            fold.label(label);
        }
        fold.finish().unwrap()
    }

    /// So many units that the screen flags and the confirmer turns down.
    fn turned_down(units: u64, review: ReviewDraw) -> Vec<Event> {
        let mut events = vec![plan(units, review)];
        for n in 0..units {
            events.push(admitted(n, 0, unit("rl", &format!("c{n}"), 0)));
            events.extend([verdict(n, Stage::Screen, Present), verdict(n, Stage::Confirm, Absent)]);
        }
        events
    }

    #[test]
    fn what_nobody_drew_is_hand_picked_and_counts_in_the_floor_only() {
        let review = ReviewDraw { confirm_no: SampleSize::Count(3), ..ReviewDraw::default() };
        let labels: Vec<_> = (0..10).map(|n| label(&format!("c{n}#0"), "ana", Decision::Yes, 1)).collect();
        let tally = fold(&turned_down(10, review), &labels);
        let cell = tally.strata[0].cells[&Route::TurnedDown];
        assert_eq!(cell, CellTally { units: 10, drawn: 3, read: 3, confirmed: 3, undecided: 0, hand_picked: 7 });
        assert_eq!(tally.confirmed.len(), 10);
        assert_eq!(tally.confirmed.iter().filter(|unit| unit.route.is_some()).count(), 3);
    }

    #[test]
    fn undecided_units_are_read_and_unread_ones_are_not() {
        let labels = [
            label("c0#0", "ana", Decision::Unsure, 1),
            label("c1#0", "ana", Decision::Yes, 1),
            label("c1#0", "bo", Decision::No, 1),
            label("c2#0", "ana", Decision::No, 1),
        ];
        let tally = fold(&turned_down(5, ReviewDraw::default()), &labels);
        let cell = tally.strata[0].cells[&Route::TurnedDown];
        assert_eq!(cell, CellTally { units: 5, drawn: 5, read: 3, confirmed: 0, undecided: 2, hand_picked: 0 });
        assert_eq!(tally.labels.decided, 2);
        let mut open: Vec<_> = tally.queue.iter().map(|queued| queued.unit.conversation.as_str()).collect();
        open.sort_unstable();
        assert_eq!(open, ["c3", "c4"]);
    }

    /// Three copies of one text and another one, all flagged and turned down.
    fn turned_down_copies(confirm_no: SampleSize) -> Vec<Event> {
        let mut events = vec![plan(4, ReviewDraw { confirm_no, ..ReviewDraw::default() })];
        for n in 0..4 {
            let content = Digest::of(if n < 3 { b"twice told" } else { b"told once!" });
            let Event::Admitted(admitted) = admitted(n, 0, unit("rl", &format!("c{n}"), 0)) else { unreachable!() };
            events.push(Event::Admitted(Admitted { content, ..admitted }));
            events.extend([verdict(n, Stage::Screen, Present), verdict(n, Stage::Confirm, Absent)]);
        }
        events
    }

    #[test]
    fn copies_are_one_text_read_together() {
        let events = turned_down_copies(SampleSize::Count(1));
        let tally = fold(&events, &[label("c1#0", "ana", Decision::Yes, 1)]);
        let cells = &tally.strata[0].cells;
        let read = CellTally { units: 3, drawn: 3, read: 3, confirmed: 3, ..CellTally::default() };
        assert_eq!(cells[&Route::Copies], read);
        assert_eq!(cells[&Route::TurnedDown], CellTally { units: 1, drawn: 1, ..CellTally::default() });
        assert_eq!(tally.confirmed.len(), 3, "one decision speaks for all copies");
    }

    #[test]
    fn copies_that_the_gate_holds_back_do_not_reach_people() {
        let tally = fold(&turned_down_copies(SampleSize::Count(0)), &[]);
        let cells = &tally.strata[0].cells;
        assert_eq!(cells.get(&Route::Copies), None);
        assert_eq!(cells[&Route::TurnedDown], CellTally { units: 4, ..CellTally::default() });
        assert!(tally.queue.is_empty());
    }

    #[test]
    fn cleared_units_are_read_for_the_ceiling_and_are_no_floor() {
        let cleared = ReviewDraw { cleared: SampleSize::Count(2), ..ReviewDraw::default() };
        let mut events = vec![plan(6, cleared)];
        for n in 0..6 {
            events.extend([admitted(n, 0, unit("rl", &format!("c{n}"), 0)), verdict(n, Stage::Screen, Absent)]);
        }
        let labels: Vec<_> = (0..6).map(|n| label(&format!("c{n}#0"), "ana", Decision::Yes, 1)).collect();
        let tally = fold(&events, &labels);
        let cell = tally.strata[0].cells[&Route::Cleared];
        assert_eq!((cell.units, cell.drawn, cell.read, cell.confirmed), (6, 2, 2, 2), "drawn from all of them");
        assert_eq!((tally.confirmed.len(), tally.missed.len()), (0, 2));
        assert_eq!(tally.labels.beyond_flagged, 6);
    }

    proptest! {
        /// Whatever people do, and in whatever order units come, the counts are nested, and a larger draw contains a
        /// smaller one.
        #[test]
        fn counts_are_nested(
            most in 0_u64..12,
            decisions in prop::collection::vec((0_u64..12, 0_usize..4), 0..20),
            order in Just((0..12_u64).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let kinds = [Decision::Yes, Decision::No, Decision::Unsure, Decision::CannotJudge];
            let labels: Vec<_> =
                decisions.iter().map(|(n, kind)| label(&format!("c{n}#0"), "ana", kinds[*kind], 1)).collect();
            let cell = |most, order: &[u64]| {
                let review = ReviewDraw { confirm_no: SampleSize::Count(most), ..ReviewDraw::default() };
                let mut events = vec![plan(12, review)];
                for n in order {
                    events.push(admitted(*n, 0, unit("rl", &format!("c{n}"), 0)));
                    events.extend([verdict(*n, Stage::Screen, Present), verdict(*n, Stage::Confirm, Absent)]);
                }
                fold(&events, &labels).strata[0].cells[&Route::TurnedDown]
            };
            let (small, large) = (cell(most, &order), cell(most + 1, &order));
            prop_assert!(small.units >= small.drawn && small.drawn >= small.read);
            prop_assert!(small.read >= small.confirmed + small.undecided);
            prop_assert!(large.read >= small.read && large.confirmed >= small.confirmed);
            prop_assert_eq!(small.drawn, most.min(12));
            prop_assert_eq!(small.read + small.hand_picked, large.read + large.hand_picked);
            prop_assert_eq!(small, cell(most, &(0..12).collect::<Vec<_>>()));
        }
    }
}
