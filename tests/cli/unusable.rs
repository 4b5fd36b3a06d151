//! What cannot be run: a cap that could not hold, a grader that cannot be used.

use crate::support::{Ended, Grader, Night, profile};

#[test]
fn a_cap_without_a_price_or_an_output_limit_is_refused_before_the_first_request() {
    let night = Night::new(5);
    night.workspace.edit("audit.toml", "model = \"gpt-5-mini\"", "model = \"somebodys-model\"");
    let priceless = night.workspace.run(&["run"]).expect(2);
    night.workspace.edit("audit.toml", "max_concurrency = 8", "price = \"free\"");
    night.workspace.run(&["plan"]).expect(0);

    let night = Night::new(5);
    night.workspace.copy_behaviour("metagaming");
    night.workspace.edit("prompts/metagaming/screen.v1.md", "params = { max_completion_tokens = 2000 }\n", "");
    let limitless = night.workspace.run(&["run"]).expect(2);
    assert_eq!(night.requests(), (0, 0));
    insta::assert_snapshot!(format!("{}\n{}", priceless.shown(), limitless.shown()));
}

/// The parts of a run's words that are not its report.
fn said(ended: &Ended) -> String {
    let shown = ended.shown();
    shown.split_once("--- stderr\n").unwrap().1.to_owned()
}

#[test]
fn a_missing_a_wrong_and_a_right_key() {
    let night = Night::with(10, "api_key = \"sk-right\"", "");
    night.workspace.edit("audit.toml", "max_concurrency = 8", "api_key_env = \"GRADER_KEY\"\nmax_concurrency = 4");
    let run = |key: Option<&str>| {
        let run = night.workspace.assize(&["run", "--progress", "none"]);
        match key {
            Some(key) => run.env("GRADER_KEY", key).run(),
            None => run.run(),
        }
    };
    let missing = run(None).expect(6);
    assert_eq!(night.requests(), (0, 0));
    let wrong = run(Some("sk-wrong")).expect(6);
    let refused = night.requests().0;
    assert!((1..=8).contains(&refused), "{refused}");
    insta::assert_snapshot!(format!("{}\n{}", said(&missing), said(&wrong)));
    run(Some("sk-right")).expect(0);
}

#[test]
fn a_model_that_is_not_served() {
    let night = Night::with(10, "models = [\"another\"]", "");
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(6);
    assert!(night.requests().0 <= 16, "{}", night.requests().0);
    insta::assert_snapshot!(said(&ended));
}

#[test]
fn quota_that_is_gone_stops_the_run_and_loses_nothing() {
    let Night { workspace, screen, confirm } = Night::new(20);
    let address = screen.address();
    workspace.run(&["run", "--limit", "10"]).expect(0);
    drop(screen);
    let broke =
        Grader::start_at(&profile(&workspace.path("truth.jsonl"), "[faults]\ninsufficient_quota = 1.0"), address);
    let ended = workspace.run(&["run", "--progress", "none"]).expect(6);
    insta::assert_snapshot!(said(&ended));
    drop(broke);
    let paid = Grader::start_at(&profile(&workspace.path("truth.jsonl"), ""), address);
    let report = workspace.report();
    let planned = report.json()["funnel"]["planned"].as_u64().unwrap();
    assert_eq!(paid.requests(), planned - 10);
    drop(confirm);
    assert_eq!(report.digest(), Night::new(20).workspace.report().digest());
}

#[test]
fn two_runs_at_once_are_one_too_many() {
    let night = Night::with(40, "latency_ms = 20", "");
    night.workspace.edit("audit.toml", "max_concurrency = 8", "max_concurrency = 1");
    let mut second = None;
    let first = night.workspace.assize(&["run"]).run_while(|child| {
        night.screen.wait_for(2);
        second = Some(night.workspace.run(&["run"]).expect(2));
        child.kill().unwrap();
    });
    assert_eq!(first.code, None);
    insta::assert_snapshot!(second.unwrap().shown());
}
