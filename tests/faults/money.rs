//! The cap holds against the other side's books, whatever goes wrong.

use std::fs;
use std::thread;

use assize::model::event::StopReason;
use assize::model::money::NanoUsd;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, Workspace};

/// Conversations: about 500 turns, for which the cap is not enough.
const CONVERSATIONS: u64 = 200;
/// What can be lost on the way costs money all the same, and what is refused does not.
const FAULTS: &str = "
[faults]
rate_limited = 0.05
server_error = 0.05
unavailable = 0.03
reset = 0.04
hang = 0.01
truncated_body = 0.04
malformed_body = 0.02
error_in_200 = 0.02
length = 0.02
";

/// One audit under a cap, killed twice on the way. Returns how much of the cap was used by the server's books.
fn capped(seed: u64) -> f64 {
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, &format!("seed = {seed}\nlatency_ms = 2\n{FAULTS}"));
    let max_cost = 0.8;
    let settings = AuditSettings { max_cost, request_timeout: "400ms", ..AuditSettings::of(&grader) };
    workspace.audit(&settings);
    let cap = NanoUsd::from_usd(max_cost).unwrap();
    for point in [1 + seed * 7 % 20, 45] {
        let running = workspace.start(&[]);
        grader.received(point);
        running.kill();
        assert!(grader.billed() <= cap, "seed {seed}: {} of {cap} billed", grader.billed());
    }
    let report = workspace.run(&[]).expect(3);
    let (billed, spent) = (grader.billed(), NanoUsd::from_usd(report.spend.usd).unwrap());
    assert!(billed <= cap, "seed {seed}: {billed} of {cap} billed");
    assert!(spent <= cap, "seed {seed}: {spent} of {cap} spent");
    assert!(billed <= spent, "seed {seed}: the invoice of {billed} is above the books, which say {spent}");
    assert_eq!(report.sessions.stop, Some(StopReason::Budget), "seed {seed}");
    assert!(!report.complete && report.funnel.not_admitted > 0, "seed {seed}: {:?}", report.funnel);

    // The same command again may use what came back when the last requests cost less than their bound, and no more.
    let again = workspace.run(&[]).expect(3);
    let (billed, spent) = (grader.billed(), NanoUsd::from_usd(again.spend.usd).unwrap());
    assert!(billed <= spent && spent <= cap, "seed {seed}: {billed} billed, {spent} spent, {cap} allowed");
    billed.usd() / max_cost
}

fn capped_with_seeds(seeds: impl IntoIterator<Item = u64>) {
    let seeds: Vec<_> = seeds.into_iter().collect();
    for batch in seeds.chunks(4) {
        let runs: Vec<_> = batch
            .iter()
            .map(|seed| {
                thread::spawn({
                    let seed = *seed;
                    move || (seed, capped(seed))
                })
            })
            .collect();
        for run in runs {
            let (seed, share) = run.join().unwrap();
            println!("seed {seed}: {:.0}% of the cap billed", share * 100.0);
        }
    }
}

#[test]
fn the_cap_holds_through_faults_and_kills() {
    capped_with_seeds(1..=4);
}

#[test]
#[ignore = "64 seeds take minutes"]
fn the_cap_holds_for_many_seeds() {
    capped_with_seeds(100..164);
}

#[test]
fn a_cap_is_used_up_where_nothing_is_lost_on_the_way() {
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, "seed = 1\n[faults]\nrate_limited = 0.05\nserver_error = 0.05");
    let max_cost = 0.3;
    workspace.audit(&AuditSettings { max_cost, ..AuditSettings::of(&grader) });
    let report = workspace.run(&[]).expect(3);
    let share = grader.billed().usd() / max_cost;
    println!("{:.0}% of the cap billed", share * 100.0);
    assert!((0.8..=1.0).contains(&share), "{share}");
    assert_eq!(
        NanoUsd::from_usd(report.spend.usd),
        Some(grader.billed()),
        "both sides of the books agree to the digit"
    );
}

#[test]
fn a_higher_cap_goes_on_from_where_the_money_ended() {
    let workspace = Workspace::new(40);
    let grader = Grader::start(&workspace, "seed = 2");
    workspace.audit(&AuditSettings { max_cost: 0.1, ..AuditSettings::of(&grader) });
    let capped = workspace.run(&[]).expect(3);
    let kept = grader.stats().replies_200;
    assert!(kept > 0 && capped.funnel.admitted < capped.funnel.planned, "{:?}", capped.funnel);
    let whole = workspace.run(&["--max-cost", "100"]).expect(0);
    assert_eq!(grader.repeated(), 0, "what was paid for is kept");
    assert_eq!(NanoUsd::from_usd(whole.spend.usd), Some(grader.billed()), "both sides of the books agree to the digit");

    let unharmed = Workspace::new(40);
    unharmed.audit(&AuditSettings::of(&grader));
    assert_eq!(unharmed.run(&[]).expect(0).digest, whole.digest);
}

#[test]
fn the_cap_of_the_workspace_holds_over_two_audits_and_kills() {
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, "seed = 6\nlatency_ms = 2\n[faults]\nrate_limited = 0.05\nreset = 0.02");
    workspace.audit(&AuditSettings::of(&grader));
    let total = 1.5;
    let first = fs::read_to_string(workspace.path("audit.toml")).unwrap();
    let first = first.replace("max_ungraded", &format!("max_cost_total = {total:?}\nmax_ungraded"));
    // Nothing of the other audit replays.
    let second = first.replace("\"faults\"", "\"others\"").replace("model = ", "revision = \"2\"\nmodel = ");
    assert_ne!(first, second);
    fs::write(workspace.path("audit.toml"), first).unwrap();
    fs::write(workspace.path("others.toml"), second).unwrap();
    let cap = NanoUsd::from_usd(total).unwrap();
    for (audit, point) in [("audit.toml", 15), ("others.toml", 40), ("audit.toml", 60)] {
        let running = workspace.start(&[audit]);
        grader.received(point);
        running.kill();
        assert!(grader.billed() <= cap, "{} of {cap} billed", grader.billed());
    }
    let mut spent = NanoUsd::ZERO;
    for audit in ["others.toml", "audit.toml"] {
        let report = workspace.run(&[audit]).expect(3);
        let whole = report.spend.workspace.clone().unwrap();
        assert!(whole.binds && whole.usd <= total, "{whole:?}");
        assert_eq!(report.sessions.stop, Some(StopReason::Budget));
        spent = NanoUsd::from_usd(whole.usd).unwrap();
    }
    let billed = grader.billed();
    println!("{billed} billed, {spent} spent, {cap} allowed");
    assert!(billed <= spent && spent <= cap, "{billed} billed, {spent} spent, {cap} allowed");

    // Without the ledger the journals add up to the same.
    fs::remove_file(workspace.path("cache/accounts.json")).unwrap();
    let again = workspace.run(&["audit.toml"]).expect(3).spend.workspace.unwrap();
    assert!(again.usd <= total && again.usd >= spent.usd(), "{again:?} after {spent}");
}
