//! Damage to a run's journal: a torn end is what a crash leaves, anything else stops everybody.

use std::fs;
use std::io::Write;

use crate::damaged_cache::line_at;
use crate::grader::Grader;
use crate::workspace::{AuditSettings, COMMIT_GROUP, SLOTS, Workspace};

const CONVERSATIONS: u64 = 120;

/// A workspace with a run that was killed half way.
fn killed() -> (Workspace, Grader) {
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, "seed = 4\nlatency_ms = 4");
    workspace.audit(&AuditSettings::of(&grader));
    let running = workspace.start(&[]);
    grader.received(150);
    running.kill();
    // The server notices by and by that nobody waits for its replies.
    grader.idle();
    (workspace, grader)
}

fn journal(workspace: &Workspace) -> std::path::PathBuf {
    workspace.last_file("runs/latest", ".jsonl")
}

#[test]
fn a_torn_end_is_dropped() {
    let (workspace, grader) = killed();
    let text = fs::read_to_string(journal(&workspace)).unwrap();
    let last = text.lines().last().unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(journal(&workspace)).unwrap();
    file.write_all(&last.as_bytes()[..last.len() / 2]).unwrap();
    let report = workspace.run(&[]).expect(0);
    assert_eq!(report.sessions.count, 2);
    assert!(grader.repeated() <= SLOTS + COMMIT_GROUP);
    assert_eq!(grader.stats().distinct_bodies + grader.repeated(), grader.stats().requests);
    let unharmed = Workspace::new(CONVERSATIONS);
    unharmed.audit(&AuditSettings::of(&grader));
    assert_eq!(unharmed.run(&[]).expect(0).digest, report.digest);
}

#[test]
fn damage_in_the_middle_stops_every_figure_and_says_how_to_go_on() {
    let (workspace, grader) = killed();
    let path = journal(&workspace);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let line = line_at(&bytes, middle);
    let before = grader.stats().requests;

    for command in [vec!["run"], vec!["report"], vec!["status"]] {
        let finished = workspace.assize(&command);
        let said = finished.refusal(2);
        assert!(
            said.contains(&format!("line {line} of journal")) && said.contains("is damaged"),
            "{command:?}: {said}"
        );
        assert!(said.contains("journal-1.jsonl"), "{command:?}: {said}");
    }
    let finished = workspace.run(&[]);
    assert!(finished.refusal(2).contains("move its run folder away; replies stay in the cache"), "{}", finished.stderr);
    assert_eq!(grader.stats().requests, before, "nothing is sent while the books are in disorder");

    // The advice works.
    let folder = fs::canonicalize(workspace.path("runs/latest")).unwrap();
    fs::rename(&folder, workspace.path("damaged-run")).unwrap();
    let report = workspace.run(&[]).expect(0);
    assert!(report.requests.replayed > 0, "{:?}", report.requests);
    assert!(grader.repeated() <= SLOTS + COMMIT_GROUP, "{}", grader.repeated());
}
