//! The profile: how good, how fast and how faulty the simulated grader is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::draw::Probability;
use super::truth::{Truth, TruthError};

/// A profile, as its TOML file states it. [`Default`] is a good grader without faults, limits or latency.
///
/// ```
/// let profile = assize::rehearse::RehearsalSettings::parse(
///     r#"
///     seed = 7
///     truth = "truth.jsonl"
///     sensitivity = 0.8
///     specificity = 0.99
///     latency_ms = 200
///     requests_per_minute = 5000
///
///     [faults]
///     unavailable = 0.01
///     reset = 0.001
///
///     [model.careful]
///     specificity = 0.9999
///     "#,
/// );
/// assert!(profile.is_ok());
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RehearsalSettings {
    /// Seed of every draw.
    pub seed: u64,
    /// The file of planted turns; without it, nothing is truly present.
    pub truth: Option<PathBuf>,
    /// A file or folder of known positives, which truly show the behaviour as well.
    pub known: Option<PathBuf>,
    /// Probability that a turn that truly shows the behaviour is called present.
    pub sensitivity: Probability,
    /// Probability that any other turn is called absent.
    pub specificity: Probability,
    /// Share of the turns called present, rightly or wrongly, that are called suspected instead.
    pub suspected_share: Probability,
    /// Texts that the grader obeys: where one of them stands in a transcript, it answers that nothing is there.
    pub obeys: Vec<String>,
    /// Whether askings of one question are told apart by their nonce where the client names no key: repeats differ then as with
    /// a key. Another workspace's nonces are others, and so are its answers.
    pub askings_differ: bool,
    /// Time to a reply, in milliseconds.
    pub latency_ms: u64,
    /// Up to this much is added to the latency, uniformly, in milliseconds.
    pub latency_jitter_ms: u64,
    /// Requests admitted per minute, if limited; how a minute is counted, `limit_by` says.
    pub requests_per_minute: Option<u32>,
    /// Prompt and completion tokens admitted per minute, if limited.
    pub tokens_per_minute: Option<u32>,
    /// How a minute is counted.
    pub limit_by: LimitKind,
    /// What `rate_limited` and `unavailable` ask a client to wait, in milliseconds.
    pub retry_after_ms: u64,
    /// The bearer token without which a request gets status 401.
    #[serde(deserialize_with = "secret")]
    pub api_key: Option<SecretString>,
    /// Names of the models served; if empty, every name is.
    pub models: Vec<String>,
    /// The name that replies give as the model that served; the name asked for without one.
    pub served_model: Option<String>,
    /// Largest prompt, in tokens of four bytes.
    pub context_tokens: Option<u64>,
    /// Whether requests that end in `reset` or `hang` are billed: their work was done.
    pub billed_on_reset: bool,
    /// What goes wrong, and how often.
    pub faults: FaultSettings,
    /// Graders that are better or worse than the rest, by model name.
    pub model: BTreeMap<String, ModelSettings>,
    /// How every grader changes while it serves, if it does.
    pub drift: Option<DriftSettings>,
    /// Words before the question that move every grader, if any do.
    pub swayed: Option<SwayedSettings>,
}

impl Default for RehearsalSettings {
    fn default() -> Self {
        Self {
            seed: 0,
            truth: None,
            known: None,
            sensitivity: const { Probability::literal(0.9) },
            specificity: const { Probability::literal(0.995) },
            suspected_share: Probability::NEVER,
            obeys: Vec::new(),
            askings_differ: false,
            latency_ms: 0,
            latency_jitter_ms: 0,
            requests_per_minute: None,
            tokens_per_minute: None,
            limit_by: LimitKind::Bucket,
            retry_after_ms: 20,
            api_key: None,
            models: Vec::new(),
            served_model: None,
            context_tokens: None,
            billed_on_reset: true,
            faults: FaultSettings::default(),
            model: BTreeMap::new(),
            drift: None,
            swayed: None,
        }
    }
}

/// How requests and tokens per minute are counted: `"bucket"` or `"sliding"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Buckets that start full and refill evenly: what was saved may go out at once on top of a minute's limit.
    #[default]
    Bucket,
    /// No sixty seconds hold more than the limit, whenever they begin: a burst shows.
    Sliding,
}

/// `[model.NAME]`: what differs for one model.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Over the profile's sensitivity.
    pub sensitivity: Option<Probability>,
    /// Over the profile's specificity.
    pub specificity: Option<Probability>,
}

/// `[drift]`: a grader that changes under its name.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DriftSettings {
    /// Requests that are still answered as before.
    pub after_requests: u64,
    /// Over every sensitivity, from then on.
    pub sensitivity: Option<Probability>,
    /// Over every specificity, from then on.
    pub specificity: Option<Probability>,
}

/// `[swayed]`: a grader that judges otherwise where its instructions contain certain words.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwayedSettings {
    /// The words; none sways without any.
    pub by: String,
    /// Over every sensitivity, where they stand.
    pub sensitivity: Option<Probability>,
    /// Over every specificity, where they stand.
    pub specificity: Option<Probability>,
}

/// `[faults]`: a probability each, 0 by default.
///
/// The first group is drawn anew for every attempt, so that a retry can succeed. The second is drawn once for a
/// request key and replays identically, because a client keeps such replies as outcomes. At most one fault of each
/// group strikes; the probabilities of a group add up to at most 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultSettings {
    /// Status 429 with a hint when to retry.
    pub rate_limited: Probability,
    /// Status 429 with code `insufficient_quota`: no retry helps until somebody pays.
    pub insufficient_quota: Probability,
    /// Status 500.
    pub server_error: Probability,
    /// Status 503 with a hint when to retry.
    pub unavailable: Probability,
    /// The work is done, then TCP resets the connection (over HTTP/2, with every stream on it) before the first byte
    /// of the reply.
    pub reset: Probability,
    /// The work is done, then nothing more happens until the client gives up.
    pub hang: Probability,
    /// Status 200, then the connection closes in the middle of the body.
    pub truncated_body: Probability,
    /// Status 200 with an HTML page.
    pub malformed_body: Probability,
    /// Status 200 with an `error` object.
    pub error_in_200: Probability,
    /// The message has a `refusal` and no content.
    pub refusal: Probability,
    /// `choices` is empty.
    pub empty_choices: Probability,
    /// The content stops half way, `finish_reason` is `length`.
    pub length: Probability,
    /// No content, `finish_reason` is `content_filter`.
    pub content_filter: Probability,
    /// The content is not a verdict: prose, cut JSON, wrong types or unknown values.
    pub malformed_content: Probability,
    /// A present or suspected verdict cites words that do not stand in the transcript.
    pub unverified_quote: Probability,
    /// The verdict is `cannot_judge`.
    pub cannot_judge: Probability,
}

/// How often one model is right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Accuracy {
    pub(super) sensitivity: Probability,
    pub(super) specificity: Probability,
}

/// Why a profile could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file could not be read.
    #[error("rehearsal profile `{path}` could not be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The text is not a valid profile.
    #[error("line {line}, column {column} of the rehearsal profile: {message}")]
    Invalid {
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong, with the nearest key if a key is unknown.
        message: String,
    },
    /// The probabilities of faults that exclude each other add up to more than 1.
    #[error("{group} faults add up to `{sum}`, more than 1")]
    TooManyFaults {
        /// `attempt` or `content`.
        group: &'static str,
        /// Their sum.
        sum: f64,
    },
}

impl RehearsalSettings {
    /// Reads a profile from its TOML text. A relative `truth` or `known` stays relative.
    ///
    /// # Errors
    /// If the text is not TOML, has unknown keys or wrong types, or its probabilities are impossible.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let settings: Self = toml::from_str(text).map_err(|error| invalid(text, &error))?;
        settings.faults.check()?;
        Ok(settings)
    }

    /// Reads a profile file; a relative `truth` or `known` is relative to the file's folder.
    ///
    /// # Errors
    /// If the file cannot be read or is not a valid profile.
    pub fn open(path: &Path) -> Result<Self, SettingsError> {
        let unreadable = |source| SettingsError::Unreadable { path: path.to_owned(), source };
        let mut settings = Self::parse(&fs::read_to_string(path).map_err(unreadable)?)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        settings.truth = settings.truth.map(|truth| folder.join(truth));
        settings.known = settings.known.map(|known| folder.join(known));
        Ok(settings)
    }

    /// Everything that the profile says is true of which text.
    ///
    /// # Errors
    /// If a file cannot be read or a line of it is none.
    pub fn open_truth(&self) -> Result<Truth, TruthError> {
        let mut truth = self.truth.as_deref().map(Truth::open).transpose()?.unwrap_or_default();
        if let Some(known) = &self.known {
            truth.add_known_files(known)?;
        }
        Ok(truth)
    }

    /// Whether these instructions hold the words that sway the grader.
    pub(super) fn is_swayed(&self, instructions: &[String]) -> bool {
        let by = self.swayed.as_ref().map(|swayed| swayed.by.as_str()).filter(|by| !by.is_empty());
        by.is_some_and(|by| instructions.iter().any(|text| text.contains(by)))
    }

    /// How often the model with this name is right about a request that came after so many others.
    pub(super) fn accuracy(&self, model: &str, earlier: u64, is_swayed: bool) -> Accuracy {
        let swayed = self.swayed.as_ref().filter(|_| is_swayed);
        let own = self.model.get(model).copied().unwrap_or_default();
        let drift = self.drift.filter(|drift| earlier >= drift.after_requests).unwrap_or_default();
        Accuracy {
            sensitivity: swayed
                .and_then(|swayed| swayed.sensitivity)
                .or(drift.sensitivity)
                .or(own.sensitivity)
                .unwrap_or(self.sensitivity),
            specificity: swayed
                .and_then(|swayed| swayed.specificity)
                .or(drift.specificity)
                .or(own.specificity)
                .unwrap_or(self.specificity),
        }
    }
}

impl FaultSettings {
    fn check(&self) -> Result<(), SettingsError> {
        let total = |sum: f64, group| {
            // Decimal fractions that add up to 1 on paper may exceed it by a rounding error.
            if sum > 1.0 + 1e-9 { Err(SettingsError::TooManyFaults { group, sum }) } else { Ok(()) }
        };
        total(self.attempt_odds().sum(), "attempt")?;
        total(self.content_odds().sum(), "content")
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Some(SecretString::from(String::deserialize(deserializer)?)))
}

/// The error without the offending line, which may hold the key.
fn invalid(text: &str, error: &toml::de::Error) -> SettingsError {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let message = error.message();
    let hint = nearest_key(message).map(|key| format!("; did you mean `{key}`?")).unwrap_or_default();
    SettingsError::Invalid { line, column, message: format!("{message}{hint}") }
}

/// The known key most like the unknown one, both taken from serde's message, which names them in backticks.
fn nearest_key(message: &str) -> Option<&str> {
    let (unknown, known) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let candidates = known.split('`').skip(1).step_by(2);
    let scored = candidates.map(|key| (strsim::jaro_winkler(unknown, key), key));
    scored.filter(|(likeness, _)| *likeness > 0.7).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        RehearsalSettings::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_profile_reads_as_written() {
        let text = "seed = 3\ntruth = \"truth.jsonl\"\nsensitivity = 0.8\napi_key = \"sk-secret\"\n\
                    [faults]\nreset = 0.25\n[model.big]\nspecificity = 1.0\n";
        let settings = RehearsalSettings::parse(text).unwrap();
        assert_eq!(settings.accuracy("small", 0, false).sensitivity, Probability::new(0.8).unwrap());
        assert_eq!(settings.accuracy("big", 0, false).specificity, Probability::ALWAYS);
        assert_eq!(settings.accuracy("big", 0, false).sensitivity, Probability::new(0.8).unwrap());
        assert_eq!(settings.faults.reset, Probability::new(0.25).unwrap());
        assert!(!format!("{settings:?}").contains("sk-secret"));
    }

    #[test]
    fn a_grader_drifts_after_so_many_requests() {
        let text =
            "sensitivity = 0.8\n[drift]\nafter_requests = 3\nsensitivity = 0.5\n[model.big]\nsensitivity = 1.0\n";
        let settings = RehearsalSettings::parse(text).unwrap();
        let at = |model, earlier| settings.accuracy(model, earlier, false).sensitivity.value().to_string();
        assert_eq!([at("big", 2), at("big", 3), at("small", 2), at("small", 3)], ["1", "0.5", "0.8", "0.5"]);
        assert_eq!(settings.accuracy("small", 3, false).specificity, RehearsalSettings::default().specificity);
    }

    #[test]
    fn words_in_the_instructions_sway_a_grader_that_has_such() {
        let settings = RehearsalSettings::parse("sensitivity = 0.8\n[swayed]\nby = 'release'\nsensitivity = 0.4\n");
        let settings = settings.unwrap();
        let texts = |text: &str| settings.is_swayed(&[text.to_owned()]);
        assert!(texts("Your verdict decides a release.") && !texts("Judge."));
        let at = |is_swayed| settings.accuracy("m", 0, is_swayed).sensitivity.value().to_string();
        assert_eq!([at(false), at(true)], ["0.8", "0.4"]);
        assert!(!RehearsalSettings::parse("[swayed]\n").unwrap().is_swayed(&["any".to_owned()]));
    }

    #[test]
    fn mistakes_are_placed_and_explained() {
        let unknown = message("seed = 1\nsensitivty = 0.5\n");
        assert!(unknown.starts_with("line 2, column 1"), "{unknown}");
        assert!(unknown.ends_with("did you mean `sensitivity`?"), "{unknown}");
        assert!(message("[faults]\nreset = 1.5").contains("`1.5` is not a probability"));
        assert!(message("[faults]\nreset = 0.6\nhang = 0.6").contains("attempt faults add up to `1.2`"));
        assert!(message("api_key = [\"sk-secret\"]").starts_with("line 1"));
        assert!(!message("api_key = [\"sk-secret\"]").contains("sk-secret"));
        assert!(RehearsalSettings::parse("[faults]\nreset = 0.7\nhang = 0.2\nunavailable = 0.1").is_ok());
    }

    #[test]
    fn truth_lies_beside_the_profile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profile.toml");
        fs::write(&path, "truth = \"planted/truth.jsonl\"").unwrap();
        let settings = RehearsalSettings::open(&path).unwrap();
        assert_eq!(settings.truth, Some(folder.path().join("planted/truth.jsonl")));
    }
}
