//! Panics that are expected: some libraries panic on damaged files, and to us that is damage.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// The library panicked. What it said is left out: it may quote the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// Calls a library that may panic on this thread. What the call was changing must not be used after that.
///
/// # Errors
/// It panicked.
pub fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outer = EXPECTED.replace(true);
    let answer = catch_unwind(AssertUnwindSafe(call));
    EXPECTED.set(outer);
    answer.map_err(|_| Panicked)
}

/// Whether this thread is inside [`caught`]: a panic hook has nothing to say then.
#[must_use]
pub fn is_expected() -> bool {
    EXPECTED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_expected_inside_only() {
        assert!(!is_expected());
        assert_eq!(caught(|| caught(is_expected)), Ok(Ok(true)));
        assert_eq!(caught(|| panic!("words of a file")), Err::<(), _>(Panicked));
        assert!(!is_expected());
    }
}
