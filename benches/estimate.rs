//! What the estimates cost: the median time of each default, in microseconds, and that of a whole report's figures.
//!
//! ```text
//! cargo bench --bench estimate
//! ```

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails there")]
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::hint::black_box;
use std::num::NonZeroU64;
use std::time::Instant;

use assize::estimate::cell::Cell;
use assize::estimate::gamma::{catchable, limits};
use assize::estimate::homogeneity::homogeneity;
use assize::estimate::ratio::{Counted, difference, own_sensitivity_ratio, prefilter_recall, ratio};
use assize::estimate::sensitivity::{Part, Sensitivity, by_class, melded, mover_ratio};
use assize::estimate::total::{Funnel, Positive, Total};
use assize::model::rate::{Level, Target};

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
