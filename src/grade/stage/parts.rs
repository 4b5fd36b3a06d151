//! What a stage is made of, and the forms of its questions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::grade::form::Form;
use crate::grade::openai::BodyError;
use crate::grade::recorded::Verdicts;
use crate::model::behaviour::Behaviour;
use crate::model::grading::{ApiKind, GradeRequest, Stage, Structured};
use crate::model::money::Price;
use crate::prompt::Questioner;

/// Rounds of `--retry-errors`: each asks again what has no verdict, under keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retries {
    /// The last round; 0 before the first.
    pub last: u32,
    /// Whether this run is that round: what still has no verdict is asked.
    pub is_asking: bool,
}

/// Where a stage's verdicts come from.
#[derive(Debug)]
pub enum Answers {
    /// From a model that is asked, by this prepared prompt.
    Asked(Box<Questioner>),
    /// From a file, in which they were recorded elsewhere: nobody is asked.
    Recorded(Arc<Verdicts>),
}

/// What a stage is made of.
#[derive(Debug)]
pub struct GraderParts {
    /// Which stage.
    pub stage: Stage,
    /// The behaviour.
    pub behaviour: Arc<Behaviour>,
    /// Where its verdicts come from.
    pub answers: Answers,
    /// How the model is talked to.
    pub api: ApiKind,
    /// The model asked for.
    pub model: String,
    /// Part of the key.
    pub revision: String,
    /// Part of the key: what makes old replies not count.
    pub epoch: String,
    /// Part of the key: the same question, asked once more.
    pub repeat: u32,
    /// Whether it asks what was asked before of units that are under way: then it goes before new ones.
    pub is_further: bool,
    /// Which replies count where several rounds asked.
    pub retries: Retries,
    /// How replies are held to the schema.
    pub structured: Structured,
    /// Sampling parameters.
    pub params: BTreeMap<String, Value>,
    /// Parameters of the one further attempt after a truncated reply.
    pub on_truncated: BTreeMap<String, Value>,
    /// The model's price.
    pub price: Price,
    /// The workspace's secret, for nonces.
    pub secret: [u8; 32],
}

impl GraderParts {
    /// The forms of all rounds; none where nobody is asked.
    pub(super) fn rounds(&self) -> Result<Vec<Round>, BodyError> {
        match &self.answers {
            Answers::Asked(questioner) => (0..=self.retries.last).map(|retry| self.round(questioner, retry)).collect(),
            Answers::Recorded(_) => Ok(Vec::new()),
        }
    }

    /// The forms of one round.
    fn round(&self, questioner: &Questioner, retry: u32) -> Result<Round, BodyError> {
        let form = |params| Form::new(&self.opening(questioner, params, retry), self.price);
        let mut longer = self.params.clone();
        longer.extend(self.on_truncated.clone());
        let asks_longer = !self.on_truncated.is_empty();
        Ok(Round { first: form(self.params.clone())?, longer: asks_longer.then(|| form(longer)).transpose()? })
    }

    /// Everything that requests with these parameters have in common; the question is missing.
    fn opening(&self, questioner: &Questioner, params: BTreeMap<String, Value>, retry: u32) -> GradeRequest {
        GradeRequest {
            api: self.api,
            model: self.model.clone(),
            messages: questioner.opening().to_vec(),
            schema: questioner.schema().clone(),
            structured: self.structured,
            params,
            revision: self.revision.clone(),
            repeat: self.repeat,
            retry,
            epoch: self.epoch.clone(),
        }
    }
}

/// The forms of a stage's questions in one round.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) first: Form,
    /// The one further question after a truncated reply.
    pub(super) longer: Option<Form>,
}
