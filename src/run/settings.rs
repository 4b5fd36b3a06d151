//! One audit, checked: what `config` produces and `run` consumes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::expect::ExpectSettings;
use crate::grade::settings::{BudgetSettings, EndpointSettings, GraderSettings};
use crate::model::compare::Compare;
use crate::model::gold::GoldDraw;
use crate::model::review::ReviewDraw;
use crate::plan::settings::{Assumptions, SampleSettings};
use crate::source::settings::CorpusSettings;

/// Labels that prompts and thresholds are tuned on.
pub(super) const DEV_FILE: &str = "dev.jsonl";
/// Labels that are sealed.
pub(super) const TEST_FILE: &str = "test.jsonl";
/// Looks at them.
pub(super) const LOOKS_FILE: &str = "test.looks.jsonl";

/// A workspace: a folder that can be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The folder.
    pub root: PathBuf,
}

impl Workspace {
    /// The reply log.
    #[must_use]
    pub fn replies(&self) -> PathBuf {
        self.root.join("cache/replies")
    }

    /// The sled index of the reply log.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.root.join("cache/index")
    }

    /// Snapshots of selected conversations.
    #[must_use]
    pub fn units(&self) -> PathBuf {
        self.root.join("cache/units")
    }

    /// The account of every run.
    #[must_use]
    pub fn accounts(&self) -> PathBuf {
        self.root.join("cache/accounts.json")
    }

    /// Census results.
    #[must_use]
    pub fn census(&self) -> PathBuf {
        self.root.join("cache/census")
    }

    /// The lock over everything that writes the cache.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("cache/lock")
    }

    /// Run folders.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// What `assize try` did: journals like those of runs, which are no runs.
    #[must_use]
    pub fn trials(&self) -> PathBuf {
        self.root.join("cache/trials")
    }

    /// Human decisions.
    #[must_use]
    pub fn labels(&self) -> PathBuf {
        self.root.join("labels")
    }

    /// The labels that prompts and thresholds are tuned on.
    #[must_use]
    pub fn dev_split(&self) -> PathBuf {
        self.labels().join(DEV_FILE)
    }

    /// The sealed labels: every look at them is logged beside them.
    #[must_use]
    pub fn test_split(&self) -> PathBuf {
        self.labels().join(TEST_FILE)
    }

    /// The log of looks at the sealed labels.
    #[must_use]
    pub fn looks(&self) -> PathBuf {
        self.labels().join(LOOKS_FILE)
    }

    /// Gold of one behaviour for people to read unawares, beside what the behaviour itself brings.
    #[must_use]
    pub fn gold(&self, behaviour: &str) -> PathBuf {
        self.root.join("labels/gold").join(behaviour)
    }

    /// Known positives.
    #[must_use]
    pub fn sensitivity(&self) -> PathBuf {
        self.root.join("labels/sensitivity")
    }

    /// Behaviours of this workspace; they take precedence over shipped ones.
    #[must_use]
    pub fn prompts(&self) -> PathBuf {
        self.root.join("prompts")
    }

    /// Every prompt version that ever produced a verdict.
    #[must_use]
    pub fn prompts_lock(&self) -> PathBuf {
        self.root.join("prompts.lock")
    }
}

/// How the reply cache is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheMode {
    /// Replies are replayed and new ones stored.
    #[default]
    On,
    /// Nothing is sent: a miss is an outcome and exit code 5.
    ReadOnly,
    /// Old replies do not count: everything is asked again and stored.
    Refresh,
}

/// `anchors` of `[grader.screen]`.
#[derive(Debug, Clone, PartialEq)]
pub struct AnchorSettings {
    /// The file, as written.
    pub file: String,
    /// Where it is; absent for the behaviour's own `gold.jsonl`.
    pub path: Option<PathBuf>,
    /// Visits to anchors for each unit that is admitted.
    pub rate: f64,
}

/// One audit, checked.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Its name.
    pub name: String,
    /// The audit file.
    pub file: PathBuf,
    /// The workspace.
    pub workspace: Workspace,
    /// Confidence level, between 0 and 1.
    pub level: f64,
    /// The corpus.
    pub corpus: CorpusSettings,
    /// What the corpus must hold.
    pub expect: ExpectSettings,
    /// Behaviour (folder under `prompts/`).
    pub behaviour: String,
    /// Definition to count; the behaviour's own name if absent.
    pub definition: Option<String>,
    /// Classes of `cues.toml` to use, in order; all in file order if absent.
    pub classes: Option<Vec<String>>,
    /// The sample.
    pub sample: SampleSettings,
    /// What forecasts believe.
    pub assume: Assumptions,
    /// Endpoints by name; each one that a grader names is there.
    pub endpoints: BTreeMap<String, EndpointSettings>,
    /// The screen.
    pub screen: GraderSettings,
    /// The confirmer, if there is one.
    pub confirm: Option<GraderSettings>,
    /// What the screen is asked about again, to notice that it has changed, if anything.
    pub anchors: Option<AnchorSettings>,
    /// What people read.
    pub review: ReviewDraw,
    /// Hidden gold among it, if any.
    pub gold: Option<GoldDraw>,
    /// What is compared.
    pub compare: Compare,
    /// Money and time.
    pub budget: BudgetSettings,
    /// How the reply cache is used.
    pub cache: CacheMode,
    /// Whether units whose stored reply is no verdict are asked again.
    pub retry_errors: bool,
    /// The command that is told how a run ended; empty for none.
    pub notify: Vec<String>,
    /// Environment variables that hold keys: graders need them, and no other program.
    pub key_variables: Vec<String>,
    /// If not empty, base URLs of the only endpoints that may be used.
    pub allowed_endpoints: Vec<String>,
}
