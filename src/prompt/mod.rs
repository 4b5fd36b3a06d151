//! Behaviours and versioned prompts: what a grader is asked, and exactly which part of the transcript it sees.
//!
//! A [`Library`] finds a behaviour and its prompt versions; a [`Questioner`] is one prompt version, prepared, and turns
//! a conversation into a [`Question`]. [`Lock`] remembers which text has produced verdicts. Nothing here sends
//! anything, and only [`library`] opens files.
//!
//! The transcript stands in the last message and looks like this. Only lines with the request's nonce are structure:
//!
//! ```text
//! ⟦NONCE transcript⟧
//! ⟦NONCE #0 system/final⟧
//! text
//! ⟦NONCE 3 messages, 5120 characters not shown⟧
//! ⟦NONCE #4 user/final⟧
//! beginning
//! ⟦NONCE 812 characters not shown⟧
//! end
//! ⟦NONCE #5 assistant/reasoning TARGET⟧
//! ⟦NONCE 9000 characters judged in other requests⟧
//! text
//! ⟦NONCE #5 assistant/tool TARGET⟧
//! name(arguments)
//! ⟦NONCE end of transcript⟧
//! ```

pub mod behaviour;
mod chunks;
mod fence;
pub mod framing;
mod injection;
pub mod library;
mod lines;
pub mod lint;
mod located;
pub mod lock;
mod measure;
mod question;
pub mod render;
mod schema;
pub mod settings;
mod shipped;
mod slices;
pub mod version;
mod window;

pub use behaviour::{asked_digest, meaning_digest, parse_behaviour};
pub use fence::{nonce, with_nonce};
pub use library::{BehaviourFiles, Library, Origin};
pub use lines::{DiffLine, Hunk, hunks};
pub use located::TomlProblem;
pub use lock::{ChangedPrompt, Lock, LockState};
pub use measure::estimated_tokens;
pub use question::{Asked, Buffers, Question, Questioner, QuestionerSettings};
pub use render::RenderError;
pub use settings::{OverLong, WindowLimit, WindowSettings};
pub use version::{Prompt, parse_prompt};
