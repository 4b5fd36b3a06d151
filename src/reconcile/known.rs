//! Known positives of a run: how many of each group, class and use pass the gate.

use std::collections::BTreeMap;

use super::error::FoldError;
use super::unit::{Mark, UnitState};
use crate::model::event::{Admitted, Ordinal, Planned};
use crate::model::outcome::OutcomeKind;
use crate::model::tally::KnownTally;
use crate::model::unit::Group;

/// One known positive, as far as events have told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    is_admitted: bool,
    pub(super) state: UnitState,
}

/// All known positives of the plan, by ordinal.
#[derive(Debug, Default)]
pub(super) struct KnownUnits(Vec<Known>);

impl KnownUnits {
    pub(super) fn of(plan: &Planned) -> Self {
        Self(vec![Known::default(); plan.known.items.len()])
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The item at this position, if it is one of these.
    pub(super) fn get(&mut self, ordinal: Ordinal) -> Option<&mut Known> {
        self.0.get_mut(usize::try_from(ordinal.0).ok()?)
    }

    pub(super) fn admit(&mut self, admitted: &Admitted) -> Result<(), FoldError> {
        let known = self.get(admitted.ordinal).ok_or(FoldError::OutsidePlan(admitted.ordinal))?;
        known.is_admitted = true;
        Ok(())
    }

    /// The marks of all of them, as far as they ended.
    pub(super) fn marks(&self) -> impl Iterator<Item = Mark> {
        self.0.iter().flat_map(|known| known.state.marks())
    }

    /// Counts them by group, class and use.
    pub(super) fn finish(&self, plan: &Planned) -> Result<Vec<KnownTally>, FoldError> {
        let mut rows = BTreeMap::new();
        for ((ordinal, known), item) in (0..).map(Ordinal).zip(&self.0).zip(&plan.known.items) {
            if !known.is_admitted && known.state.marks().next().is_some() {
                return Err(FoldError::NotAdmitted(ordinal));
            }
            let key: (&Group, &str, _) = (&item.group, &item.class, item.usage());
            let row = rows.entry(key).or_insert_with(|| KnownTally {
                group: item.group.clone(),
                class: item.class.clone(),
                usage: item.usage(),
                items: 0,
                usable: 0,
                passed: 0,
                ungraded: 0,
                unfinished: 0,
                partial: 0,
                not_cached: 0,
            });
            row.items += 1;
            row.not_cached += u64::from(known.state.marks().any(|mark| mark.kind == OutcomeKind::NotCached));
            let with_confirmer = plan.gate_includes_confirmer();
            row.partial += u64::from(is_partial(&known.state, with_confirmer));
            match passes(&known.state, with_confirmer) {
                Passage::Open => row.unfinished += 1,
                Passage::Unusable => row.ungraded += 1,
                Passage::Usable { passed } => {
                    row.usable += 1;
                    row.passed += u64::from(passed);
                }
            }
        }
        Ok(rows.into_values().collect())
    }
}

/// How an item came through the gate.
enum Passage {
    /// It has not ended.
    Open,
    /// A stage of the gate has no usable verdict for it.
    Unusable,
    /// Every stage that it reached has.
    Usable {
        /// Whether it would be sent to people.
        passed: bool,
    },
}

/// Whether the item lacks an answer for a reason that may hang on what the others say: a first answer took it a step and a
/// later one is missing, or a file of verdicts does not have it.
fn is_partial(state: &UnitState, with_confirmer: bool) -> bool {
    let is_unrecorded = |mark: Mark| mark.kind == OutcomeKind::NotRecorded;
    let can_come =
        |mark: Option<Mark>| mark.is_none_or(|mark| mark.is_open || mark.kind.is_unfinished() || is_unrecorded(mark));
    let is_asked_on = with_confirmer && state.is_flagged() && !state.addresses_grader();
    // Whoever wrote a file decided which items it has, and nobody knows by what.
    let is_left_out = state.screen().is_some_and(|mark| mark.is_open || is_unrecorded(mark));
    is_left_out || (is_asked_on && can_come(state.confirm()))
}

fn passes(state: &UnitState, with_confirmer: bool) -> Passage {
    let at = |mark: Option<Mark>| match mark {
        None => Passage::Open,
        // By definitions of now it would be asked about again.
        Some(mark) if mark.is_open => Passage::Unusable,
        Some(mark) if mark.kind.is_usable() => Passage::Usable { passed: mark.holds },
        Some(_) => Passage::Unusable,
    };
    let screened = at(state.screen());
    // What talks to its grader goes to people, whatever the confirmer says.
    let goes_on = with_confirmer && !state.addresses_grader() && matches!(screened, Passage::Usable { passed: true });
    if goes_on { at(state.confirm()) } else { screened }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::draw::SampleSize;
    use crate::model::event::Event;
    use crate::model::fixture::{admitted, graded, group, judged, opened, planned, unit};
    use crate::model::found_by::{FoundBy, KnownUse};
    use crate::model::grading::Stage;
    use crate::model::hash::Digest;
    use crate::model::known_plan::{KnownItem, KnownPlan};
    use crate::model::outcome::Outcome;
    use crate::model::tally::Tally;
    use crate::model::verdict::Judgement::{Absent, Present};
    use crate::reconcile::{Definitions, Fold};

    fn item(id: &str, class: &str, found_by: FoundBy) -> KnownItem {
        KnownItem { id: id.into(), group: group("rl"), class: class.into(), found_by, source: id.into() }
    }

    /// Five known positives before two units, all admitted.
    fn begun(through_confirmer: bool) -> Vec<Event> {
        let mut plan = planned(&[("core", "rl", 2, 2)]);
        if through_confirmer {
            plan.review.confirm_no = SampleSize::Count(0);
        }
        plan.known = KnownPlan {
            version: Some(Digest::of(b"set")),
            units: Some(Digest::of(b"units")),
            items: vec![
                item("a", "core", FoundBy::Planted),
                item("b", "core", FoundBy::Incident),
                item("c", "core", FoundBy::Planted),
                item("d", "none", FoundBy::Planted),
                item("e", "core", FoundBy::SiblingGrader),
            ],
            ..KnownPlan::default()
        };
        let mut events = vec![opened(0), Event::Planned(Box::new(plan))];
        for (ordinal, name) in (0..4).zip(["a", "b", "c", "d"]) {
            let Event::Admitted(known) = admitted(ordinal, 0, unit("rl", name, 1)) else { continue };
            events.push(Event::Admitted(Admitted { stratum: None, ..known }));
        }
        events.extend((5..7).map(|ordinal| admitted(ordinal, 0, unit("rl", "x", u32::try_from(ordinal).unwrap()))));
        events
    }

    fn said(ordinal: u64, stage: Stage, outcome: Outcome) -> Event {
        Event::Judged(Box::new(judged(ordinal, stage, outcome)))
    }

    fn fold(events: &[Event]) -> Result<Tally, FoldError> {
        let mut fold = Fold::new(Definitions::plain(true));
        for event in events {
            fold.event(event);
        }
        fold.finish()
    }

    type Row<'a> = (&'a str, KnownUse, [u64; 5]);

    fn rows(tally: &Tally) -> Vec<Row<'_>> {
        let row = |row: &'_ KnownTally| [row.items, row.usable, row.passed, row.ungraded, row.unfinished];
        tally.known.iter().map(|known| (known.class.as_str(), known.usage, row(known))).collect()
    }

    #[test]
    fn known_positives_are_counted_apart_from_units() {
        let mut events = begun(false);
        events.extend([
            said(0, Stage::Screen, graded(Present)),
            said(1, Stage::Screen, graded(Absent)),
            said(2, Stage::Screen, Outcome::Refused),
            said(3, Stage::Screen, graded(Present)),
            said(5, Stage::Screen, graded(Absent)),
        ]);
        let tally = fold(&events).unwrap();
        let expected = [
            ("core", KnownUse::Headline, [3, 2, 1, 1, 0]),
            ("core", KnownUse::Selected, [1, 0, 0, 0, 1]),
            ("none", KnownUse::Headline, [1, 1, 1, 0, 0]),
        ];
        assert_eq!(rows(&tally), expected);
        assert_eq!((tally.screen.reached(), tally.screen.unfinished), (2, 1), "units only");
        assert_eq!(tally.buckets(None).total(), 2);
        assert_eq!(tally.ungraded(), 1, "the unit that has not ended");
    }

    #[test]
    fn a_gate_of_two_graders_needs_both() {
        let mut events = begun(true);
        events.extend([
            said(0, Stage::Screen, graded(Present)),
            said(0, Stage::Confirm, graded(Present)),
            said(1, Stage::Screen, graded(Present)),
            said(1, Stage::Confirm, graded(Absent)),
            said(2, Stage::Screen, graded(Present)),
            said(3, Stage::Screen, graded(Absent)),
        ]);
        let tally = fold(&events).unwrap();
        assert_eq!(rows(&tally)[0], ("core", KnownUse::Headline, [3, 2, 1, 0, 1]));
        assert_eq!(rows(&tally)[2], ("none", KnownUse::Headline, [1, 1, 0, 0, 0]));
        assert_eq!(tally.confirm.unwrap().reached(), 0);
    }

    #[test]
    fn an_item_that_was_never_admitted_has_no_verdict() {
        let mut events = begun(false);
        events.push(said(4, Stage::Screen, graded(Present)));
        assert!(matches!(fold(&events), Err(FoldError::NotAdmitted(Ordinal(4)))));
        let mut events = begun(false);
        events.push(said(7, Stage::Screen, graded(Present)));
        assert!(matches!(fold(&events), Err(FoldError::OutsidePlan(Ordinal(7)))));
    }
}
