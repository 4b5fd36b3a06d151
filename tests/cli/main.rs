//! The real binary in temporary workspaces: what every command prints, how it ends, and what it leaves behind.
//!
//! One file per command; then one per promise that takes several commands to show. Snapshots hold whole outputs, as
//! their reader sees them.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test, as clippy allows it in tests themselves")]

#[path = "../support/mod.rs"]
mod support;

mod anchors;
mod cache;
mod caps;
mod changed;
mod command;
mod config;
mod context;
mod conversations;
mod debug;
mod diff;
mod doctor;
mod expect;
mod help;
mod hostile;
mod init;
mod injections;
mod invariance;
mod ls;
mod mine;
mod model_change;
mod notify;
mod plan;
mod prompt_cache;
mod prompts;
mod recorded;
#[cfg(feature = "parquet")]
mod recorded_table;
mod rehearse;
mod repeats;
mod replay;
mod report;
mod retry_errors;
mod review;
mod run;
mod secrecy;
mod sensitivity;
mod show;
mod stopped;
mod trial;
mod unusable;
mod validate;
mod whole;
