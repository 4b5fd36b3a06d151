//! Counts as floating-point numbers.

/// A count. Exact below 2^53, which no corpus reaches.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) const fn float(count: u64) -> f64 {
    count as f64
}

/// The length of a list in memory.
#[expect(clippy::cast_precision_loss, reason = "a list in memory is far shorter than 2^53")]
pub(super) const fn length(count: usize) -> f64 {
    count as f64
}
