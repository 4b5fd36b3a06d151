//! The simulated grader and the simulated corpus, both with planted truth.
//!
//! [`Server`] speaks OpenAI chat completions on loopback: real HTTP, real limits, real usage, and every way of failing
//! that a provider has shown, each with its own probability. Its verdicts are drawn from a [`Truth`] file with a
//! stated sensitivity and specificity, so that a test, a bench or a newcomer knows what the right answer is.
//! [`CorpusPlan`] writes a corpus together with that file.
//!
//! Everything is drawn by hash from a seed: two servers with equal settings give equal replies to equal requests, in
//! any order and at any concurrency. Nothing here judges a text, and no figure from it is about a real model.

mod answer;
mod completion;
mod compose;
mod corpus;
mod desk;
mod domains;
mod draw;
mod faults;
mod gold;
mod known;
mod limits;
mod plantings;
mod problem;
mod request;
mod reviewer;
mod server;
mod settings;
mod stats;
mod transcript;
mod truth;
mod wire;

pub use corpus::{CorpusError, CorpusPlan, GroupPlan, Planted, PlantedGroup};
pub use draw::{NotAProbability, Probability};
pub use request::KEY_HEADER;
pub use reviewer::Reviewer;
pub use server::{NewLimits, RehearseError, Server, start};
pub use settings::{DriftSettings, FaultSettings, LimitKind, ModelSettings, RehearsalSettings, SettingsError};
pub use stats::Stats;
pub use truth::{PlantedTurn, Truth, TruthError, planted_by_group};
