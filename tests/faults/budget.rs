//! The cap against hundreds of slots and kills, by the other side's books.
//!
//! `cargo test --test faults -- --ignored --nocapture two_hundred_runs` does it two hundred times and prints how much of
//! the caps was never billed because it counts as spent.

use std::thread;

use assize::model::money::NanoUsd;

use crate::draw::Draw;
use crate::grader::{Grader, invoice};
use crate::workspace::{AuditSettings, Workspace};

const SLOTS: u64 = 512;
/// About 560 units.
const CONVERSATIONS: u64 = 200;

/// A third of all attempts end badly. What is lost on the way counts at its bound, so the cap is reached soon.
const FAULTS: &str = "
[faults]
rate_limited = 0.05
server_error = 0.03
reset = 0.12
hang = 0.02
truncated_body = 0.1
";

/// How one run ended.
struct Run {
    seed: u64,
    cap: NanoUsd,
    billed: NanoUsd,
    /// What our books say was spent, presumed and known.
    spent: NanoUsd,
    in_flight: u64,
    kills: u64,
    stopped_by_cap: bool,
}

/// One audit under a random cap, killed one to three times at random moments.
fn run(seed: u64) -> Run {
    let mut draw = Draw::new(seed);
    let workspace = Workspace::new(CONVERSATIONS);
    let grader =
        Grader::start(&workspace, &format!("seed = {seed}\nlatency_ms = 1500\nlatency_jitter_ms = 100\n{FAULTS}"));
    let cap = NanoUsd(draw.between(500_000_000, 90_000_000_000));
    let settings = AuditSettings {
        slots: SLOTS,
        request_timeout: "4s",
        max_ungraded: 1.0,
        max_cost: cap.usd(),
        ..AuditSettings::of(&grader)
    };
    workspace.audit(&settings);
    let kills = draw.between(1, 4);
    let mut killed = 0;
    for _ in 0..kills {
        let mut running = workspace.start(&[]);
        let start = grader.stats().requests;
        let point = start + draw.between(1, 600);
        // Where the money runs out first, the kill comes at the first moment without a request.
        let is_quiet = || grader.stats().requests > start + 20 && grader.stats().in_flight == 0;
        if !grader.received_before(point, || is_quiet() || running.has_ended()) && running.has_ended() {
            break;
        }
        killed += u64::from(running.try_kill());
        assert!(grader.billed() <= cap, "seed {seed}: {} of {cap} billed after a kill", grader.billed());
    }
    // What is left of the money is spent one path at a time in the end: with a fast grader, that takes no minutes.
    let first = grader.die();
    let grader = Grader::start(&workspace, &format!("seed = {seed}"));
    workspace.audit(&AuditSettings { base_url: grader.base_url(), ..settings });
    let finished = workspace.run(&[]);
    assert!(matches!(finished.code, Some(0 | 3)), "seed {seed}: {finished:?}");
    let (billed, spent) = (invoice(&first) + grader.billed(), workspace.spent());
    assert!(billed <= spent && spent <= cap, "seed {seed}: {billed} billed, {spent} spent, {cap} allowed");
    Run {
        seed,
        cap,
        billed,
        spent,
        in_flight: first.max_in_flight,
        kills: killed,
        stopped_by_cap: finished.code == Some(3),
    }
}

/// Runs with these seeds, a few at a time: they wait for retries most of the time.
fn runs(seeds: std::ops::Range<u64>) -> Vec<Run> {
    let seeds: Vec<_> = seeds.collect();
    let all = seeds.chunks(8).flat_map(|batch| {
        thread::scope(|scope| {
            let started: Vec<_> = batch.iter().map(|seed| scope.spawn(|| run(*seed))).collect();
            started.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
        })
    });
    all.inspect(|run| {
        println!(
            "seed {}: {} kills, {} in flight, billed {} of {}, {} spent by our books",
            run.seed, run.kills, run.in_flight, run.billed, run.cap, run.spent
        );
    })
    .collect()
}

#[test]
fn the_cap_holds_with_hundreds_in_flight_and_kills() {
    let runs = runs(1..4);
    assert!(runs.iter().any(|run| run.in_flight > 64), "more than a handful were in flight");
}

#[test]
#[ignore = "two hundred runs take minutes"]
fn the_cap_holds_in_two_hundred_runs() {
    let runs = runs(1_000..1_200);
    let share = |part: NanoUsd, of: NanoUsd| part.usd() / of.usd() * 100.0;
    let mut slack: Vec<_> = runs.iter().map(|run| share(run.spent.saturating_sub(run.billed), run.cap)).collect();
    slack.sort_by(f64::total_cmp);
    let quantile = |percent: usize| slack[(slack.len() - 1) * percent / 100];
    let by_cap = runs.iter().filter(|run| run.stopped_by_cap).count();
    let kills: u64 = runs.iter().map(|run| run.kills).sum();
    println!(
        "{} runs, {kills} kills, {by_cap} ended by their cap, up to {} in flight; billed over the cap: 0. Presumed spent and \
         never billed, in % of the cap: minimum {:.1}, median {:.1}, 90% {:.1}, maximum {:.1}",
        runs.len(),
        runs.iter().map(|run| run.in_flight).max().unwrap(),
        quantile(0),
        quantile(50),
        quantile(90),
        quantile(100),
    );
    assert_eq!(runs.len(), 200);
    assert!(runs.iter().any(|run| run.in_flight >= SLOTS * 3 / 4), "most slots were in use at least once");
}
