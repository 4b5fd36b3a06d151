//! An audit file as written: every key of the schema, none of it checked. A key that is absent here is unknown.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::loose::Loose;

/// A key that the schema knows and this version refuses: only its presence counts.
pub(super) type Later = Option<IgnoredAny>;

/// The same for a whole section.
pub(super) type LaterSection = Option<BTreeMap<String, Value>>;

/// The whole file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Written {
    pub(super) name: Option<String>,
    pub(super) seed: Option<u64>,
    pub(super) level: Option<f64>,
    pub(super) corpus: Corpus,
    pub(super) expect: Option<Expect>,
    pub(super) behaviour: Behaviour,
    pub(super) prefilter: Prefilter,
    pub(super) scores: LaterSection,
    /// `allocate`, `draw`, and a size for each class.
    pub(super) sample: BTreeMap<String, Loose>,
    pub(super) assume: Assume,
    pub(super) endpoint: BTreeMap<String, Endpoint>,
    pub(super) grader: Graders,
    pub(super) review: Option<Review>,
    pub(super) compare: Option<Compare>,
    pub(super) budget: Budget,
    pub(super) privacy: Privacy,
    pub(super) notify: Notify,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Corpus {
    pub(super) source: Vec<Source>,
    pub(super) unit: Option<String>,
    pub(super) sample_by: Option<String>,
    pub(super) group_by: Option<Vec<String>>,
    pub(super) cluster_by: Option<String>,
    pub(super) channels: Option<Vec<String>>,
    #[serde(rename = "where")]
    pub(super) filter: Option<String>,
    pub(super) max_line_bytes: Option<Loose>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Source {
    pub(super) paths: Option<Vec<String>>,
    pub(super) format: Option<String>,
    pub(super) set: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, Loose>,
    pub(super) settled_for: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Expect {
    pub(super) min_conversations: Option<u64>,
    pub(super) min_turns: Option<u64>,
    pub(super) max_unreadable: Option<f64>,
    pub(super) min_reasoning_share: Option<f64>,
    pub(super) groups: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Behaviour {
    pub(super) name: Option<String>,
    pub(super) definition: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Prefilter {
    pub(super) classes: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Assume {
    pub(super) prevalence: Option<f64>,
    pub(super) prefilter_recall: Option<f64>,
    pub(super) sensitivity: Option<f64>,
    pub(super) flag_rate: Option<f64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) seconds_per_read: Option<f64>,
    pub(super) reviewer_cost_per_hour: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Endpoint {
    pub(super) api: Option<String>,
    pub(super) base_url: Option<String>,
    pub(super) api_key_env: Option<String>,
    pub(super) api_key_command: Option<Vec<String>>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) structured: Option<String>,
    pub(super) price: Option<Loose>,
    pub(super) lane: Option<String>,
    pub(super) max_requests_per_minute: Option<u32>,
    pub(super) max_tokens_per_minute: Option<u32>,
    pub(super) max_concurrency: Option<Loose>,
    pub(super) request_timeout: Option<String>,
    pub(super) item_deadline: Option<String>,
    pub(super) rehearsal: Option<String>,
    pub(super) command: Option<Vec<String>>,
    pub(super) file: Option<String>,
    pub(super) columns: RecordedColumns,
    /// What stands for a verdict, by verdict.
    pub(super) values: BTreeMap<String, Vec<Value>>,
    /// What every recorded verdict answers, by field of the behaviour.
    pub(super) fields: BTreeMap<String, String>,
    pub(super) evidence: Option<String>,
    pub(super) score_max: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecordedColumns {
    pub(super) unit: Option<String>,
    pub(super) turn: Option<String>,
    pub(super) group: BTreeMap<String, String>,
    pub(super) verdict: Option<String>,
    pub(super) score: Option<String>,
    pub(super) labels: Option<String>,
    pub(super) exclusions: Option<String>,
    pub(super) evidence: Option<String>,
    pub(super) fields: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Graders {
    pub(super) screen: Option<Grader>,
    pub(super) confirm: Option<Grader>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Grader {
    pub(super) endpoint: Option<String>,
    pub(super) model: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) params: BTreeMap<String, Value>,
    pub(super) on_truncated: BTreeMap<String, Value>,
    pub(super) on_model_change: Option<String>,
    pub(super) repeats: Option<Repeats>,
    pub(super) anchors: Option<Anchors>,
    pub(super) window: Option<Window>,
    pub(super) datamark: Option<bool>,
    pub(super) cleared: Option<Loose>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Repeats {
    pub(super) rule: Option<String>,
    pub(super) flagged: Option<u32>,
    pub(super) near_threshold: Option<u32>,
    pub(super) near: Option<u8>,
    pub(super) random: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Anchors {
    pub(super) file: Option<String>,
    pub(super) rate: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Window {
    pub(super) neighbours: Option<u32>,
    pub(super) max_chars: Option<u32>,
    pub(super) max_tokens: Option<u32>,
    pub(super) min_coverage: Option<f64>,
    pub(super) over_long: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Review {
    pub(super) confirm_yes: Option<Loose>,
    pub(super) confirm_no: Option<Loose>,
    pub(super) cleared: Option<Loose>,
    pub(super) gold: Option<Gold>,
    pub(super) seats: Option<Vec<String>>,
    pub(super) per_item: Later,
    pub(super) overlap: Later,
    pub(super) adjudicator: Later,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Gold {
    pub(super) positive: Option<u64>,
    pub(super) near_miss: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Compare {
    pub(super) contrasts: Option<Vec<String>>,
    pub(super) order: BTreeMap<String, Vec<String>>,
    pub(super) lineage: Option<String>,
    pub(super) pool_sensitivity: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Budget {
    pub(super) max_cost: Option<f64>,
    pub(super) max_cost_total: Option<f64>,
    pub(super) deadline: Option<String>,
    pub(super) max_ungraded: Option<f64>,
    pub(super) stop_when: StopWhen,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StopWhen {
    pub(super) relative_width: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Privacy {
    pub(super) endpoints: Option<Vec<String>>,
    pub(super) redact_before_grading: Option<Vec<String>>,
    pub(super) keep_text: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Notify {
    pub(super) command: Option<Vec<String>>,
}
