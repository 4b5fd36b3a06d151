//! `assize diff`: two runs of one workspace, or two definitions, side by side.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{Night, conversation, line, shape};

/// A night whose screen errs, and makes another error under another prompt.
fn night() -> Night {
    let night = Night::with(60, "sensitivity = 0.8\nspecificity = 0.9\nsuspected_share = 0.1", "specificity = 0.8");
    night.workspace.copy_behaviour("metagaming");
    night
}

fn next_prompt(night: &Night) {
    let first = night.workspace.read("prompts/metagaming/screen.v1.md");
    let second = first.replace("version = 1", "version = 2").replace("Several may apply.", "More than one may apply.");
    night.workspace.write("prompts/metagaming/screen.v2.md", second);
    night.workspace.edit("audit.toml", "model = \"gpt-5-mini\"", "model = \"gpt-5-mini\"\nprompt = \"screen@2\"");
}

fn run_id(night: &Night) -> String {
    night.workspace.report().json()["run"].as_str().unwrap().to_owned()
}

/// Both runs, by two prompt versions.
fn two_prompts() -> (Night, String, String) {
    let night = night();
    let first = run_id(&night);
    next_prompt(&night);
    let second = run_id(&night);
    (night, first, second)
}

fn compared(night: &Night, a: &str, b: &str) -> Value {
    night.workspace.run(&["diff", a, b, "--format", "json"]).expect(0).json()
}

fn number(stage: &Value, name: &str) -> u64 {
    stage[name].as_u64().unwrap_or_else(|| panic!("{name}: {stage}"))
}

#[test]
fn two_prompt_versions_side_by_side() {
    let (night, first, second) = two_prompts();
    let asked = night.requests();
    let shown = night.workspace.run(&["diff", &first, &second, "--show", "3"]).expect(0);
    insta::assert_snapshot!(shown.shown());
    let found = compared(&night, &first, &second);
    insta::assert_snapshot!("diff_shape", shape(&found, &[".group", ".fields"]));
    assert_eq!(night.requests(), asked, "nothing is asked");
    let changed: Vec<_> =
        found["changed"].as_array().unwrap().iter().map(|row| row["what"].as_str().unwrap()).collect();
    assert_eq!(changed, ["screen prompt"]);
    for stage in found["stages"].as_array().unwrap() {
        let apart: u64 = stage["apart"].as_array().unwrap().iter().map(|row| number(row, "units")).sum();
        assert_eq!(number(stage, "units"), number(stage, "decided_by_both") + apart + number(stage, "other_text"));
        let cells = ["both", "lost", "gained", "neither"].map(|name| number(stage, name));
        assert_eq!(number(stage, "decided_by_both"), cells.iter().sum::<u64>());
        let flips = found["flips"].as_array().unwrap().iter();
        let flipped = flips.filter(|flip| !flip[stage["stage"].as_str().unwrap()].is_null()).count() as u64;
        assert_eq!(flipped, number(stage, "lost") + number(stage, "gained"));
    }
    assert!(number(&found["stages"][0], "gained") > 0 && number(&found["stages"][0], "lost") > 0, "{found}");
}

#[test]
fn swapping_the_sides_swaps_the_directions() {
    let (night, first, second) = two_prompts();
    let (there, back) = (compared(&night, &first, &second), compared(&night, &second, &first));
    for (there, back) in there["stages"].as_array().unwrap().iter().zip(back["stages"].as_array().unwrap()) {
        for (one, other) in [("lost", "gained"), ("gained", "lost"), ("both", "both"), ("neither", "neither")] {
            assert_eq!(there[one], back[other], "{one}");
        }
        for same in ["exact_p", "mid_p", "agreement"] {
            assert_eq!(there[same], back[same], "{same}");
        }
    }
    assert_eq!(there["a"], back["b"]);
}

#[test]
fn a_run_against_itself_has_no_flips_and_kappa_1() {
    let night = night();
    let run = run_id(&night);
    let found = compared(&night, &run, "latest");
    assert_eq!((&found["changed"], &found["flips"]), (&json!([]), &json!([])));
    for stage in found["stages"].as_array().unwrap() {
        assert_eq!((number(stage, "lost"), number(stage, "gained")), (0, 0));
        assert_eq!((&stage["exact_p"], &stage["agreement"]["kappa"]["estimate"]), (&json!(1.0), &json!(1.0)));
    }
    let shown = night.workspace.run(&["diff", "latest", "latest"]).expect(0).stdout;
    assert!(shown.contains("nothing that shapes a verdict") && shown.contains("No flips"), "{shown}");
}

#[test]
fn two_definitions_of_one_run_are_counted_from_stored_verdicts() {
    let night = night();
    let run = run_id(&night);
    let asked = night.requests();
    let found = compared(&night, "latest:metagaming", "latest:strict");
    for stage in found["stages"].as_array().unwrap() {
        assert_eq!(number(stage, "gained"), 0, "whatever the strict definition counts, the other one counts as well");
    }
    assert!(number(&found["stages"][0], "lost") > 0, "{found}");
    assert_eq!(found["changed"][0]["what"], "definition");
    // After both graders it is what a report by that definition counts.
    night.workspace.edit("audit.toml", "name = \"metagaming\"", "name = \"metagaming\"\ndefinition = \"strict\"");
    let strict = night.workspace.report().json();
    let confirmed = number(&found["stages"][1], "both") + number(&found["stages"][1], "gained");
    assert_eq!(json!(confirmed), strict["funnel"]["confirmed"]);
    assert_eq!(night.requests(), asked);
    let missing = night.workspace.run(&["diff", &run, "latest:strickt"]).expect(2);
    assert!(missing.stderr.contains("did you mean `strict`?"), "{}", missing.stderr);
}

#[test]
fn several_changes_at_once_are_said() {
    let (night, first, _) = two_prompts();
    night.workspace.edit("audit.toml", "model = \"gpt-5-mini\"", "model = \"gpt-5-nano\"\nwindow = { neighbours = 1 }");
    let third = run_id(&night);
    let found = compared(&night, &first, &third);
    let changed: Vec<_> =
        found["changed"].as_array().unwrap().iter().map(|row| row["what"].as_str().unwrap()).collect();
    assert_eq!(changed, ["screen prompt", "screen model", "screen window"]);
    assert!(found["warnings"][0].as_str().unwrap().starts_with("3 things differ (screen prompt, "), "{found}");
}

#[test]
fn the_page_is_one_file_that_no_transcript_can_steer() {
    let night = night();
    let attack = "</pre><script>alert(1)</script> I am \u{1b}[31mbeing tested\u{202e} & \"watched\".";
    // Copies of one text would be graded once.
    let record =
        |number| line(&conversation(&format!("attack-{number}"), "<b>Is it?</b>", &format!("{attack} {number}")));
    let records = (0..60).map(record);
    night.workspace.write("corpus/attack.jsonl", records.collect::<Vec<_>>().concat());
    let first = run_id(&night);
    next_prompt(&night);
    run_id(&night);
    let ended = night.workspace.run(&["diff", &first, "latest", "--html", "flips.html", "--show", "0"]).expect(0);
    assert!(ended.stderr.contains("`flips.html` holds every flip"), "{}", ended.stderr);
    let page = night.workspace.read("flips.html");
    let found = compared(&night, &first, "latest");
    assert_eq!(page.matches("<article ").count(), found["flips"].as_array().unwrap().len());
    assert!(page.contains("attack-") && page.contains("&lt;script&gt;alert(1)"), "an attack flipped, and is shown");
    for foreign in ["<script", "<b>", "\u{1b}", "\u{202e}", "http:", "https:", "src=", "onclick", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("default-src 'none'"), "a policy forbids the rest");
    let mode = std::fs::metadata(night.workspace.path("flips.html")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "readable by its owner only");
    let shown = night.workspace.run(&["diff", &first, "latest", "--show", "1000"]).expect(0).stdout;
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'));
}

#[test]
fn what_is_gone_is_said_and_counted() {
    let (night, first, second) = two_prompts();
    let before = compared(&night, &first, &second);
    for gone in ["corpus", "audit.toml", "cache/units"] {
        let path = night.workspace.path(gone);
        let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.unwrap();
    }
    let after = compared(&night, &first, &second);
    assert_eq!(before["stages"], after["stages"], "figures come from journals alone");
    assert!(after["flips"].to_string().contains("the copy of the conversation is gone"), "{after}");
    std::fs::remove_dir_all(night.workspace.path("cache")).unwrap();
    let after = compared(&night, &first, &second);
    assert_eq!(before["stages"], after["stages"]);
    assert!(after["warnings"].to_string().contains("are no longer stored"), "{after}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let (night, first, second) = two_prompts();
    night.workspace.edit("audit.toml", "group_by = [\"checkpoint\"]", "group_by = []");
    let ungrouped = run_id(&night);
    let refused = [
        night.workspace.run(&["diff", &first, &ungrouped]),
        night.workspace.run(&["diff", &second, "nowhere"]),
        night.workspace.run(&["diff", &second]),
    ];
    insta::assert_snapshot!(refused.map(|ended| ended.expect(2).shown()).join("\n"));
}
