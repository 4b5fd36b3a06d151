//! Whose money: the audit's cap over resumes and reruns, the workspace's over all audits.

use std::fs;

use serde_json::Value;

use crate::support::Night;

fn usd(report: &Value, figure: &str) -> f64 {
    report["spend"][figure].as_f64().unwrap_or_else(|| panic!("{figure}: {}", report["spend"]))
}

fn warnings(report: &Value) -> String {
    let lines: Vec<_> = report["warnings"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    lines.join("\n")
}

#[test]
fn a_cap_that_was_given_once_holds_until_another_is_stated() {
    let night = Night::new(40);
    night.workspace.edit("audit.toml", "max_cost = 20.00", "");
    night.workspace.run(&["run", "--max-cost", "0.10"]).expect(3);
    let asked = night.requests();
    let kept = night.workspace.run(&["run", "--format", "json"]).expect(3).json();
    assert!(warnings(&kept).contains("the cap of $0.10 still holds, under which this audit ran before"), "{kept:#}");
    assert!(usd(&kept, "audit_usd") <= 0.10, "{}", kept["spend"]);
    assert!(night.requests().0 <= asked.0 + 2, "no more than what came back");
    let plan = night.workspace.run(&["plan", "--format", "json"]).expect(0).json();
    assert_eq!(plan["cap_usd"], 0.10, "the plan knows the cap that a run would keep");
    let raised = night.workspace.run(&["run", "--max-cost", "5", "--format", "json"]).expect(0).json();
    assert!(warnings(&raised).contains("the cap was $0.10 and is now $5.00 because --max-cost says so"), "{raised:#}");
    night.workspace.edit("audit.toml", "[budget]", "[budget]\nmax_cost = 7.00");
    let by_file = night.workspace.report().json();
    assert!(
        warnings(&by_file).contains("the cap was $5.00 and is now $7.00 because audit.toml says so"),
        "{by_file:#}"
    );
}

#[test]
fn a_removed_run_still_counts_and_none_counts_twice() {
    let night = Night::new(20);
    let first = night.workspace.run(&["run", "--limit", "10", "--format", "json"]).expect(0).json();
    let spent = usd(&first, "usd");
    assert!(spent > 0.0);
    let runs = night.workspace.path("runs");
    fs::rename(&runs, night.workspace.path("aside")).unwrap();
    let asked = night.requests();
    let cap = format!("{spent:.9}");
    let without = night.workspace.run(&["run", "--max-cost", &cap, "--format", "json"]).expect(3).json();
    assert_eq!(night.requests(), asked, "a cap that is used up stays used up");
    assert!((usd(&without, "audit_usd") - spent).abs() < 1e-9, "{}", without["spend"]);

    // The folder comes back: its journal is the same run, once.
    for run in fs::read_dir(night.workspace.path("aside")).unwrap().map(Result::unwrap) {
        if run.file_type().unwrap().is_dir() {
            fs::rename(run.path(), runs.join(run.file_name())).unwrap();
        }
    }
    let back = night.workspace.run(&["run", "--max-cost", &cap, "--format", "json"]).expect(3).json();
    assert!((usd(&back, "audit_usd") - spent).abs() < 1e-9, "{}", back["spend"]);
    // Without the ledger the journals say the same.
    fs::remove_file(night.workspace.path("cache/accounts.json")).unwrap();
    let journals = night.workspace.run(&["run", "--max-cost", &cap, "--format", "json"]).expect(3).json();
    assert!((usd(&journals, "audit_usd") - spent).abs() < 1e-9, "{}", journals["spend"]);
    assert_eq!(night.requests(), asked);
}

#[test]
fn the_cap_of_the_workspace_covers_every_audit() {
    let night = Night::new(60);
    let first = night.workspace.run(&["run", "--limit", "10", "--format", "json"]).expect(0).json();
    let spent = usd(&first, "usd");
    let total = spent + 0.10;
    let other = night.workspace.read("audit.toml").replace("name = \"night\"", "name = \"other\"");
    let other = other.replace("max_cost = 20.00", &format!("max_cost = 20.00\nmax_cost_total = {total:.9}"));
    // Another revision, so that nothing replays.
    let other = other.replace("model = \"gpt-5-mini\"", "model = \"gpt-5-mini\"\nrevision = \"2\"");
    night.workspace.write("other.toml", other);
    let ended = night.workspace.run(&["run", "other.toml", "--progress", "none"]).expect(3);
    assert!(ended.stdout.contains("INCOMPLETE: stopped by the cap of the workspace"), "{}", ended.stdout);
    assert!(ended.stderr.contains("a higher `max_cost_total` goes on from here"), "{}", ended.stderr);
    let report = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    let all = report["spend"]["workspace"]["usd"].as_f64().unwrap();
    assert!(all <= total && all > spent, "{}", report["spend"]);
    assert!((all - spent - usd(&report, "usd")).abs() < 1e-9, "{}", report["spend"]);
    assert!((usd(&report, "audit_usd") - usd(&report, "usd")).abs() < 1e-9, "the other audit has its own cap");
    assert!(report["funnel"]["admitted"].as_u64().unwrap() > 0);
}

#[test]
fn a_warning_comes_at_four_fifths_of_the_cap_and_is_no_part_of_the_digest() {
    // Short replies of a cheap confirmer: the worst case of a unit is a small part of the cap.
    let modest = || {
        let night = Night::new(60);
        let limits = "model = \"gpt-5-mini\"\nparams = { max_completion_tokens = 400 }";
        night.workspace.edit("audit.toml", "model = \"gpt-5\"", "model = \"gpt-5-mini\"");
        night.workspace.edit("audit.toml", "model = \"gpt-5-mini\"", limits);
        night
    };
    let whole = modest().workspace.report();
    let (digest, cost) = (whole.digest(), usd(&whole.json(), "usd"));
    let night = modest();
    let cap = format!("{cost:.9}");
    night.workspace.run(&["run", "--max-cost", &cap]).expect(3);
    let part = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    let warned = format!("80% of the cap of ${cost:.2} for this audit (`max_cost`) is spent");
    assert!(warnings(&part).contains(&warned), "{warned}\n{}", warnings(&part));
    let resumed = night.workspace.run(&["run", "--max-cost", "20", "--format", "json"]).expect(0);
    assert_eq!(resumed.digest(), digest);
}

#[test]
fn money_and_missing_verdicts_are_both_said() {
    let night = Night::with(60, "[faults]\nrefusal = 0.2", "");
    let ended = night.workspace.run(&["run", "--max-cost", "0.20", "--progress", "none"]).expect(3);
    let flat = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("INCOMPLETE: stopped by the cap; and "), "{}", ended.stdout);
    assert!(ended.stderr.contains("the cap closed admission"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("more than `max_ungraded` allows (1.00%); that alone would end with code 4"),
        "{}",
        ended.stderr
    );
}
