//! What all questions of one grader have in common, worked out once: the opening of the key, of the body and of the
//! bound. What is left to do for a unit is its own text.

use std::collections::BTreeMap;

use serde_json::Value;

use super::body::RequestBody;
use super::openai::{BodyError, BodyForm};
use super::price::{cost_bound, message_bound, output_limit, prompt_bound};
use crate::cache::Keys;
use crate::model::conversation::Role;
use crate::model::grading::GradeRequest;
use crate::model::hash::Digest;
use crate::model::money::{NanoUsd, Price};

/// Requests that differ in their last message only, which is the user's.
#[derive(Debug)]
pub(super) struct Form {
    keys: Keys,
    body: BodyForm,
    /// Prompt tokens of everything but the question, at most.
    prompt_tokens: u64,
    params: BTreeMap<String, Value>,
    price: Price,
}

impl Form {
    /// The form of `opening` followed by a question.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub(super) fn new(opening: &GradeRequest, price: Price) -> Result<Self, BodyError> {
        Ok(Self {
            keys: Keys::new(opening, Role::User),
            body: BodyForm::new(opening)?,
            prompt_tokens: prompt_bound(opening),
            params: opening.params.clone(),
            price,
        })
    }

    /// The key of this question.
    pub(super) fn key(&self, question: &str, scratch: &mut Vec<u8>) -> Digest {
        self.keys.key(question, scratch)
    }

    /// The body of this question.
    pub(super) fn body(&self, question: &str, nonce: &str) -> RequestBody {
        self.body.fill(question, nonce)
    }

    /// The most prompt tokens that this question can be billed for.
    pub(super) fn prompt_tokens(&self, question: &str) -> u64 {
        self.prompt_tokens + message_bound(question)
    }

    /// The most that this question can cost.
    pub(super) fn bound(&self, question: &str) -> NanoUsd {
        self.bound_of(message_bound(question))
    }

    /// The most that a question of so many prompt tokens can cost.
    pub(super) fn bound_of(&self, question_tokens: u64) -> NanoUsd {
        cost_bound(self.prompt_tokens + question_tokens, &self.params, &self.price)
    }

    /// Completion tokens at most; nothing if no limit is stated.
    pub(super) fn output_limit(&self) -> u64 {
        output_limit(&self.params).unwrap_or_default()
    }
}
