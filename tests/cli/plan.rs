//! `assize plan`.

use serde_json::Value;

use crate::support::{Night, Workspace, shape};

#[test]
fn a_plan_before_anything_was_spent_and_after() {
    let night = Night::new(60);
    insta::assert_snapshot!("before", night.workspace.run(&["plan"]).expect(0).shown());
    assert_eq!(night.requests(), (0, 0));
    night.workspace.report();
    let asked = night.requests();
    insta::assert_snapshot!("after", night.workspace.run(&["plan"]).expect(0).shown());
    let dry = night.workspace.run(&["run", "--dry-run"]).expect(0).stdout;
    assert_eq!(dry, night.workspace.run(&["plan"]).expect(0).stdout);
    assert_eq!(night.requests(), asked);
}

#[test]
fn the_json_has_the_same_shape_and_the_same_bytes_every_time() {
    let night = Night::new(20);
    let plan = || night.workspace.run(&["plan", "--format", "json"]).expect(0);
    let first = plan();
    assert_eq!(first.stdout, plan().stdout);
    insta::assert_snapshot!(shape(&first.json(), &[]));
}

#[test]
fn a_cap_that_cannot_hold_the_worst_case_is_named() {
    let night = Night::new(20);
    let plan = |cap| night.workspace.run(&["plan", "--max-cost", cap]).expect(0).stdout;
    let words = |page: &str| page.split_whitespace().collect::<Vec<_>>().join(" ");
    let tight = words(&plan("0.05"));
    assert!(tight.contains("holds whatever happens. It closes admission early if all goes as assumed"), "{tight}");
    assert!(tight.contains(" $0.05 The cap of $0.05"), "nobody pays more than the cap: {tight}");
    let ample = plan("1000");
    assert!(ample.contains("stops nothing"), "{ample}");
}

#[test]
fn a_plan_leaves_no_run_and_no_lock_behind() {
    let night = Night::new(5);
    night.workspace.run(&["plan"]).expect(0);
    for written in ["runs", "prompts.lock", "cache/lock", "cache/replies"] {
        assert!(!night.workspace.path(written).exists(), "{written}");
    }
}

fn lines(plan: &Value, field: &str) -> Vec<String> {
    plan[field].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

#[test]
fn questions_are_answered_without_an_audit() {
    let empty = Workspace::empty();
    let asked = ["plan", "--detect", "1e-4", "--at-most", "1e-3", "--fold", "1.5"];
    insta::assert_snapshot!("questions", empty.run(&asked).expect(0).shown());
    let json = empty.run(&["plan", "--detect", "1e-4", "--format", "json"]).expect(0).json();
    assert_eq!(json["answers"][0]["units"], 29_956);
    let wrong = empty.run(&["plan", "--fold", "0.5"]).expect(2).stderr;
    assert!(
        wrong.contains("a rate cannot be `0.5` times `0.0002`") && wrong.contains("assize plan --fold 1.5"),
        "{wrong}"
    );
    assert!(empty.run(&["plan", "--detect", "2"]).expect(2).stderr.contains("such as 1e-4"));
}

#[test]
fn questions_go_by_the_audit_where_there_is_one() {
    let night = Night::new(5);
    night.workspace.edit("audit.toml", "[budget]", "[assume]\nprevalence = 1e-2\n\n[budget]");
    let base = |words: &[&str]| night.workspace.run(words).expect(0).json()["answers"][0]["rate"].clone();
    assert_eq!(base(&["plan", "--fold", "2", "--format", "json"]), 1e-2);
    assert_eq!(base(&["plan", "--fold", "2", "--prevalence", "1e-3", "--format", "json"]), 1e-3);
}

#[test]
fn a_plan_goes_by_what_a_run_has_shown() {
    let night = Night::new(60);
    let report = night.workspace.report().json();
    let plan = night.workspace.run(&["plan", "--from-run", "latest", "--format", "json"]).expect(0).json();
    assert_eq!(plan["from_run"], report["run"]);
    let count = |row: &Value, field: &str| row[field].as_u64().unwrap();
    let strata = report["strata"].as_array().unwrap();
    let sum = |class: &str, field: &str| -> u64 {
        strata.iter().filter(|row| row["class"] == class).map(|row| count(row, field)).sum()
    };
    let said = lines(&plan, "assumptions");
    let core = format!("core: {} of {} graded turns were flagged", sum("core", "flagged"), sum("core", "admitted"));
    assert!(said.iter().any(|line| line.starts_with(&core)), "{core}: {said:#?}");
    let funnel = &report["funnel"];
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let rate = count(funnel, "flagged") as f64 / count(funnel, "admitted") as f64;
    let written = lines(&plan, "assume");
    let flag_rate = written.iter().find_map(|line| line.strip_prefix("flag_rate = ")).unwrap();
    assert!((flag_rate.parse::<f64>().unwrap() / rate - 1.0).abs() < 0.01, "{flag_rate}, {rate}");
    night.workspace.edit("audit.toml", "[budget]", &format!("[assume]\n{}\n\n[budget]", written.join("\n")));
    night.workspace.run(&["plan"]).expect(0);
    insta::assert_snapshot!("from_run", night.workspace.run(&["plan", "--from-run", "latest"]).expect(0).shown());
    let unknown = night.workspace.run(&["plan", "--from-run", "1999"]).expect(2).stderr;
    assert!(unknown.contains("there is no run `1999`"), "{unknown}");
}

#[test]
fn a_probe_is_paid_once() {
    let (night, other) = (Night::new(60), Night::new(60));
    let probe = night.workspace.run(&["plan", "--probe", "50", "--format", "json"]).expect(0);
    assert_eq!(night.requests().0, 50);
    assert!(probe.stderr.contains("graded 50 units for $"), "{}", probe.stderr);
    let said = lines(&probe.json(), "assumptions");
    assert!(said.iter().any(|line| line.starts_with("a unit costs $")), "{said:#?}");
    assert_eq!(probe.json()["cached"], 50 + night.requests().1);
    let report = night.workspace.report();
    assert_eq!(report.digest(), other.workspace.report().digest());
    assert_eq!(night.requests(), other.requests(), "the run replays what the probe has paid for");
}

#[test]
fn the_cap_decides_how_much_is_drawn() {
    let night = Night::new(300);
    let file = "core = \"all\"\ngeneric_near_self = \"all\"\nnone = \"all\"\n";
    night.workspace.edit("audit.toml", file, "allocate = \"auto\"\n");
    let plan = |cap: &str| night.workspace.run(&["plan", "--max-cost", cap, "--format", "json"]).expect(0).json();
    let sizes = |plan: &Value| -> Vec<u64> {
        plan["strata"].as_array().unwrap().iter().map(|row| row["planned"].as_u64().unwrap()).collect()
    };
    let (small, large) = (plan("0.5"), plan("1"));
    let (few, many) = (sizes(&small), sizes(&large));
    assert!(few.iter().zip(&many).all(|(few, many)| few <= many) && few != many, "{few:?} {many:?}");
    for (plan, cap) in [(&small, 0.5), (&large, 1.0)] {
        assert!(plan["cost_usd"][1].as_f64().unwrap() <= cap, "{}", plan["cost_usd"]);
        assert_eq!(plan["sized_by_cap"], true);
        assert!(plan["buys"]["best_split"].is_null());
    }
    assert_eq!(sizes(&plan("1")), many, "the same sizes every time");
    let run = night.workspace.run(&["run", "--max-cost", "1", "--format", "json"]).expect(0);
    assert!(run.stderr.contains("the cap of $1.00 decided the sample"), "{}", run.stderr);
    assert_eq!(run.json()["funnel"]["planned"], many.iter().sum::<u64>());
    assert!(run.json()["spend"]["usd"].as_f64().unwrap() <= 1.0);
    assert_eq!(sizes(&plan("1")), many, "what is in the cache changes nothing");
    night.workspace.edit("audit.toml", "max_cost = 20.00", "");
    let uncapped = night.workspace.run(&["plan"]).expect(2).stderr;
    assert!(uncapped.contains("set `max_cost` under [budget], or --max-cost"), "{uncapped}");
}
