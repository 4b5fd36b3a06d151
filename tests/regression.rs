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

fn report(folder: &Path, arguments: &[&str]) -> Value {
    let output = assize(folder, &[arguments, &["--format", "json"]].concat()).output().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    report.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A report of an old run was counted by definitions of today and said it was by those of then.
#[test]
fn a_report_tells_that_definitions_have_changed() {
    let folder = tempfile::tempdir().unwrap();
    assert!(assize(folder.path(), &["init"]).output().unwrap().status.success());
    let first = report(folder.path(), &["run", "--limit", "20"]);
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
    let second = report(folder.path(), &["report"]);
    assert_ne!(second["design"]["behaviour_hash"], first["design"]["behaviour_hash"]);
    assert!(second["warnings"].to_string().contains("definitions"), "{}", second["warnings"]);
}
