//! Long strings of JSON documents, read once. serde collects a string that has escapes in a buffer that grows from nothing
//! for each document, and copies it: for replies, which are JSON within JSON, that was a fifteenth of a replay.

use memchr::memchr;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A value as it stands in a JSON text, most likely a string.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub struct Quoted<'a>(#[serde(borrow)] &'a RawValue);

impl Quoted<'_> {
    /// What the string says; `None` if the value is no string, or one that says nothing in Unicode.
    #[must_use]
    pub fn text(self) -> Option<String> {
        let json = self.0.get();
        let mut rest = json.strip_prefix('"')?.strip_suffix('"')?;
        let mut text = String::with_capacity(rest.len());
        while let Some(at) = memchr(b'\\', rest.as_bytes()) {
            let (plain, escape) = rest.split_at(at);
            let (letter, after) = escape.strip_prefix('\\')?.split_at_checked(1)?;
            text.push_str(plain);
            text.push(match letter {
                "\"" => '"',
                "\\" => '\\',
                "/" => '/',
                "n" => '\n',
                "r" => '\r',
                "t" => '\t',
                "b" => '\u{8}',
                "f" => '\u{c}',
                _ => return serde_json::from_str(json).ok(),
            });
            rest = after;
        }
        text.push_str(rest);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(json: &str) -> Option<String> {
        serde_json::from_str::<Quoted<'_>>(json).ok().and_then(Quoted::text)
    }

    #[test]
    fn strings_are_read_as_serde_reads_them() {
        for json in [
            r#""""#,
            r#""plain""#,
            r#""\"\\\/\n\r\t\b\f""#,
            r#""a\u00e9\ud83d\ude00\u0000b""#,
            r#""\\u00e9 é 😀 \\""#,
            r#"  "x"  "#,
            r#""\ud800""#,
            r#""\u12""#,
            r#""\x""#,
            r#""\é""#,
            "\"\n\"",
            "\"open",
            "\"\\\"",
            "7",
            "null",
            "[\"a\"]",
        ] {
            assert_eq!(text(json), serde_json::from_str::<String>(json).ok(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn whatever_was_written_is_read(written in "(\\PC|[\"\\\\/\\x00-\\x1f]){0,40}") {
            let json = serde_json::to_string(&written).unwrap();
            prop_assert_eq!(text(&json), Some(written));
        }
    }
}
