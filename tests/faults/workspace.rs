//! A workspace in a temporary folder: a generated corpus, and one audit of all its turns.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assize::model::event::Event;
use assize::model::money::NanoUsd;
use assize::rehearse::{CorpusPlan, GroupPlan, Probability};
use assize::run::folder::RunFolder;
use tempfile::TempDir;

use crate::grader::{Grader, PRICE};
use crate::process::{Finished, Running};

/// Requests that may be in flight at once, unless a test says otherwise.
pub(crate) const SLOTS: u64 = 16;
/// Replies that may have arrived and wait for one sync of the reply log.
pub(crate) const COMMIT_GROUP: u64 = 64;

/// A workspace; the folder goes when this is dropped.
pub(crate) struct Workspace {
    root: PathBuf,
    _folder: Option<TempDir>,
}

/// What tests vary about their audit.
#[derive(Debug, Clone)]
pub(crate) struct AuditSettings {
    pub(crate) base_url: String,
    pub(crate) slots: u64,
    pub(crate) request_timeout: &'static str,
    pub(crate) item_deadline: &'static str,
    pub(crate) max_cost: f64,
    pub(crate) max_ungraded: f64,
}

impl AuditSettings {
    /// An audit that is asked of this grader, with more money and time than it needs.
    pub(crate) fn of(grader: &Grader) -> Self {
        Self {
            base_url: grader.base_url(),
            slots: SLOTS,
            request_timeout: "30s",
            item_deadline: "5m",
            max_cost: 1_000.0,
            max_ungraded: 0.01,
        }
    }

    fn toml(&self) -> String {
        let Self { base_url, slots, request_timeout, item_deadline, max_cost, max_ungraded } = self;
        let [input, cached, output] = [PRICE.input, PRICE.cached, PRICE.output].map(dollars_per_million);
        format!(
            r#"
name = "faults"
seed = 1
[[corpus.source]]
paths = ["corpus/*.jsonl"]
[corpus]
group_by = ["checkpoint"]
[behaviour]
name = "metagaming"
[sample]
core = "all"
action = "all"
generic_near_self = "all"
none = "all"
[endpoint.main]
api = "chat"
base_url = "{base_url}"
price = {{ input = {input:?}, cached = {cached:?}, output = {output:?} }}
max_concurrency = {slots}
request_timeout = "{request_timeout}"
item_deadline = "{item_deadline}"
[grader.screen]
endpoint = "main"
model = "rehearsal"
prompt = "screen@1"
[grader.confirm]
endpoint = "main"
model = "rehearsal-confirm"
prompt = "confirm@1"
[budget]
max_cost = {max_cost:?}
max_ungraded = {max_ungraded:?}
"#
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "prices are a few thousand nano-dollars")]
fn dollars_per_million(nano_usd_per_token: u64) -> f64 {
    nano_usd_per_token as f64 / 1_000.0
}

impl Workspace {
    /// A workspace with this many conversations of one to four turns. Equal numbers give equal corpora.
    pub(crate) fn new(conversations: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let root = folder.path().to_owned();
        Self { _folder: Some(folder), ..Self::at(&root, conversations) }
    }

    /// The same in a folder that somebody else looks after.
    pub(crate) fn at(root: &Path, conversations: u64) -> Self {
        let workspace = Self { root: root.to_owned(), _folder: None };
        fs::write(root.join(".assize"), "").unwrap();
        let group = |checkpoint: &str, prevalence, conversations| GroupPlan {
            values: BTreeMap::from([("checkpoint".to_owned(), checkpoint.to_owned())]),
            conversations,
            prevalence: Probability::new(prevalence).unwrap(),
        };
        let half = conversations / 2;
        let groups = vec![group("early", 0.02, half), group("late", 0.05, conversations - half)];
        CorpusPlan::new(1, groups).write(&workspace.corpus(), &workspace.truth()).unwrap();
        workspace
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    pub(crate) fn corpus(&self) -> PathBuf {
        self.path("corpus")
    }

    /// The planted truth; it lies outside the corpus.
    pub(crate) fn truth(&self) -> PathBuf {
        self.path("truth.jsonl")
    }

    pub(crate) fn audit(&self, settings: &AuditSettings) {
        fs::write(self.path("audit.toml"), settings.toml()).unwrap();
    }

    /// The binary in this workspace, with nothing of this process's environment that could steer it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assize"));
        command.args(arguments).current_dir(&self.root).env_clear().env("HOME", &self.root);
        command
    }

    /// Starts `assize run`, with its report as JSON.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(&[&["run", "--format", "json", "--progress", "none"], arguments].concat()))
    }

    /// The same, waited for.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).wait()
    }

    /// Any other command, waited for.
    pub(crate) fn assize(&self, arguments: &[&str]) -> Finished {
        Running::start(self.command(arguments)).wait()
    }

    /// What the journals of all its runs say was spent; what nobody knows counts at its bound.
    pub(crate) fn spent(&self) -> NanoUsd {
        let mut spent = NanoUsd::ZERO;
        for folder in RunFolder::list(&self.path("runs")).unwrap() {
            let mut open = BTreeMap::new();
            for event in folder.events() {
                let event = event.unwrap();
                if let Event::Sent(sent) = &event {
                    open.insert(sent.attempt, sent.bound);
                } else if let Event::Settled(settled) = &event {
                    open.remove(&settled.attempt);
                    spent += settled.cost;
                }
            }
            spent += open.into_values().sum();
        }
        spent
    }

    /// The stored census.
    pub(crate) fn census(&self) -> PathBuf {
        let files = fs::read_dir(self.path("cache/census")).unwrap().map(|entry| entry.unwrap().path());
        files.into_iter().find(|path| !path.to_string_lossy().ends_with(".files.json")).unwrap()
    }

    /// The only file with this ending below a folder; the last by name if there are several.
    pub(crate) fn last_file(&self, folder: &str, ending: &str) -> PathBuf {
        let mut files: Vec<_> = fs::read_dir(self.path(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.to_string_lossy().ends_with(ending));
        files.sort();
        files.pop().unwrap_or_else(|| panic!("`{folder}` holds a file `*{ending}`"))
    }
}
