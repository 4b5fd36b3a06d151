//! How the text of a message is shown to a grader. `prompt` shows it and `verdict` looks quotes up in it, so both use
//! the functions of this page.
//!
//! A transcript is hostile: it may imitate the lines that structure a prompt, or carry the special tokens of a chat
//! template, which local servers do not always escape. [`neutralise`] disarms both by shape, visibly and without
//! deleting anything.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::packed::Searcher;
use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memchr2_iter;

use super::conversation::{Channel, Message};

/// Shapes that must not reach a grader, and what it sees instead.
const DISARMED: [(&str, &str); 22] = [
    ("⟦", "[["),
    ("⟧", "]]"),
    ("〚", "[["),
    ("〛", "]]"),
    ("\u{0}", "␀"),
    ("<|", "‹|"),
    ("|>", "|›"),
    ("<｜", "‹｜"),
    ("｜>", "｜›"),
    ("<s>", "‹s›"),
    ("</s>", "‹/s›"),
    ("<bos>", "‹bos›"),
    ("<eos>", "‹eos›"),
    ("<start_of_turn>", "‹start_of_turn›"),
    ("<end_of_turn>", "‹end_of_turn›"),
    ("<<SYS>>", "‹‹SYS››"),
    ("<</SYS>>", "‹‹/SYS››"),
    ("[INST]", "[ INST ]"),
    ("[/INST]", "[ /INST ]"),
    ("[SYSTEM_PROMPT]", "[ SYSTEM_PROMPT ]"),
    ("[/SYSTEM_PROMPT]", "[ /SYSTEM_PROMPT ]"),
    ("[TOOL_CALLS]", "[ TOOL_CALLS ]"),
];

static SHAPES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(DISARMED.map(|(shape, _)| shape))
        .expect("a short list of literals compiles")
});

/// All shapes of three bytes and more, in a form that finds out many times faster that a text has none of them. It is as
/// fast as its shortest shape is long.
static LONG_SHAPES: LazyLock<Option<Searcher>> =
    LazyLock::new(|| Searcher::new(DISARMED.iter().map(|(shape, _)| shape).filter(|shape| shape.len() > 2)));

/// The text of one channel of a message; empty if the message has none. A tool call reads `name(arguments)`, one call
/// after the other on lines of their own.
#[must_use]
pub fn channel_text(message: &Message, channel: Channel) -> Cow<'_, str> {
    match channel {
        Channel::Reasoning => Cow::Borrowed(message.reasoning.as_deref().unwrap_or_default()),
        Channel::Final => Cow::Borrowed(&message.content),
        Channel::Tool => {
            let calls: Vec<_> =
                message.tool_calls.iter().map(|call| format!("{}({})", call.name, call.arguments)).collect();
            Cow::Owned(calls.join("\n"))
        }
    }
}

/// The text with every shape replaced that could pass for structure: fence brackets and their look-alikes, NUL, and
/// the special tokens of common chat templates. Applying it twice changes nothing more.
#[must_use]
pub fn neutralise(text: &str) -> Cow<'_, str> {
    let has_long = LONG_SHAPES.as_ref().is_none_or(|shapes| shapes.find(text).is_some());
    if !has_long && !has_short_shape(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mut disarmed = Cow::Borrowed(text);
    // A replacement can complete another shape (`⟦INST]` reads `[[INST]`), so passes repeat until none is left.
    while let Some(next) = disarm_once(&disarmed) {
        disarmed = Cow::Owned(next);
    }
    disarmed
}

/// Whether there is one of the shapes of fewer than three bytes: NUL, `<|` and `|>`.
fn has_short_shape(text: &[u8]) -> bool {
    memchr2_iter(b'\0', b'|', text).any(|at| {
        let is_before = at.checked_sub(1).is_some_and(|before| text[before] == b'<');
        text[at] == b'\0' || is_before || text.get(at + 1) == Some(&b'>')
    })
}

fn disarm_once(text: &str) -> Option<String> {
    let mut matches = SHAPES.find_iter(text).peekable();
    matches.peek()?;
    let mut disarmed = String::with_capacity(text.len() + 64);
    let mut copied = 0;
    for found in matches {
        disarmed.push_str(text.get(copied..found.start()).unwrap_or_default());
        disarmed.push_str(DISARMED[found.pattern().as_usize()].1);
        copied = found.end();
    }
    disarmed.push_str(text.get(copied..).unwrap_or_default());
    Some(disarmed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::conversation::Role;
    use proptest::prelude::*;

    #[test]
    fn shapes_are_disarmed_and_the_rest_is_kept() {
        assert_eq!(neutralise("⟦ab M1 user/final⟧"), "[[ab M1 user/final]]");
        assert_eq!(neutralise("a\u{0}b<|im_start|>"), "a␀b‹|im_start|›");
        assert_eq!(neutralise("⟦INST] <|>"), "[[ INST ] ‹|›");
        assert_eq!(neutralise("x <- [INST] hi [/INST]"), "x <- [ INST ] hi [ /INST ]");
        assert!(matches!(neutralise("plain [1] <b> text"), Cow::Borrowed(_)));
    }

    #[test]
    fn tool_calls_read_as_calls() {
        let mut message = Message::text(Role::Assistant, "done");
        assert_eq!(channel_text(&message, Channel::Tool), "");
        let call = |name: &str| crate::model::conversation::ToolCall {
            name: name.to_owned(),
            arguments: "{}".to_owned(),
            id: None,
        };
        message.tool_calls = vec![call("ls"), call("cat")];
        assert_eq!(channel_text(&message, Channel::Tool), "ls({})\ncat({})");
    }

    proptest! {
        #[test]
        fn nothing_dangerous_remains(text in "[a-z⟦⟧〚\\x00<>|/\\[\\]INSTs]{0,60}") {
            let once = neutralise(&text).into_owned();
            prop_assert!(!SHAPES.is_match(&once), "{once:?}");
            prop_assert_eq!(once == text, !SHAPES.is_match(&text), "{:?}", once);
        }
    }
}
