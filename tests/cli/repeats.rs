//! `repeats`: what the report, `show`, `plan`, `config` and `diff` say of askings of one question.

use serde_json::Value;

use crate::support::Night;

const SCREEN: &str = "repeats = { flagged = 3, near_threshold = 3, near = 15, random = 0.2 }\n";
const CONFIRM: &str = "repeats = { rule = \"any\", flagged = 2, near_threshold = 1, random = 0.0 }\n";
const PROFILE: &str = "askings_differ = true\nspecificity = 0.8";

/// A night whose graders tell askings apart, with nonces that are the same each time.
fn night() -> Night {
    let night = Night::with(24, PROFILE, PROFILE);
    night.workspace.write("cache/secret", [7; 32]);
    night
}

fn repeat(night: &Night) {
    night.workspace.edit("audit.toml", "[grader.confirm]", &format!("{SCREEN}\n[grader.confirm]"));
    night.workspace.edit("audit.toml", "[budget]", &format!("{CONFIRM}\n[budget]"));
}

/// The part of a page under a heading.
fn section(page: &str, heading: &str) -> String {
    let (_, rest) = page.split_once(heading).unwrap_or_else(|| panic!("there is no `{heading}`:\n{page}"));
    format!("{heading}{}", rest.split("\n\n").next().unwrap_or(rest))
}

#[test]
fn the_report_tells_who_was_asked_again_and_how_often_a_grader_flips() {
    let night = night();
    let once = night.workspace.run(&["run", "--format", "json"]).expect(0).json();
    repeat(&night);
    let report = night.workspace.run(&["run", "--format", "json"]).expect(0).json();
    let page = night.workspace.run(&["report"]).expect(0).stdout;
    insta::assert_snapshot!(format!("{}\n\n{}", section(&page, "Repeats"), section(&page, "Grader health")));
    let stages: Vec<_> =
        report["repeats"].as_array().unwrap().iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["screen", "confirm"]);
    assert!(once.get("repeats").is_none() && once["grader_health"]["flip_rate"].is_null());
    assert_eq!(once["grader_health"]["flip_rate_reason"], "no unit was graded twice");
    let rate = &report["grader_health"]["flip_rate"];
    assert!(rate["lower"].as_f64() <= rate["estimate"].as_f64() && rate["estimate"].as_f64() <= rate["upper"].as_f64());

    let table = night.workspace.run(&["report", "--definitions", "--format", "json"]).expect(0).json();
    assert_eq!(
        table["rows"][0]["flagged"], report["funnel"]["flagged"],
        "the run's own rule gives the run's own figures"
    );
    let [first, second] = [&once, &report].map(|report| report["run"].as_str().unwrap());
    let diff = night.workspace.run(&["diff", first, second, "--format", "json"]).expect(0).json();
    let changed: Vec<_> =
        diff["changed"].as_array().unwrap().iter().map(|row| row["what"].as_str().unwrap().to_owned()).collect();
    assert_eq!(changed, ["screen repeats", "confirm repeats"]);
}

#[test]
fn a_comparison_knows_what_every_asking_cost() {
    let night = night();
    repeat(&night);
    night.workspace.report();
    let diff =
        night.workspace.run(&["diff", "latest:metagaming", "latest:strict", "--format", "json"]).expect(0).json();
    let sent = night.requests();
    for side in ["a", "b"] {
        let cost = &diff[side]["cost"];
        assert_eq!(cost["replies"]["count"].as_u64(), Some(sent.0 + sent.1), "{cost}");
        let [replies, run] = [&cost["replies"]["usd"], &cost["usd"]].map(|usd| usd.as_f64().unwrap());
        assert!((replies - run).abs() < 1e-9, "{cost}");
    }
}

#[test]
fn every_asking_of_a_unit_can_be_seen() {
    let night = night();
    repeat(&night);
    night.workspace.run(&["run"]).expect(0);
    let listed =
        night.workspace.run(&["ls", "--format", "json", "--status", "confirmed", "--limit", "1"]).expect(0).json();
    let unit = listed["unit"].as_str().unwrap().to_owned();
    let page = night.workspace.run(&["show", &unit]).expect(0).stdout;
    insta::assert_snapshot!(section(&page, "Verdicts"));
}

#[test]
fn a_plan_knows_what_stored_first_answers_cause() {
    let night = night();
    let once = night.workspace.report().json();
    repeat(&night);
    let requests = night.workspace.run(&["plan", "--format", "json"]).expect(0).json()["requests"].clone();
    let before = night.requests();
    let report = night.workspace.report().json();
    let [low, expected, worst] = [0, 1, 2].map(|index| requests[index].as_u64().unwrap());
    let further = |stage: &serde_json::Value| {
        stage["rows"].as_array().unwrap().iter().map(|row| row["askings"].as_u64().unwrap()).sum::<u64>()
    };
    let of_screen = further(&report["repeats"][0]);
    let sent = night.requests();
    assert_eq!(sent.0 - before.0, of_screen, "first askings replay");
    // Every first answer of the screen is stored, so its repeats are counted one by one; what they leave flagged is not known.
    assert_eq!(low, of_screen, "{requests}");
    let all = sent.0 - before.0 + sent.1 - before.1;
    assert!(low <= all && all <= worst && low <= expected && expected <= worst, "{requests} and {all}");
    // A first yes is expected to stand; its second grader has answered once, and asks what it upheld once more.
    let upheld = once["funnel"]["confirmed"].as_u64().unwrap();
    assert_eq!(expected, low + upheld, "{} {all}", once["funnel"]);
}

#[test]
fn a_plan_counts_repeats_and_settings_name_them() {
    let night = night();
    let requests = || night.workspace.run(&["plan", "--format", "json"]).expect(0).json()["requests"].clone();
    let once = requests();
    repeat(&night);
    let again = requests();
    let of = |requests: &serde_json::Value, index: usize| requests[index].as_u64().unwrap();
    let units = of(&once, 0);
    // At worst all are flagged: three askings of the screen and two of the confirmer where there was one of each.
    assert_eq!((of(&once, 2), of(&again, 2)), (2 * units, 5 * units));
    assert!(of(&again, 0) > units && of(&again, 1) > of(&once, 1), "{once} {again}");
    let page = night.workspace.run(&["plan"]).expect(0).stdout;
    assert!(page.contains("as many first scores lie near the threshold"), "{page}");
    assert!(page.contains("rule `majority`: 3 askings of what the first one says yes to"), "{page}");
    let config = night.workspace.run(&["config"]).expect(0).stdout;
    let lines: Vec<_> = config.lines().filter(|line| line.contains(".repeats")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn another_rule_never_takes_what_was_asked_once_for_missing() {
    let table = |night: &Night| night.workspace.run(&["report", "--definitions", "--format", "json"]).expect(0).json();
    let row = |table: &Value, score: u64| {
        let mut rows = table["rows"].as_array().unwrap().iter();
        rows.find(|row| row["rule"] == "score" && row["score"] == score).unwrap().clone()
    };
    let night = night();
    night.workspace.report();
    let once = row(&table(&night), 20);
    // Nothing near the threshold and nothing at random: what the run's own rule does not flag is asked once.
    let screen = "repeats = { flagged = 3, near_threshold = 1, random = 0.0 }\n";
    night.workspace.edit("audit.toml", "[grader.confirm]", &format!("{screen}\n[grader.confirm]"));
    let own = night.workspace.report().json();
    let of_repeats = table(&night);
    let wide = row(&of_repeats, 20);
    assert_eq!(wide["ungraded"], own["funnel"]["ungraded"], "nobody is missing");
    let newly = wide["flagged"].as_u64().unwrap() - own["funnel"]["flagged"].as_u64().unwrap();
    assert!(newly > 3 && wide["pending"].as_u64() >= Some(newly), "{wide}");
    assert!(wide["catchable"]["estimate"].is_null() && once["catchable"]["estimate"].is_null(), "{wide}");
    assert!(wide["floor_if_pending"].as_f64() > wide["floor"]["estimate"].as_f64());

    let wider = "\n[definitions.wide]\ndescription = \"what scores\"\nexpression = \"score >= 20\"\n";
    night.workspace.copy_behaviour("metagaming");
    let behaviour = night.workspace.read("prompts/metagaming/behaviour.toml");
    night.workspace.write("prompts/metagaming/behaviour.toml", behaviour + wider);
    let run = own["run"].as_str().unwrap();
    let diff = night.workspace.run(&["diff", run, &format!("{run}:wide"), "--format", "json"]).expect(0).json();
    let stage = &diff["stages"][0];
    assert!(stage["exact_p"].is_null() && stage["agreement"].is_null() && stage["by_cluster"]["exact_p"].is_null());
    assert!(stage["reason"].as_str().unwrap().contains("would be asked about again"), "{stage}");
    let apart = stage["apart"].as_array().unwrap();
    assert!(apart.iter().any(|row| row["b"] == "asked_once" && row["units"].as_u64() > Some(3)), "{stage}");
    let shown = night.workspace.run(&["diff", run, &format!("{run}:wide")]).expect(0).stdout;
    assert!(shown.contains("no test") && shown.contains("asked once"), "{shown}");
}

#[test]
fn known_positives_that_lack_a_repeat_bear_no_corrected_figure() {
    let night = Night::knowing(12, 30, PROFILE, PROFILE);
    night.workspace.write("cache/secret", [7; 32]);
    night.workspace.run(&["sensitivity", "import", "known.jsonl"]).expect(0);
    night.workspace.report();
    repeat(&night);
    let replayed = night.workspace.run(&["run", "--cache", "read-only", "--format", "json"]).expect(5).json();
    let sets = replayed["sensitivity"]["rows"].as_array().unwrap();
    let partial: u64 = sets.iter().filter_map(|row| row["partial"].as_u64()).sum();
    assert!(partial > 20, "{sets:?}");
    let corrected = replayed["rates"].as_array().unwrap().iter().find(|rate| rate["name"] == "corrected").unwrap();
    assert!(corrected["estimate"].is_null());
    let reason = corrected["reason"].as_str().unwrap();
    assert!(reason.contains("known positives lack an answer after a first one"), "{reason}");
    let whole = night.workspace.report().json();
    assert!(whole["sensitivity"]["rows"].as_array().unwrap().iter().all(|row| row["partial"].is_null()));
}

/// What a plan by the latest run says of the cost of a unit.
fn cost_of_a_unit(night: &Night) -> String {
    let plan = night.workspace.run(&["plan", "--from-run", "latest", "--format", "json"]).expect(0).json();
    let said = plan["assumptions"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    said.filter(|line| line.contains("a unit cost")).collect()
}

#[test]
fn a_plan_says_how_it_scales_what_a_unit_of_a_run_has_cost() {
    let night = night();
    night.workspace.report();
    let once = cost_of_a_unit(&night);
    assert!(once.starts_with("a unit costs $"), "{once}");
    repeat(&night);
    let scaled = cost_of_a_unit(&night);
    assert!(scaled.starts_with("a unit cost $") && scaled.contains("under this plan's repeats"), "{scaled}");
    let again = self::night();
    repeat(&again);
    again.workspace.report();
    let as_planned = cost_of_a_unit(&again);
    assert!(as_planned.starts_with("a unit costs $"), "{as_planned}");
}

#[test]
fn a_run_whose_first_answers_were_stored_does_not_say_what_a_unit_costs() {
    let night = night();
    night.workspace.report();
    repeat(&night);
    // Every unit is asked again, so that each verdict rests on a reply of before and on others.
    night.workspace.edit("audit.toml", "near = 15", "near = 100");
    night.workspace.edit("audit.toml", "model = \"gpt-5\"\n", "model = \"gpt-5-mini\"\n");
    let report = night.workspace.report().json();
    assert_eq!(report["requests"]["replayed"], 0, "{}", report["requests"]);
    let partly = cost_of_a_unit(&night);
    assert!(partly.starts_with("the run replayed replies"), "{partly}");
}

#[test]
fn a_prompt_version_gave_the_replies_of_every_asking() {
    let night = night();
    repeat(&night);
    night.workspace.report();
    let diff = ["prompts", "diff", "metagaming", "screen@1", "screen@1", "--format", "json"];
    let given = night.workspace.run(&diff).expect(0).json();
    assert_eq!(given["a"]["replies"].as_u64(), Some(night.requests().0), "{given}");
}

#[test]
fn a_plan_prices_what_stored_first_answers_leave_to_another_second_grader() {
    let night = night();
    let once = night.workspace.report().json();
    repeat(&night);
    night.workspace.edit("audit.toml", "model = \"gpt-5\"\n", "model = \"gpt-5-mini\"\n");
    // Nothing is left of this cap: whoever is let in needs no money.
    let plan = night.workspace.run(&["plan", "--max-cost", "0.0001", "--format", "json"]).expect(0).json();
    let before = night.requests();
    let report = night.workspace.report().json();
    let [low, expected] = [0, 1].map(|index| plan["requests"][index].as_u64().unwrap());
    let sum = |field: &str| -> u64 {
        report["repeats"][0]["rows"].as_array().unwrap().iter().map(|row| row[field].as_u64().unwrap()).sum()
    };
    assert_eq!(night.requests().0 - before.0, sum("askings"), "first askings replay");
    // Whatever the screen flags at first is asked about at the second grader, and upheld by it, once more.
    let flagged = once["funnel"]["flagged"].as_u64().unwrap();
    assert_eq!((low, expected), (sum("askings"), sum("askings") + 2 * flagged));
    let units = once["funnel"]["admitted"].as_u64().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let paid = (units - sum("units")) as f64 / units as f64;
    let let_in = plan["buys"]["let_in"].as_f64().unwrap();
    assert!((let_in - paid).abs() < 1e-9, "{let_in} of the units wait for nothing, and not {paid}");
}
