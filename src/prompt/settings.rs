//! How much of a conversation a grader sees.

/// `window = { neighbours, max_chars, min_coverage }`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowSettings {
    /// Messages shown on either side of the unit, beside system and task messages.
    pub neighbours: u32,
    /// Most characters of transcript in a request.
    pub max_chars: u32,
    /// Smallest share of the wanted context that must be visible, 0 to 1; below it the outcome is `cannot_judge`.
    pub min_coverage: f64,
}

impl Default for WindowSettings {
    fn default() -> Self {
        Self { neighbours: 4, max_chars: 32_000, min_coverage: 0.6 }
    }
}
