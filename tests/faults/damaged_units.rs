//! Damage to what a run made from the corpus: it is made again from the corpus, and nothing is asked twice.

use std::fs;
use std::path::{Path, PathBuf};

use assize::model::hash::Digest;

use crate::damaged_cache::flip;
use crate::grader::Grader;
use crate::workspace::{AuditSettings, COMMIT_GROUP, SLOTS, Workspace};

/// A workspace whose audit is finished.
struct Done {
    workspace: Workspace,
    grader: Grader,
    digest: Digest,
}

impl Done {
    fn new() -> Self {
        let workspace = Workspace::new(60);
        let grader = Grader::start(&workspace, "seed = 15");
        workspace.audit(&AuditSettings::of(&grader));
        let digest = workspace.run(&[]).expect(0).digest;
        Self { workspace, grader, digest }
    }

    /// Runs again, which must change nothing and ask nothing. What was said on the way.
    fn again(&self) -> String {
        let before = self.grader.stats();
        let finished = self.workspace.run(&[]);
        assert_eq!(finished.expect(0).digest, self.digest, "{}", finished.stderr);
        assert_eq!(self.grader.stats(), before, "{}", finished.stderr);
        finished.stderr
    }

    fn snapshot(&self) -> PathBuf {
        let folders = fs::read_dir(self.workspace.path("cache/units")).unwrap().map(|entry| entry.unwrap().path());
        folders.filter(|folder| folder.extension().is_none()).max().unwrap()
    }
}

fn middle(path: &Path) -> usize {
    usize::try_from(fs::metadata(path).unwrap().len() / 2).unwrap()
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_copied_from_the_corpus_again() {
    let done = Done::new();
    for file in ["conversations", "units"] {
        let path = done.snapshot().join(file);
        flip(&path, middle(&path));
        let said = done.again();
        assert!(said.contains("was damaged") && said.contains(".damaged-"), "{file}: {said}");
        assert!(said.contains("made again from the corpus, nothing is lost"), "{file}: {said}");
        assert_eq!(done.again(), "", "{file}: it is whole again");
    }
    // What is noticed when the file is opened is replaced without a word: it is only a copy.
    let path = done.snapshot().join("units");
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
    assert_eq!(done.again(), "");
    fs::remove_dir_all(done.workspace.path("cache/units")).unwrap();
    assert_eq!(done.again(), "");
}

#[test]
fn damage_that_is_met_on_the_way_costs_nothing_that_was_paid_for() {
    let done = Done::new();
    let fresh = Workspace::new(60);
    let grader = Grader::start(&fresh, "seed = 15\nlatency_ms = 5");
    fresh.audit(&AuditSettings::of(&grader));
    let running = fresh.start(&[]);
    grader.received(40);
    running.kill();
    let folder = fs::read_dir(fresh.path("cache/units")).unwrap().next().unwrap().unwrap().path();
    flip(&folder.join("conversations"), middle(&folder.join("conversations")));
    let finished = fresh.run(&[]);
    let report = finished.expect(0);
    assert!(finished.stderr.contains("made again from the corpus"), "{}", finished.stderr);
    assert_eq!(report.digest, done.digest);
    let (by_server, by_report) = (grader.repeated(), report.requests.repeated);
    assert!(
        by_server <= by_report && by_report <= SLOTS + COMMIT_GROUP,
        "only what was on the wire: {by_server}, {by_report}"
    );
}

#[test]
fn a_unit_that_cannot_be_shown_says_how_to_mend_it() {
    let done = Done::new();
    let path = done.snapshot().join("conversations");
    let bytes = vec![0xa5; usize::try_from(fs::metadata(&path).unwrap().len()).unwrap()];
    fs::write(&path, bytes).unwrap();
    let first = fs::read_to_string(done.workspace.last_file("corpus", ".jsonl")).unwrap();
    let conversation: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    let shown = done.workspace.assize(&["show", conversation["id"].as_str().unwrap()]);
    assert!(shown.refusal(2).contains("hint: `assize run` copies it from the corpus again"), "{}", shown.stderr);
    done.again();
    let shown = done.workspace.assize(&["show", conversation["id"].as_str().unwrap()]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
}

#[test]
fn a_damaged_census_is_taken_again() {
    let done = Done::new();
    let path = done.workspace.census();
    let whole = fs::read(&path).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", b"[]"] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(done.again(), "");
        assert_eq!(fs::read(&path).unwrap().len(), whole.len(), "it is stored again");
    }
}
