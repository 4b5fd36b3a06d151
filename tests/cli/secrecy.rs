//! What must not be printed, logged or readable by others: transcripts, prompts, keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{Ended, Night, conversation, line};

const TRANSCRIPT: &str = "canary-transcript-5f1c";
const PROMPT: &str = "canary-prompt-77ab";
const KEY: &str = "sk-canary-key-90de";

/// A night with a canary in a transcript, in a prompt and as the key, under every fault that has words in it.
fn night() -> Night {
    let faults = "[faults]\nserver_error = 0.1\nmalformed_body = 0.05\nerror_in_200 = 0.05\nmalformed_content = 0.1\n\
                  refusal = 0.05\nunverified_quote = 0.1\ntruncated_body = 0.05\n";
    let night = Night::with(30, &format!("api_key = \"{KEY}\"\n{faults}"), "");
    night.workspace.copy_behaviour("metagaming");
    night.workspace.edit("prompts/metagaming/screen.v1.md", "# System\n", &format!("# System\n\n{PROMPT}\n"));
    night.workspace.edit("audit.toml", "max_concurrency = 8", "api_key_env = \"GRADER_KEY\"");
    night.workspace.edit("audit.toml", "max_cost = 20.00", "max_cost = 20.00\nmax_ungraded = 1.0");
    let said = format!("I wonder whether I am being tested here. {TRANSCRIPT}");
    let records = (0..10).map(|number| line(&conversation(&format!("canary-{number}"), TRANSCRIPT, &said)));
    night.workspace.write("corpus/canary.jsonl", records.collect::<Vec<_>>().concat());
    night.workspace.write("corpus/cut.jsonl", format!("{{\"id\": 3, \"messages\": \"{TRANSCRIPT}\"}}\n{TRANSCRIPT}\n"));
    night
}

#[track_caller]
fn keeps_secrets(words: &[&str], ended: &Ended) {
    for secret in [TRANSCRIPT, PROMPT, KEY] {
        assert!(!ended.stderr.contains(secret), "{words:?}: `{secret}` on standard error:\n{}", ended.stderr);
        assert!(!ended.stdout.contains(secret), "{words:?}: `{secret}` on standard output:\n{}", ended.stdout);
    }
}

#[test]
fn no_transcript_prompt_or_key_is_printed_at_any_verbosity() {
    let night = night();
    let run = |words: &[&str], key: &str, code: i32| {
        let ended = night.workspace.assize(words).env("GRADER_KEY", key).run().expect(code);
        keeps_secrets(words, &ended);
        ended
    };
    run(&["config", "-vvv"], KEY, 0);
    run(&["plan", "-vvv"], KEY, 0);
    // A key that is refused stands in no message either.
    let refused = night.workspace.assize(&["run", "-vvv"]).env("GRADER_KEY", "sk-wrong-canary").run().expect(6);
    assert!(!format!("{refused:?}").contains("sk-wrong-canary"));
    let logged = run(&["run", "-vvv", "--progress", "plain"], KEY, 0);
    assert!(logged.stderr.lines().count() > 20, "nothing was logged: {}", logged.stderr);
    for words in [&["run", "-vvv", "--progress", "json"][..], &["report", "-vvv"], &["status", "-vvv"]] {
        run(words, KEY, 0);
    }
    for words in [["cache", "stats", "-vvv"], ["cache", "verify", "-vvv"], ["cache", "rebuild", "-vvv"]] {
        run(&words, KEY, 0);
    }
    run(&["run", "-vvv", "--strict"], KEY, 2);
    night.workspace.edit("prompts/metagaming/screen.v1.md", "# System\n", "# System\n\nAnother word.\n");
    run(&["run", "-vvv"], KEY, 2);
    run(&["prompts", "lint", "-vvv"], KEY, 0);
}

#[test]
fn a_key_is_nowhere_on_disk_and_a_report_holds_no_transcript() {
    let night = night();
    night.workspace.assize(&["run"]).env("GRADER_KEY", KEY).run().expect(0);
    for file in files(&night.workspace.root()) {
        let bytes = fs::read(&file).unwrap();
        let holds = |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!holds(KEY), "{} holds the key", file.display());
        if file.starts_with(night.workspace.path("runs")) {
            assert!(!holds(TRANSCRIPT) && !holds(PROMPT), "{} quotes", file.display());
        }
    }
}

#[test]
fn nobody_else_can_read_what_a_run_leaves_behind() {
    let night = night();
    night.workspace.assize(&["run"]).env("GRADER_KEY", KEY).run().expect(0);
    let mut checked = 0;
    for folder in ["cache", "runs"] {
        let top = night.workspace.path(folder);
        for file in files(&top) {
            let open = readable_by_others(&file, &top);
            assert!(!open, "{} can be read by others", file.display());
            checked += 1;
        }
    }
    assert!(checked > 5, "{checked}");
    assert_eq!(mode(&night.workspace.path("prompts.lock")) & 0o077, 0);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode()
}

/// Whether a file's group or anybody can reach and read it: every folder down from `top` and the file let them.
fn readable_by_others(file: &Path, top: &Path) -> bool {
    let above = file.ancestors().skip(1).take_while(|folder| folder.starts_with(top));
    above.into_iter().all(|folder| mode(folder) & 0o011 != 0) && mode(file) & 0o044 != 0
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}
