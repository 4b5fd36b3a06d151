//! How long a text is: in characters, or in tokens by an estimate that needs no tokenizer.
//!
//! The estimate: three ASCII bytes are a token, and two bytes of anything else. It is worked out in sixths of a token, so
//! that it adds up. Byte-level tokenizers of today need fewer tokens for prose, code and JSON in any script
//! (docs/context.md has the measurement); long stretches of digits, hexadecimal or base64 can need more. It decides
//! what is shown and is no bound: money is reserved by bytes.

use super::settings::WindowLimit;

/// A third of a token: an ASCII byte.
const ASCII_SIXTHS: usize = 2;
/// Half a token: any other byte.
const OTHER_SIXTHS: usize = 3;
/// A part of a message with fewer characters than this is not worth showing.
const SMALLEST_CHARS: usize = 200;

/// The unit in which a window is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Chars,
    /// Sixths of a token.
    Tokens,
}

impl Measure {
    pub(super) const fn of(limit: WindowLimit) -> Self {
        match limit {
            WindowLimit::Chars(_) => Self::Chars,
            WindowLimit::Tokens(_) => Self::Tokens,
        }
    }

    /// The room that a limit gives.
    pub(super) const fn room(limit: WindowLimit) -> usize {
        match limit {
            WindowLimit::Chars(most) => most as usize,
            WindowLimit::Tokens(most) => most as usize * ASCII_SIXTHS * 3,
        }
    }

    /// How long a text is, and how many characters it has.
    pub(super) fn size(self, text: &str) -> (usize, usize) {
        let chars = text.chars().count();
        match self {
            Self::Chars => (chars, chars),
            Self::Tokens => {
                let other = text.bytes().filter(|byte| !byte.is_ascii()).count();
                ((text.len() - other) * ASCII_SIXTHS + other * OTHER_SIXTHS, chars)
            }
        }
    }

    /// The part of a message that is not worth showing.
    pub(super) const fn smallest_part(self) -> usize {
        match self {
            Self::Chars => SMALLEST_CHARS,
            Self::Tokens => SMALLEST_CHARS * ASCII_SIXTHS,
        }
    }

    /// The byte at which the longest beginning ends that has this size at most.
    pub(super) fn head(self, text: &str, size: usize) -> usize {
        if self == Self::Chars {
            return text.char_indices().nth(size).map_or(text.len(), |(byte, _)| byte);
        }
        let mut left = size;
        for (byte, c) in text.char_indices() {
            match left.checked_sub(sixths(c)) {
                Some(rest) => left = rest,
                None => return byte,
            }
        }
        text.len()
    }

    /// The byte at which the longest end begins that has this size at most.
    pub(super) fn tail(self, text: &str, size: usize) -> usize {
        if self == Self::Chars {
            let last = text.char_indices().rev().take(size).last();
            return last.map_or(text.len(), |(byte, _)| byte);
        }
        let (mut left, mut start) = (size, text.len());
        for (byte, c) in text.char_indices().rev() {
            match left.checked_sub(sixths(c)) {
                Some(rest) => (left, start) = (rest, byte),
                None => break,
            }
        }
        start
    }
}

const fn sixths(c: char) -> usize {
    if c.is_ascii() { ASCII_SIXTHS } else { c.len_utf8() * OTHER_SIXTHS }
}

/// The tokens of a text by the estimate, rounded up.
#[must_use]
pub fn estimated_tokens(text: &str) -> usize {
    Measure::Tokens.size(text).0.div_ceil(ASCII_SIXTHS * 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_estimate_is_as_stated() {
        assert_eq!(estimated_tokens(""), 0);
        assert_eq!(estimated_tokens("abc"), 1);
        assert_eq!(estimated_tokens("abcd"), 2, "rounded up");
        assert_eq!(estimated_tokens("жж"), 2, "two bytes each");
        assert_eq!(estimated_tokens("測試"), 3);
        assert_eq!(estimated_tokens("🙂"), 2);
    }

    proptest! {
        #[test]
        fn heads_and_tails_fit_and_are_the_longest(text in "[a-cäж測🙂\n]{0,40}", size in 0usize..120) {
            for measure in [Measure::Chars, Measure::Tokens] {
                let (head, tail) = (measure.head(&text, size), measure.tail(&text, size));
                let (head, rest) = text.split_at(head);
                prop_assert!(measure.size(head).0 <= size);
                let longer: String = head.chars().chain(rest.chars().take(1)).collect();
                prop_assert!(rest.is_empty() || measure.size(&longer).0 > size);
                let (before, tail) = text.split_at(tail);
                prop_assert!(measure.size(tail).0 <= size);
                let longer: String = before.chars().rev().take(1).chain(tail.chars()).collect();
                prop_assert!(before.is_empty() || measure.size(&longer).0 > size);
            }
        }
    }
}
