//! A conversation that is too long for one question, in chunks that together show all of it.
//!
//! Every chunk shows the system messages and the task, and then as many messages in a row as there is room for. A chunk
//! ends before a message of the user where that is possible, so that a question and its answer stand together. A message
//! that alone is too long is cut in its middle, and its chunk counts as cut.

use std::collections::BTreeSet;
use std::mem::take;

use super::WindowSettings;
use super::measure::Measure;
use super::window::{Piece, Rank, Window, add_pieces, all, share, share_of};
use crate::model::conversation::{Channel, Conversation, Role};
use crate::model::event::Seen;

/// The chunks of a conversation, in order, and what they show together.
pub(super) struct Chunks<'a> {
    pub(super) windows: Vec<Window<'a>>,
    pub(super) seen: Seen,
    /// Bytes that they show together.
    pub(super) shown_bytes: usize,
}

/// Messages that stand together, with the room that they take.
struct Run<'a> {
    messages: Vec<Shown<'a>>,
    size: usize,
}

/// One message with its channels.
struct Shown<'a> {
    pieces: Vec<Piece<'a>>,
    size: usize,
    /// Whether it begins an exchange.
    is_opening: bool,
}

impl Run<'_> {
    fn append(&mut self, other: Self) {
        self.size += other.size;
        self.messages.extend(other.messages);
    }

    fn has_unit(&self) -> bool {
        self.messages.iter().flat_map(|message| &message.pieces).any(|piece| piece.is_unit)
    }
}

/// The chunks of a conversation; `None` where it fits, where system and task take more than half of the space, and where
/// there is no turn.
pub(super) fn chunks<'a>(
    conversation: &'a Conversation,
    settings: &WindowSettings,
    channels: &BTreeSet<Channel>,
) -> Option<Chunks<'a>> {
    let (required, rest) = split(conversation, (channels, Measure::of(settings.limit)));
    let (most, taken) = (Measure::room(settings.limit), size(&required));
    let room = most.saturating_sub(taken);
    let wanted: usize = rest.iter().map(|message| message.size).sum();
    if wanted <= room || taken > most / 2 {
        return None;
    }
    let texts = required.iter().chain(rest.iter().flat_map(|message| &message.pieces)).map(|piece| piece.text.len());
    let wanted_bytes = texts.sum();
    let mut windows = Vec::new();
    // A stretch without a turn holds nothing to judge: nobody reads it, and whoever reads on has not seen it.
    let mut is_missed = false;
    for run in packed(rest, room) {
        if !run.has_unit() {
            is_missed = true;
            continue;
        }
        let mut pieces = required.clone();
        pieces.extend(run.messages.into_iter().flat_map(|message| message.pieces));
        share(pieces.iter_mut().filter(|piece| piece.rank != Rank::Required), room);
        pieces.sort_by_key(|piece| piece.message);
        let mut window = Window::of(pieces, settings);
        window.seen.cut |= take(&mut is_missed);
        windows.push(window);
    }
    if let (true, Some(last)) = (is_missed, windows.last_mut()) {
        last.seen.cut = true;
    }
    if windows.is_empty() {
        return None;
    }
    let (seen, shown_bytes) = together(wanted_bytes, &windows);
    Some(Chunks { windows, seen, shown_bytes })
}

/// Every message that one of the windows shows, and how much of the wanted text they show together.
fn together(wanted_bytes: usize, windows: &[Window<'_>]) -> (Seen, usize) {
    let messages: BTreeSet<u32> = windows.iter().flat_map(|window| window.seen.messages.iter().copied()).collect();
    let mut shown_bytes = 0;
    for (number, window) in windows.iter().enumerate() {
        let counted = window.pieces.iter().filter(|piece| number == 0 || piece.rank != Rank::Required);
        shown_bytes += counted.map(Piece::shown_bytes).sum::<usize>();
    }
    let seen = Seen {
        messages: messages.into_iter().collect(),
        coverage: share_of(shown_bytes, wanted_bytes),
        cut: windows.iter().any(|window| window.seen.cut),
        ..Seen::default()
    };
    (seen, shown_bytes)
}

/// What every chunk shows, and the other messages in order.
fn split<'a>(
    conversation: &'a Conversation,
    (channels, measure): (&BTreeSet<Channel>, Measure),
) -> (Vec<Piece<'a>>, Vec<Shown<'a>>) {
    let (mut required, mut rest) = (Vec::new(), Vec::new());
    let mut before = None;
    for (index, rank) in all(conversation) {
        let Some(message) = conversation.message(index) else { continue };
        let mut pieces = Vec::new();
        add_pieces(&mut pieces, (index, message), rank, (channels, measure));
        let is_opening = message.role == Role::User && before != Some(Role::User);
        before = Some(message.role);
        if rank == Rank::Required {
            required.append(&mut pieces);
        } else {
            rest.push(Shown { size: size(&pieces), pieces, is_opening });
        }
    }
    (required, rest)
}

fn size(pieces: &[Piece<'_>]) -> usize {
    pieces.iter().map(|piece| piece.size).sum()
}

/// Messages in as few runs as there is room for, exchanges whole where they fit.
fn packed<'a>(messages: Vec<Shown<'a>>, room: usize) -> Vec<Run<'a>> {
    let mut exchanges: Vec<Run<'a>> = Vec::new();
    for message in messages {
        let is_opening = message.is_opening;
        let message = Run { size: message.size, messages: vec![message] };
        match exchanges.last_mut().filter(|_| !is_opening) {
            Some(exchange) => exchange.append(message),
            None => exchanges.push(message),
        }
    }
    let mut runs: Vec<Run<'a>> = Vec::new();
    let mut add = |stretch: Run<'a>, begins: bool| match runs
        .last_mut()
        .filter(|open| !begins && open.size + stretch.size <= room)
    {
        Some(open) => open.append(stretch),
        None => runs.push(stretch),
    };
    for exchange in exchanges {
        if exchange.size <= room {
            add(exchange, false);
            continue;
        }
        // It has to be taken apart: not between its question and what follows on it.
        for (number, message) in exchange.messages.into_iter().enumerate() {
            add(Run { size: message.size, messages: vec![message] }, number == 0);
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::conversation::Message;
    use crate::prompt::window::tests::{chat, conversation};

    fn settings(max_chars: u32) -> WindowSettings {
        WindowSettings::of_chars(0, max_chars, 0.6)
    }

    fn chunked(lengths: &[(Role, usize)], max_chars: u32) -> Option<(Vec<Vec<u32>>, Seen)> {
        let chat = chat(lengths);
        let Chunks { windows, seen, .. } = chunks(&chat, &settings(max_chars), &Channel::ALL.into())?;
        Some((windows.into_iter().map(|window| window.seen.messages).collect(), seen))
    }

    const EXCHANGES: [(Role, usize); 8] = [
        (Role::System, 10),
        (Role::User, 10),
        (Role::Assistant, 100),
        (Role::User, 50),
        (Role::Assistant, 100),
        (Role::Tool, 20),
        (Role::Assistant, 100),
        (Role::User, 10),
    ];

    #[test]
    fn every_chunk_shows_system_and_task_and_whole_exchanges() {
        assert_eq!(chunked(&EXCHANGES, 400), None, "it fits");
        let (messages, seen) = chunked(&EXCHANGES, 300).unwrap();
        assert_eq!(messages, [vec![0, 1, 2], vec![0, 1, 3, 4, 5, 6, 7]]);
        assert_eq!((seen.messages.len(), seen.cut), (8, false));
        assert!((seen.coverage - 1.0).abs() < f64::EPSILON);
        // An exchange that is too long is taken apart between its messages.
        let (messages, seen) = chunked(&EXCHANGES, 200).unwrap();
        assert_eq!(messages, [vec![0, 1, 2], vec![0, 1, 3, 4, 5], vec![0, 1, 6, 7]]);
        assert!(!seen.cut);
    }

    #[test]
    fn what_no_chunk_shows_makes_its_neighbour_cut() {
        let lengths = [(Role::User, 10), (Role::Assistant, 100), (Role::Tool, 170), (Role::Assistant, 100)];
        let chat = chat(&lengths);
        let Chunks { windows, seen, .. } = chunks(&chat, &settings(200), &Channel::ALL.into()).unwrap();
        let cut: Vec<_> = windows.iter().map(|window| (window.seen.messages.clone(), window.seen.cut)).collect();
        assert_eq!(cut, [(vec![0, 1], false), (vec![0, 3], true)], "nobody reads a tool output by itself");
        assert_eq!((seen.messages, seen.cut), (vec![0, 1, 3], true));
        assert!((seen.coverage - 210.0 / 380.0).abs() < 1e-9);
        let long = [(Role::User, 10), (Role::Assistant, 500), (Role::User, 10), (Role::Assistant, 50)];
        let (messages, seen) = chunked(&long, 200).unwrap();
        assert_eq!(
            (messages, seen.cut),
            (vec![vec![0, 1], vec![0, 2, 3]], true),
            "a long message is cut in its middle"
        );
    }

    #[test]
    fn where_the_task_fills_the_space_nothing_is_read_in_chunks() {
        assert_eq!(chunked(&[(Role::User, 150), (Role::Assistant, 100), (Role::Assistant, 100)], 200), None);
    }

    fn any_conversation() -> impl Strategy<Value = Conversation> {
        let role = prop_oneof![Just(Role::System), Just(Role::User), Just(Role::Assistant), Just(Role::Tool)];
        let message = (role, "[aé⟦| ]{0,60}", proptest::option::of("[bü]{0,40}"));
        proptest::collection::vec(message, 1..16).prop_map(|parts| {
            let build = |(role, content, reasoning)| Message { role, content, reasoning, tool_calls: Vec::new() };
            conversation(parts.into_iter().map(build).collect())
        })
    }

    proptest! {
        /// No chunk is longer than the window, every turn is in one of them, and unless something is cut, all text is.
        #[test]
        fn chunks_show_every_turn_once(conversation in any_conversation(), max_chars in 1_u32..300) {
            let Some(Chunks { windows, seen, .. }) = chunks(&conversation, &settings(max_chars), &Channel::ALL.into()) else {
                return Ok(());
            };
            let mut turns = Vec::new();
            for window in &windows {
                let shown: usize = window.pieces.iter().map(|piece| {
                    let shown = piece.shown();
                    shown.head.chars().count() + shown.tail.chars().count()
                }).sum();
                prop_assert!(shown <= max_chars as usize);
                let units: BTreeSet<_> = window.pieces.iter().filter(|piece| piece.is_unit).map(|piece| piece.message).collect();
                prop_assert!(!units.is_empty(), "there is something to judge");
                turns.extend(units);
            }
            prop_assert_eq!(turns, conversation.turns().collect::<Vec<_>>());
            prop_assert!((0.0..=1.0).contains(&seen.coverage));
            prop_assert!(seen.cut || (seen.coverage - 1.0).abs() < 1e-12, "{}", seen.coverage);
            if !seen.cut {
                let shown: BTreeSet<_> = windows.iter().flat_map(|window| &window.pieces).map(|piece| piece.message).collect();
                prop_assert_eq!(shown.len(), conversation.messages.len());
            }
        }
    }
}
