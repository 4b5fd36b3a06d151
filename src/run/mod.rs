//! The wiring of stages. `assemble` decides an audit, `session` runs it, `pipeline` is where the stages meet,
//! `coordinator` owns the state, `conclude` turns a journal into a report. Formulas, prompts and formats live elsewhere.

mod account;
mod alarms;
pub mod alternatives;
pub mod anchors;
pub mod assemble;
pub mod blind;
mod boot;
mod caps;
pub mod census;
mod change;
pub mod conclude;
pub mod cooccurrence;
pub mod coordinator;
pub mod diff;
pub mod disks;
pub mod doctor;
pub mod drafts;
pub mod expect;
mod feed;
pub mod folder;
pub mod forecast;
pub mod gates;
pub mod gold;
mod grant;
pub mod groups;
mod ledger;
pub mod list;
pub mod live;
pub mod look;
pub mod mine;
pub mod notify;
pub mod pipeline;
pub mod produced;
pub mod recorded;
pub mod repeater;
pub mod resume;
pub mod review;
pub mod sensitivity;
pub mod session;
pub mod settings;
mod shutdown;
pub mod sizing;
pub mod trial;
pub mod validate;
pub mod view;
mod window;

/// Returns when somebody asks this process to stop: SIGINT, SIGTERM or SIGHUP.
///
/// # Errors
/// If the operating system does not let the process listen.
pub async fn interrupted() -> std::io::Result<()> {
    shutdown::Interrupts::listen()?.next().await;
    Ok(())
}
