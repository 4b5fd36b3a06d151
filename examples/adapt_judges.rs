//! Turns the verdicts that `LLMBar` published into what assize reads: a corpus, labels, and a file of verdicts for each judge.
//!
//! ```text
//! cargo run --example adapt_judges -- ../shared/data/llmbar-judges examples/recorded-judges
//! ```
//!
//! A comparison (an item, the prompt of the judge, the order of the outputs, and which time it was asked) is a conversation
//! whose one turn shows both outputs. "Output 1 is better" is what is counted: gold says it, or not, and so does a judge.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{File, create_dir_all};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use assize::model::conversation::{Conversation, Message, Role};
use serde::Deserialize;
use serde_json::{Value, json};

/// A pair of outputs.
#[derive(Deserialize)]
struct Item {
    subset: String,
    #[serde(rename = "item")]
    number: u64,
    input: String,
    output_1: String,
    output_2: String,
}

/// One verdict.
#[derive(Deserialize)]
struct Verdict {
    subset: String,
    item: u64,
    judge: String,
    prompt: String,
    swap: bool,
    winner: Option<String>,
    gold: u64,
}

/// A comparison that judges were asked for.
struct Comparison {
    subset: String,
    item: u64,
    prompt: String,
    swap: bool,
    gold: u64,
    judges: Vec<String>,
}

type Comparisons = BTreeMap<String, Comparison>;
/// Lines about them, by judge.
type Judges = BTreeMap<String, Vec<Value>>;

/// Writes `corpus/comparisons.jsonl`, `truth.jsonl` and `verdicts/<judge>.jsonl` under `out`. Returns the judges.
pub(crate) fn adapt(data: &Path, out: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let items = items(&data.join("items.jsonl"))?;
    let (comparisons, judges) = comparisons(&data.join("verdicts_flat.jsonl.zst"))?;
    let corpus = comparisons.iter().map(|(id, comparison)| {
        let item = &items[&(comparison.subset.clone(), comparison.item)];
        json!(conversation(id, comparison, item))
    });
    write(&out.join("corpus/comparisons.jsonl"), corpus)?;
    let truth = comparisons.iter().map(|(id, comparison)| {
        let decision = if comparison.gold == 1 { "yes" } else { "no" };
        json!({"unit": format!("{id}#1"), "decision": decision, "seat": "llmbar", "at": "2023-10-11T00:00:00Z",
               "behaviour": "first_is_better"})
    });
    write(&out.join("truth.jsonl"), truth)?;
    for (judge, verdicts) in &judges {
        write(&out.join(format!("verdicts/{judge}.jsonl")), verdicts.iter().cloned())?;
    }
    Ok(judges.into_keys().collect())
}

/// Items by subset and number.
fn items(file: &Path) -> Result<BTreeMap<(String, u64), Item>, Box<dyn Error>> {
    let mut items = BTreeMap::new();
    for line in BufReader::new(File::open(file)?).lines() {
        let item: Item = serde_json::from_str(&line?)?;
        // Verdicts name the part behind the collection.
        let subset = item.subset.split_once('/').map_or(item.subset.as_str(), |(_, subset)| subset).to_owned();
        items.insert((subset, item.number), item);
    }
    Ok(items)
}

/// All comparisons, and the lines of each judge.
fn comparisons(file: &Path) -> Result<(Comparisons, Judges), Box<dyn Error>> {
    let mut comparisons = Comparisons::new();
    let mut judges = Judges::new();
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    for line in BufReader::new(zstd::Decoder::new(File::open(file)?)?).lines() {
        let Verdict { subset, item, judge, prompt, swap, winner, gold } = serde_json::from_str(&line?)?;
        let order = if swap { "ba" } else { "ab" };
        let asked = format!("{subset}/{item}/{prompt}/{order}");
        let time = times.entry(format!("{judge}/{asked}")).or_default();
        *time += 1;
        let id = format!("{asked}/{time}");
        judges.entry(judge.clone()).or_default().push(json!({"comparison": id, "winner": winner}));
        let new = || Comparison { subset, item, prompt, swap, gold, judges: Vec::new() };
        comparisons.entry(id).or_insert_with(new).judges.push(judge);
    }
    Ok((comparisons, judges))
}

fn conversation(id: &str, comparison: &Comparison, item: &Item) -> Conversation {
    let Comparison { subset, item: number, prompt, swap, judges, .. } = comparison;
    let [a, b] = if *swap { [&item.output_2, &item.output_1] } else { [&item.output_1, &item.output_2] };
    let shown = format!("Output (a)\n{a}\n\nOutput (b)\n{b}");
    let metadata = [
        ("item", format!("{subset}/{number}")),
        ("prompt", prompt.clone()),
        ("judges", format!("|{}|", judges.join("|"))),
    ];
    Conversation {
        id: id.to_owned(),
        messages: vec![Message::text(Role::User, &item.input), Message::text(Role::Assistant, shown)],
        metadata: metadata.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

fn write(path: &Path, lines: impl Iterator<Item = Value>) -> Result<(), Box<dyn Error>> {
    create_dir_all(path.parent().unwrap_or(path))?;
    let mut file = BufWriter::new(File::create(path)?);
    for line in lines {
        writeln!(file, "{line}")?;
    }
    Ok(file.flush()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [data, out] = arguments.as_slice() else { return Err("usage: adapt_judges DATA FOLDER".into()) };
    for judge in adapt(Path::new(data), Path::new(out))? {
        writeln!(std::io::stdout(), "{judge}")?;
    }
    Ok(())
}
