//! How much of a conversation a grader sees.

pub use crate::model::asking::OverLong;

/// `window = { neighbours, max_chars, max_tokens, min_coverage, over_long }`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowSettings {
    /// Messages shown on either side of the unit, beside system and task messages.
    pub neighbours: u32,
    /// Most transcript in a request.
    pub limit: WindowLimit,
    /// Smallest share of the wanted context that must be visible, 0 to 1; below it the outcome is `cannot_judge`.
    pub min_coverage: f64,
    /// What becomes of a turn that alone has no room.
    pub over_long: OverLong,
}

/// Most transcript in a request: one of two measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowLimit {
    /// `max_chars`: characters.
    Chars(u32),
    /// `max_tokens`: tokens by the estimate of the module `measure`.
    Tokens(u32),
}

impl WindowLimit {
    /// The limit, if it is in characters.
    #[must_use]
    pub const fn chars(self) -> Option<u32> {
        match self {
            Self::Chars(most) => Some(most),
            Self::Tokens(_) => None,
        }
    }

    /// The limit, if it is in tokens.
    #[must_use]
    pub const fn tokens(self) -> Option<u32> {
        match self {
            Self::Tokens(most) => Some(most),
            Self::Chars(_) => None,
        }
    }
}

impl WindowSettings {
    /// A window of so many characters, which cuts what is too long.
    #[must_use]
    pub const fn of_chars(neighbours: u32, max_chars: u32, min_coverage: f64) -> Self {
        Self { neighbours, limit: WindowLimit::Chars(max_chars), min_coverage, over_long: OverLong::Cut }
    }
}

/// `max_chars` where neither measure is stated.
pub const DEFAULT_MAX_CHARS: u32 = 32_000;

impl Default for WindowSettings {
    fn default() -> Self {
        Self::of_chars(4, DEFAULT_MAX_CHARS, 0.6)
    }
}
