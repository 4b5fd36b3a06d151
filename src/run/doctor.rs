//! Whether a run of an audit would get off the ground: everything that can be wrong before the first unit, in the order in
//! which a run would meet it, with what to do about it.
//!
//! [`examine`] looks at what is on this machine and sends nothing. [`Visit::send`] then sends one free request per endpoint
//! and one small question per grader, once, outside the audit's budget and never above the bound that [`Visit`] states.
//! Nothing that comes back is stored.

mod local;
mod remote;
mod reply;

use serde::Serialize;

use super::assemble::Stand;
use super::settings::Audit;
use crate::model::behaviour::Behaviour;
use crate::model::money::NanoUsd;

pub use local::examine;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// A run works, and somebody should know.
    Warning,
    /// A run does not work until something on this machine is mended.
    Failed,
    /// A run does not work until the grader can be used: key, quota, model, endpoint.
    Unusable,
}

impl Health {
    /// The word in front of a check's line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed | Self::Unusable => "failed",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked: a word or two.
    pub about: String,
    /// What was found.
    pub health: Health,
    /// The finding in words. Text of servers is shortened and holds no key.
    pub says: String,
    /// What to do, where there is something.
    pub fix: Option<String>,
}

impl Check {
    fn new(about: &str, health: Health, says: impl Into<String>) -> Self {
        Self { about: about.to_owned(), health, says: says.into(), fix: None }
    }

    fn ok(about: &str, says: impl Into<String>) -> Self {
        Self::new(about, Health::Ok, says)
    }

    fn fixed_by(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// What was found on this machine, and what would be sent.
#[derive(Debug)]
pub struct Visit {
    /// The checks so far.
    pub checks: Vec<Check>,
    audit: Audit,
    behaviour: Option<Behaviour>,
    stands: Vec<Stand>,
    questions: Vec<remote::Question>,
    endpoints: Vec<String>,
    /// Graders whose question has no known price.
    unpriced: bool,
}

/// Requests and money of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Expense {
    /// Requests.
    pub requests: u64,
    /// What they cost, or can cost at most.
    pub cost: NanoUsd,
}

impl Visit {
    /// Requests that [`Visit::send`] sends, and the most that they can cost. Absent if a question has no known price.
    #[must_use]
    pub fn bound(&self) -> Option<Expense> {
        let cost = self.questions.iter().map(remote::Question::bound).sum();
        let requests = (self.endpoints.len() + self.questions.len()) as u64;
        (!self.unpriced).then_some(Expense { requests, cost })
    }

    /// Whether anything can be sent at all.
    #[must_use]
    pub fn can_send(&self) -> bool {
        !self.questions.is_empty()
    }
}
