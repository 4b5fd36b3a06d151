//! Whole nights, compressed: everything goes wrong at its usual rate, limits change, and the process is killed again and
//! again. In the morning the report is that of a night without faults, and both sides' books agree up to what is presumed.
//!
//! `cargo test --test faults -- --ignored --nocapture ten_nights` runs ten of two thousand turns each.

use assize::model::money::NanoUsd;

use crate::draw::Draw;
use crate::grader::Grader;
use crate::workspace::{AuditSettings, COMMIT_GROUP, Workspace};

const SLOTS: u64 = 32;
/// At their usual rates.
const FAULTS: &str = "
[faults]
rate_limited = 0.05
server_error = 0.02
reset = 0.01
hang = 0.01
truncated_body = 0.005
";

/// A night of this many conversations, with kills at random moments and limits that change three times.
fn night(seed: u64, conversations: u64, kills: usize) {
    let healthy = format!("seed = {seed}\nspecificity = 0.97\nlatency_ms = 4\nlatency_jitter_ms = 20\n");
    let audited = |profile: &str| {
        let workspace = Workspace::new(conversations);
        let grader = Grader::start(&workspace, profile);
        let settings = AuditSettings { slots: SLOTS, request_timeout: "1s", ..AuditSettings::of(&grader) };
        workspace.audit(&settings);
        (workspace, grader)
    };
    let (quiet, quiet_grader) = audited(&healthy);
    let reference = quiet.run(&[]).expect(0);
    let needed = quiet_grader.stats().distinct_bodies;

    let (workspace, grader) = audited(&format!("{healthy}{FAULTS}"));
    let mut draw = Draw::new(seed);
    let mut points: Vec<_> = (0..kills).map(|_| draw.between(1, needed * 95 / 100)).collect();
    points.sort_unstable();
    let changes = [kills / 4, kills / 2, kills * 3 / 4];
    for (number, point) in points.into_iter().enumerate() {
        let running = workspace.start(&[]);
        grader.received(point);
        if changes.contains(&number) {
            let refused = grader.stats().by_status.get(&429).copied().unwrap_or_default();
            grader.limit(Some(u32::try_from(draw.between(30, 120)).unwrap()));
            grader.refused(refused + 3);
            grader.limit(None);
        }
        running.kill();
    }
    let finished = workspace.run(&[]);
    let report = finished.expect(0);
    let stats = grader.stats();
    let usd = |usd: f64| NanoUsd::from_usd(usd).unwrap();
    let (billed, spent, presumed) = (grader.billed(), usd(report.spend.usd), usd(report.spend.presumed_usd));
    println!(
        "night {seed}: {} units, {kills} kills, {} sessions; {} requests by the grader ({} different ones), {} by us; \
         faults {:?}; repeated after kills {} by us, asked more than once {} by the grader; billed {billed}, we say {spent}, \
         of which {presumed} is presumed; {billed} lies between {} and {spent}",
        report.funnel.admitted,
        report.sessions.count,
        stats.requests,
        needed,
        report.requests.sent,
        stats.faults,
        report.requests.repeated,
        grader.repeated(),
        spent.saturating_sub(presumed),
    );
    assert_eq!(report.digest, reference.digest, "{}", finished.stderr);
    assert_eq!(stats.distinct_bodies, needed, "everything was asked, and nothing else");
    assert!(spent.saturating_sub(presumed) <= billed && billed <= spent, "{presumed} explains the difference");
    // What was on record and did not leave is counted by us only.
    assert!(stats.requests <= report.requests.sent, "{} {}", stats.requests, report.requests.sent);
    assert!(report.requests.repeated <= kills as u64 * (SLOTS + COMMIT_GROUP), "{:?}", report.requests);
}

#[test]
fn a_short_night_with_kills_ends_as_a_quiet_one() {
    night(31, 120, 6);
}

#[test]
#[ignore = "ten nights of two thousand turns and twenty kills each take minutes"]
fn ten_nights_with_twenty_kills_each_end_as_quiet_ones() {
    (101..=110).for_each(|seed| night(seed, 715, 20));
}
