//! Corpora: planted by plan, or written by hand for one odd line.

use std::collections::BTreeMap;

use assize::rehearse::{CorpusPlan, GroupPlan, Probability};
use serde_json::{Value, json};

/// Share of planted turns of a small corpus: high, so that few turns hold some.
const PREVALENCE: f64 = 0.06;

/// A plan of two checkpoints with this many conversations each: about two and a half turns a conversation.
pub(crate) fn plan(conversations: u64) -> CorpusPlan {
    let group = |checkpoint: &str| GroupPlan {
        values: BTreeMap::from([("checkpoint".to_owned(), checkpoint.to_owned())]),
        conversations,
        prevalence: Probability::new(PREVALENCE).unwrap(),
    };
    CorpusPlan::new(7, vec![group("early"), group("late")])
}

/// A conversation of one question and one answer, as canonical JSON.
pub(crate) fn conversation(id: &str, question: &str, answer: &str) -> Value {
    json!({
        "id": id,
        "messages": [{ "role": "user", "content": question }, { "role": "assistant", "content": answer }],
        "metadata": { "checkpoint": "early" },
    })
}

/// One line of a corpus file.
pub(crate) fn line(conversation: &Value) -> Vec<u8> {
    format!("{conversation}\n").into_bytes()
}
