//! What a reply says: tolerant parsing, quote verification, definitions.
//!
//! The raw body of a reply is stored, and its verdict is derived on every read, so a better parser costs no request.
//! The rule of this module: an outcome that is not a verdict has its own name, and nothing is guessed.

mod body;
mod chunks;
mod content;
pub mod definition;
mod failure;
pub mod parse;
pub mod quote;
mod recorded;

pub use body::{Body, NotJson};
pub use chunks::standing;
pub use definition::{Definition, DefinitionError};
pub use failure::ServerError;
pub use parse::{Context, PARSER_VERSION, Reading, parse, read};
pub use recorded::{Stated, StatedQuote};
