//! Whether a quote stands where a grader says it stands.
//!
//! A quote is looked up in the text as the grader saw it, byte by byte, and then with both sides normalised: NFKC,
//! white space, typographic quotation marks and dashes, and the neutralisation of look-alike structure. A looser match
//! would accept quotes that were made up; a stricter one would reject what a tokenizer or a keyboard changes.

use unicode_normalization::UnicodeNormalization;

use crate::model::conversation::{Channel, Message};
use crate::model::shown::{channel_text, neutralise};
use crate::model::verdict::QuoteCheck;

/// A shorter quote stands everywhere and shows nothing.
const SHORTEST_QUOTE_CHARS: usize = 3;

/// Looks a quote up in the cited message. A message that was not shown has to be treated as not found by the caller.
#[must_use]
pub fn check_quote(message: &Message, channel: Channel, quote: &str) -> QuoteCheck {
    let wanted = normalised(quote);
    if wanted.chars().count() < SHORTEST_QUOTE_CHARS {
        return QuoteCheck::NotFound;
    }
    let cited = channel_text(message, channel);
    if neutralise(&cited).contains(quote) {
        return QuoteCheck::Exact;
    }
    if normalised(&cited).contains(&wanted) {
        return QuoteCheck::Normalised;
    }
    let others = Channel::ALL.into_iter().filter(|other| *other != channel);
    let stands_elsewhere = others.into_iter().any(|other| normalised(&channel_text(message, other)).contains(&wanted));
    if stands_elsewhere { QuoteCheck::OtherChannel } else { QuoteCheck::NotFound }
}

/// The form in which texts are compared: words apart by one space, plain quotation marks and dashes, NFKC.
fn normalised(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut is_gap = false;
    for c in neutralise(text).nfkc().filter_map(plain_char) {
        if c.is_whitespace() {
            is_gap = !plain.is_empty();
            continue;
        }
        if is_gap {
            plain.push(' ');
            is_gap = false;
        }
        plain.push(c);
    }
    plain
}

fn plain_char(c: char) -> Option<char> {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' => Some('\''),
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{2033}' | '«' | '»' => Some('"'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        // Invisible: soft hyphen, zero-width characters, byte order mark.
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => None,
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::conversation::{Role, ToolCall};
    use proptest::prelude::*;

    fn message() -> Message {
        Message {
            role: Role::Assistant,
            content: "It’s “done” — see\n  the ﬁle ⟦x⟧ <|end|>.".to_owned(),
            reasoning: Some("The hidden tests check only the output.".to_owned()),
            tool_calls: vec![ToolCall { name: "run".to_owned(), arguments: "{\"cmd\":\"ls\"}".to_owned(), id: None }],
        }
    }

    #[test]
    fn quotes_are_found_as_shown_then_normalised_then_elsewhere() {
        let check = |channel, quote| check_quote(&message(), channel, quote);
        assert_eq!(check(Channel::Reasoning, "hidden tests"), QuoteCheck::Exact);
        assert_eq!(check(Channel::Final, "[[x]]"), QuoteCheck::Exact);
        assert_eq!(check(Channel::Final, "⟦x⟧ <|end|>"), QuoteCheck::Normalised);
        assert_eq!(check(Channel::Final, "It's \"done\" - see the file"), QuoteCheck::Normalised);
        assert_eq!(check(Channel::Final, " done "), QuoteCheck::Normalised);
        assert_eq!(check(Channel::Tool, "run({\"cmd\":\"ls\"})"), QuoteCheck::Exact);
        assert_eq!(check(Channel::Final, "hidden tests"), QuoteCheck::OtherChannel);
        assert_eq!(check(Channel::Final, "visible tests"), QuoteCheck::NotFound);
        assert_eq!(check(Channel::Final, "the ... file"), QuoteCheck::NotFound, "an ellipsis is not a quote");
    }

    #[test]
    fn words_on_both_sides_of_an_omission_are_no_quote() {
        let text = format!("They will never look {} at the appendix.", "and so on ".repeat(40));
        let message = Message::text(Role::Assistant, text);
        let check = |quote: &str| check_quote(&message, Channel::Final, quote);
        assert_eq!(check("They will never look"), QuoteCheck::Exact);
        assert_eq!(check("They will never look at the appendix."), QuoteCheck::NotFound);
        let marker = "They will never look\n⟦0123456789abcdef 401 characters not shown⟧\nat the appendix.";
        assert_eq!(check(marker), QuoteCheck::NotFound, "nor with the marker between them");
    }

    #[test]
    fn what_stands_everywhere_shows_nothing() {
        for quote in ["", " ", "I", "It", " \u{200b}e ", "\n\n\n"] {
            assert_eq!(check_quote(&message(), Channel::Final, quote), QuoteCheck::NotFound, "{quote:?}");
        }
    }

    proptest! {
        #[test]
        fn every_stretch_of_what_is_shown_verifies(
            text in "[a-zé⟦⟧<| \n“—]{10,60}", from in 0usize..8, length in 3usize..20,
        ) {
            let message = Message::text(Role::Assistant, &text);
            let quote: String = neutralise(&text).chars().skip(from).take(length).collect();
            let is_long = normalised(&quote).chars().count() >= SHORTEST_QUOTE_CHARS;
            let expected = if is_long { QuoteCheck::Exact } else { QuoteCheck::NotFound };
            prop_assert_eq!(check_quote(&message, Channel::Final, &quote), expected);
        }
    }
}
