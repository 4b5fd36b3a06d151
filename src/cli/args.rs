//! The command line. The doc comments here are the help texts; help, completions and the manual page all come from it.

mod anchors;
mod diff;
mod ls;
mod mine;
mod plan;
mod prompts;
mod rehearse;
mod review;
mod sensitivity;
mod show;
mod trial;
mod validate;

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::clock::UnixMs;
use crate::config::{AUDIT_FILE, moment};
use crate::grade::settings::Concurrency;

pub use anchors::{AnchorsCommand, BaselineArgs};
pub use diff::DiffArgs;
pub use ls::{ListArgs, StatusArg};
pub use mine::MineArgs;
pub use plan::{PlanArgs, QuestionArgs};
pub use prompts::{BehaviourName, DraftArgs, InvarianceArgs, PromptName, PromptPair, PromptsCommand, RenderArgs};
pub use rehearse::{CorpusArgs, RehearseArgs, RehearseCommand, RehearseGoldArgs, RehearseReviewArgs};
pub use review::{QueueArgs, ReviewCommand, ReviewStatusArgs};
pub use sensitivity::{DrawArgs, ImportKnownArgs, PlantArgs, SensitivityCommand, StatusKnownArgs};
pub use show::ShowArgs;
pub use trial::TryArgs;
pub use validate::{Split, ValidateArgs};

/// Counts how often a rare behaviour occurs in language-model transcripts, and says how sure it is.
#[derive(Debug, Parser)]
#[command(name = "assize", version, propagate_version = true, subcommand_required = true)]
#[command(after_help = "Example:\n  assize init demo && cd demo && assize run")]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Workspace; by default the nearest folder at or above the audit file that holds `.assize`
    #[arg(long, global = true, value_name = "DIR", env = "ASSIZE_WORKSPACE")]
    pub workspace: Option<PathBuf>,
    /// Form of what is printed
    #[arg(long, global = true, value_enum, default_value_t, env = "ASSIZE_FORMAT")]
    pub format: OutputFormat,
    /// Log more: -v what happens, -vv details, -vvv everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Colour of messages; `auto` also obeys `NO_COLOR`
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", env = "ASSIZE_COLOR")]
    pub color: ColorChoice,
    /// Day that fills `{date}` in the paths of an audit, as 2026-11-23
    #[arg(long, global = true, value_name = "DAY", env = "ASSIZE_DATE")]
    pub date: Option<String>,
}

/// Form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// For programs: stable
    Json,
}

/// When messages are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Scaffold a workspace that runs offline at once
    #[command(after_help = "Example:\n  assize init audits --corpus 'traffic/*.jsonl.zst'")]
    Init(InitArgs),
    /// Forecast units, cost, time, reading and interval widths; sends nothing, unless --probe is given
    ///
    /// Figures rest on `[assume]` of the audit file, or on what a run has shown (--from-run, --probe). Under a cap the plan
    /// says how it would be spent best. --detect, --at-most and --fold need no audit.
    #[command(after_help = "Example:
  assize plan --max-cost 50
  assize plan --probe 200 --max-cost 1
  assize plan --from-run latest
  assize plan --detect 1e-4
  assize plan --at-most 1e-3
  assize plan --fold 1.5 --prevalence 2e-4")]
    Plan(PlanArgs),
    /// Grade, confirm and report; resumes by itself
    #[command(after_help = "Example:\n  assize run --max-cost 50 --deadline '07:00 Europe/Zurich'")]
    Run(RunArgs),
    /// Report a run again, from its journal alone
    ///
    /// With --definitions, from stored verdicts: what is flagged and confirmed, and which rates that supports, for every
    /// definition of the behaviour and for score thresholds. What another rule newly flags is pending, because no second
    /// grader was asked about it.
    #[command(after_help = "Example:\n  assize report --format json latest\n  assize report latest --definitions")]
    Report(ReportArgs),
    /// Two gradings of the same units: what flipped, how far they agree, what each cost; sends nothing
    ///
    /// A side is a run as `report` takes it: two prompt versions, models or settings are two runs of one workspace. With
    /// RUN:DEFINITION a side counts by that definition of the behaviour: it stands in for `screen` at the screen, and after
    /// the second grader it is the definition counted. Verdicts are derived from stored replies.
    #[command(after_help = "Example:
  assize diff 20261123T194324Z-eb8b latest
  assize diff 20261123 latest --show 50 --html flips.html
  assize diff latest:metagaming latest:strict --format json")]
    Diff(DiffArgs),
    /// A prompt against labelled units: sensitivity, specificity, precision, F1, threshold curve, calibration
    ///
    /// Joins the stored verdicts of a run with labels; nothing is asked. What nobody labelled is unknown and never a no, and
    /// what was labelled and not graded is counted apart. Labels that the same grader made are refused.
    #[command(after_help = "Example:
  assize validate --labels labels/dev.jsonl
  assize validate --split test 20261123T194324Z-eb8b
  assize validate --labels labels/dev.jsonl --format json")]
    Validate(ValidateArgs),
    /// Try a prompt while you edit it: gold, the last run's flags and random units; flips, seconds and cost
    ///
    /// Grades three sets with the screen's prompt as it stands, usually `screen@draft`: the behaviour's gold, whose answers are
    /// known; what the audit's last run flagged; and random units of that run's sample. It says how sensitive and specific the
    /// prompt is on gold, which items it gets wrong, and what flipped against the run, both ways. Whatever was asked before is
    /// replayed and costs nothing. Its figures are for whoever edits, not for a report: the units were chosen.
    #[command(after_help = "Example:
  assize prompts draft metagaming && assize try --watch
  assize try --sample 500 --max-cost 2 --format json")]
    Try(TryArgs),
    /// Words and phrases that set confirmed units, or one group, apart: cues that are missing; sends nothing
    ///
    /// For each: in how many conversations of either side it stands, whether a cue finds it already, and for a new cue how
    /// much more it would send and how much of what was confirmed without a cue it would hit. Only the units' own text is
    /// read, in the channels of the audit. Whoever adds cues because of it takes the next `draw`.
    #[command(after_help = "Example:
  assize mine
  assize mine latest --group checkpoint=rl-late
  assize mine latest --group checkpoint=rl-late --confirmed --least 2 --format json")]
    Mine(MineArgs),
    /// Units of a run by status, class, group, verdict and metadata, one a line
    ///
    /// --where is an expression as in `[corpus] where`, over the metadata of the conversation and over `status`, `class`,
    /// `screen`, `confirm` (present, suspected, absent, or how the stage ended), `score`, `confirm_score`, `labels` and
    /// `fields`. What a grader was not asked is `not_asked`: a unit without a score is neither above nor below one.
    #[command(after_help = "Example:
  assize ls --status flagged
  assize ls latest --status rejected,pending --group checkpoint=rl-late --limit 20
  assize ls --where 'score >= 50 and user == \"u-17\"' --format json")]
    Ls(ListArgs),
    /// Funnel, rate and spend of a running or finished run
    #[command(after_help = "Example:\n  assize status latest --watch")]
    Status(StatusArgs),
    /// One unit: what the grader saw, its cues and its verdicts
    #[command(after_help = "Example:\n  assize show 'conv-000123#3'\n  assize show --blind item-5f0c9a7b12de4a60")]
    Show(ShowArgs),
    /// What people are to read, and how far they are
    #[command(subcommand, after_help = "Example:\n  assize review queue --seat ana")]
    Review(ReviewCommand),
    /// Versioned prompts
    #[command(subcommand, after_help = "Example:\n  assize prompts lint metagaming")]
    Prompts(PromptsCommand),
    /// Known positives, which turn what is caught into how much there is
    ///
    /// A run grades the set before its units. With 20 usable items in a group, 10 of which pass the gate, the report can
    /// correct what it caught by what it misses.
    #[command(subcommand, after_help = "Example:\n  assize sensitivity status")]
    Sensitivity(SensitivityCommand),
    /// Units with a known answer that every run asks about again, to notice a grader that changes
    ///
    /// `anchors = { file = "gold.jsonl", rate = 0.01 }` under [grader.screen] names them.
    #[command(subcommand, after_help = "Example:\n  assize anchors baseline && assize run")]
    Anchors(AnchorsCommand),
    /// The reply cache
    #[command(subcommand, after_help = "Example:\n  assize cache stats")]
    Cache(CacheCommand),
    /// Serve the simulated grader on loopback, or generate a corpus with planted truth
    #[command(after_help = "Example:\n  assize rehearse --listen 127.0.0.1:8089 --profile rehearsal.toml")]
    Rehearse(RehearseArgs),
    /// Check key, endpoint, model, structured output, limits, prices, disk and clock, and say what to mend
    #[command(after_help = "Example:\n  assize doctor audit.toml --max-cost 0.10")]
    Doctor(DoctorArgs),
    /// Every setting with its value and where it comes from
    #[command(after_help = "Example:\n  assize config --max-cost 5")]
    Config(AuditArgs),
    /// Allow an audit file, as it stands, to run commands and to use endpoints of others
    #[command(after_help = "Example:\n  assize trust audits/gateway.toml")]
    Trust(AuditFile),
    /// Completions for a shell
    #[command(after_help = "Example:\n  assize completions bash > ~/.local/share/bash-completion/completions/assize")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// The manual page
    #[command(hide = true, after_help = "Example:\n  assize man > assize.1")]
    Man,
}

/// `assize init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Audit these files instead of a small generated corpus; format and groups are guessed from their first records
    #[arg(long, value_name = "GLOB")]
    pub corpus: Option<String>,
    /// Scaffold a behaviour of this name under `prompts`
    #[arg(long, value_name = "NAME")]
    pub behaviour: Option<String>,
}

/// An audit file.
#[derive(Debug, Clone, Args)]
pub struct AuditFile {
    /// The audit file, or its folder
    #[arg(value_name = "AUDIT", default_value = AUDIT_FILE)]
    pub audit: PathBuf,
}

/// An audit file and what is said over it.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// The file.
    #[command(flatten)]
    pub file: AuditFile,
    /// The flags.
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

/// Flags that stand over the audit file. Each can also be set as `ASSIZE_<FLAG>`.
#[derive(Debug, Clone, Default, Args)]
pub struct OverrideArgs {
    /// How stored replies are used
    #[arg(long, value_enum, value_name = "MODE", env = "ASSIZE_CACHE")]
    pub cache: Option<CacheArg>,
    /// How much may be sent.
    #[command(flatten)]
    pub sending: SendingArgs,
    /// Admit at most this many units: turns, or whole conversations where `sample_by = "conversation"`
    #[arg(long, value_name = "N", env = "ASSIZE_LIMIT")]
    pub limit: Option<u64>,
    /// Ask again what was answered without a verdict: refused, truncated, unparsable, filtered, too long
    #[arg(long)]
    pub retry_errors: bool,
    /// Stop at the first unreadable record
    #[arg(long, env = "ASSIZE_STRICT", value_parser = FalseyValueParser::new())]
    pub strict: bool,
}

/// How much may be sent, and how fast.
#[derive(Debug, Clone, Default, Args)]
pub struct SendingArgs {
    /// Spend at most this, in US dollars
    #[arg(long, value_name = "USD", env = "ASSIZE_MAX_COST")]
    pub max_cost: Option<f64>,
    /// Send nothing after this: 2026-11-24T07:00+01:00, or "07:00 Europe/Zurich"
    #[arg(long, value_name = "TIME", env = "ASSIZE_DEADLINE")]
    pub deadline: Option<String>,
    /// Requests in flight at once, for every endpoint: a number, or `auto`
    #[arg(short = 'j', long, value_name = "N", env = "ASSIZE_MAX_CONCURRENCY")]
    pub max_concurrency: Option<Concurrency>,
    /// Requests per minute, for every endpoint
    #[arg(long, value_name = "N", env = "ASSIZE_MAX_REQUESTS_PER_MINUTE")]
    pub max_requests_per_minute: Option<u32>,
    /// Tokens per minute, for every endpoint
    #[arg(long, value_name = "N", env = "ASSIZE_MAX_TOKENS_PER_MINUTE")]
    pub max_tokens_per_minute: Option<u32>,
}

/// How stored replies are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CacheArg {
    /// Replay stored replies, store new ones
    On,
    /// Send nothing; a missing reply ends with code 5
    ReadOnly,
    /// Ask everything again
    Refresh,
}

/// `assize run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The audit.
    #[command(flatten)]
    pub audit: AuditArgs,
    /// Only plan: send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How progress is shown; `auto` draws bars on a terminal and prints lines elsewhere
    #[arg(long, value_enum, default_value_t, value_name = "HOW", env = "ASSIZE_PROGRESS")]
    pub progress: ProgressArg,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProgressArg {
    /// Bars on a terminal, lines elsewhere
    #[default]
    Auto,
    /// A line per interval
    Plain,
    /// A JSON object per interval
    Json,
    /// Not at all
    None,
}

/// Names a run.
#[derive(Debug, Clone, Args)]
pub struct RunName {
    /// Run id or folder
    #[arg(value_name = "RUN", default_value = "latest")]
    pub run: String,
}

/// `assize report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// The run.
    #[command(flatten)]
    pub run: RunName,
    /// Say how often what this run counts occurs together with what that one counts, on the units that both graded
    #[arg(long, value_name = "RUN")]
    pub beside: Option<String>,
    /// Say what the run would count by its behaviour's other definitions and at other score thresholds
    #[arg(long, conflicts_with = "beside")]
    pub definitions: bool,
}

/// `assize doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The file.
    #[command(flatten)]
    pub file: AuditFile,
    /// Send nothing: check this machine only
    #[arg(long)]
    pub offline: bool,
    /// Refuse to send test requests that could cost more than this, in US dollars
    #[arg(long, value_name = "USD", default_value_t = 0.05)]
    pub max_cost: f64,
}

/// `assize status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The run.
    #[command(flatten)]
    pub run: RunName,
    /// Look again every second until the run ends
    #[arg(long)]
    pub watch: bool,
}

/// `assize cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Replies, bytes and what they cost
    #[command(after_help = "Example:\n  assize cache stats --format json")]
    Stats,
    /// Read every reply and name what is damaged
    #[command(after_help = "Example:\n  assize cache verify")]
    Verify,
    /// Build the index again from the log
    #[command(after_help = "Example:\n  assize cache rebuild")]
    Rebuild,
    /// Write the newest reply to every request, for another workspace to import
    ///
    /// One JSON object a line, with a checksum: `jq .record.body` shows the replies. A reply may quote the transcript that
    /// it judges: treat the file as you treat the corpus.
    #[command(after_help = "Example:\n  assize cache export --out night.jsonl.zst --since 2026-11-24")]
    Export(ExportArgs),
    /// Take in the replies that another workspace exported; what is here already stays as it is
    ///
    /// Replies are taken on trust: from now on they count as if this workspace had asked for them, and cost nothing.
    #[command(after_help = "Example:\n  assize cache import night.jsonl.zst && assize run --cache read-only")]
    Import(ImportArgs),
}

/// `assize cache export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// File to write; compressed if it ends in `.zst`; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
    /// Only replies of this model, by the name that the server gave
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Only replies received since this day (UTC) or time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<UnixMs>,
}

/// `assize cache import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// File to read, compressed or not; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Stop at the first damaged line
    #[arg(long)]
    pub strict: bool,
}
