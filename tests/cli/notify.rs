//! `[notify]`: the command at the end of a night.

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ended, Night};

const SCRIPT: &str = r#"
[notify]
command = ["sh", "-c", "cat > told.json; env | grep ^ASSIZE_NOTIFY_ | sort > told.env"]
"#;

fn with_notify(night: &Night, section: &str) {
    let text = night.workspace.read("audit.toml");
    night.workspace.write("audit.toml", text + section);
    night.workspace.run(&["trust"]).expect(0);
}

fn told(night: &Night, ended: &Ended, reason: &str) {
    let variables = night.workspace.read("told.env");
    for line in ["AUDIT=night".to_owned(), format!("EXIT_CODE={}", ended.code.unwrap()), format!("REASON={reason}")] {
        assert!(variables.contains(&format!("ASSIZE_NOTIFY_{line}\n")), "{line}\n{variables}");
    }
    assert_eq!(night.workspace.read("told.json"), night.workspace.read("runs/latest/report.json"));
}

#[test]
fn it_needs_trust_and_is_told_however_the_run_ends() {
    let night = Night::new(20);
    let text = night.workspace.read("audit.toml");
    night.workspace.write("audit.toml", text + SCRIPT);
    let refused = night.workspace.run(&["run"]).expect(2);
    assert!(refused.stderr.contains("every run ends with the command `sh -c"), "{}", refused.stderr);
    assert_eq!(night.requests(), (0, 0));
    night.workspace.run(&["trust"]).expect(0);
    told(&night, &night.workspace.run(&["run", "--max-cost", "0.05"]).expect(3), "budget");
    told(&night, &night.workspace.run(&["run", "--deadline", "2026-01-01T00:00Z"]).expect(3), "deadline");
    told(&night, &night.workspace.run(&["run"]).expect(0), "finished");
}

#[test]
fn an_unusable_grader_and_a_wrong_corpus_are_told_too() {
    let night = Night::with(10, "models = [\"another\"]", "");
    with_notify(&night, SCRIPT);
    told(&night, &night.workspace.run(&["run"]).expect(6), "unusable");
    night.workspace.edit("audit.toml", "[behaviour]", "[expect]\nmin_turns = 9_999\n\n[behaviour]");
    night.workspace.run(&["trust"]).expect(0);
    told(&night, &night.workspace.run(&["run"]).expect(4), "unexpected");
}

#[test]
fn an_interrupted_night_is_told() {
    let night = Night::with(40, "latency_ms = 20", "");
    with_notify(&night, SCRIPT);
    let ended = night.workspace.assize(&["run"]).run_while(|child| {
        night.screen.wait_for(9);
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
    });
    told(&night, &ended.expect(130), "interrupted");
}

#[test]
fn it_gets_no_key() {
    let night = Night::with(5, "api_key = \"sk-one\"", "");
    night.workspace.edit("audit.toml", "max_concurrency = 8", "api_key_env = \"GRADER_KEY\"");
    with_notify(&night, "\n[notify]\ncommand = [\"sh\", \"-c\", \"env > told.env\"]\n");
    let mut night_run = night.workspace.assize(&["run"]).env("MAIL_TO", "somebody");
    for variable in ["GRADER_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"] {
        night_run = night_run.env(variable, "sk-one");
    }
    night_run.run().expect(0);
    let variables = night.workspace.read("told.env");
    assert!(variables.contains("MAIL_TO=somebody\n") && !variables.contains("sk-one"), "{variables}");
}

#[test]
fn its_failure_is_a_warning_and_changes_no_exit_code() {
    let night = Night::new(5);
    with_notify(&night, "\n[notify]\ncommand = [\"sh\", \"-c\", \"exit 7\"]\n");
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(0);
    assert!(ended.stderr.contains("warning: the notify command `sh` failed (exit status: 7)"), "{}", ended.stderr);
    night.workspace.edit("audit.toml", "\"sh\"", "\"no-such-program-here\"");
    night.workspace.run(&["trust"]).expect(0);
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(0);
    assert!(ended.stderr.contains("`no-such-program-here` cannot be started"), "{}", ended.stderr);
}
