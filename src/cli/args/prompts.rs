//! The arguments of `assize prompts`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::AuditFile;

/// `assize prompts`.
#[derive(Debug, Subcommand)]
pub enum PromptsCommand {
    /// Behaviours and their prompt versions
    #[command(after_help = "Example:\n  assize prompts list")]
    List,
    /// One prompt version as it stands
    #[command(after_help = "Example:\n  assize prompts show metagaming screen@1")]
    Show(PromptName),
    /// What differs between two versions, and how many stored verdicts each gave
    #[command(after_help = "Example:\n  assize prompts diff metagaming screen@1 screen@2")]
    Diff(PromptPair),
    /// Look for leading, leaking and unsafe wording
    #[command(after_help = "Example:\n  assize prompts lint metagaming")]
    Lint(BehaviourName),
    /// Begin a draft: a copy of a version that may be edited as often as you like
    ///
    /// The draft, `screen@draft`, is known by its content, is never locked, and marks every output as not for publication. A
    /// behaviour that came with assize is copied into the workspace as a whole.
    #[command(after_help = "Example:\n  assize prompts draft metagaming --from screen@2")]
    Draft(DraftArgs),
    /// Make a draft the next version, and record the hashes of prompt versions in `prompts.lock`
    ///
    /// A draft that `lint` objects to stays one. Its file stays as well, for the next afternoon.
    #[command(after_help = "Example:\n  assize prompts lock metagaming")]
    Lock(BehaviourName),
    /// The messages that a grader would get
    #[command(after_help = "Example:\n  assize prompts render metagaming screen@1 --transcript one.jsonl")]
    Render(RenderArgs),
    /// Whether the grader's verdicts move with what it is told of their consequences
    ///
    /// Asks the audit's screen about gold and random units of the last run, plainly and with each of some sentences at the end
    /// of its instructions: findings lead to retraining, a release hangs on them, nothing follows from them; and a control
    /// that says nothing of consequences. Shows flips both ways, McNemar's exact test, corrected after Holm, and ends with 1 if
    /// a sentence moved the flags. Nothing of it is in a figure of the audit; what it spends counts against the audit's caps.
    #[command(
        after_help = "Example:\n  assize prompts invariance\n  assize prompts invariance audit.toml --sample 300 \
                            --max-cost 8\n  assize prompts invariance --framings mine.toml --format json"
    )]
    Invariance(InvarianceArgs),
}

/// `assize prompts invariance`.
#[derive(Debug, Args)]
pub struct InvarianceArgs {
    /// The file.
    #[command(flatten)]
    pub file: AuditFile,
    /// Random units of the run, beside all gold
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub sample: u64,
    /// Sentences of your own: TOML with `[[framing]]`, each with `id`, `text` and perhaps `control = true`
    #[arg(long, value_name = "FILE")]
    pub framings: Option<PathBuf>,
    /// Take units of this run instead of the audit's newest: run id, its beginning, or `latest`
    #[arg(long, value_name = "RUN")]
    pub against: Option<String>,
    /// Spend at most this, in US dollars; the caps of the audit hold besides
    #[arg(long, value_name = "USD", default_value_t = 5.0)]
    pub max_cost: f64,
}

/// Names a behaviour, or all of them.
#[derive(Debug, Args)]
pub struct BehaviourName {
    /// The behaviour; all of them by default
    pub behaviour: Option<String>,
}

/// Names a prompt version.
#[derive(Debug, Args)]
pub struct PromptName {
    /// The behaviour
    pub behaviour: String,
    /// The label, as screen@1
    pub label: String,
}

/// `assize prompts draft`.
#[derive(Debug, Args)]
pub struct DraftArgs {
    /// The behaviour
    pub behaviour: String,
    /// The version to copy, as screen@2; the newest of the screen by default
    #[arg(long, value_name = "LABEL")]
    pub from: Option<String>,
}

/// Names two versions of a prompt.
#[derive(Debug, Args)]
pub struct PromptPair {
    /// The behaviour
    pub behaviour: String,
    /// The label of the first version, as screen@1
    #[arg(value_name = "A")]
    pub a: String,
    /// The label of the second version
    #[arg(value_name = "B")]
    pub b: String,
}

/// `assize prompts render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The prompt.
    #[command(flatten)]
    pub prompt: PromptName,
    /// Canonical JSONL; its first conversation is shown. Without it the transcript's place is marked
    #[arg(long, value_name = "FILE")]
    pub transcript: Option<PathBuf>,
    /// Index of the message that is judged; the last turn by default
    #[arg(long, value_name = "INDEX", requires = "transcript", conflicts_with = "conversation")]
    pub turn: Option<u32>,
    /// Ask about the whole conversation, as `unit = "conversation"` does
    #[arg(long)]
    pub conversation: bool,
}
