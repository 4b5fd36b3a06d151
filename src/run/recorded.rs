//! What a stage's verdicts come from: a prompt, or a file in which they were recorded elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::assemble::Stand;
use super::census::Census;
use super::settings::Audit;
use crate::cache::units::{Addresses, Snapshot};
use crate::grade::recorded::{RecordedError, RecordedSettings, Selection, Verdicts, read};
use crate::grade::stage::Answers;
use crate::model::behaviour::Behaviour;
use crate::model::event::Ordinal;
use crate::model::hash::PartHasher;
use crate::model::recorded::Recorded;
use crate::model::unit::Group;
use crate::prompt::{Prompt, Questioner};

/// What a stage's verdicts come from.
#[derive(Debug, Clone)]
pub enum Asks {
    /// A model is asked by a prompt.
    Prompt(Box<Prompted>),
    /// Nobody is asked: a file has them. It is read once the sample is known.
    Recorded(Option<Arc<Verdicts>>),
}

/// A prompt, ready to be asked.
#[derive(Debug, Clone)]
pub struct Prompted {
    /// The prompt version.
    pub prompt: Prompt,
    /// The prompt, prepared.
    pub questioner: Questioner,
}

impl Asks {
    /// The prompt, where there is one.
    #[must_use]
    pub fn prompted(&self) -> Option<&Prompted> {
        match self {
            Self::Prompt(prompted) => Some(prompted),
            Self::Recorded(_) => None,
        }
    }

    /// The same with a sentence about consequences in the prompt. What is recorded was asked elsewhere, and stays.
    pub(super) fn framed(self, framing: &str) -> Self {
        match self {
            Self::Prompt(mut prompted) => {
                prompted.questioner = prompted.questioner.framed(framing);
                Self::Prompt(prompted)
            }
            Self::Recorded(_) => self,
        }
    }

    /// What is known of the file, where there is one and it was read.
    #[must_use]
    pub fn recorded(&self) -> Option<&Recorded> {
        match self {
            Self::Prompt(_) => None,
            Self::Recorded(verdicts) => verdicts.as_ref().map(|verdicts| &verdicts.recorded),
        }
    }

    /// What a grader is made of.
    ///
    /// # Panics
    /// If the file was not read: assembling an audit reads it.
    #[must_use]
    pub(super) fn into_answers(self) -> Answers {
        match self {
            Self::Prompt(prompted) => Answers::Asked(Box::new(prompted.questioner)),
            Self::Recorded(verdicts) => Answers::Recorded(verdicts.expect("assembling an audit reads its verdicts")),
        }
    }

    /// Adds what decides the verdicts to the identity of a run.
    pub(super) fn identify(&self, hasher: &mut PartHasher) {
        match self {
            Self::Prompt(prompted) => {
                hasher.part(prompted.prompt.label.to_string().as_bytes()).part(prompted.prompt.hash.as_bytes());
            }
            Self::Recorded(_) => {
                if let Some(Recorded { digest, reading, .. }) = self.recorded() {
                    hasher.part(digest.as_bytes()).part(reading.as_bytes());
                }
            }
        }
    }
}

/// Reads the files of the stages that are recorded, for the selected units.
///
/// # Errors
/// See [`RecordedError`].
pub(super) fn read_all(
    stands: &mut [Stand],
    audit: &Audit,
    behaviour: &Behaviour,
    (census, known): (&Census, Option<&Snapshot>),
) -> Result<(), RecordedError> {
    for stand in stands {
        let (Asks::Recorded(verdicts), Some(settings)) = (&mut stand.asks, &stand.endpoint.recorded) else { continue };
        let sample = census.units.addresses()?;
        let known = known.map(Snapshot::addresses).transpose()?;
        let example = if census.units.is_empty() { None } else { Some(census.units.get(Ordinal(0))?.id.to_string()) };
        let scratch = audit.workspace.census();
        let selection = Selection {
            sample,
            known: known.unwrap_or_else(Addresses::default),
            example,
            unit: audit.corpus.unit,
            group_by: &audit.corpus.group_by,
            scratch: &scratch,
        };
        *verdicts = Some(Arc::new(read(settings, behaviour, &selection)?));
    }
    Ok(())
}

/// What has to be said of files that name no group, where there are several: nobody can tell whether an id repeats across them.
pub(super) fn without_group(stands: &[Stand], census: &Census) -> Vec<String> {
    let groups: BTreeSet<&Group> = census.strata.iter().map(|row| &row.stratum.group).collect();
    let silent = stands.iter().filter_map(|stand| stand.endpoint.recorded.as_ref());
    let silent = silent.filter(|recorded| groups.len() > 1 && recorded.columns.group.is_empty());
    let line = |recorded: &RecordedSettings| {
        format!(
            "`{}` names no group: each line counts for the group that holds its unit. Where ids repeat across groups, verdicts \
             land on the wrong one: say where a line names its group, as in `columns.group = {{ checkpoint = \"checkpoint\" }}`",
            recorded.name
        )
    };
    silent.map(line).collect()
}
