//! Mistakes that were made once, over the whole program.
#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn assize(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assize"));
    command.current_dir(folder).args(arguments).env_clear().env("HOME", folder);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = assize(folder, &[&["run", "--format", "json"], arguments].concat()).output().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// A scaffolded workspace with a second grader.
fn workspace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert!(assize(folder.path(), &["init"]).output().unwrap().status.success());
    let audit = folder.path().join("audit.toml");
    let text = std::fs::read_to_string(&audit).unwrap();
    let confirm = "\n[grader.confirm]\nendpoint = \"main\"\nmodel = \"gpt-5-mini\"\n";
    std::fs::write(&audit, text + confirm).unwrap();
    folder
}

/// A rerun held money back for confirming units that the cache knew to be cleared, and closed admission over it.
#[test]
fn a_rerun_of_what_is_paid_for_needs_no_money() {
    let folder = workspace();
    let (code, first) = run(folder.path(), &["--limit", "60"]);
    assert_eq!(code, Some(0));
    assert!(first["requests"]["sent"].as_u64() >= Some(60));
    let cap = first["spend"]["usd"].to_string();
    let (code, second) = run(folder.path(), &["--limit", "60", "--max-cost", &cap]);
    assert_eq!((code, &second["requests"]["sent"]), (Some(0), &Value::from(0)));
    assert_eq!(second["digest"], first["digest"]);
}

/// A report of an old run was counted by definitions of today and said it was by those of then.
#[test]
fn a_report_tells_that_definitions_have_changed() {
    let folder = workspace();
    let (_, first) = run(folder.path(), &["--limit", "20"]);
    let prompts = folder.path().join("prompts/metagaming");
    std::fs::create_dir_all(&prompts).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/metagaming");
    for entry in std::fs::read_dir(shipped).unwrap() {
        let file = entry.unwrap().path();
        std::fs::copy(&file, prompts.join(file.file_name().unwrap())).unwrap();
    }
    let behaviour = prompts.join("behaviour.toml");
    let text = std::fs::read_to_string(&behaviour).unwrap();
    std::fs::write(&behaviour, text.replace("threshold = 50", "threshold = 51")).unwrap();
    let output = assize(folder.path(), &["report", "--format", "json"]).output().unwrap();
    let second: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_ne!(second["design"]["behaviour_hash"], first["design"]["behaviour_hash"]);
    assert!(second["warnings"].to_string().contains("definitions"), "{}", second["warnings"]);
}
