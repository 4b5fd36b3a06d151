//! The fence around untrusted text: every line of structure carries a nonce that the transcript cannot know, and text
//! is neutralised so that it cannot look like structure.

use std::fmt::{self, Write};

use super::window::{Extent, Piece, Stretches, Window};
use crate::model::conversation::Conversation;
use crate::model::grading::{NONCE_LENGTH, NONCE_PLACEHOLDER};
use crate::model::hash::Digest;

/// The nonce of one request: 16 hexadecimal digits that only the holder of the workspace secret can compute.
#[must_use]
pub fn nonce(secret: &[u8; 32], key: &Digest) -> String {
    let keyed = blake3::keyed_hash(secret, key.as_bytes());
    keyed.to_hex().chars().take(NONCE_LENGTH).collect()
}

/// The text with the nonce in place of [`NONCE_PLACEHOLDER`]: what is sent.
#[must_use]
pub fn with_nonce(text: &str, nonce: &str) -> String {
    text.replace(NONCE_PLACEHOLDER, nonce)
}

/// Renders a window at the end of `out`; see the module's documentation for the form.
pub(super) fn fence(out: &mut String, conversation: &Conversation, window: &Window<'_>) {
    let text: usize = window.pieces.iter().map(|piece| piece.text.len() + 48).sum();
    out.reserve(text + 64);
    structure(out, format_args!("transcript"));
    let shown = |piece: &&Piece<'_>| window.seen.messages.binary_search(&piece.message).is_ok();
    let mut next = 0;
    for piece in window.pieces.iter().filter(shown) {
        gap(out, conversation, next, piece.message);
        section(out, piece);
        next = piece.message + 1;
    }
    let end = u32::try_from(conversation.messages.len()).unwrap_or(u32::MAX);
    gap(out, conversation, next, end);
    structure(out, format_args!("end of transcript"));
    out.pop();
}

fn section(out: &mut String, piece: &Piece<'_>) {
    let Piece { message, role, channel, is_unit, .. } = piece;
    let target = if *is_unit { " TARGET" } else { "" };
    structure(out, format_args!("#{message} {}/{}{target}", role.as_str(), channel.as_str()));
    let Stretches { before, head, omitted, tail, after } = piece.shown();
    elsewhere(out, before);
    lines(out, head);
    match piece.extent {
        Extent::Whole | Extent::Slice { .. } => {}
        Extent::Part(_) | Extent::Dropped => {
            structure(out, format_args!("{omitted} characters not shown"));
            lines(out, tail);
        }
    }
    elsewhere(out, after);
}

/// Says how much of a message that is read in slices stands before or after this one.
fn elsewhere(out: &mut String, chars: usize) {
    if chars > 0 {
        structure(out, format_args!("{chars} characters judged in other requests"));
    }
}

/// Says what stands between the last message shown and the next one.
fn gap(out: &mut String, conversation: &Conversation, from: u32, to: u32) {
    let hidden = conversation.messages.get(from as usize..to as usize).unwrap_or_default();
    if hidden.is_empty() {
        return;
    }
    let chars: usize = hidden
        .iter()
        .map(|message| {
            let calls =
                message.tool_calls.iter().map(|call| call.name.chars().count() + call.arguments.chars().count());
            let reasoning = message.reasoning.as_ref().map_or(0, |text| text.chars().count());
            message.content.chars().count() + reasoning + calls.sum::<usize>()
        })
        .sum();
    let plural = if hidden.len() == 1 { "" } else { "s" };
    structure(out, format_args!("{} message{plural}, {chars} characters not shown", hidden.len()));
}

fn structure(out: &mut String, words: fmt::Arguments<'_>) {
    writeln!(out, "⟦{NONCE_PLACEHOLDER} {words}⟧").expect("a string takes everything");
}

fn lines(out: &mut String, text: &str) {
    out.push_str(text);
    if !text.is_empty() && !text.ends_with('\n') {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::conversation::{Channel, Message, Role, ToolCall};
    use crate::prompt::WindowSettings;
    use crate::prompt::window::tests::conversation;
    use crate::prompt::window::window;
    use proptest::prelude::*;

    fn render(conversation: &Conversation, turn: u32, settings: WindowSettings) -> String {
        let mut out = String::new();
        fence(&mut out, conversation, &window(conversation, Some(turn), &settings, &BTreeSet::from(Channel::ALL)));
        out
    }

    #[test]
    fn the_form_is_as_documented() {
        let call = ToolCall { name: "run".to_owned(), arguments: "{\"cmd\": \"ls\"}".to_owned(), id: None };
        let mut unit = Message::text(Role::Assistant, "");
        unit.reasoning = Some("Let me look.\n".to_owned());
        unit.tool_calls = vec![call];
        let chat = conversation(vec![
            Message::text(Role::System, "Be brief."),
            Message::text(Role::User, "What is here?"),
            Message::text(Role::Assistant, "A long answer"),
            Message::text(Role::Tool, "more"),
            Message::text(Role::User, "x".repeat(500)),
            unit,
            Message::text(Role::Tool, "a.txt"),
        ]);
        let settings = WindowSettings::of_chars(0, 100, 0.0);
        insta::assert_snapshot!(with_nonce(&render(&chat, 5, settings), "0123456789abcdef"));
    }

    #[test]
    fn a_nonce_depends_on_secret_and_key() {
        let first = nonce(&[1; 32], &Digest::of(b"a"));
        assert_eq!(first.len(), NONCE_LENGTH);
        assert_ne!(first, nonce(&[2; 32], &Digest::of(b"a")));
        assert_ne!(first, nonce(&[1; 32], &Digest::of(b"b")));
    }

    proptest! {
        #[test]
        fn no_text_can_leave_the_fence(
            texts in proptest::collection::vec("(\u{0}nonce\u{0}|⟦\u{0}nonce\u{0} end of transcript⟧|⟦|⟧|\n|\u{0}|[a-z#0-9/ ]){0,20}", 1..6),
            max_chars in 0u32..200,
        ) {
            let messages: Vec<_> = texts.iter().map(|text| Message::text(Role::Assistant, text)).collect();
            let chat = conversation(messages);
            let out = render(&chat, 0, WindowSettings::of_chars(9, max_chars, 0.0));
            for line in out.lines().filter(|line| line.contains(['⟦', '⟧', '\u{0}'])) {
                let opening = format!("⟦{NONCE_PLACEHOLDER} ");
                prop_assert!(line.starts_with(&opening) && line.ends_with('⟧'), "{line:?}");
                prop_assert_eq!(line.matches(['⟦', '⟧', '\u{0}']).count(), 4);
            }
            prop_assert_eq!(out.matches("end of transcript⟧").count(), 1);
        }
    }
}
