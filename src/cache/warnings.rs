//! Sentences for the user, collected until somebody shows them.

use std::sync::{Mutex, PoisonError};

/// More than a person reads; a disk that damages everything must not fill the memory as well.
const MOST: usize = 50;

#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    /// Adds a sentence unless it is waiting already.
    pub(super) fn add(&self, sentence: String) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST && !waiting.contains(&sentence) {
            waiting.push(sentence);
        }
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
