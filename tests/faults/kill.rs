//! `kill -9` and resume: a reply that was acknowledged is never asked for again.

use std::sync::LazyLock;

use assize::model::hash::Digest;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, COMMIT_GROUP, SLOTS, Workspace};

const CONVERSATIONS: u64 = 400;
/// Slow enough for every slot to be in use.
const PROFILE: &str = "seed = 5\nspecificity = 0.95\nlatency_ms = 4\nlatency_jitter_ms = 12";

/// What an uninterrupted run amounts to: its requests and its digest.
struct Reference {
    requests: u64,
    digest: Digest,
}

static REFERENCE: LazyLock<Reference> = LazyLock::new(|| reference(CONVERSATIONS));

fn reference(conversations: u64) -> Reference {
    let workspace = Workspace::new(conversations);
    let grader = Grader::start(&workspace, PROFILE);
    workspace.audit(&AuditSettings::of(&grader));
    let report = workspace.run(&[]).expect(0);
    assert_eq!(report.requests.sent, grader.stats().requests);
    assert_eq!((report.requests.repeated, report.requests.retried, grader.repeated()), (0, 0, 0));
    assert!(report.funnel.flagged > 20, "both stages are at work: {:?}", report.funnel);
    Reference { requests: report.requests.sent, digest: report.digest }
}

/// Kills a run when the grader has received each of these numbers of requests, resumes it every time, and lets the last
/// one finish.
fn killed_at(conversations: u64, slots: u64, reference: &Reference, points: &[u64]) {
    let workspace = Workspace::new(conversations);
    let grader = Grader::start(&workspace, PROFILE);
    workspace.audit(&AuditSettings { slots, ..AuditSettings::of(&grader) });
    for point in points {
        let running = workspace.start(&[]);
        grader.received(*point);
        running.kill();
    }
    let finished = workspace.run(&[]);
    let report = finished.expect(0);
    let at_most = points.len() as u64 * (slots + COMMIT_GROUP);
    let (by_server, by_report) = (grader.repeated(), report.requests.repeated);
    println!("{} kills, {slots} slots: repeated {by_server} by the server, {by_report} by the report", points.len());
    assert!(by_server <= at_most, "{by_server} requests were repeated, {at_most} allowed");
    assert!(by_report <= at_most, "the report counts {by_report} repeated requests, {at_most} allowed");
    // A request that was on record and did not leave is counted by the report only.
    assert!(by_server <= by_report, "{by_server} requests were repeated, the report says {by_report}");
    assert_eq!(report.digest, reference.digest, "{}", finished.stderr);
    assert_eq!(grader.stats().distinct_bodies, reference.requests, "everything was asked, and nothing else");
    assert!(report.sessions.count >= points.len() as u64, "{:?}", report.sessions);
}

#[test]
fn a_killed_run_repeats_only_what_was_on_the_wire() {
    killed_at(CONVERSATIONS, SLOTS, &REFERENCE, &[REFERENCE.requests * 2 / 5]);
    killed_at(CONVERSATIONS, 96, &REFERENCE, &[REFERENCE.requests * 3 / 5]);
}

#[test]
fn many_kills_at_many_points_add_up() {
    let at = |percent: u64| REFERENCE.requests * percent / 100;
    killed_at(CONVERSATIONS, SLOTS, &REFERENCE, &[1, at(20), at(21), at(60), at(95)]);
}

#[test]
#[ignore = "five thousand units take minutes"]
fn five_thousand_units_survive_a_kill_at_forty_percent() {
    let reference = reference(2_000);
    assert!(reference.requests >= 5_000, "{}", reference.requests);
    killed_at(2_000, SLOTS, &reference, &[reference.requests * 2 / 5]);
    killed_at(2_000, 64, &reference, &[10, 30, 50, 70, 90].map(|percent| reference.requests * percent / 100));
}

#[test]
fn a_round_of_retries_that_was_killed_is_resumed_and_repeats_only_what_was_on_the_wire() {
    let workspace = Workspace::new(200);
    let refusing = "seed = 5\nlatency_ms = 12\n[faults]\nrefusal = 0.3";
    let grader = Grader::start(&workspace, refusing);
    let settings = AuditSettings { max_ungraded: 0.9, ..AuditSettings::of(&grader) };
    workspace.audit(&settings);
    let first = workspace.run(&[]).expect(0);
    let asked = grader.stats().requests;
    let errors = first.funnel.ungraded;
    assert!(errors > 60, "{:?}", first.funnel);
    let running = workspace.start(&["--retry-errors"]);
    grader.received(asked + errors / 10);
    running.kill();
    let report = workspace.run(&["--retry-errors"]).expect(0);
    assert_eq!(report.sessions.count, 2, "the round goes on");
    // The confirmer is asked about what the round newly flags: only requests of the screen are bounded here.
    let again = grader.stats().requests - asked;
    let most = errors + SLOTS + COMMIT_GROUP + report.funnel.flagged;
    assert!(again >= errors && again <= most, "{again} requests for {errors} errors");
    assert!(report.requests.repeated <= SLOTS + COMMIT_GROUP, "{:?}", report.requests);
    let sent = grader.stats().requests;
    assert_eq!(workspace.run(&[]).expect(0).digest, report.digest);
    assert_eq!(grader.stats().requests, sent, "a later run uses the newest replies and asks nothing");
    println!("{errors} errors, {again} requests, {} repeated", report.requests.repeated);
}
