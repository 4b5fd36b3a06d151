//! The text around evidence, cut to what a reader needs.

use std::ops::Range;

use super::VerdictRow;
use crate::model::conversation::{Channel, Conversation, Role};
use crate::model::shown::channel_text;

/// Characters of the judged message, and of one that is cited, around each quote and at the beginning.
const AROUND: usize = 1_200;

/// Characters of every other message.
const CONTEXT: usize = 600;

/// One channel of one message.
#[derive(Clone, PartialEq, Eq)]
pub struct Passage {
    /// The message id.
    pub message: u32,
    /// Who speaks.
    pub role: Role,
    /// Which part of the message.
    pub channel: Channel,
    /// Whether it is the judged message.
    pub is_target: bool,
    /// Whether a side quotes it.
    pub is_cited: bool,
    /// The text in order.
    pub pieces: Vec<Piece>,
}

/// A stretch of text, or a gap.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text, and which sides quote it.
    Text {
        /// The text.
        text: String,
        /// Whether A quotes it.
        a: bool,
        /// Whether B quotes it.
        b: bool,
    },
    /// This many characters are left out.
    Gap(usize),
}

/// What to show of a conversation beside the verdicts of two sides: of the messages `seen` by a grader, the judged one and
/// those that are cited around their quotes, and the beginnings of the others.
#[must_use]
pub fn passages(
    conversation: &Conversation,
    target: Option<u32>,
    seen: &[u32],
    sides: [&[VerdictRow]; 2],
) -> Vec<Passage> {
    let mut passages = Vec::new();
    for index in seen {
        let Some(message) = conversation.message(*index) else { continue };
        for channel in Channel::ALL {
            let text = channel_text(message, channel);
            if text.is_empty() {
                continue;
            }
            let [a, b] = sides.map(|side| quoted(&text, *index, side));
            let (is_target, is_cited) = (target == Some(*index), !a.is_empty() || !b.is_empty());
            let around = if is_target || is_cited { AROUND } else { CONTEXT };
            let pieces = pieces(&text, &a, &b, around);
            passages.push(Passage { message: *index, role: message.role, channel, is_target, is_cited, pieces });
        }
    }
    passages
}

/// Where the verified quotes of a side stand in the text, byte by byte. One that differs in form only is not marked.
fn quoted(text: &str, message: u32, side: &[VerdictRow]) -> Vec<Range<usize>> {
    let evidence = side.iter().flat_map(|verdict| &verdict.evidence);
    let of_message = evidence.filter(|evidence| evidence.message == message && evidence.check.is_verified());
    let found = of_message.filter(|evidence| !evidence.quote.is_empty());
    found.filter_map(|evidence| text.find(&evidence.quote).map(|start| start..start + evidence.quote.len())).collect()
}

/// The text cut at every boundary of a quote and of what is kept.
fn pieces(text: &str, a: &[Range<usize>], b: &[Range<usize>], around: usize) -> Vec<Piece> {
    let kept = kept(text, a.iter().chain(b), around);
    let mut cuts: Vec<usize> = kept.iter().chain(a).chain(b).flat_map(|range| [range.start, range.end]).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    let within = |ranges: &[Range<usize>], at: usize| ranges.iter().any(|range| range.contains(&at));
    let mut pieces = Vec::new();
    for cut in cuts.windows(2) {
        let part = text.get(cut[0]..cut[1]).unwrap_or_default();
        pieces.push(if within(&kept, cut[0]) {
            Piece::Text { text: part.to_owned(), a: within(a, cut[0]), b: within(b, cut[0]) }
        } else {
            Piece::Gap(part.chars().count())
        });
    }
    pieces
}

/// Ranges that are shown, in order and apart: the beginning, and what surrounds each quote.
fn kept<'a>(text: &str, quotes: impl Iterator<Item = &'a Range<usize>>, around: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = quotes
        .map(|quote| before(text, quote.start, around)..after(text, quote.end, around))
        .chain(std::iter::once(0..after(text, 0, around)))
        .collect();
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            Some(_) | None => merged.push(range),
        }
    }
    merged
}

/// The place this many characters after a byte, or the end.
fn after(text: &str, start: usize, characters: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    rest.char_indices().nth(characters).map_or(text.len(), |(offset, _)| start + offset)
}

/// The place this many characters before a byte, or the beginning.
fn before(text: &str, end: usize, characters: usize) -> usize {
    let rest = text.get(..end).unwrap_or_default();
    rest.char_indices().rev().nth(characters.saturating_sub(1)).map_or(0, |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use proptest::prelude::*;

    use super::*;

    fn shown(pieces: &[Piece]) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text { text, a: false, b: false } => text.clone(),
            Piece::Text { text, a, b } => {
                format!("<{}{}:{text}>", if *a { "a" } else { "" }, if *b { "b" } else { "" })
            }
            Piece::Gap(characters) => format!("[{characters}]"),
        };
        pieces.iter().map(piece).collect()
    }

    #[test]
    fn quotes_are_marked_and_the_rest_is_cut() {
        assert_eq!(shown(&pieces("äbcdefghij", from_ref(&(3..6)), from_ref(&(4..8)), 100)), "äb<a:c><ab:de><b:fg>hij");
        assert_eq!(
            shown(&pieces(&format!("{}q{}", "x".repeat(20), "y".repeat(20)), from_ref(&(20..21)), &[], 3)),
            "xxx[14]xxx<a:q>yyy[17]"
        );
        assert_eq!(shown(&pieces("", &[], &[], 3)), "");
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "[aé\n]{0,80}", start in 0..80_usize, length in 1..10_usize, around in 1..20_usize) {
            let chars: Vec<_> = text.char_indices().map(|(offset, _)| offset).chain([text.len()]).collect();
            let at = |index: usize| chars[index.min(chars.len() - 1)];
            let quote = at(start)..at(start + length);
            let quotes = if quote.is_empty() { Vec::new() } else { vec![quote.clone()] };
            let pieces = pieces(&text, &quotes, &[], around);
            let mut characters = 0;
            let mut marked = String::new();
            for piece in &pieces {
                match piece {
                    Piece::Text { text, a, .. } => {
                        characters += text.chars().count();
                        if *a { marked.push_str(text); }
                    }
                    Piece::Gap(left_out) => characters += left_out,
                }
            }
            prop_assert_eq!(characters, text.chars().count());
            prop_assert_eq!(marked.as_str(), quotes.first().map_or("", |quote| text.get(quote.clone()).unwrap()));
        }
    }
}
