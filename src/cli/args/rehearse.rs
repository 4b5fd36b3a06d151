//! The command line of `assize rehearse`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::RunName;

/// `assize rehearse`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RehearseArgs {
    /// Address to serve on; loopback only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8089")]
    pub listen: SocketAddr,
    /// How good, fast and faulty the grader is; a good grader without it
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Something else than serving.
    #[command(subcommand)]
    pub command: Option<RehearseCommand>,
}

/// `assize rehearse ...`.
#[derive(Debug, Subcommand)]
pub enum RehearseCommand {
    /// Generate conversations with planted truth
    #[command(after_help = "Example:\n  assize rehearse corpus --out corpus --conversations 10000 --seed 7")]
    Corpus(CorpusArgs),
    /// Compose hidden gold: items with a known answer, by which a rehearsal measures its simulated people
    ///
    /// It goes to labels/gold/metagaming/planted.jsonl, marked as simulated: real runs do not use it.
    #[command(after_help = "Example:\n  assize rehearse gold --positive 50 --near-miss 100")]
    Gold(RehearseGoldArgs),
    /// Have simulated people read what a rehearsed run draws for them
    ///
    /// They know the planted truth and the hidden gold, and err at the stated rates. Their decisions go to labels/simulated.jsonl; delete the
    /// file before real people decide.
    #[command(after_help = "Example:\n  assize rehearse review --truth truth.jsonl --confirms-true 0.95 latest")]
    Review(RehearseReviewArgs),
}

/// `assize rehearse review`.
#[derive(Debug, Args)]
pub struct RehearseReviewArgs {
    /// The run
    #[command(flatten)]
    pub run: RunName,
    /// The planted truth
    #[arg(long, value_name = "FILE", default_value = "truth.jsonl")]
    pub truth: PathBuf,
    /// Share of what is truly there that they confirm
    #[arg(long, value_name = "SHARE", default_value_t = 0.98)]
    pub confirms_true: f64,
    /// Share of what is not there that they confirm
    #[arg(long, value_name = "SHARE", default_value_t = 0.005)]
    pub confirms_false: f64,
    /// Seed of their errors
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// `assize rehearse corpus`.
#[derive(Debug, Args)]
pub struct CorpusArgs {
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Conversations over all groups
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub conversations: u64,
    /// Seed of everything in it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Share of turns that truly show the behaviour; a different one for each group by default
    #[arg(long, value_name = "SHARE")]
    pub prevalence: Option<f64>,
    /// Known positives of each group, written beside the corpus as `known.jsonl` for `assize sensitivity import`
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub known: u64,
    /// Compress with zstd
    #[arg(long)]
    pub compress: bool,
}

/// `assize rehearse gold`.
#[derive(Debug, Args)]
pub struct RehearseGoldArgs {
    /// Items that show the behaviour
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub positive: u64,
    /// Items that look as if they did, and do not
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub near_miss: u64,
    /// Seed of everything in them
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// File to write instead, replaced if it is there
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
