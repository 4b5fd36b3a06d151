//! The body of a request, in parts. What all requests of a grader share (system message, examples, schema) is held once
//! for all that are on their way, and it is most of a body.

use std::fmt;

use bytes::Bytes;

/// One body, as often as it has to be sent. Clones share it.
#[derive(Clone, Default)]
pub struct RequestBody {
    before: Bytes,
    question: Bytes,
    after: Bytes,
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestBody({} bytes)", self.len())
    }
}

impl From<Bytes> for RequestBody {
    fn from(question: Bytes) -> Self {
        Self { question, ..Self::default() }
    }
}

impl RequestBody {
    pub(super) const fn new(before: Bytes, question: Bytes, after: Bytes) -> Self {
        Self { before, question, after }
    }

    /// Bytes in all.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.before.len() + self.question.len() + self.after.len()
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One after the other, the parts are the body.
    pub(super) fn parts(self) -> [Bytes; 3] {
        [self.before, self.question, self.after]
    }

    /// The body in one piece.
    pub(super) fn whole(&self) -> Vec<u8> {
        [&self.before, &self.question, &self.after].map(|part| part.to_vec()).concat()
    }
}
