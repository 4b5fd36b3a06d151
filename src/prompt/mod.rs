//! Behaviours and versioned prompts: what a grader is asked, and exactly which part of the transcript it sees.

pub mod settings;

pub use settings::WindowSettings;
