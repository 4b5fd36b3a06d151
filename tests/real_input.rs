//! The audits of `examples/real-input` over public transcripts: every count equals one made here from the raw files,
//! by plain JSON. Skips where the data is not beside the repository.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]
#![expect(clippy::print_stdout, reason = "whoever runs the tests is told what was skipped, and why")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Conversations and turns by the value that they are grouped by.
type Counts = BTreeMap<String, (u64, u64)>;

const HH: &str = "hh-harmless-test/test.jsonl.zst";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A workspace with the example's audits and the public data; `None`, with a reason, where there is none.
fn workspace() -> Option<TempDir> {
    let data = repository().join("../shared/data");
    if !data.join(HH).exists() {
        println!("skipped: there is no public data at {}", data.display());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(repository().join("examples/real-input")).unwrap().map(Result::unwrap) {
        if file.path().extension().is_some_and(|extension| extension == "toml") {
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
    }
    symlink(data.canonicalize().unwrap(), folder.path().join("data")).unwrap();
    Some(folder)
}

/// The records of a compressed file of the data.
fn records(workspace: &Path, name: &str) -> impl Iterator<Item = Value> {
    let file = File::open(workspace.join("data").join(name)).unwrap();
    let lines = BufReader::new(zstd::Decoder::new(file).unwrap()).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

fn turns(messages: &Value) -> u64 {
    messages.as_array().unwrap().iter().filter(|message| message["role"] == "assistant").count() as u64
}

fn counted(records: impl Iterator<Item = (String, u64)>) -> Counts {
    let mut counts = Counts::new();
    for (group, turns) in records {
        let (conversations, all) = counts.entry(group).or_default();
        *conversations += 1;
        *all += turns;
    }
    counts
}

/// The report of `assize run`, which must be complete.
fn report(workspace: &Path, audit: &str) -> Value {
    let run = Command::new(env!("CARGO_BIN_EXE_assize"))
        .args(["run", audit, "--format", "json", "--progress", "none"])
        .current_dir(workspace)
        .env_clear()
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(run.status.success(), "{audit} ended with {}", run.status);
    serde_json::from_slice(&run.stdout).unwrap()
}

/// Conversations and turns of every group, from the exposures of its rates.
fn reported(report: &Value) -> Counts {
    let mut counts = Counts::new();
    for rate in report["rates"].as_array().unwrap() {
        let group = rate["group"].as_object().unwrap().values().next().and_then(Value::as_str);
        let (Some(group), true) = (group, rate["name"] == "floor" && rate["target"] == "corpus") else { continue };
        let (conversations, turns) = counts.entry(group.to_owned()).or_default();
        let exposure = if rate["unit"] == "turn" { turns } else { conversations };
        *exposure = rate["n"].as_u64().unwrap();
    }
    counts
}

/// All counts of a report agree with `expected`, and every part of its funnel sums to the whole.
#[track_caller]
fn check(report: &Value, expected: &Counts) {
    assert_eq!(reported(report), *expected);
    let conversations: u64 = expected.values().map(|counts| counts.0).sum();
    let turns: u64 = expected.values().map(|counts| counts.1).sum();
    let of = |value: &Value| value.as_u64().unwrap();
    let corpus = &report["corpus"];
    assert_eq!((of(&corpus["conversations"]), of(&corpus["turns"])), (conversations, turns));
    assert_eq!(of(&corpus["records"]), conversations, "nothing was unreadable, doubled or set aside");

    let funnel = &report["funnel"];
    let sum = |names: &[&str]| names.iter().map(|name| of(&funnel[*name])).sum::<u64>();
    let all = |values: &Value| values.as_object().unwrap().values().map(of).sum::<u64>();
    assert_eq!(all(&funnel["by_class"]), turns);
    assert_eq!(sum(&["not_planned", "planned"]), turns);
    assert_eq!(sum(&["not_admitted", "admitted"]), of(&funnel["planned"]));
    assert_eq!(sum(&["unfinished", "ungraded", "cleared", "flagged"]), of(&funnel["admitted"]));
    assert_eq!(all(&funnel["outcomes"]) + of(&funnel["unfinished"]), of(&funnel["admitted"]));
    assert_eq!(sum(&["pending", "disputed", "rejected", "confirmed"]), of(&funnel["flagged"]));
    let strata = report["strata"].as_array().unwrap();
    assert_eq!(strata.iter().map(|stratum| of(&stratum["units"])).sum::<u64>(), turns);
    assert!(of(&funnel["admitted"]) > 0);
}

/// The converter, which is built with the tests.
fn converter() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_assize")).with_file_name("examples").join("convert_hh");
    assert!(built.exists(), "`cargo build --example convert_hh` comes first where only this test is built");
    built
}

#[test]
fn multi_turn_chat_is_counted_as_it_was_written() {
    let Some(workspace) = workspace() else { return };
    let corpus = workspace.path().join("corpus");
    fs::create_dir(&corpus).unwrap();
    let mut convert = Command::new(converter());
    convert.arg("--both").arg(workspace.path().join("data").join(HH));
    let converted = convert.stdout(File::create(corpus.join("hh.jsonl")).unwrap()).status().unwrap();
    assert!(converted.success());

    let arms = records(workspace.path(), HH).flat_map(|pair| {
        ["chosen", "rejected"].map(|arm| {
            let turns = pair[arm].as_str().unwrap().matches("\n\nAssistant:").count() as u64;
            (arm.to_owned(), turns)
        })
    });
    let expected = counted(arms);
    check(&report(workspace.path(), "hh.toml"), &expected);
}

#[test]
fn forty_groups_are_counted_apart() {
    let Some(workspace) = workspace() else { return };
    let chats = records(workspace.path(), "chat-alpaca-eval/part-00.jsonl.zst")
        .map(|record| (record["source"].as_str().unwrap().to_owned(), turns(&record["messages"])));
    let expected = counted(chats);
    assert_eq!(expected.len(), 40);
    check(&report(workspace.path(), "alpaca.toml"), &expected);
}

#[test]
fn agents_with_tool_calls_are_read_through_a_field_map() {
    let Some(workspace) = workspace() else { return };
    let trajectories = records(workspace.path(), "tau-bench-airline/gpt-4o-airline.jsonl.zst")
        .map(|record| (record["reward"].to_string(), turns(&record["traj"])));
    let expected = counted(trajectories);
    let report = report(workspace.path(), "tau.toml");
    check(&report, &expected);
    assert_eq!(report["funnel"]["outcomes"]["cannot_judge"], 0, "long tool outputs leave enough to judge by");
}
