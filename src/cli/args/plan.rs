//! The command line of `assize plan`.

use clap::Args;

use super::AuditArgs;
use crate::estimate::detect::Chance;

/// `assize plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The audit.
    #[command(flatten)]
    pub audit: AuditArgs,
    /// Go by what this run has shown, finished or not, instead of `[assume]`: run id, its beginning, or `latest`
    #[arg(long, value_name = "RUN", conflicts_with = "probe")]
    pub from_run: Option<String>,
    /// First grade this many units of the sample, under the audit's cap, and go by what they show; the run replays them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub probe: Option<u64>,
    /// Questions without an audit.
    #[command(flatten)]
    pub questions: QuestionArgs,
}

/// Questions about sample sizes that need no corpus.
#[derive(Debug, Args)]
#[command(next_help_heading = "Questions without a corpus")]
pub struct QuestionArgs {
    /// How many units hold at least one, if the rate is this
    #[arg(long, value_name = "RATE", value_parser = chance, conflicts_with_all = ["from_run", "probe"])]
    pub detect: Option<Chance>,
    /// How many units without one say that the rate is at most this
    #[arg(long, value_name = "RATE", value_parser = chance, conflicts_with_all = ["from_run", "probe"])]
    pub at_most: Option<Chance>,
    /// How many units of each of two groups show that one rate is this many times the other
    #[arg(long, value_name = "TIMES", conflicts_with_all = ["from_run", "probe"])]
    pub fold: Option<f64>,
    /// The lower of the two rates; by default assume.prevalence
    #[arg(long, value_name = "RATE", value_parser = chance, requires = "fold")]
    pub prevalence: Option<Chance>,
}

impl QuestionArgs {
    /// Whether there is a question.
    #[must_use]
    pub const fn is_asked(&self) -> bool {
        self.detect.is_some() || self.at_most.is_some() || self.fold.is_some()
    }
}

fn chance(text: &str) -> Result<Chance, String> {
    let rate = text.parse().ok().filter(|rate| *rate >= 1e-12).and_then(Chance::new);
    rate.ok_or_else(|| "expects a rate from 1e-12 to less than 1, such as 1e-4".to_owned())
}
