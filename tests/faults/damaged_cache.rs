//! Damage to the cache: the index is made again from the log, and a damaged reply is asked for again, that one only.

use std::fs;
use std::path::Path;

use assize::model::hash::Digest;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, Workspace};

const CONVERSATIONS: u64 = 60;

/// A workspace whose audit is finished: everything is in the cache.
struct Done {
    workspace: Workspace,
    grader: Grader,
    digest: Digest,
    requests: u64,
}

impl Done {
    fn new() -> Self {
        let workspace = Workspace::new(CONVERSATIONS);
        let grader = Grader::start(&workspace, "seed = 3");
        workspace.audit(&AuditSettings::of(&grader));
        let digest = workspace.run(&[]).expect(0).digest;
        let requests = grader.stats().requests;
        Self { workspace, grader, digest, requests }
    }

    /// Runs again. Returns how many requests that took, and what was said on the way or in the report.
    fn again(&self) -> (u64, String) {
        let before = self.grader.stats().requests;
        let finished = self.workspace.run(&[]);
        let report = finished.expect(0);
        assert_eq!(report.digest, self.digest, "{}", finished.stderr);
        (self.grader.stats().requests - before, format!("{}{}", finished.stderr, report.warnings.join("\n")))
    }

    fn log(&self) -> std::path::PathBuf {
        self.workspace.last_file("cache/replies", ".jsonl")
    }
}

/// The number of the line that holds this byte, from 1.
pub(crate) fn line_at(bytes: &[u8], position: usize) -> usize {
    bytes[..position].split(|byte| *byte == b'\n').count()
}

pub(crate) fn flip(path: &Path, position: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[position] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_index_is_made_again_from_the_log_whatever_happens_to_it() {
    let done = Done::new();
    let index = done.workspace.path("cache/index");
    let mut warned = 0;
    let mut damage_and_run = |name: &str, damage: &dyn Fn()| {
        damage();
        let (requests, said) = done.again();
        assert_eq!(requests, 0, "{name}: {said}");
        let noticed = said.contains("the reply index was damaged") && said.contains("nothing is lost");
        assert_eq!(noticed, said.contains("warning"), "{name}: {said}");
        warned += u32::from(noticed);
    };
    for percent in [0, 1, 50, 99] {
        damage_and_run(&format!("a flipped byte at {percent}%"), &|| {
            let db = index.join("db");
            let length = fs::metadata(&db).unwrap().len();
            flip(&db, usize::try_from(length * percent / 100).unwrap());
        });
    }
    // sled's own checksum covers `conf`; its snapshots are checked as well.
    damage_and_run("a flipped byte in the configuration", &|| flip(&index.join("conf"), 5));
    damage_and_run("a truncated file", &|| {
        let file = fs::OpenOptions::new().write(true).open(index.join("db")).unwrap();
        file.set_len(100).unwrap();
    });
    damage_and_run("an empty file", &|| fs::write(index.join("db"), "").unwrap());
    damage_and_run("garbage in all files", &|| {
        for entry in fs::read_dir(&index).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            fs::write(entry.path(), [0xa5; 4_096]).unwrap();
        }
    });
    damage_and_run("a file in place of the folder", &|| {
        fs::remove_dir_all(&index).unwrap();
        fs::write(&index, "not a folder").unwrap();
    });
    damage_and_run("no folder", &|| fs::remove_dir_all(&index).unwrap());
    assert!(warned >= 3, "most damage is noticed and said: {warned}");
}

#[test]
fn a_damaged_reply_is_named_and_asked_for_again() {
    let done = Done::new();
    let bytes = fs::read(done.log()).unwrap();
    // Inside a line in the middle of the file, far from the edges that the index remembers.
    let middle = bytes.len() / 2;
    let line = line_at(&bytes, middle);
    flip(&done.log(), middle);
    let segment = done.log().file_name().unwrap().to_string_lossy().into_owned();
    let (requests, said) = done.again();
    assert_eq!(requests, 1, "{said}");
    assert!(said.contains(&format!("a reply in `{segment}` at byte ")), "{said}");
    assert_eq!(done.again(), (0, String::new()), "the reply that was asked for again takes its place");

    let verified = done.workspace.assize(&["cache", "verify"]);
    assert_eq!(verified.code, Some(1), "{verified:?}");
    assert!(verified.stdout.contains(&format!("{segment}:{line}")), "{}", verified.stdout);

    // Without the index, the damage is met when the log is read.
    fs::remove_dir_all(done.workspace.path("cache/index")).unwrap();
    let (requests, said) = done.again();
    assert_eq!(requests, 0, "{said}");
    assert!(
        said.contains(&format!("1 damaged line(s) in `{segment}` are skipped, the first is line {line}")),
        "{said}"
    );
}

#[test]
fn a_torn_last_reply_is_asked_for_again() {
    let done = Done::new();
    let file = fs::OpenOptions::new().write(true).open(done.log()).unwrap();
    file.set_len(fs::metadata(done.log()).unwrap().len() - 30).unwrap();
    let (requests, said) = done.again();
    assert_eq!(requests, 1, "{said}");
    assert_eq!(done.again().0, 0);
}

#[test]
fn a_lost_segment_costs_its_replies_and_nothing_else() {
    let done = Done::new();
    fs::remove_file(done.log()).unwrap();
    let (requests, said) = done.again();
    assert_eq!(requests, done.requests, "{said}");
    assert_eq!(done.grader.repeated(), done.requests);
}
