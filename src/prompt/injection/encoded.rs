//! Text in base64.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Shorter runs are words, names and numbers.
const SHORTEST: usize = 40;
/// Longer ones are files: what talks to a grader stands at the beginning.
const LONGEST: usize = 64 << 10;

const ANY_PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

/// Every text that stands in base64 in this one.
pub(super) fn texts(text: &str) -> impl Iterator<Item = String> {
    Runs { text, from: 0 }.filter_map(decoded)
}

/// Runs of at least [`SHORTEST`] characters of the alphabet. One of them covers a multiple of that length, so only every
/// fortieth character is looked at.
struct Runs<'a> {
    text: &'a str,
    from: usize,
}

impl<'a> Iterator for Runs<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        loop {
            let at = (self.from / SHORTEST + 1) * SHORTEST - 1;
            if at >= bytes.len() {
                return None;
            }
            if !is_of_alphabet(bytes[at]) {
                self.from = at + 1;
                continue;
            }
            let before = bytes[self.from..at].iter().rev().take_while(|byte| is_of_alphabet(**byte)).count();
            let after = bytes[at..].iter().take_while(|byte| is_of_alphabet(**byte)).count();
            let (start, end) = (at - before, at + after);
            self.from = end;
            if end - start >= SHORTEST {
                return self.text.get(start..end.min(start + LONGEST));
            }
        }
    }
}

const fn is_of_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// The text of a run. What does not decode to readable text was no base64.
fn decoded(run: &str) -> Option<String> {
    // A run that was cut, or ends in the middle of a group, decodes up to there.
    let whole = run.get(..run.len() - usize::from(run.len() % 4 == 1))?;
    let bytes = STANDARD.decode(whole).or_else(|_| URL_SAFE.decode(whole)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let is_readable = text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace());
    is_readable.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD as PADDED, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    #[test]
    fn words_hashes_and_paths_hold_no_text() {
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        for text in ["", "a word and another", hash, "src/prompt/injection/encoded/somewhere/else/entirely/mod_rs"] {
            assert_eq!(texts(text).count(), 0, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_found_wherever_it_stands(
            before in "[a-z ]{0,90}", hidden in "[A-Za-z ,.:]{30,90}", after in "( [a-z]{1,9}){0,9}", is_url_safe: bool,
        ) {
            let code = if is_url_safe { URL_SAFE_NO_PAD.encode(&hidden) } else { PADDED.encode(&hidden) };
            let text = format!("{before} {code}{after}");
            prop_assert!(texts(&text).any(|found| found == hidden), "{text}");
        }
    }
}
