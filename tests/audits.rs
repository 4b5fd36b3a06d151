//! Whole audits over planted truth: does the corrected interval hold what was planted, and how low is the floor?
//!
//! Each audit goes the way of a real one: a corpus is generated and counted, hits and a random slice of the rest are
//! graded over HTTP by a simulated screen and a simulated confirmer, simulated reviewers read what the design draws for
//! them and err at stated rates, known positives measure the gate, and the report is folded from journal and labels.
//!
//! ```text
//! cargo test --release --test audits -- --ignored --nocapture two_hundred_audits
//! ```

#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::unwrap_used, reason = "an audit that cannot go on fails there")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assize::clock;
use assize::config::{self, Environment, LoadRequest};
use assize::model::rate::{RateName, Target};
use assize::model::tally::Tally;
use assize::model::unit::UnitKind;
use assize::rehearse::{CorpusPlan, GroupPlan, Probability, Reviewer};
use assize::report::{RateRow, Report};
use assize::run::assemble::assemble;
use assize::run::conclude;
use assize::run::folder::RunFolder;
use assize::run::sensitivity::{ImportRequest, import};
use assize::run::session;

/// Of what is there, reviewers confirm this share.
const CONFIRM_TRUE: f64 = 0.98;
/// Of what is flagged and not there, they confirm this share.
const CONFIRM_FALSE: f64 = 0.005;
/// Turns of each corpus that truly show the behaviour, per turn.
const PREVALENCE: f64 = 5e-4;
/// Known positives of each audit.
const KNOWN: u64 = 150;

const AUDIT: &str = r#"
name = "audit"
seed = @SEED@
[[corpus.source]]
paths = ["corpus/*.jsonl"]
[behaviour]
name = "metagaming"
[prefilter]
classes = ["core", "action", "generic_near_self"]
[sample]
none = 10_000
[endpoint.main]
api = "rehearsal"
rehearsal = "grader.toml"
max_concurrency = 64
[grader.screen]
endpoint = "main"
model = "rehearsal"
[grader.confirm]
endpoint = "main"
model = "rehearsal-confirm"
prompt = "confirm@1"
[review]
confirm_no = 50
"#;

/// The screen is the gate: sensitivity .85, specificity .999. The confirmer only sorts what people read.
const GRADER: &str = r#"
seed = @SEED@
truth = "truth.jsonl"
sensitivity = 0.85
specificity = 0.999
[model.rehearsal-confirm]
sensitivity = 0.9
specificity = 0.9
"#;

/// What one audit came to.
struct Outcome {
    planted: u64,
    turns: u64,
    floor: u64,
    /// Corrected, of this corpus and of its traffic.
    corpus: RateRow,
    traffic: RateRow,
    requests: u64,
}

impl Outcome {
    #[expect(clippy::cast_precision_loss, reason = "counts of a small corpus")]
    fn truth(&self) -> f64 {
        self.planted as f64 / self.turns as f64
    }
}

fn covers(rate: &RateRow, truth: f64) -> bool {
    rate.lower.is_some_and(|lower| lower <= truth) && rate.upper.is_some_and(|upper| truth <= upper)
}

/// A corpus of some `conversations * 2.5` turns, and everything that an audit of it needs.
fn plant(folder: &Path, seed: u64, conversations: u64) -> u64 {
    let group = GroupPlan {
        values: BTreeMap::from([("checkpoint".to_owned(), "rl".to_owned())]),
        conversations,
        prevalence: Probability::new(PREVALENCE).unwrap(),
    };
    let plan = CorpusPlan {
        cue_bearing: Probability::new(0.8).unwrap(),
        clustering: Probability::new(0.3).unwrap(),
        ..CorpusPlan::new(seed, vec![group])
    };
    let planted = plan.write(&folder.join("corpus"), &folder.join("truth.jsonl")).unwrap();
    plan.write_known("metagaming", KNOWN, &folder.join("known.jsonl")).unwrap();
    for (name, text) in [("audit.toml", AUDIT), ("grader.toml", GRADER)] {
        fs::write(folder.join(name), text.replace("@SEED@", &seed.to_string())).unwrap();
    }
    planted.groups[0].present
}

async fn audit(seed: u64, conversations: u64) -> Outcome {
    let folder = tempfile::Builder::new().prefix("assize-audit-").tempdir().unwrap();
    let planted = plant(folder.path(), seed, conversations);
    let load = || {
        let loaded = config::load(&LoadRequest::new(folder.path(), Environment::default(), clock::now())).unwrap();
        assemble(loaded.audit).unwrap()
    };
    let assembly = load();
    let request =
        ImportRequest { file: folder.path().join("known.jsonl"), found_by: None, seat: None, at: clock::now() };
    let imported = import(&assembly, &request).unwrap();
    assert_eq!(imported.items, KNOWN, "{:?}", imported.refused);
    let assembly = load();
    let workspace = assembly.audit.workspace.clone();
    let ended = Box::pin(session::run(assembly, |_| {})).await.unwrap();
    read(folder.path(), seed, &ended.tally);
    let run = RunFolder::find(&workspace.runs(), None).unwrap();
    let report = Report::new(&conclude::tally(&workspace, &run).unwrap());
    let rate = |name, target| {
        let is_wanted = |rate: &&RateRow| (rate.name, rate.target, rate.unit) == (name, target, UnitKind::Turn);
        report.rates.iter().find(is_wanted).unwrap().clone()
    };
    Outcome {
        planted,
        turns: report.corpus.turns,
        floor: rate(RateName::Floor, Target::Corpus).k.unwrap_or(0),
        corpus: rate(RateName::Corrected, Target::Corpus),
        traffic: rate(RateName::Corrected, Target::Traffic),
        requests: report.requests.sent,
    }
}

/// Simulated reviewers decide what the design drew for them.
fn read(folder: &Path, seed: u64, tally: &Tally) {
    let reviewer = Reviewer {
        seed,
        seat: "simulated".to_owned(),
        confirms_true: Probability::new(CONFIRM_TRUE).unwrap(),
        confirms_false: Probability::new(CONFIRM_FALSE).unwrap(),
    };
    let labels = reviewer.read(&folder.join("truth.jsonl"), tally).unwrap();
    let lines: String = labels.iter().map(|label| serde_json::to_string(label).unwrap() + "\n").collect();
    fs::write(folder.join("labels/simulated.jsonl"), lines).unwrap();
}

/// Runs so many audits and prints what they came to; the shares of corrected intervals that hold what was planted in
/// this corpus, and the rate that it was planted at.
#[expect(clippy::cast_precision_loss, reason = "counts of small corpora")]
async fn audits(seeds: std::ops::Range<u64>, conversations: u64) -> (f64, f64) {
    let audits = (seeds.end - seeds.start) as f64;
    let (mut corpus, mut traffic, mut refused) = (0_u32, 0_u32, 0_u32);
    let (mut floor, mut corrected, mut width, mut floor_below) = (0.0, 0.0, 0.0, 0_u32);
    for seed in seeds {
        let outcome = Box::pin(audit(seed, conversations)).await;
        let truth = outcome.truth();
        let (in_corpus, in_traffic) = (covers(&outcome.corpus, truth), covers(&outcome.traffic, PREVALENCE));
        corpus += u32::from(in_corpus);
        traffic += u32::from(in_traffic);
        refused += u32::from(outcome.traffic.upper.is_none());
        floor += outcome.floor as f64 / outcome.planted as f64;
        floor_below += u32::from(outcome.floor < outcome.planted);
        let per = |rate: Option<f64>| rate.unwrap_or(f64::NAN) * 1e4;
        corrected += outcome.corpus.estimate.unwrap_or(0.0) / truth;
        width += (outcome.corpus.upper.unwrap_or(1.0) - outcome.corpus.lower.unwrap_or(0.0)) / truth;
        println!(
            "seed {seed:>4}: {} turns, planted {} ({:.2} per 10,000), floor {}, corrected {:.2} [{:.2}, {:.2}] {}, \
             traffic [{:.2}, {:.2}] {}, {} requests",
            outcome.turns,
            outcome.planted,
            truth * 1e4,
            outcome.floor,
            per(outcome.corpus.estimate),
            per(outcome.corpus.lower),
            per(outcome.corpus.upper),
            if in_corpus { "holds" } else { "MISSES" },
            per(outcome.traffic.lower),
            per(outcome.traffic.upper),
            if in_traffic { "holds" } else { "MISSES" },
            outcome.requests,
        );
    }
    println!(
        "{audits} audits: the corrected interval holds what was planted in the corpus in {:.1}%, the rate of the traffic in \
         {:.1}% ({refused} without one); floor / planted {:.3} on average, below it in {:.1}%; corrected / planted {:.3}; \
         width {:.2} of the prevalence",
        100.0 * f64::from(corpus) / audits,
        100.0 * f64::from(traffic) / audits,
        floor / audits,
        100.0 * f64::from(floor_below) / audits,
        corrected / audits,
        width / audits,
    );
    (f64::from(corpus) / audits, f64::from(traffic) / audits)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_of_simulated_traffic_has_a_corrected_rate() {
    // Enough turns that some positives are confirmed; whether the interval holds the truth is for many audits to say.
    let outcome = Box::pin(audit(1, 8_000)).await;
    assert!(outcome.corpus.upper.is_some(), "{:?}", outcome.corpus.reason);
    assert!(outcome.corpus.estimate > outcome.corpus.lower && outcome.corpus.estimate < outcome.corpus.upper);
    assert!(outcome.floor > 0 && outcome.floor < outcome.planted, "{} of {}", outcome.floor, outcome.planted);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a quarter of an hour: see the command at the top of the file"]
async fn two_hundred_audits() {
    let (corpus, _traffic) = Box::pin(audits(1..201, 40_000)).await;
    assert!(corpus >= 0.91, "{corpus}");
}
