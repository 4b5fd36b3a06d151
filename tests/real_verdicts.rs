//! The figures of `assize validate` over real verdicts: public judges of pairs of outputs against gold. Skips where the data is
//! not beside the repository.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]
#![expect(clippy::print_stdout, reason = "whoever runs the tests is told what was skipped, and why")]

#[expect(dead_code, reason = "the example's own main is not called")]
#[path = "../examples/judges.rs"]
mod judges;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use assize::model::rate::Level;
use assize::report::validate::StageFigures;
use serde_json::Value;

fn file() -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/llmbar-judges/verdicts_flat.jsonl.zst");
    if !file.exists() {
        println!("skipped: there is no public data at {}", file.display());
        return None;
    }
    Some(file)
}

fn figures(file: &Path) -> BTreeMap<String, StageFigures> {
    judges::judges(file, Level::new(0.95).unwrap()).unwrap()
}

/// By judge: verdicts asked for, those given, and those that are right, counted from plain JSON.
fn counted(file: &Path) -> BTreeMap<String, [u64; 3]> {
    let mut counts: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    let lines = BufReader::new(zstd::Decoder::new(std::fs::File::open(file).unwrap()).unwrap()).lines();
    for line in lines {
        let verdict: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let winner = verdict["winner"].as_str().unwrap_or_default();
        let gold = verdict["gold"].as_u64().unwrap();
        let [asked, given, right] = counts.entry(verdict["judge"].as_str().unwrap().to_owned()).or_default();
        *asked += 1;
        *given += u64::from(matches!(winner, "1" | "2"));
        *right += u64::from(winner.parse() == Ok(gold));
    }
    counts
}

#[test]
fn accuracy_against_gold_is_that_of_the_public_verdicts() {
    let Some(file) = file() else { return };
    let (figures, counted) = (figures(&file), counted(&file));
    assert_eq!(figures.len(), 6);
    for (judge, found) in &figures {
        let [asked, given, right] = counted[judge];
        let accuracy = found.accuracy.unwrap();
        assert_eq!((found.units, found.decided, accuracy.k, accuracy.n), (asked, given, right, given), "{judge}");
        let missing: u64 = found.apart.iter().map(|row| row.units).sum();
        assert_eq!(missing, asked - given, "{judge}: what names neither output is missing, not wrong");
    }
    // Published with the data: over all prompts and both orders.
    for (judge, published) in [("GPT-4", 0.80), ("ChatGPT", 0.45)] {
        let [asked, _, right] = counted[judge].map(|count| u32::try_from(count).unwrap());
        let of_all = f64::from(right) / f64::from(asked);
        let of_given = figures[judge].accuracy.unwrap().estimate;
        for accuracy in [of_all, of_given] {
            assert!((accuracy - published).abs() < 0.005, "{judge}: {accuracy}");
        }
    }
}

#[test]
fn judges_at_or_below_chance_are_uninformative() {
    let Some(file) = file() else { return };
    let figures = figures(&file);
    let informative: Vec<_> =
        figures.iter().filter(|(_, found)| found.informative == Some(true)).map(|(judge, _)| judge.as_str()).collect();
    assert_eq!(informative, ["Falcon", "GPT-4", "PaLM2"]);
    for (judge, found) in &figures {
        let balanced = found.balanced_accuracy.unwrap();
        assert_eq!(found.informative == Some(true), balanced.lower.unwrap() > 0.5, "{judge}: {balanced:?}");
        assert_eq!(found.informative == Some(false), found.uninformative_because.is_some(), "{judge}");
    }
    let because = figures["ChatGPT"].uninformative_because.as_ref().unwrap();
    assert!(because.contains("at chance or below it"), "{because}");
}
