//! The fault matrix: every fault, played out against a run that met none, on the other side's books.
//!
//! `cargo test --test faults -- --ignored --nocapture fault_matrix` plays all of them, fails if a promise is broken, and
//! writes `docs/faults.md`. A short form is part of every test run.

mod disk;
mod process;
mod server;
mod table;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use assize::model::event::Event;
use assize::model::grading::Stage;
use assize::model::hash::Digest;
use assize::model::money::NanoUsd;
use assize::model::outcome::OutcomeKind;
use assize::rehearse::Stats;
use assize::report::Report;
use assize::run::folder::RunFolder;

use crate::grader::{Grader, invoice};
use crate::process::Finished;
use crate::small_disk::SmallDisk;
use crate::workspace::{AuditSettings, Workspace};

/// About a hundred units.
const CONVERSATIONS: u64 = 40;
/// Good, and not so fast that a signal always comes too late.
const HEALTHY: &str = "seed = 21\nspecificity = 0.95\nlatency_ms = 3\n";
/// Dollars: some times what the audit costs, so that an overspend would show.
const CAP: f64 = 5.0;

/// Stands for an end without an exit code.
const KILLED: i32 = -9;

/// One fault, and what is promised about it.
struct Fault {
    name: &'static str,
    play: Play,
    /// The exit code of the run that meets it.
    code: i32,
    /// What that run, or its report, must say.
    says: &'static str,
    /// Requests that may be paid for twice: those whose reply nobody can have kept.
    twice: u64,
}

/// How a fault is played out.
enum Play {
    Anywhere(fn() -> Played),
    /// Where this user may mount a disk.
    OnDisk(fn() -> Option<Played>),
}

/// What is left when the curtain falls.
struct Played {
    workspace: Workspace,
    /// The books of every grader that was asked.
    books: Vec<Stats>,
    /// The run that met the fault.
    hit: Finished,
    /// The run after the fault was mended, where there had to be one.
    mended: Option<Finished>,
    /// What was billed when the cap mattered, and the cap.
    capped: Option<(NanoUsd, f64)>,
    /// Whether a part of our own books had to be moved away.
    books_moved: bool,
    /// What it is compared with, if that is not the healthy run.
    reference: Option<Reference>,
    /// What the workspace lies on.
    _disk: Option<SmallDisk>,
}

impl Played {
    fn new(workspace: Workspace, books: Vec<Stats>, hit: Finished, mended: Option<Finished>) -> Self {
        Self { workspace, books, hit, mended, capped: None, books_moved: false, reference: None, _disk: None }
    }

    /// A run that came through by itself.
    fn through(workspace: Workspace, grader: &Grader, hit: Finished) -> Self {
        Self::new(workspace, vec![grader.stats()], hit, None)
    }

    /// A run that ended early, mended by running the same command again.
    fn again(workspace: Workspace, grader: &Grader, hit: Finished) -> Self {
        let mended = Some(workspace.run(&[]));
        Self::new(workspace, vec![grader.stats()], hit, mended)
    }

    fn reference(&self) -> &Reference {
        self.reference.as_ref().unwrap_or(&REFERENCE)
    }

    fn report(&self) -> Report {
        self.mended.as_ref().unwrap_or(&self.hit).report()
    }

    fn billed(&self) -> NanoUsd {
        self.books.iter().map(invoice).sum()
    }

    /// Replies that were billed and lost on the way, by the other side's books.
    fn lost_on_the_way(&self) -> u64 {
        let faults = self.books.iter().flat_map(|books| &books.faults);
        faults.filter(|(name, _)| ["reset", "hang", "truncated_body"].contains(&name.as_str())).map(|(_, n)| n).sum()
    }
}

/// A workspace, and a grader of this profile on top of the healthy one.
fn scene(profile: &str) -> (Workspace, Grader) {
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, &format!("{HEALTHY}{profile}"));
    workspace.audit(&settings(&grader));
    (workspace, grader)
}

fn settings(grader: &Grader) -> AuditSettings {
    AuditSettings { max_cost: CAP, request_timeout: "400ms", ..AuditSettings::of(grader) }
}

/// A run that meets no fault.
struct Reference {
    digest: Digest,
    planned: u64,
    verdicts: BTreeSet<(u64, Stage)>,
    requests: u64,
    billed_requests: u64,
}

static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    let (workspace, grader) = scene("");
    Reference::of(&workspace, &grader)
});

impl Reference {
    fn of(workspace: &Workspace, grader: &Grader) -> Self {
        let report = workspace.run(&[]).expect(0);
        let stats = grader.stats();
        Self {
            digest: report.digest,
            planned: report.funnel.planned,
            verdicts: verdicts(workspace),
            requests: stats.requests,
            billed_requests: stats.billed_requests,
        }
    }
}

/// Stages of units that have a verdict, by the newest run's journal.
fn verdicts(workspace: &Workspace) -> BTreeSet<(u64, Stage)> {
    let folder = RunFolder::find(&workspace.path("runs"), None).unwrap();
    let mut verdicts = BTreeSet::new();
    for event in folder.events() {
        if let Event::Judged(judged) = event.unwrap() {
            let key = (judged.ordinal.0, judged.stage);
            if matches!(judged.outcome.kind(), OutcomeKind::Graded | OutcomeKind::EvidenceUnverified) {
                verdicts.insert(key);
            } else {
                verdicts.remove(&key);
            }
        }
    }
    verdicts
}

/// One line of the matrix.
struct Row {
    items_lost: u64,
    verdicts_lost: u64,
    asked_again: u64,
    paid_twice: u64,
    overspend: NanoUsd,
    same_report: bool,
    code: Option<i32>,
    message: String,
}

impl Row {
    fn of(fault: &Fault, played: &Played) -> Self {
        let reference = played.reference();
        let report = played.report();
        let funnel = &report.funnel;
        let in_buckets = funnel.not_admitted + funnel.unfinished + funnel.outcomes.values().sum::<u64>();
        let kept = verdicts(&played.workspace);
        let total = |count: fn(&Stats) -> u64| played.books.iter().map(count).sum::<u64>();
        let (billed, cap) = played.capped.unwrap_or((played.billed(), CAP));
        Self {
            items_lost: reference.planned.saturating_sub(in_buckets),
            verdicts_lost: reference.verdicts.difference(&kept).count() as u64,
            asked_again: total(|books| books.requests).saturating_sub(reference.requests),
            paid_twice: total(|books| books.billed_requests).saturating_sub(reference.billed_requests),
            overspend: billed.saturating_sub(NanoUsd::from_usd(cap).unwrap()),
            same_report: report.digest == reference.digest,
            code: played.hit.code,
            message: table::message(&played.workspace, &played.hit, fault.says),
        }
    }

    /// Promises that this row breaks.
    fn broken(&self, fault: &Fault, played: &Played) -> Vec<String> {
        let may_twice = fault.twice + played.lost_on_the_way();
        let report = played.report();
        let said = format!("{}{}{}", played.hit.stderr, report.warnings.join("\n"), played.hit.stdout);
        let spent = played.workspace.spent();
        let checks = [
            (self.items_lost == 0, format!("{} items lost", self.items_lost)),
            (self.verdicts_lost == 0, format!("{} verdicts lost", self.verdicts_lost)),
            (self.paid_twice <= may_twice, format!("{} paid twice, {may_twice} allowed", self.paid_twice)),
            (self.overspend == NanoUsd::ZERO, format!("{} over the cap", self.overspend)),
            (
                played.books_moved || played.billed() <= spent,
                format!("billed {}, and the books say {spent}", played.billed()),
            ),
            (self.same_report, "another report".to_owned()),
            (report.complete, "it never became complete".to_owned()),
            (self.code.unwrap_or(KILLED) == fault.code, format!("exit {:?}, not {}", self.code, fault.code)),
            (said.contains(fault.says), format!("`{}` was not said: {said}", fault.says)),
        ];
        checks.into_iter().filter(|(holds, _)| !holds).map(|(_, complaint)| complaint).collect()
    }
}

/// Lines by the name of their fault; one that could not be played has none.
type Rows = Vec<(&'static str, Option<Row>)>;

/// Plays faults one after the other; the lines of the table, and what was broken.
fn play<'a>(faults: impl IntoIterator<Item = &'a Fault>) -> (Rows, Vec<String>) {
    let (mut rows, mut broken) = (Vec::new(), Vec::new());
    for fault in faults {
        let played = match fault.play {
            Play::Anywhere(play) => Some(play()),
            Play::OnDisk(play) => play(),
        };
        let row = played.map(|played| {
            let row = Row::of(fault, &played);
            broken.extend(row.broken(fault, &played).into_iter().map(|what| format!("{}: {what}", fault.name)));
            row
        });
        println!("{}", table::line(fault.name, row.as_ref()));
        rows.push((fault.name, row));
    }
    (rows, broken)
}

#[test]
fn a_short_fault_matrix_keeps_its_promises() {
    let short =
        ["429", "a reply is cut off half way", "kill -9 half way", "the cap is reached", "a byte of the log flips"];
    let all = || server::FAULTS.iter().chain(process::FAULTS).chain(disk::FAULTS);
    let (rows, broken) = play(all().filter(|fault| short.contains(&fault.name)));
    assert_eq!(rows.len(), short.len());
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
#[ignore = "47 faults take two minutes, and the table goes into docs/faults.md"]
fn fault_matrix() {
    let parts = [
        ("The grader and the way to it", server::FAULTS),
        ("The process", process::FAULTS),
        ("The disk", disk::FAULTS),
    ];
    let mut broken = Vec::new();
    let parts = parts.map(|(title, faults)| {
        let (rows, more) = play(faults);
        broken.extend(more);
        (title, rows)
    });
    table::write(&parts, &REFERENCE);
    assert!(broken.is_empty(), "{broken:#?}");
}
