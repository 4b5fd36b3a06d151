//! `assize config` and `assize trust`.

use regex::Regex;

use crate::support::Night;

#[test]
fn every_setting_has_its_value_and_origin() {
    let night = Night::new(1);
    let ended =
        night.workspace.assize(&["config", "--max-cost", "5", "-j", "3"]).env("ASSIZE_LIMIT", "9").run().expect(0);
    // Columns are as wide as the longest path of the day.
    let columns = Regex::new(" {2,}").unwrap();
    insta::assert_snapshot!(columns.replace_all(&ended.shown(), "  "));
    let json = night.workspace.run(&["config", "--format", "json"]).expect(0).json();
    for setting in json["settings"].as_array().unwrap() {
        assert!(setting["key"].is_string() && !setting["origin"].is_null(), "{setting}");
    }
}

#[test]
fn a_key_is_never_shown() {
    let night = Night::new(1);
    night.workspace.edit("audit.toml", "max_concurrency = 8", "api_key_env = \"GRADER_KEY\"");
    let ended = night.workspace.assize(&["config", "-vvv"]).env("GRADER_KEY", "sk-canary").run().expect(0);
    assert!(ended.stdout.contains("(set)"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("sk-canary") && !ended.stderr.contains("sk-canary"));
}

#[test]
fn a_mistake_has_its_line_its_column_and_the_nearest_key() {
    let night = Night::new(1);
    let mistakes = [
        ("group_by", "grup_by"),
        ("max_cost = 20.00", "max_cost = \"much\""),
        ("model = \"gpt-5\"", "modell = \"gpt-5\""),
        ("[grader.confirm]", "[grader.confrm]"),
        ("endpoint = \"second\"", "endpoint = \"secnd\""),
        ("none = \"all\"", "none = \"some\""),
        ("name = \"night\"", "name = \"night"),
        ("core = \"all\"", "cor = \"all\""),
    ];
    let audit = night.workspace.read("audit.toml");
    let shown = mistakes.map(|(right, wrong)| {
        night.workspace.edit("audit.toml", right, wrong);
        let ended = night.workspace.run(&["config"]).expect(2);
        assert_eq!(night.workspace.run(&["run"]).expect(2).stderr, ended.stderr);
        night.workspace.write("audit.toml", &audit);
        format!("{wrong}\n{}", ended.shown())
    });
    insta::assert_snapshot!(shown.join("\n"));
    assert_eq!(night.requests(), (0, 0));
}

#[test]
fn what_comes_later_is_refused_and_never_ignored() {
    let night = Night::new(1);
    night.workspace.edit("audit.toml", "[grader.confirm]", "lane = \"x\"\n[grader.confirm]");
    night.workspace.edit("audit.toml", "lane = \"x\"\n", "datamark = true\n");
    let ended = night.workspace.run(&["run"]).expect(2);
    assert!(ended.stderr.contains("not available yet"), "{}", ended.stderr);
}

#[test]
fn a_foreign_endpoint_needs_trust_and_trust_is_for_this_text_only() {
    let night = Night::new(1);
    night.workspace.edit("audit.toml", &night.confirm.url(), "https://gateway.example/v1");
    let config = || night.workspace.run(&["config"]);
    let refused = config().expect(2);
    let trusted = night.workspace.run(&["trust"]).expect(0);
    config().expect(0);
    let json = night.workspace.run(&["trust", "--format", "json"]).expect(0).json();
    assert!(json["grants"][0].as_str().unwrap().contains("gateway.example"), "{json}");
    night.workspace.edit("audit.toml", "seed = 11", "seed = 12");
    config().expect(2);
    insta::assert_snapshot!(format!("{}\n{}", refused.shown(), trusted.shown()));
}

#[test]
fn nothing_to_trust_is_said() {
    let night = Night::new(1);
    insta::assert_snapshot!(night.workspace.run(&["trust"]).expect(0).shown());
    assert!(night.workspace.run(&["trust", "missing.toml"]).expect(2).stderr.contains("missing.toml"));
}
