//! The arguments of `assize prompts`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
