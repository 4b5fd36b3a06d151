//! What the estimates cost: the median time of each default, in microseconds, and that of a whole report's figures.
//!
//! ```text
//! cargo bench --bench estimate
//! ```

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails there")]
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::num::NonZeroU64;
use std::time::Instant;

use assize::estimate::cell::Cell;
use assize::estimate::gamma::{catchable, limits};
use assize::estimate::homogeneity::homogeneity;
use assize::estimate::ratio::{Counted, difference, own_sensitivity_ratio, prefilter_recall, ratio};
use assize::estimate::sensitivity::{Part, Sensitivity, by_class, melded, mover_ratio};
use assize::estimate::total::{Funnel, Positive, Total};
use assize::estimate::{comparisons, rates, recall};
use assize::model::bucket::{Bucket, Buckets};
use assize::model::event::{CorpusCount, Planned, PlannedStratum};
use assize::model::found_by::KnownUse;
use assize::model::hash::Digest;
use assize::model::rate::{Decider, Level, Target};
use assize::model::review::{CellTally, Route};
use assize::model::tally::{ConfirmedUnit, KnownTally, LabelTally, StageTally, StratumTally, Tally};
use assize::model::unit::{CLASS_NONE, Group, Stratum, UnitId};
use assize::report::Report;

const GROUPS: usize = 50;

/// No default may take longer.
const MOST_MICROSECONDS: f64 = 1_000.0;

fn main() {
    let level = Level::new(0.95).unwrap();
    let known = |detected, known| Sensitivity::new(detected, known).unwrap();
    let small = total(25.0, 125.0, 5.0);
    let middle = total(250.0, 486.0, 6.0);
    let large = total(15_100.0, 63_243.0, 100.0);
    for (name, total) in [("A = 25", small), ("A = 250", middle), ("A = 15,100", large)] {
        row(&format!("gamma limits, {name}"), || limits(black_box(&total), level));
        for (detected, items) in [(18, 20), (85, 100), (850, 1_000)] {
            let known = known(detected, items);
            row(&format!("melded, {name}, {detected}/{items}"), || melded(black_box(&total), known, level));
        }
    }
    let part = |total, detected, items| Part { total, sensitivity: known(detected, items) };
    let (hits, others) = (part(middle, 85, 100), part(small, 18, 20));
    row("melded, no miss", || melded(black_box(&middle), known(20, 20), level));
    row("MOVER ratio", || mover_ratio(black_box(&middle), known(85, 100), level));
    row("by class", || by_class(black_box(&hits), &others, 0.1, Target::Traffic, level));
    let frame = NonZeroU64::new(1_000_000).unwrap();
    let counted = |total| Counted { total, frame };
    row("ratio of two rates", || ratio(black_box(&counted(middle)), &counted(small), level));
    row("ratio of two large rates", || ratio(black_box(&counted(large)), &counted(large), level));
    row("own-sensitivity ratio", || own_sensitivity_ratio((black_box(&hits), frame), (&others, frame), level));
    row("difference of two rates", || difference(black_box(&counted(middle)), &counted(small), level));
    row("prefilter recall", || prefilter_recall(black_box(&middle), &small, level));
    row("homogeneity of two", || homogeneity(black_box(&[known(85, 100), known(18, 20)])));

    let four = [known(85, 100), known(40, 50), known(30, 40), known(50, 60)];
    println!("{:<40} {:>12.1}", "homogeneity of four, 128,000 tables", median(20, || homogeneity(black_box(&four))));
    let (cells, positives) = run();
    let built = median(20, || Funnel::new(cells.clone(), black_box(&positives)));
    println!("{:<40} {built:>12.1}", "reading in 100,000 confirmed units");
    let funnel = Funnel::new(cells, &positives).unwrap();
    println!("{:<40} {:>12.1}", "total of 100,000 confirmed units", median(20, || funnel.total(|_| true)));
    let whole = median(20, || report(black_box(&funnel), level));
    println!("{:<40} {whole:>12.1}", "50 groups x 2 classes, both targets");
    audit(level);
}

/// Every figure of a report of 1,000,000 graded units in 50 groups, and the comparison of every pair of them.
fn audit(level: Level) {
    let tally = tally(level);
    let graded: u64 = tally.strata.iter().map(StratumTally::admitted).sum();
    println!("{graded} graded units, {} confirmed, {GROUPS} groups", tally.confirmed.len());
    println!("{:<40} {:>12.1}", "  rates", median(5, || rates(black_box(&tally))));
    println!("{:<40} {:>12.1}", "  prefilter recall", median(5, || recall(black_box(&tally))));
    let pairs = comparisons(&tally).pairs.len();
    println!("{:<40} {:>12.1}", format!("  {pairs} comparisons"), median(5, || comparisons(black_box(&tally))));
    println!("{:<40} {:>12.1}", "  report, figures and all", median(5, || Report::new(black_box(&tally))));
}

/// For each group 4,000 hits, all graded, and 100,000 others, 16,000 of them graded; people have read everything that the
/// confirmer upheld and a part of what it turned down, and the gate was measured on 60 known positives of each class.
fn tally(level: Level) -> Tally {
    let mut strata = Vec::new();
    let mut planned = Vec::new();
    let mut confirmed = Vec::new();
    let mut known = Vec::new();
    for group in 0..GROUPS {
        let group = Group(vec![format!("checkpoint-{group:02}")]);
        for (class, units, graded) in [("core", 4_000, 4_000), (CLASS_NONE, 100_000, 16_000)] {
            let stratum = Stratum { class: class.to_owned(), group: group.clone() };
            let index = u32::try_from(strata.len()).unwrap();
            let (upheld, turned_down) = (120, 80);
            let mut buckets = Buckets::default();
            buckets.add(Bucket::NotPlanned, units - graded);
            buckets.add(Bucket::Cleared, graded - upheld - turned_down);
            buckets.add(Bucket::Confirmed { by: Decider::People }, 100);
            buckets.add(Bucket::Rejected { by: Decider::People, code: None }, upheld + turned_down - 100);
            let read =
                |units, read, confirmed| CellTally { units, drawn: read, read, confirmed, ..CellTally::default() };
            let cells = [(Route::Upheld, read(upheld, upheld, 98)), (Route::TurnedDown, read(turned_down, 50, 2))];
            for n in 0..100 {
                let id = UnitId { group: group.clone(), conversation: format!("{class}-{}", n / 2 * 2), turn: Some(n) };
                let route = Some(if n < 98 { Route::Upheld } else { Route::TurnedDown });
                let (content, cluster) = (id.key(), id.conversation_key());
                confirmed.push(ConfirmedUnit {
                    unit: id,
                    by: Decider::People,
                    stratum: index,
                    content,
                    cluster,
                    route,
                });
            }
            planned.push(PlannedStratum {
                stratum: stratum.clone(),
                units,
                conversations: units,
                bytes: 0,
                planned: graded,
                conversations_planned: None,
            });
            strata.push(StratumTally { stratum, units, buckets, cells: cells.into(), conversations: None });
            known.push(KnownTally {
                group: group.clone(),
                class: class.to_owned(),
                usage: KnownUse::Headline,
                items: 60,
                usable: 60,
                passed: 50,
                ungraded: 0,
                unfinished: 0,
                partial: 0,
                not_cached: 0,
            });
        }
    }
    Tally {
        strata,
        confirmed,
        known,
        confirm: Some(StageTally::default()),
        parser: Some(1),
        labels: LabelTally { decided: 1, ..LabelTally::default() },
        ..Tally::empty(plan(planned), level)
    }
}

/// A plan as a journal has it, over these strata.
fn plan(strata: Vec<PlannedStratum>) -> Planned {
    let digest = Digest::of(b"bench");
    let mut plan: Planned = serde_json::from_value(serde_json::json!({
        "audit": "bench", "identity": digest, "unit": "turn", "group_by": ["checkpoint"], "seed": 1, "draw": 1,
        "level": 0.95, "behaviour": "metagaming", "definition": "metagaming", "behaviour_hash": digest,
        "cues_hash": digest, "census": digest, "corpus": CorpusCount::default(), "strata": [], "graders": [],
        "cap": null, "max_ungraded": 0.01, "compare": { "lineage": "none" },
    }))
    .unwrap();
    plan.corpus.turns = strata.iter().map(|stratum| stratum.units).sum();
    plan.corpus.conversations = plan.corpus.turns / 2;
    let groups: BTreeSet<Group> = strata.iter().map(|stratum| stratum.stratum.group.clone()).collect();
    plan.corpus.conversations_by_group = groups.into_iter().map(|group| (group, 52_000)).collect();
    plan.strata = strata;
    plan
}

fn total(estimate: f64, sampling: f64, weight: f64) -> Total {
    Total { estimate, sampling, between: 0.0, together: 0.0, weight, affected: 20, is_census: false }
}

/// Prints the median time of one figure and holds it to the limit.
fn row<T>(name: &str, figure: impl Fn() -> T) {
    let microseconds = median(201, figure);
    println!("{name:<40} {microseconds:>12.1}");
    assert!(microseconds < MOST_MICROSECONDS, "{name}: {microseconds} us");
}

/// Microseconds.
fn median<T>(times: u32, figure: impl Fn() -> T) -> f64 {
    let mut seconds: Vec<f64> = (0..times)
        .map(|_| {
            let started = Instant::now();
            black_box(figure());
            started.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    1e6 * seconds[seconds.len() / 2]
}

/// For each group a census of hits and a sample of the others, each in a part that was reviewed in full and one that
/// was reviewed in part; every tenth unit shares its conversation with another.
fn run() -> (Vec<Cell>, Vec<Positive>) {
    let mut cells = Vec::new();
    let mut positives = Vec::new();
    for group in 0..GROUPS {
        for (expansion, flagged, reviewed, confirmed) in
            [(1.0, 1_600, 1_600, 1_400), (1.0, 900, 400, 300), (20.0, 300, 300, 250), (20.0, 200, 100, 50)]
        {
            for unit in 0..confirmed {
                let key = u64::try_from(positives.len()).unwrap();
                let conversation = if unit % 10 == 0 { key + 1 } else { key };
                positives.push(Positive {
                    cell: cells.len(),
                    conversation,
                    content: key.wrapping_mul(0x9e37_79b9),
                    drawn_with: None,
                });
            }
            cells.push(Cell { expansion, flagged, reviewed, confirmed, third: None });
        }
        assert_eq!(cells.len(), 4 * (group + 1));
    }
    (cells, positives)
}

/// Every figure of a report by group: catchable and corrected by class, for corpus and traffic, recall, and the ratio of
/// each group to the first.
fn report(funnel: &Funnel, level: Level) -> f64 {
    let frame = NonZeroU64::new(200_000).unwrap();
    let known = [(85, 100), (30, 50)].map(|(detected, known)| Sensitivity::new(detected, known).unwrap());
    let mut parts: Vec<[Part; 2]> = Vec::new();
    let mut sum = 0.0;
    for group in 0..GROUPS {
        let [all, hits, others] = [0..4, 0..2, 2..4]
            .map(|cells| funnel.total(|cell| cell / 4 == group && cells.contains(&(cell % 4))).unwrap());
        let correlation = all.correlation(&hits, &others);
        let classes = [Part { total: hits, sensitivity: known[0] }, Part { total: others, sensitivity: known[1] }];
        for target in [Target::Corpus, Target::Traffic] {
            sum += catchable(&all, target, level).upper;
            sum += by_class(&classes[0], &classes[1], correlation, target, level).unwrap().limits.upper;
        }
        sum += prefilter_recall(&hits, &others, level).unwrap().limits.upper;
        let (first, this) = (parts.first().unwrap_or(&classes), classes);
        sum += ratio(&Counted { total: this[0].total, frame }, &Counted { total: first[0].total, frame }, level)
            .unwrap()
            .limits
            .upper;
        sum += own_sensitivity_ratio((&this[0], frame), (&first[0], frame), level).unwrap().limits.upper;
        parts.push(classes);
    }
    sum
}
