//! Paid once: what a second run asks, and what it does not.

use crate::support::{Night, conversation, line};

/// A new version of the screen prompt, one word apart.
fn new_version(night: &Night) {
    let old = night.workspace.read("prompts/metagaming/screen.v1.md");
    let new = old.replace("version = 1", "version = 3").replace("one behaviour", "one conduct");
    assert_ne!(old, new);
    night.workspace.write("prompts/metagaming/screen.v3.md", new);
}

#[test]
fn a_second_run_asks_nothing_and_gives_the_same_digest() {
    let night = Night::new(40);
    let first = night.workspace.report();
    let asked = night.requests();
    assert!(asked.0 > 0 && asked.1 > 0, "{asked:?}");
    let second = night.workspace.report();
    assert_eq!(second.digest(), first.digest());
    assert_ne!(second.json()["run"], first.json()["run"]);
    assert_eq!(night.requests(), asked);
}

#[test]
fn a_read_only_run_needs_no_server() {
    let Night { workspace, screen, confirm } = Night::new(40);
    let digest = workspace.report().digest();
    drop((screen, confirm));
    let replayed = workspace.run(&["run", "--cache", "read-only", "--format", "json"]).expect(0);
    assert_eq!(replayed.digest(), digest);
    assert_eq!(replayed.json()["requests"]["sent"], 0);
}

#[test]
fn a_passed_deadline_keeps_no_stored_reply_out() {
    let night = Night::new(20);
    let digest = night.workspace.report().digest();
    let asked = night.requests();
    let late = ["run", "--deadline", "2026-01-01T00:00Z", "--format", "json"];
    assert_eq!(night.workspace.run(&late).expect(0).digest(), digest);
    assert_eq!(night.requests(), asked);
    let part = Night::new(20);
    part.workspace.run(&["run", "--max-cost", "0.05"]).expect(3);
    let missed = part.workspace.run(&["run", "--cache", "read-only", "--format", "json"]).expect(5);
    let replayed = part.workspace.run(&[&late[..], &["--cache", "read-only"]].concat()).expect(5);
    assert_eq!(replayed.digest(), missed.digest(), "a replay has no deadline");
}

#[test]
fn a_read_only_run_that_misses_a_reply_ends_with_5() {
    let Night { workspace, screen, confirm } = Night::new(10);
    workspace.run(&["run", "--limit", "6"]).expect(0);
    drop((screen, confirm));
    let ended = workspace.run(&["run", "--cache", "read-only", "--progress", "none"]).expect(5);
    insta::assert_snapshot!(ended.shown());
}

#[test]
fn a_replay_does_not_hide_the_run_that_goes_on() {
    let night = Night::new(20);
    night.workspace.run(&["run", "--max-cost", "0.05"]).expect(3);
    let first = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    night.workspace.run(&["run", "--cache", "read-only", "--progress", "none"]).expect(5);
    let resumed = night.workspace.report().json();
    assert_eq!((&resumed["run"], &resumed["sessions"]["count"]), (&first["run"], &2.into()));
}

#[test]
fn a_refresh_asks_everything_again() {
    let night = Night::new(10);
    night.workspace.report();
    let (screened, confirmed) = night.requests();
    night.workspace.run(&["run", "--cache", "refresh"]).expect(0);
    assert_eq!(night.requests(), (2 * screened, 2 * confirmed));
}

#[test]
fn a_word_changed_under_the_same_label_is_refused_before_anything_is_sent() {
    let night = Night::new(40);
    night.workspace.copy_behaviour("metagaming");
    night.workspace.report();
    let asked = night.requests();
    night.workspace.edit("prompts/metagaming/screen.v1.md", "one behaviour", "one conduct");
    let refused = night.workspace.run(&["run"]).expect(2);
    let verdicts = format!("{} verdicts", asked.0);
    assert!(refused.stderr.contains(&verdicts) && refused.stderr.contains("screen@3"), "{}", refused.stderr);
    insta::assert_snapshot!(refused.shown());
    assert_eq!(night.requests(), asked);
}

#[test]
fn a_new_version_asks_its_own_stage_again_and_no_other() {
    let night = Night::with(40, "sensitivity = 1.0\nspecificity = 1.0", "");
    night.workspace.copy_behaviour("metagaming");
    night.workspace.report();
    let (screened, confirmed) = night.requests();
    new_version(&night);
    night.workspace.edit("audit.toml", "model = \"gpt-5-mini\"", "model = \"gpt-5-mini\"\nprompt = \"screen@3\"");
    // A grader that makes no mistakes flags the same turns under any wording.
    night.workspace.report();
    assert_eq!(night.requests(), (2 * screened, confirmed));
}

#[test]
fn another_key_asks_nothing() {
    let key = "api_key = \"sk-second\"";
    let night = Night::with(30, "api_key = \"sk-first\"", "");
    night.workspace.edit("audit.toml", "max_concurrency = 8", "api_key_env = \"GRADER_KEY\"");
    let words = ["run", "--format", "json"];
    let first = night.workspace.assize(&words).env("GRADER_KEY", "sk-first").run().expect(0);
    let asked = night.requests();
    let second = night.workspace.assize(&words).env("GRADER_KEY", "sk-second").run().expect(0);
    assert_eq!((second.digest(), night.requests()), (first.digest(), asked));
    // The other server would take the new key only, so a request with the old one would show.
    let Night { workspace, screen, confirm: _confirm } = night;
    let address = screen.address();
    drop(screen);
    let rotated = crate::support::profile(&workspace.path("truth.jsonl"), key);
    let rotated = crate::support::Grader::start_at(&rotated, address);
    let third = workspace.assize(&words).env("GRADER_KEY", "sk-second").run().expect(0);
    assert_eq!((third.digest(), rotated.requests()), (first.digest(), 0));
}

#[test]
fn one_more_conversation_asks_only_about_units_that_enter_the_sample() {
    let night = Night::new(40);
    night.workspace.edit("audit.toml", "none = \"all\"", "none = 20");
    night.workspace.report();
    let (screened, _) = night.requests();
    let added = conversation("added", "What is a stork?", "A bird with long legs that nests on chimneys.");
    night.workspace.write("corpus/added.jsonl", line(&added));
    let report = night.workspace.report().json();
    let planned = report["funnel"]["planned"].as_u64().unwrap();
    // The one new unit may take the place of another, or not be drawn: at most one question is new.
    assert_eq!(planned, screened);
    let (now, _) = night.requests();
    assert!(now - screened <= 1, "{now} - {screened}");

    night.workspace.edit("audit.toml", "none = 20", "none = \"all\"");
    let before = night.requests().0;
    night.workspace.report();
    let all = night.requests().0;
    let more = conversation("more", "And a heron?", "Another bird with long legs, grey, that stands in shallow water.");
    night.workspace.write("corpus/more.jsonl", line(&more));
    night.workspace.report();
    assert!(all > before);
    assert_eq!(night.requests().0, all + 1);
}

#[test]
fn a_workspace_can_be_moved() {
    let mut night = Night::new(30);
    let digest = night.workspace.report().digest();
    let asked = night.requests();
    night.workspace.move_to("elsewhere");
    assert_eq!(night.workspace.report().digest(), digest);
    assert_eq!(night.requests(), asked);
    night.workspace.run(&["report"]).expect(0);
}

#[test]
fn equal_replies_give_equal_digests_at_any_concurrency() {
    let digest = |concurrency: &str| {
        let night = Night::with(30, "latency_ms = 1\nlatency_jitter_ms = 5", "");
        // The address is part of an endpoint's settings, not of what was found.
        night.workspace.run(&["run", "-j", concurrency, "--format", "json"]).expect(0).digest()
    };
    assert_eq!(digest("1"), digest("16"));
}
