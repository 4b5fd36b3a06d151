//! Known positives come first, are paid for once, and survive what units survive.

use assize::rehearse::{CorpusPlan, GroupPlan, Probability};
use assize::report::Report;

use crate::damaged_cache::flip;
use crate::grader::Grader;
use crate::process::Finished;
use crate::workspace::{AuditSettings, COMMIT_GROUP, SLOTS, Workspace};

const CONVERSATIONS: u64 = 200;
const PER_GROUP: u64 = 60;
const KNOWN: u64 = 2 * PER_GROUP;
const PROFILE: &str = "seed = 5\nlatency_ms = 4\nlatency_jitter_ms = 12";

/// A workspace with a set of its own, in place before anything is graded.
fn knowing() -> Workspace {
    let workspace = Workspace::new(CONVERSATIONS);
    let group = |checkpoint: &str| GroupPlan {
        values: [("checkpoint".to_owned(), checkpoint.to_owned())].into(),
        conversations: 0,
        prevalence: Probability::NEVER,
    };
    let plan = CorpusPlan::new(9, vec![group("early"), group("late")]);
    plan.write_known("metagaming", PER_GROUP, &workspace.path("labels/sensitivity/planted.jsonl")).unwrap();
    workspace
}

/// Items, usable and passed, over all rows.
fn known(report: &Report) -> [u64; 3] {
    let rows = &report.sensitivity.as_ref().unwrap().rows;
    let sum = |figure: fn(&assize::report::json::SensitivityRow) -> u64| rows.iter().map(figure).sum();
    [sum(|row| row.items), sum(|row| row.usable), sum(|row| row.passed)]
}

fn whole() -> (Finished, u64) {
    let workspace = knowing();
    let grader = Grader::start(&workspace, PROFILE);
    workspace.audit(&AuditSettings::of(&grader));
    let finished = workspace.run(&[]);
    let requests = grader.stats().requests;
    (finished, requests)
}

#[test]
fn a_run_that_is_killed_among_its_known_positives_pays_for_each_once() {
    let (reference, requests) = whole();
    let reference = reference.expect(0);
    let workspace = knowing();
    let grader = Grader::start(&workspace, PROFILE);
    workspace.audit(&AuditSettings::of(&grader));
    for point in [KNOWN / 3, KNOWN * 2 / 3, KNOWN + 50] {
        let running = workspace.start(&[]);
        grader.received(point);
        running.kill();
    }
    let finished = workspace.run(&[]);
    let report = finished.expect(0);
    assert_eq!(report.digest, reference.digest, "{}", finished.stderr);
    assert_eq!(grader.stats().distinct_bodies, requests, "everything was asked, and nothing else");
    let at_most = 3 * (SLOTS + COMMIT_GROUP);
    assert!(grader.repeated() <= at_most, "{} requests were repeated, {at_most} allowed", grader.repeated());
    assert_eq!(known(&report)[0..2], [KNOWN, KNOWN]);
}

#[test]
fn a_damaged_copy_of_the_sample_is_made_again_before_the_set_is_chosen() {
    let workspace = knowing();
    let grader = Grader::start(&workspace, PROFILE);
    workspace.audit(&AuditSettings::of(&grader));
    let digest = workspace.run(&[]).expect(0).digest;
    let sent = grader.stats().requests;
    for folder in std::fs::read_dir(workspace.path("cache/units")).unwrap().map(|entry| entry.unwrap().path()) {
        let path = folder.join("units");
        let middle = usize::try_from(std::fs::metadata(&path).unwrap().len() / 2).unwrap();
        flip(&path, middle);
    }
    assert_eq!(workspace.run(&[]).expect(0).digest, digest);
    assert_eq!(grader.stats().requests, sent);
}

#[test]
fn a_run_that_money_cuts_short_has_graded_its_known_positives_first() {
    let (reference, _) = whole();
    let reference = reference.expect(0);
    let workspace = knowing();
    let grader = Grader::start(&workspace, PROFILE);
    workspace.audit(&AuditSettings { max_cost: 0.6 * reference.spend.usd, ..AuditSettings::of(&grader) });
    let report = workspace.run(&[]).expect(3);
    assert_eq!(known(&report), known(&reference), "all of them, with the same verdicts");
    assert!(report.funnel.admitted > 0 && report.funnel.not_admitted > 0, "{:?}", report.funnel);
    assert!(report.spend.usd <= 0.6 * reference.spend.usd);
    workspace.audit(&AuditSettings::of(&grader));
    let resumed = workspace.run(&[]).expect(0);
    assert_eq!(resumed.digest, reference.digest);
}
