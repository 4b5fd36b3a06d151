//! `api = "command"`: a grader that is a program of the workspace.

use crate::support::Night;

/// Clears every turn, and writes down that it was started and how often it was asked.
const PROGRAM: &str = r#"
echo start >> started
echo "key: ${GRADER_KEY:-none}" >> started
while read -r line; do
    id=${line#*:}
    echo "${id%%,*}" >> asked
    printf '{"id":%s,"reply":{"evidence":[],"innocent_reading":"","labels":[],"exclusions":[],"fields":{"channel":"not_applicable","voice":"not_applicable","salience":"not_applicable","test_kind":"not_applicable","certainty":"not_applicable","outcome_link":"not_applicable","injection":"none"},"score":3,"verdict":"absent"}}\n' "${id%%,*}"
done
"#;

fn night(program: &str) -> Night {
    let night = Night::new(10);
    night.workspace.write("grader.sh", program);
    let address = format!("base_url = \"{}\"", night.screen.url());
    night.workspace.edit("audit.toml", &address, "api = \"command\"\ncommand = [\"sh\", \"grader.sh\"]");
    night
}

#[test]
fn a_program_grades_and_is_not_asked_twice() {
    let night = night(PROGRAM);
    // A key of another endpoint is none of its business.
    night.workspace.edit("audit.toml", "[endpoint.second]\n", "[endpoint.second]\napi_key_env = \"GRADER_KEY\"\n");
    let refused = night.workspace.run(&["run"]).expect(2);
    assert!(refused.stderr.contains("endpoint `main` runs the command `sh grader.sh`"), "{}", refused.stderr);
    night.workspace.run(&["trust"]).expect(0);
    let run = || night.workspace.assize(&["run", "--format", "json"]).env("GRADER_KEY", "sk-1").run().expect(0).json();
    let report = run();
    let asked = night.workspace.read("asked").lines().count();
    assert_eq!(night.workspace.read("started"), "start\nkey: none\n");
    assert_eq!(report["requests"]["sent"], asked);
    assert_eq!(report["funnel"]["outcomes"]["graded"], asked);
    assert_eq!(report["spend"]["usd"], 0.0);
    let again = run();
    assert_eq!((&again["requests"]["sent"], &again["digest"]), (&0.into(), &report["digest"]));
    assert_eq!(night.workspace.read("started"), "start\nkey: none\n", "a replay starts no program");
}

#[test]
fn a_program_that_only_ends_stops_the_run() {
    let night = night("echo 'no weights' >&2; exit 7");
    night.workspace.run(&["trust"]).expect(0);
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(6);
    assert!(ended.stderr.contains("the command `sh` ended (exit status: 7) before it replied"), "{}", ended.stderr);
    let checked = night.workspace.run(&["doctor"]).expect(6);
    assert!(checked.stdout.contains("before it replied"), "{}", checked.stdout);
}

#[test]
fn privacy_names_commands_too() {
    let night = night(PROGRAM);
    let privacy = format!("\n[privacy]\nendpoints = [\"{}\"]\n", night.confirm.url());
    night.workspace.write("audit.toml", night.workspace.read("audit.toml") + &privacy);
    let refused = night.workspace.run(&["config"]).expect(2);
    assert!(
        refused.stderr.contains("`command` is not among the endpoints that [privacy] allows"),
        "{}",
        refused.stderr
    );
}
