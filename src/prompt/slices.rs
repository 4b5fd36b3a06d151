//! A turn that is too long for one question, in slices that together show all of it.
//!
//! Every slice shows the system messages and the task, and then a stretch of the turn's audited text, channel after channel.
//! Neighbours have no room. Slices overlap a little, so that words at a border stand whole in one of them. What a slice does
//! not show of the turn is marked as judged in other requests, because it is no reason to withhold a judgement.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::WindowSettings;
use super::chunks::Chunks;
use super::measure::Measure;
use super::window::{Extent, Piece, Rank, Window, add_pieces, room_of_unit, share, share_of, wanted};
use crate::model::conversation::{Channel, Conversation};
use crate::model::event::Seen;

/// The part of a slice that the next one shows as well, at most: one in so many, and so many smallest parts.
const OVERLAP_SHARE: usize = 8;
const OVERLAP_PARTS: usize = 2;

/// The slices of a turn; `None` where it is to be cut, and where it has room. There is none where less than `min_coverage`
/// of what is wanted would be shown by all of them together, or where there is no room for a passage.
pub(super) fn slices<'a>(
    conversation: &'a Conversation,
    turn: u32,
    settings: &WindowSettings,
    channels: &BTreeSet<Channel>,
) -> Option<Chunks<'a>> {
    if settings.over_long.is_cut() {
        return None;
    }
    let measure = Measure::of(settings.limit);
    let Wanted { mut required, unit, neighbours } = sorted(conversation, turn, (settings, channels, measure));
    let (most, taken) = (Measure::room(settings.limit), size(&required));
    let room = room_of_unit(most, taken);
    if size(&unit) <= room {
        return None;
    }
    share(required.iter_mut(), most - room);
    let bytes = |pieces: &[Piece<'_>]| pieces.iter().map(|piece| piece.text.len()).sum::<usize>();
    let shown_bytes = required.iter().map(Piece::shown_bytes).sum::<usize>() + bytes(&unit);
    let coverage = share_of(shown_bytes, bytes(&required) + bytes(&unit) + neighbours);
    let mut windows = Vec::new();
    // The floor is for all slices together: a last one that is short shows little of what is wanted, and all of its turn.
    let of_slice = WindowSettings { min_coverage: 0.0, ..*settings };
    if coverage >= settings.min_coverage && room >= measure.smallest_part() {
        for slice in sliced(&unit, room, measure) {
            let mut pieces = required.clone();
            pieces.extend(slice);
            pieces.sort_by_key(|piece| piece.message);
            windows.push(Window::of(pieces, &of_slice));
        }
    }
    let messages: BTreeSet<u32> = windows.iter().flat_map(|window| window.seen.messages.iter().copied()).collect();
    let seen = Seen { messages: messages.into_iter().collect(), coverage, cut: coverage < 1.0, ..Seen::default() };
    let shown_bytes = if windows.is_empty() { 0 } else { shown_bytes };
    Some(Chunks { windows, seen, shown_bytes })
}

/// What is wanted of a turn that may be too long.
struct Wanted<'a> {
    required: Vec<Piece<'a>>,
    unit: Vec<Piece<'a>>,
    /// Bytes of the neighbours.
    neighbours: usize,
}

fn sorted<'a>(
    conversation: &'a Conversation,
    turn: u32,
    (settings, channels, measure): (&WindowSettings, &BTreeSet<Channel>, Measure),
) -> Wanted<'a> {
    let (mut required, mut unit, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (index, rank) in wanted(conversation, turn, settings.neighbours) {
        let Some(message) = conversation.message(index) else { continue };
        let pieces = match rank {
            Rank::Unit => &mut unit,
            Rank::Required => &mut required,
            Rank::Neighbour(_) | Rank::Rest => &mut others,
        };
        add_pieces(pieces, (index, message), rank, (channels, measure));
    }
    Wanted { required, unit, neighbours: others.iter().map(|piece| piece.text.len()).sum() }
}

fn size(pieces: &[Piece<'_>]) -> usize {
    pieces.iter().map(|piece| piece.size).sum()
}

/// Where a slice begins.
#[derive(Clone, Copy, Default)]
struct Place {
    piece: usize,
    byte: usize,
    /// Characters of the piece before it.
    chars: usize,
}

/// The unit's pieces, slice by slice: of each piece a stretch, which is empty where it is in other slices.
fn sliced<'a>(unit: &[Piece<'a>], room: usize, measure: Measure) -> Vec<Vec<Piece<'a>>> {
    let overlap = (room / OVERLAP_SHARE).min(measure.smallest_part() * OVERLAP_PARTS);
    let mut slices = Vec::new();
    let mut start = Some(Place::default());
    while let Some(from) = start {
        let (mut slice, mut left) = (Vec::with_capacity(unit.len()), room);
        start = None;
        for (number, piece) in unit.iter().enumerate() {
            let begins = match number.cmp(&from.piece) {
                std::cmp::Ordering::Less => {
                    slice.push(stretch(piece, (piece.text.len(), piece.text.len()), piece.chars));
                    continue;
                }
                std::cmp::Ordering::Equal => from,
                std::cmp::Ordering::Greater => Place { piece: number, byte: 0, chars: 0 },
            };
            if start.is_some() {
                slice.push(stretch(piece, (0, 0), 0));
                continue;
            }
            let (_, rest) = piece.text.split_at(begins.byte);
            let end = begins.byte + measure.head(rest, left);
            let shown = stretch(piece, (begins.byte, end), begins.chars);
            left -= shown.size;
            if end < piece.text.len() {
                // Words at the border are shown again.
                let again = measure.tail(&shown.text, overlap.min(shown.size));
                let chars = begins.chars + shown.text.split_at(again).0.chars().count();
                start = Some(Place { piece: number, byte: begins.byte + again, chars });
            }
            slice.push(shown);
        }
        slices.push(slice);
    }
    slices
}

/// What stands between two bytes of a piece, as a piece of its own.
fn stretch<'a>(piece: &Piece<'a>, (from, to): (usize, usize), before: usize) -> Piece<'a> {
    let text = match &piece.text {
        Cow::Borrowed(text) => Cow::Borrowed(text.split_at(to).0.split_at(from).1),
        Cow::Owned(text) => Cow::Owned(text.split_at(to).0.split_at(from).1.to_owned()),
    };
    let (size, chars) = piece.measure.size(&text);
    let after = piece.chars - before - chars;
    let extent = if before + after == 0 { Extent::Whole } else { Extent::Slice { before, after } };
    Piece { text, size, chars, extent, ..*piece }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::conversation::{Message, Role};
    use crate::prompt::window::tests::{chat, conversation};
    use crate::prompt::{OverLong, WindowLimit};

    fn settings(limit: WindowLimit) -> WindowSettings {
        WindowSettings { limit, over_long: OverLong::Chunk, ..WindowSettings::of_chars(1, 0, 0.6) }
    }

    fn of(lengths: &[(Role, usize)], turn: u32, limit: WindowLimit) -> Option<(usize, Seen)> {
        let chat = chat(lengths);
        let Chunks { windows, seen, .. } = slices(&chat, turn, &settings(limit), &Channel::ALL.into())?;
        Some((windows.len(), seen))
    }

    const TURN: [(Role, usize); 4] =
        [(Role::System, 100), (Role::User, 100), (Role::Assistant, 3_000), (Role::User, 40)];

    #[test]
    fn a_turn_is_taken_apart_only_if_it_has_no_room() {
        assert!(of(&TURN, 2, WindowLimit::Chars(3_200)).is_none(), "it fits, without its neighbour");
        let (count, seen) = of(&TURN, 2, WindowLimit::Chars(1_200)).unwrap();
        // 1,000 characters a slice, of which 125 stand in the one before as well: 1,000 + 875 + 875 + 500.
        assert_eq!(
            (count, seen.messages.as_slice(), seen.cut),
            (4, &[0, 1, 2][..], true),
            "the neighbour is not shown"
        );
        assert!((seen.coverage - 3_200.0 / 3_240.0).abs() < 1e-9);
        // The same in tokens: three of these characters each.
        assert_eq!(of(&TURN, 2, WindowLimit::Tokens(400)).unwrap().0, 4);
        let cut = WindowSettings { over_long: OverLong::Cut, ..settings(WindowLimit::Chars(1_200)) };
        assert!(slices(&chat(&TURN), 2, &cut, &Channel::ALL.into()).is_none());
    }

    #[test]
    fn too_little_room_or_coverage_leaves_nothing_to_ask() {
        let (count, seen) = of(&TURN, 2, WindowLimit::Chars(300)).unwrap();
        assert_eq!((count, seen.messages.is_empty()), (0, true), "no room for a passage");
        let (count, seen) = of(&[(Role::Assistant, 1_000), (Role::Tool, 9_000)], 0, WindowLimit::Chars(500)).unwrap();
        assert_eq!((count, seen.cut), (0, true));
        assert!((seen.coverage - 0.1).abs() < 1e-9, "below the floor with all of the turn shown");
    }

    #[test]
    fn a_short_last_slice_is_asked_about_like_the_others() {
        for length in (3_000..6_000).step_by(37) {
            let chat = chat(&[(Role::User, 2_750), (Role::Assistant, length)]);
            let Chunks { windows, seen, .. } =
                slices(&chat, 1, &settings(WindowLimit::Chars(3_000)), &Channel::ALL.into()).unwrap();
            assert!(seen.coverage >= 0.6 && !windows.is_empty(), "{length}");
            assert!(windows.iter().all(|window| window.is_sufficient), "{length}: all of the turn is shown");
        }
    }

    proptest! {
        /// Every character of the turn is in a slice, in order, with the stated numbers of characters on either side.
        #[test]
        fn slices_show_all_of_a_turn(
            reasoning in "[a-cä测⟦ ]{0,900}", text in "[a-cä测<| ]{300,900}", most in 420u32..900, tokens in any::<bool>(),
        ) {
            let message = Message { reasoning: Some(reasoning), ..Message::text(Role::Assistant, text) };
            let chat = conversation(vec![Message::text(Role::User, "q"), message]);
            let limit = if tokens { WindowLimit::Tokens(most / 2) } else { WindowLimit::Chars(most) };
            let Some(Chunks { windows, seen, .. }) = slices(&chat, 1, &settings(limit), &Channel::ALL.into()) else {
                return Ok(());
            };
            prop_assert!(!windows.is_empty() && !seen.cut && (seen.coverage - 1.0).abs() < 1e-12);
            let mut whole = Vec::new();
            add_pieces(&mut whole, (1, chat.message(1).unwrap()), Rank::Unit, (&Channel::ALL.into(), Measure::of(limit)));
            let mut reached = vec![0; whole.len()];
            for window in &windows {
                prop_assert!(window.is_sufficient && !window.seen.cut);
                prop_assert!(size(&window.pieces) <= Measure::room(limit));
                for (number, piece) in window.pieces.iter().filter(|piece| piece.is_unit).enumerate() {
                    let shown = piece.shown();
                    prop_assert_eq!(shown.before + piece.chars + shown.after, whole[number].chars);
                    let expected: String = whole[number].text.chars().skip(shown.before).take(piece.chars).collect();
                    prop_assert_eq!(&expected, shown.head);
                    if piece.chars > 0 {
                        prop_assert!(shown.before <= reached[number], "nothing is left out");
                        reached[number] = shown.before + piece.chars;
                    }
                }
            }
            prop_assert_eq!(reached, whole.iter().map(|piece| piece.chars).collect::<Vec<_>>());
        }
    }
}
