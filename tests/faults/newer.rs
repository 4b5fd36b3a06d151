//! Files of a later version: read by nobody who does not know them, and never written to.

use std::fs;
use std::path::{Path, PathBuf};

use assize::journal::line_of;
use serde_json::json;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, Workspace};

/// Makes a checksummed file say that it has format 99.
fn raise_header(path: &Path, kind: &str) {
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    let header = String::from_utf8(line_of(&json!({"kind": kind, "format": 99})).unwrap()).unwrap();
    fs::write(path, header + rest).unwrap();
}

fn only_folder(folder: &Path) -> PathBuf {
    fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}

/// Raises the format of one file of a workspace.
type Raise = fn(&Workspace) -> PathBuf;

#[test]
fn a_newer_file_is_refused_by_name_and_left_as_it_is() {
    let raise: [(&str, Raise); 4] = [
        ("replies format 99", |workspace| {
            let path = workspace.last_file("cache/replies", ".jsonl");
            raise_header(&path, "replies");
            path
        }),
        ("events format 99", |workspace| {
            let path = workspace.last_file("runs/latest", ".jsonl");
            raise_header(&path, "events");
            path
        }),
        ("has format 99", |workspace| {
            let path = workspace.census();
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replacen("\"format\":1", "\"format\":99", 1)).unwrap();
            path
        }),
        ("has format 99", |workspace| {
            let path = only_folder(&workspace.path("cache/units")).join("units");
            let mut bytes = fs::read(&path).unwrap();
            // The format follows the eight bytes of magic.
            bytes[8..12].copy_from_slice(&99u32.to_le_bytes());
            fs::write(&path, bytes).unwrap();
            path
        }),
    ];
    for (words, raise) in raise {
        let workspace = Workspace::new(20);
        let grader = Grader::start(&workspace, "seed = 16");
        workspace.audit(&AuditSettings::of(&grader));
        workspace.run(&[]).expect(0);
        let before = grader.stats();
        let path = raise(&workspace);
        let bytes = fs::read(&path).unwrap();
        let refused = workspace.run(&[]);
        let said = refused.refusal(2);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(said.contains(words) && said.contains(&name) && said.contains("reads"), "{name}: {said}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{name}: it is left as it is");
        assert_eq!(grader.stats(), before, "{name}: nothing was sent");
    }
}
