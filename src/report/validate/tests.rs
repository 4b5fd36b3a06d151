//! What holds of every validation.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{ScoreFigures, StageFigures, SubsetName};
use crate::model::fixture::group;
use crate::model::grading::Stage;
use crate::model::outcome::OutcomeKind;
use crate::model::rate::Level;
use crate::reconcile::diff::Standing;
use crate::reconcile::validate::{Place, Row, Truth};

fn level() -> Level {
    Level::new(0.95).unwrap()
}

fn row(truth: Truth, screen: Standing, score: u8, value: &str) -> Row {
    let is_decided = matches!(screen, Standing::Decided(_));
    Row {
        truth,
        labels: BTreeSet::new(),
        exclusions: BTreeSet::new(),
        place: Some(Place { group: group(value), cluster: 0 }),
        is_ambiguous: false,
        screen,
        confirm: None,
        score: is_decided.then_some(score),
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let truth = prop::sample::select(vec![Truth::Yes, Truth::No, Truth::Undecided, Truth::Disputed]);
    let standing = prop::sample::select(vec![
        Standing::Decided(true),
        Standing::Decided(false),
        Standing::Undecided(OutcomeKind::Refused),
        Standing::NotAdmitted,
        Standing::Unfinished,
    ]);
    let value = prop::sample::select(vec!["early", "late"]);
    let one =
        (truth, standing, 0..=100_u8, value).prop_map(|(truth, screen, score, value)| row(truth, screen, score, value));
    prop::collection::vec(one, 0..150)
}

fn screen(rows: &[Row]) -> StageFigures {
    StageFigures::of(Stage::Screen, rows, &["checkpoint".to_owned()], level())
}

#[test]
fn labels_and_exclusions_say_where_a_prompt_is_wrong() {
    let labelled = |id: &str, says: bool| Row {
        labels: BTreeSet::from([id.to_owned()]),
        ..row(Truth::Yes, Standing::Decided(says), 50, "early")
    };
    let excluded =
        Row { exclusions: BTreeSet::from(["N2".to_owned()]), ..row(Truth::No, Standing::Decided(true), 80, "late") };
    let found = screen(&[labelled("M1", true), labelled("M1", false), labelled("M2", true), excluded]);
    let figures = |name: &SubsetName| {
        let subset = found.subsets.iter().find(|subset| subset.name == *name).unwrap();
        let share = |share: Option<super::ShareFigure>| share.map(|share| (share.k, share.n));
        (share(subset.sensitivity), share(subset.specificity), subset.precision)
    };
    assert_eq!(figures(&SubsetName::Label("M1".to_owned())), (Some((1, 2)), None, None));
    assert_eq!(figures(&SubsetName::Label("M2".to_owned())), (Some((1, 1)), None, None));
    assert_eq!(figures(&SubsetName::Exclusion("N2".to_owned())), (None, Some((0, 1)), None));
    assert_eq!(found.subsets.len(), 5, "two groups, two labels, one exclusion");
}

#[test]
fn scores_without_both_truths_have_no_curve() {
    let positives = [row(Truth::Yes, Standing::Decided(true), 90, "early")];
    assert_eq!(ScoreFigures::of(&positives, level()), None);
    let undecided = row(Truth::Undecided, Standing::Decided(false), 5, "early");
    assert_eq!(ScoreFigures::of(&[positives[0].clone(), undecided], level()), None);
}

proptest! {
    #[test]
    fn every_labelled_unit_is_counted_once(rows in rows()) {
        let found = screen(&rows);
        let cells = found.detected + found.missed + found.false_alarms + found.cleared;
        let apart: u64 = found.apart.iter().map(|row| row.units).sum();
        prop_assert_eq!(found.decided, cells);
        prop_assert_eq!(rows.len() as u64, cells + apart);
        let of_groups: u64 = found.subsets.iter().map(|subset| subset.decided).sum();
        prop_assert_eq!(of_groups, cells, "groups share the units out");
    }

    #[test]
    fn swapping_yes_and_no_swaps_sensitivity_and_specificity(rows in rows()) {
        let swap = |row: &Row| Row {
            truth: match row.truth {
                Truth::Yes => Truth::No,
                Truth::No => Truth::Yes,
                Truth::Undecided | Truth::Disputed => row.truth,
            },
            screen: match row.screen {
                Standing::Decided(says_yes) => Standing::Decided(!says_yes),
                Standing::NotAdmitted | Standing::Unfinished | Standing::Undecided(_) | Standing::AskedOnce => row.screen,
            },
            ..row.clone()
        };
        let (found, swapped) = (screen(&rows), screen(&rows.iter().map(swap).collect::<Vec<_>>()));
        prop_assert_eq!(found.sensitivity, swapped.specificity);
        prop_assert_eq!(found.specificity, swapped.sensitivity);
        prop_assert_eq!(found.accuracy, swapped.accuracy);
        prop_assert_eq!(found.kappa.map(|kappa| kappa.estimate), swapped.kappa.map(|kappa| kappa.estimate));
    }

    #[test]
    fn a_higher_threshold_flags_less(rows in rows()) {
        let Some(scores) = ScoreFigures::of(&rows, level()) else { return Ok(()) };
        for pair in scores.curve.windows(2) {
            prop_assert!(pair[0].threshold < pair[1].threshold);
            prop_assert!(pair[0].sensitivity.k >= pair[1].sensitivity.k);
            prop_assert!(pair[0].specificity.unwrap().k <= pair[1].specificity.unwrap().k);
        }
        prop_assert_eq!(scores.curve[0].sensitivity.k, scores.positives, "the lowest score flags all");
        let decided = screen(&rows).decided;
        prop_assert_eq!(scores.positives + scores.negatives, decided);
        let binned: u64 = scores.reliability.iter().map(|bin| bin.positives.n).sum();
        prop_assert_eq!(binned, decided);
    }
}
