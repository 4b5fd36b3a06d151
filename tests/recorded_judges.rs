//! The published verdicts of two judges through the whole pipeline: read as `api = "recorded"`, run, and validated against gold.
//! `examples/recorded-judges/run.sh` does it for all six. Skips where the data is not beside the repository.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "the example's own main is not called")]
#[path = "../examples/adapt_judges.rs"]
mod adapt_judges;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Two judges with their published accuracy over all prompts and both orders, and whether they are better than a guess.
const JUDGES: [(&str, f64, bool); 2] = [("GPT-4", 0.80, true), ("ChatGPT", 0.45, false)];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn lines(file: &Path) -> Vec<Value> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `assize` in a folder; its result, which must be one.
fn assize(folder: &Path, words: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assize"));
    let output = command.args(words).current_dir(folder).env_clear().env("HOME", folder).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Verdicts asked for, given and right, and the table of truth and verdict, from plain JSON.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    asked: u64,
    given: u64,
    right: u64,
    detected: u64,
    false_alarms: u64,
}

fn counted(folder: &Path, judge: &str) -> Counted {
    let truth: BTreeMap<String, bool> = lines(&folder.join("truth.jsonl"))
        .into_iter()
        .map(|line| (line["unit"].as_str().unwrap().replace("#1", ""), line["decision"] == "yes"))
        .collect();
    let mut counted = Counted::default();
    for verdict in lines(&folder.join(format!("verdicts/{judge}.jsonl"))) {
        let is_first = truth[verdict["comparison"].as_str().unwrap()];
        counted.asked += 1;
        let Some(winner) = verdict["winner"].as_str() else { continue };
        counted.given += 1;
        counted.right += u64::from((winner == "1") == is_first);
        counted.detected += u64::from(winner == "1" && is_first);
        counted.false_alarms += u64::from(winner == "1" && !is_first);
    }
    counted
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// Cohen's kappa of two raters, by its definition.
fn kappa(Counted { given, right, detected, false_alarms, .. }: &Counted) -> f64 {
    let cleared = right - detected;
    let missed = given - detected - false_alarms - cleared;
    let yes = share(detected + missed, *given) * share(detected + false_alarms, *given);
    let no = share(false_alarms + cleared, *given) * share(missed + cleared, *given);
    (share(*right, *given) - yes - no) / (1.0 - yes - no)
}

#[test]
fn recorded_judges_have_their_accuracy_against_gold_through_the_pipeline() {
    let data = repository().join("../shared/data/llmbar-judges");
    if !data.join("verdicts_flat.jsonl.zst").exists() {
        println!("skipped: there is no public data at {}", data.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (folder, example) = (folder.path(), repository().join("examples/recorded-judges"));
    let judges = adapt_judges::adapt(&data, folder).unwrap();
    assert_eq!(judges, ["ChatGPT", "ChatGPT-0301", "Falcon", "GPT-4", "LLaMA2", "PaLM2"]);
    let behaviour = "prompts/first_is_better";
    fs::create_dir_all(folder.join(behaviour)).unwrap();
    for name in ["behaviour.toml", "cues.toml"] {
        fs::copy(example.join(behaviour).join(name), folder.join(behaviour).join(name)).unwrap();
    }
    let audit = fs::read_to_string(example.join("gpt-4.toml")).unwrap();
    for (judge, published, is_informative) in JUDGES {
        fs::write(folder.join("audit.toml"), audit.replace("GPT-4", judge)).unwrap();
        let expected = counted(folder, judge);
        let report = assize(folder, &["run", "--format", "json", "--progress", "none"]);
        let outcomes = &report["funnel"]["outcomes"];
        assert_eq!(outcomes["graded"], expected.given, "{judge}");
        assert_eq!(outcomes["not_recorded"], expected.asked - expected.given, "{judge}: no winner is no verdict");
        assert_eq!(report["funnel"]["flagged"], expected.detected + expected.false_alarms);
        assert_eq!(report["requests"]["sent"], 0);
        let found = assize(folder, &["validate", "--labels", "truth.jsonl", "--format", "json"]);
        let screen = &found["stages"][0];
        let number = |name: &str| screen[name].as_u64().unwrap();
        assert_eq!((number("decided"), number("detected")), (expected.given, expected.detected), "{judge}");
        assert_eq!(number("false_alarms"), expected.false_alarms, "{judge}");
        let accuracy = &screen["accuracy"];
        assert_eq!((&accuracy["k"], &accuracy["n"]), (&expected.right.into(), &expected.given.into()), "{judge}");
        let agreement = screen["kappa"]["estimate"].as_f64().unwrap();
        assert!((agreement - kappa(&expected)).abs() < 1e-9, "{judge}: {agreement}");
        assert_eq!(screen["informative"], is_informative, "{judge}");
        let lower = screen["balanced_accuracy"]["lower"].as_f64().unwrap();
        assert_eq!(lower > 0.5, is_informative, "{judge}: {lower}");
        let of_all = share(expected.right, expected.asked);
        assert!((of_all - published).abs() < 0.005, "{judge}: {of_all}");
        println!("{judge}: {} of {} right ({of_all:.4}), kappa {agreement:.4}", expected.right, expected.asked);
    }
}
