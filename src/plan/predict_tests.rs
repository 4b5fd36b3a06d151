//! Predictions are the report's own figures on expected counts.

use super::*;
use crate::estimate::rates;
use crate::model::bucket::{Bucket, Buckets};
use crate::model::draw::SampleSize;
use crate::model::event::Planned;
use crate::model::fixture::{StratumSpec, group, planned, unit};
use crate::model::found_by::KnownUse;
use crate::model::rate::{Decider, RateName};
use crate::model::review::{CellTally, Route};
use crate::model::tally::{ConfirmedUnit, KnownTally, LabelTally, StageTally, StratumTally, Tally};
use crate::model::unit::UnitKind;
use crate::plan::expectation::{Expectation, assumed};
use crate::plan::settings::Assumptions;

/// A plan under the default assumptions at a prevalence of 1 in 1,000.
pub(crate) fn outline(strata: &[StratumSpec]) -> Outline {
    let plan = planned(strata);
    let assume = Assumptions { prevalence: 1e-3, ..Assumptions::default() };
    let expected = assumed(&plan.strata, &assume, true);
    let slices = plan.strata.iter().zip(expected).map(|(stratum, expected)| Slice {
        stratum: stratum.stratum.clone(),
        units: stratum.units,
        graded: f64::from(u32::try_from(stratum.planned).unwrap()),
        expected,
    });
    Outline {
        slices: slices.collect(),
        is_grouped: true,
        may_cluster: true,
        unit: UnitKind::Turn,
        together: None,
        review: ReviewDraw::default(),
        gate_includes_confirmer: false,
        known: Known::of_each(100, 0.85).unwrap(),
        contrasts: Vec::new(),
        level: Level::new(0.95).unwrap(),
    }
}

/// Whole counts of one stratum: units, graded, upheld and confirmed of them, turned down and confirmed of those.
struct Counts {
    class: &'static str,
    group: &'static str,
    units: u64,
    graded: u64,
    upheld: (u64, u64),
    turned_down: (u64, u64),
}

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn slice(&self) -> Slice {
        let share = |count: u64| count as f64 / self.graded as f64;
        Slice {
            stratum: crate::model::unit::Stratum { class: self.class.to_owned(), group: group(self.group) },
            units: self.units,
            graded: self.graded as f64,
            expected: Expectation {
                upheld: share(self.upheld.0),
                turned_down: share(self.turned_down.0),
                confirmed_upheld: share(self.upheld.1),
                confirmed_turned_down: share(self.turned_down.1),
            },
        }
    }

    /// The stratum of a finished run in which people have read `read` of those turned down and confirmed `found`.
    fn count(&self, tally: &mut Tally, index: u32, (read, found): (u64, u64), together: u64) {
        let flagged = self.upheld.0 + self.turned_down.0;
        let mut buckets = Buckets::default();
        buckets.add(Bucket::NotPlanned, self.units - self.graded);
        buckets.add(Bucket::Cleared, self.graded - flagged);
        buckets.add(Bucket::Rejected { by: Decider::People, code: None }, flagged - self.upheld.1 - found);
        buckets.add(Bucket::Confirmed { by: Decider::People }, self.upheld.1 + found);
        let cell = |units, read, confirmed| CellTally { units, drawn: read, read, confirmed, ..CellTally::default() };
        let cells = [
            (Route::Upheld, cell(self.upheld.0, self.upheld.0, self.upheld.1)),
            (Route::TurnedDown, cell(self.turned_down.0, read, found)),
        ];
        for (route, number) in [(Route::Upheld, self.upheld.1), (Route::TurnedDown, found)] {
            for n in 0..number {
                let conversation = format!("{}-{}-{}", self.class, route.as_str(), n / together);
                let unit = unit(self.group, &conversation, 1 + 2 * u32::try_from(n % together).unwrap());
                let (content, cluster) = (unit.key(), unit.conversation_key());
                let (by, route) = (Decider::People, Some(route));
                tally.confirmed.push(ConfirmedUnit { unit, by, stratum: index, content, cluster, route });
            }
        }
        let stratum = tally.plan.strata[index as usize].stratum.clone();
        let cells = cells.into_iter().collect();
        tally.strata.push(StratumTally { stratum, units: self.units, buckets, cells, conversations: None });
    }
}

fn tally(plan: Planned) -> Tally {
    Tally {
        confirm: Some(StageTally::default()),
        parser: Some(1),
        labels: LabelTally { decided: 45, ..LabelTally::default() },
        ..Tally::empty(plan, Level::new(0.95).unwrap())
    }
}

fn night() -> [Counts; 4] {
    let of = |class, group, (units, graded), upheld, turned_down| Counts {
        class,
        group,
        units,
        graded,
        upheld,
        turned_down,
    };
    [
        of("core", "early", (1_000, 1_000), (40, 30), (100, 4)),
        of("core", "late", (2_000, 2_000), (60, 60), (10, 0)),
        of("none", "early", (90_000, 9_000), (8, 2), (60, 0)),
        of("none", "late", (50_000, 20_000), (6, 2), (0, 0)),
    ]
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found}, not {expected}");
}

#[test]
fn a_prediction_is_the_estimate_of_a_run_with_these_counts() {
    predicted_as_counted(UnitKind::Turn, 1);
}

#[test]
fn so_it_is_where_conversations_are_drawn_whole_and_hold_several() {
    predicted_as_counted(UnitKind::Conversation, 1);
    predicted_as_counted(UnitKind::Conversation, 2);
}

#[test]
fn twice_as_many_together_make_intervals_wider_by_the_root_of_two_to_two() {
    let specs: [StratumSpec; 2] = [("core", "a", 20_000, 20_000), ("none", "a", 980_000, 200_000)];
    let of = |together| width(&Outline { together: Some(together), ..outline(&specs) }).unwrap();
    let factors = [of(2.0) / of(1.0), of(4.0) / of(2.0)];
    assert!(factors.iter().all(|factor| (1.4..2.0).contains(factor)), "{factors:?}");
}

/// The same counts, once as a finished run and once as expectations: so many confirmed turns in each conversation.
fn predicted_as_counted(sample_by: UnitKind, together: u32) {
    let strata = night();
    let specs: Vec<StratumSpec> = strata.iter().map(|row| (row.class, row.group, row.units, row.graded)).collect();
    let mut tally = tally(Planned { review: ReviewDraw::default(), sample_by, ..planned(&specs) });
    // People read 50 of those turned down: half of the 100, 50 of the 60, all 10.
    for (index, (row, read)) in (0..).zip(strata.iter().zip([(50, 2), (10, 0), (50, 0), (0, 0)])) {
        row.count(&mut tally, index, read, together.into());
    }
    for (value, passed) in [("early", 85), ("late", 60)] {
        let (class, usage) = ("none".to_owned(), KnownUse::Headline);
        let (items, usable, ungraded, unfinished) = (100, 100, 0, 0);
        tally.known.push(KnownTally {
            group: group(value),
            class,
            usage,
            items,
            usable,
            passed,
            ungraded,
            unfinished,
            partial: 0,
            not_cached: 0,
        });
    }
    let together = (!sample_by.is_turn()).then_some(together.into());
    let slices = strata.iter().map(Counts::slice).collect();
    let mut outline = Outline { slices, together, ..outline(&[]) };
    outline.known.by_group.insert(group("late"), Sensitivity::new(60, 100).unwrap());
    let prediction = predict(&outline);
    assert_eq!(prediction.scopes.len(), 3);
    let rates = rates(&tally);
    for scope in &prediction.scopes {
        for (name, both) in [(RateName::Catchable, &scope.catchable), (RateName::Corrected, &scope.corrected)] {
            for (target, predicted) in [(Target::Corpus, &both.corpus), (Target::Traffic, &both.traffic)] {
                let is_same = |rate: &&crate::model::rate::Rate| {
                    (rate.name, rate.target, rate.unit) == (name, target, UnitKind::Turn) && rate.group == scope.group
                };
                let rate = rates.iter().find(is_same).unwrap();
                let predicted = predicted.as_ref().unwrap();
                near(predicted.estimate, rate.estimate.unwrap());
                near(predicted.lower, rate.lower.unwrap());
                near(predicted.upper, rate.upper.unwrap());
            }
        }
    }
}

#[test]
fn what_a_report_would_refuse_is_refused_with_the_reason() {
    let reason = |outline: &Outline| predict(outline).scopes[0].corrected.corpus.clone().unwrap_err();
    let specs: [StratumSpec; 2] = [("core", "a", 1_000, 1_000), ("none", "a", 99_000, 9_000)];
    let whole = outline(&specs);
    let uncovered = outline(&[specs[0], ("none", "a", 99_000, 0)]);
    assert!(reason(&uncovered).contains("no unit of none / a would be graded"));
    let few = Outline { known: Known::of_each(12, 0.8).unwrap(), ..whole.clone() };
    assert!(reason(&few).contains("at least 20 known positives"));
    let unread = ReviewDraw { confirm_no: SampleSize::Count(3), ..ReviewDraw::default() };
    assert!(reason(&Outline { review: unread, ..whole.clone() }).contains("3 of 43 flagged units of none / a"));
    let rare = outline(&[("core", "a", 100, 100), ("none", "a", 900, 900)]);
    let scope = &predict(&rare).scopes[0];
    assert!(scope.catchable.traffic.clone().unwrap_err().contains("fewer than 10 conversations"));
    assert!(scope.catchable.corpus.is_ok());
    assert_eq!(Known::of_each(0, 0.8), None);
}

#[test]
fn the_pair_that_shows_most_is_named_and_declared_pairs_instead() {
    let specs: [StratumSpec; 6] = [
        ("core", "a", 1_000, 1_000),
        ("core", "b", 3_000, 3_000),
        ("core", "c", 3_000, 3_000),
        ("none", "a", 50_000, 5_000),
        ("none", "b", 50_000, 50_000),
        ("none", "c", 50_000, 50_000),
    ];
    let outline = outline(&specs);
    let best = predict(&outline).shown;
    assert_eq!(best.len(), 1);
    assert_eq!((best[0].over.clone(), best[0].under.clone()), (group("c"), group("b")));
    let ratio = best[0].ratio.unwrap();
    assert!((1.3..3.0).contains(&ratio), "{ratio}");
    let declared = Outline { contrasts: vec![Contrast::parse("a / b").unwrap()], ..outline };
    let shown = predict(&declared).shown;
    assert_eq!((shown[0].over.clone(), shown[0].under.clone()), (group("a"), group("b")));
    assert!(shown[0].ratio.unwrap() > ratio);
}

#[test]
fn pooled_known_positives_count_for_all_groups() {
    let specs: [StratumSpec; 4] = [
        ("core", "a", 1_000, 1_000),
        ("core", "b", 1_000, 1_000),
        ("none", "a", 50_000, 50_000),
        ("none", "b", 50_000, 50_000),
    ];
    let mut assumed = outline(&specs);
    assumed.known.is_pooled = true;
    let mut known = assumed.clone();
    let of_each = Sensitivity::new(85, 100).unwrap();
    known.known.by_group = [(group("a"), of_each), (group("b"), of_each)].into();
    assert!(width(&known).unwrap() < width(&assumed).unwrap());
    known.known.by_group.insert(group("b"), Sensitivity::new(40, 100).unwrap());
    assert!(predict(&known).scopes[0].corrected.corpus.clone().unwrap_err().contains("pool_sensitivity = false"));
}
