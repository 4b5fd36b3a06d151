//! `assize show`.

use assize::rehearse::PlantedTurn;

use crate::support::{Night, shape};

/// A planted turn with a cue, which both graders of a night without errors uphold.
fn planted(night: &Night) -> PlantedTurn {
    let truth = night.workspace.read("truth.jsonl");
    let turns = truth.lines().map(|line| serde_json::from_str::<PlantedTurn>(line).unwrap());
    turns.into_iter().find(|turn| turn.present && turn.cue).expect("some planted turn has a cue")
}

fn right() -> Night {
    Night::with(60, "sensitivity = 1.0", "sensitivity = 1.0")
}

#[test]
fn a_unit_with_its_text_cues_and_verdicts() {
    let night = right();
    night.workspace.report();
    let turn = planted(&night);
    let shown = night.workspace.run(&["show", &turn.unit]).expect(0);
    assert!(shown.stdout.contains(&turn.quote), "{}", shown.stdout);
    insta::assert_snapshot!(shown.shown());
}

#[test]
fn the_json_holds_the_same() {
    let night = right();
    night.workspace.report();
    let turn = planted(&night);
    let units = night.workspace.run(&["show", &turn.unit, "--format", "json"]).expect(0).json();
    for unit in units.as_array().unwrap() {
        assert_eq!(unit["unit"], turn.unit);
        assert_eq!(unit["admitted"], true);
    }
    insta::assert_snapshot!(shape(&units, &[".metadata"]));
}

#[test]
fn a_unit_that_was_not_selected_is_named() {
    let night = Night::new(2);
    night.workspace.report();
    insta::assert_snapshot!(night.workspace.run(&["show", "conv-9#1"]).expect(2).shown());
}
