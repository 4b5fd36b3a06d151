//! The controller against simulated servers, each a file of `tests/fixtures/load/`: what the server can do over time, and
//! what is expected of the client, as ranges. Time is paused, so an hour takes a second.

use std::cell::Cell;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use tokio::task::LocalSet;

use super::*;
use crate::model::hash::Digest;

/// More workers than slots, as in a run: the limit is what holds them back.
const WORKERS: usize = 4 * AUTO_CEILING as usize;
/// How long a client waits for an answer.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Requests a second are looked at in bins of so many seconds.
const BIN: u64 = 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    about: String,
    seconds: u64,
    phase: Vec<Phase>,
    expect: Expected,
}

/// What the server is like from `at` seconds on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Phase {
    at: u64,
    /// Requests that are worked on at once.
    capacity: usize,
    /// How long one takes, on average.
    latency_ms: u64,
    /// What happens to more.
    beyond: Beyond,
    /// Share of requests answered 429 at once, whatever the concurrency.
    #[serde(default)]
    too_fast: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Beyond {
    /// They wait, and nobody says so.
    Queue,
    /// They are answered 503.
    Shed,
    /// Everybody becomes ten times as slow.
    Thrash,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// Requests on the wire, on average over the last half.
    concurrency: [f64; 2],
    /// Requests answered over those that a client could have had answered that knows the server, over all the time.
    used: [f64; 2],
    /// Requests that were shed or refused, over all.
    refused: [f64; 2],
    /// Seconds from the beginning of the last phase until nine tenths of what is possible are used.
    recovered_s: [f64; 2],
}

#[derive(Debug)]
struct Measured {
    concurrency: f64,
    used: f64,
    refused: f64,
    recovered_s: f64,
}

struct Server {
    phases: Vec<Phase>,
    start: Instant,
    seconds: u64,
    working: Cell<usize>,
    queue: tokio::sync::Notify,
    drawn: Cell<u64>,
    sent: Cell<u64>,
    refused: Cell<u64>,
    /// Answered, by bins of time.
    answered: Vec<Cell<u64>>,
}

impl Server {
    fn seconds_in(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    fn phase(&self) -> &Phase {
        let now = self.seconds_in();
        self.phases.iter().rfind(|phase| seconds(phase.at) <= now).expect("the first phase begins at 0")
    }

    /// A uniform number, the same in every run.
    fn draw(&self) -> f64 {
        self.drawn.set(self.drawn.get() + 1);
        let digest = Digest::of(&self.drawn.get().to_le_bytes()).to_string();
        seconds(u64::from_str_radix(digest.get(..8).unwrap(), 16).unwrap()) / 2.0_f64.powi(32)
    }

    async fn answer(&self) -> Load {
        self.sent.set(self.sent.get() + 1);
        let served = tokio::time::timeout(TIMEOUT, self.work()).await.unwrap_or(Load::TooMany);
        if served == Load::Served {
            let bin = self.start.elapsed().as_secs() / BIN;
            if let Some(bin) = self.answered.get(usize::try_from(bin).unwrap()) {
                bin.set(bin.get() + 1);
            }
        } else {
            self.refused.set(self.refused.get() + 1);
        }
        served
    }

    async fn work(&self) -> Load {
        let phase = self.phase().clone();
        let round_trip = Duration::from_millis(10);
        if self.draw() < phase.too_fast {
            tokio::time::sleep(round_trip).await;
            return Load::TooFast;
        }
        if phase.beyond == Beyond::Shed && self.working.get() >= phase.capacity {
            tokio::time::sleep(round_trip).await;
            return Load::TooMany;
        }
        while phase.beyond == Beyond::Queue && self.working.get() >= self.phase().capacity {
            self.queue.notified().await;
        }
        let _work = Work::begin(self);
        let crowd = if phase.beyond == Beyond::Thrash && self.working.get() > phase.capacity { 10.0 } else { 1.0 };
        // Replies differ in length: from half the mean to one and a half times.
        let latency = Duration::from_millis(phase.latency_ms).mul_f64((0.5 + self.draw()) * crowd);
        tokio::time::sleep(latency).await;
        Load::Served
    }

    /// Requests that could be answered in the given time.
    fn possible(&self, from: u64, to: u64) -> f64 {
        let mut sum = 0.0;
        for second in from..to {
            let phase = self.phases.iter().rfind(|phase| phase.at <= second).unwrap();
            let at_once = phase.capacity.min(AUTO_CEILING as usize);
            sum += count(at_once) * 1_000.0 / seconds(phase.latency_ms);
        }
        sum
    }

    fn recovered_s(&self) -> f64 {
        let last = self.phases.last().unwrap().at;
        let later = (last / BIN)..(self.seconds / BIN);
        let found = later.clone().find(|bin| {
            let answered = seconds(self.answered[usize::try_from(*bin).unwrap()].get());
            answered >= 0.9 * self.possible(bin * BIN, (bin + 1) * BIN)
        });
        found.map_or(f64::INFINITY, |bin| seconds(bin * BIN - last))
    }
}

/// A request that is worked on, until it is answered or given up on.
struct Work<'a>(&'a Server);

impl<'a> Work<'a> {
    fn begin(server: &'a Server) -> Self {
        server.working.set(server.working.get() + 1);
        Self(server)
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.working.set(self.0.working.get() - 1);
        self.0.queue.notify_one();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn seconds(whole: u64) -> f64 {
    whole as f64
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn count(number: usize) -> f64 {
    number as f64
}

async fn worker(slots: Slots, server: Rc<Server>) {
    let mut lane = Lane::Fresh;
    loop {
        let mut slot = slots.take(lane).await;
        slot.sent();
        let load = server.answer().await;
        slot.ended(load);
        drop(slot);
        if load == Load::Served {
            lane = Lane::Fresh;
        } else {
            lane = Lane::Urgent;
            tokio::time::sleep(Duration::from_secs(2).mul_f64(server.draw())).await;
        }
    }
}

async fn measure(scenario: &Scenario) -> Measured {
    let bins = usize::try_from(scenario.seconds / BIN).unwrap();
    let server = Rc::new(Server {
        phases: scenario.phase.clone(),
        start: Instant::now(),
        seconds: scenario.seconds,
        working: Cell::new(0),
        queue: tokio::sync::Notify::new(),
        drawn: Cell::new(0),
        sent: Cell::new(0),
        refused: Cell::new(0),
        answered: vec![Cell::new(0); bins],
    });
    let slots = Slots::new(Concurrency::Auto);
    let workers = LocalSet::new();
    for _ in 0..WORKERS {
        workers.spawn_local(worker(slots.clone(), Rc::clone(&server)));
    }
    let sampled = async {
        let mut on_wire = Vec::new();
        for _ in 0..scenario.seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            on_wire.push(count(slots.state().on_wire));
        }
        on_wire
    };
    let on_wire = workers.run_until(sampled).await;
    let half = on_wire.get(on_wire.len() / 2..).unwrap();
    let answered: u64 = server.answered.iter().map(Cell::get).sum();
    Measured {
        concurrency: half.iter().sum::<f64>() / count(half.len()),
        used: seconds(answered) / server.possible(0, scenario.seconds),
        refused: seconds(server.refused.get()) / seconds(server.sent.get()),
        recovered_s: server.recovered_s(),
    }
}

#[test]
fn every_scenario_ends_in_its_ranges() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/load");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 6, "the scenarios are there");
    let mut table =
        format!("{:<22} {:>11} {:>6} {:>8} {:>11}\n", "scenario", "concurrency", "used", "refused", "recovered_s");
    let mut wrong = Vec::new();
    for file in files {
        let scenario: Scenario = toml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let measured = runtime.enable_time().start_paused(true).build().unwrap().block_on(measure(&scenario));
        let name = file.file_stem().unwrap().display().to_string();
        let Measured { concurrency, used, refused, recovered_s } = measured;
        writeln!(table, "{name:<22} {concurrency:>11.1} {used:>6.3} {refused:>8.4} {recovered_s:>11.0}").unwrap();
        let Expected { concurrency: c, used: u, refused: r, recovered_s: s } = scenario.expect;
        for (what, figure, [low, high]) in [
            ("concurrency", concurrency, c),
            ("used", used, u),
            ("refused", refused, r),
            ("recovered_s", recovered_s, s),
        ] {
            if !(low..=high).contains(&figure) {
                wrong.push(format!("{name} ({}): {what} is {figure:.3}, not within {low} to {high}", scenario.about));
            }
        }
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{table}\n{}", wrong.join("\n"));
}
