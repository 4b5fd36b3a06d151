//! Pairings of small journals, and what holds of every pairing.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Cross, Direction, Net, Pairing, Side, SideRules, Standing, pair};
use crate::model::event::{Admitted, Event, Ordinal};
use crate::model::fixture::{graded, judged, planned, unit};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::verdict::Judgement;
use crate::reconcile::Definitions;
use crate::verdict::Definition;

/// What a test says of one unit: its number, the number of its text, and how each stage ended.
#[derive(Debug, Clone)]
struct Spec {
    unit: u32,
    text: u32,
    screen: Option<Outcome>,
    confirm: Option<Outcome>,
}

fn spec(unit: u32, screen: Judgement, confirm: Option<Judgement>) -> Spec {
    Spec { unit, text: unit, screen: Some(graded(screen)), confirm: confirm.map(graded) }
}

/// Two turns a conversation; units below 10 are in one class, the others in another.
fn side(has_confirmer: bool, specs: &[Spec]) -> Side {
    side_by(SideRules { definitions: Definitions::plain(has_confirmer), named: None }, specs)
}

fn side_by(rules: SideRules, specs: &[Spec]) -> Side {
    let mut side = Side::new(rules);
    let plan = planned(&[("core", "rl", 100, 100), ("none", "rl", 100, 100)]);
    let mut events = vec![Event::Planned(Box::new(plan))];
    for (ordinal, spec) in (0..).zip(specs) {
        let unit = unit("rl", &format!("c-{}", spec.unit / 2), spec.unit);
        let content = Digest::of(&spec.text.to_le_bytes());
        let stratum = Some(u32::from(spec.unit >= 10));
        let ordinal = Ordinal(ordinal);
        events.push(Event::Admitted(Admitted { ordinal, unit, stratum, content, cluster: None, part: None }));
        for (stage, outcome) in [(Stage::Screen, &spec.screen), (Stage::Confirm, &spec.confirm)] {
            events.extend(outcome.clone().map(|outcome| Event::Judged(Box::new(judged(ordinal.0, stage, outcome)))));
        }
    }
    for event in &events {
        side.event(event).unwrap();
    }
    side.close(0);
    side
}

#[test]
fn every_unit_of_either_run_is_in_one_figure() {
    use Judgement::{Absent, Present};
    let first = side(
        true,
        &[
            spec(0, Present, Some(Present)),
            spec(1, Present, Some(Absent)),
            spec(2, Absent, None),
            Spec { screen: Some(Outcome::Refused), ..spec(3, Absent, None) },
            spec(4, Absent, None),
            spec(12, Absent, None),
        ],
    );
    let second = side(
        true,
        &[
            spec(0, Present, None),
            spec(1, Present, Some(Present)),
            spec(2, Present, Some(Present)),
            spec(3, Absent, None),
            Spec { text: 99, ..spec(4, Present, None) },
            spec(5, Absent, None),
        ],
    );
    let Pairing { screen, confirm, flips } = pair(&first, &second);
    let confirm = confirm.unwrap();
    assert_eq!(screen.cross, Cross { both: 2, first_only: 0, second_only: 1, neither: 0 });
    assert_eq!(confirm.cross, Cross { both: 0, first_only: 0, second_only: 2, neither: 0 });
    let no = Standing::Decided(false);
    let (refused, absent) = (Standing::Undecided(OutcomeKind::Refused), Standing::NotAdmitted);
    let apart = BTreeMap::from([((refused, no), 1), ((absent, no), 1), ((no, absent), 1)]);
    assert_eq!(screen.apart, apart);
    assert_eq!(confirm.apart[&(Standing::Decided(true), Standing::Unfinished)], 1, "flagged, and not asked again yet");
    assert_eq!((screen.other_text, screen.total(), confirm.total()), (1, 7, 7));
    let gained = Some(Direction::Gained);
    let ways: Vec<_> = flips.iter().map(|flip| (flip.screen, flip.confirm)).collect();
    assert_eq!(ways, [(gained, gained), (None, gained)], "at the screen first");
}

#[test]
fn known_positives_and_a_conversation_that_was_cut_off_are_no_units() {
    let whole = side(false, &[spec(0, Judgement::Present, None), spec(1, Judgement::Absent, None)]);
    let mut cut = Side::new(SideRules { definitions: Definitions::plain(false), named: None });
    cut.event(&Event::Planned(Box::new(planned(&[("core", "rl", 100, 100)])))).unwrap();
    for (ordinal, stratum, number) in [(0, None, 7), (1, Some(0), 0), (2, Some(0), 1)] {
        let unit = unit("rl", "c-0", number);
        let (ordinal, content) = (Ordinal(ordinal), Digest::of(&number.to_le_bytes()));
        let admitted = Admitted { ordinal, unit, stratum, content, cluster: None, part: None };
        cut.event(&Event::Admitted(admitted)).unwrap();
        let verdict = judged(ordinal.0, Stage::Screen, graded(Judgement::Present));
        cut.event(&Event::Judged(Box::new(verdict))).unwrap();
    }
    cut.close(1);
    let pairing = pair(&whole, &cut).screen;
    assert_eq!(pairing.cross, Cross { both: 1, ..Cross::default() });
    assert_eq!(pairing.apart, BTreeMap::from([((Standing::Decided(false), Standing::NotAdmitted), 1)]));
}

#[test]
fn a_named_definition_stands_in_for_the_flag_at_the_screen_only() {
    use crate::model::behaviour::{Behaviour, DefinitionText};
    let specs = [spec(0, Judgement::Suspected, Some(Judgement::Present)), spec(1, Judgement::Present, None)];
    let text = DefinitionText { description: String::new(), expression: r#"verdict == "present""#.to_owned() };
    let behaviour = Behaviour {
        name: "plain".to_owned(),
        definition: String::new(),
        threshold: 0,
        labels: Vec::new(),
        exclusions: Vec::new(),
        fields: Vec::new(),
        definitions: BTreeMap::new(),
    };
    let named = Arc::new(Definition::compile("present", &text, &behaviour).unwrap());
    let rules = SideRules { definitions: Definitions::plain(true), named: Some(named) };
    let Pairing { screen, confirm, .. } = pair(&side(true, &specs), &side_by(rules, &specs));
    assert_eq!(screen.cross, Cross { both: 1, first_only: 1, ..Cross::default() }, "suspected is not present");
    assert_eq!(confirm.unwrap().cross, Cross { both: 1, ..Cross::default() }, "it was flagged, and upheld");
}

#[test]
fn without_a_second_grader_on_both_sides_nothing_is_said_of_it() {
    let specs = [spec(0, Judgement::Present, None)];
    assert_eq!(pair(&side(false, &specs), &side(true, &specs)).confirm, None);
}

#[test]
fn flips_of_one_conversation_and_copies_of_one_text_count_as_one() {
    use Judgement::{Absent, Present};
    let copy = |unit, verdict| Spec { text: 50, ..spec(unit, verdict, None) };
    // Two turns of one conversation, one of which is a copy of a turn of a third; one more alone; one lost.
    let all = |verdict| [spec(0, verdict, None), copy(1, verdict), copy(4, verdict), spec(6, verdict, None)];
    let lost = |verdict| spec(8, verdict, None);
    let (first, second) =
        ([&all(Absent)[..], &[lost(Present)]].concat(), [&all(Present)[..], &[lost(Absent)]].concat());
    let pairing = pair(&side(false, &first), &side(false, &second));
    assert_eq!(pairing.screen.cross, Cross { both: 0, first_only: 1, second_only: 4, neither: 0 });
    assert_eq!(pairing.screen.net, Net { gained: 2, lost: 1, balanced: 0 });
}

fn outcome() -> impl Strategy<Value = Option<Outcome>> {
    prop_oneof![
        4 => Just(Some(graded(Judgement::Present))),
        4 => Just(Some(graded(Judgement::Absent))),
        1 => Just(Some(graded(Judgement::Suspected))),
        1 => Just(Some(Outcome::Refused)),
        1 => Just(Some(Outcome::CannotJudge)),
        1 => Just(None),
    ]
}

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let of_unit = prop::option::of((prop_oneof![9 => Just(0_u32), 1 => Just(1000)], outcome(), outcome()));
    prop::collection::vec(of_unit, 20).prop_map(|units| {
        let numbered = (0..).zip(units).filter_map(|(unit, spec)| spec.map(|spec| (unit, spec)));
        numbered.map(|(unit, (other, screen, confirm))| Spec { unit, text: unit + other, screen, confirm }).collect()
    })
}

proptest! {
    #[test]
    fn a_run_never_flips_against_itself(specs in specs()) {
        let pairing = pair(&side(true, &specs), &side(true, &specs));
        for stage in [&pairing.screen, pairing.confirm.as_ref().unwrap()] {
            prop_assert_eq!((stage.cross.first_only, stage.cross.second_only, stage.other_text), (0, 0, 0));
            prop_assert!(stage.apart.keys().all(|(a, b)| a == b), "{:?}", stage.apart);
            prop_assert_eq!(stage.total(), specs.len() as u64);
        }
        prop_assert!(pairing.flips.is_empty());
    }

    #[test]
    fn swapping_sides_swaps_directions_and_loses_no_unit(first in specs(), second in specs()) {
        let (a, b) = (side(true, &first), side(true, &second));
        let (there, back) = (pair(&a, &b), pair(&b, &a));
        let either = first.iter().chain(&second).map(|spec| spec.unit).collect::<std::collections::BTreeSet<_>>().len();
        for (there, back) in [(&there.screen, &back.screen), (there.confirm.as_ref().unwrap(), back.confirm.as_ref().unwrap())] {
            prop_assert_eq!(there.total(), either as u64);
            let turned = Cross { first_only: back.cross.second_only, second_only: back.cross.first_only, ..back.cross };
            prop_assert_eq!(there.cross, turned);
            let turned: BTreeMap<_, _> = back.apart.iter().map(|((a, b), units)| ((*b, *a), *units)).collect();
            prop_assert_eq!(&there.apart, &turned);
            prop_assert_eq!((there.net.gained, there.net.lost), (back.net.lost, back.net.gained));
            let of_strata: u64 = there.by_stratum.values().map(|cross| cross.total()).sum();
            prop_assert_eq!(of_strata, there.cross.total());
        }
        let flipped = |pairing: &Pairing, at: usize| {
            let mut ordinals: Vec<_> = pairing.flips.iter().map(|flip| flip.ordinals[at]).collect();
            ordinals.sort();
            ordinals
        };
        prop_assert_eq!(flipped(&there, 0), flipped(&back, 1));
        let at_screen = there.flips.iter().filter(|flip| flip.screen.is_some()).count() as u64;
        prop_assert_eq!(at_screen, there.screen.cross.first_only + there.screen.cross.second_only);
    }
}
