//! Which part of a conversation a grader sees: the context contract.
//!
//! Wanted are the unit, all system messages, the task (the first user message and the last run of user messages before
//! the unit) and `neighbours` messages on either side of the unit. Of the unit only the audited channels are shown; of
//! all other messages every channel, because what the model thought before is context for what it thinks now.
//!
//! When the wanted text exceeds `max_chars`, or `max_tokens`, far neighbours go first; the nearest one that does not fit is
//! cut in its middle. When even unit, system and task do not fit, their middles are cut, the longest first, and the unit
//! keeps at least half of the space; with `over_long = "chunk"` the unit is read in slices instead (`slices`). Every
//! omission is visible to the grader.
//!
//! Where the unit is the whole conversation, all of it is wanted, and every turn belongs to the unit. What does not fit
//! is read in chunks (`chunks`); where system and task leave no room for that, the other messages are cut in their
//! middles, the longest first.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::WindowSettings;
use super::measure::Measure;
use crate::model::conversation::{Channel, Conversation, Message, Role};
use crate::model::event::Seen;
use crate::model::shown::{channel_text, neutralise};

/// Why a message is wanted, most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Unit,
    /// System and task messages.
    Required,
    /// With its distance from the unit.
    Neighbour(u32),
    /// Whatever else the conversation holds, where it is the unit.
    Rest,
}

/// How much of a piece is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// So much, half from its beginning and half from its end.
    Part(usize),
    /// A stretch of a turn that is read in slices: other questions show so many characters before and after it.
    Slice {
        before: usize,
        after: usize,
    },
    Dropped,
}

/// A piece as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretches<'a> {
    /// Characters before it that other questions show.
    pub(super) before: usize,
    /// Its beginning, or all of it.
    pub(super) head: &'a str,
    /// Characters that nobody is shown.
    pub(super) omitted: usize,
    /// Its end, where something is omitted.
    pub(super) tail: &'a str,
    /// Characters after it that other questions show.
    pub(super) after: usize,
}

/// One channel of one wanted message, neutralised.
#[derive(Clone)]
pub(super) struct Piece<'a> {
    pub(super) message: u32,
    pub(super) role: Role,
    pub(super) channel: Channel,
    pub(super) is_unit: bool,
    pub(super) text: Cow<'a, str>,
    pub(super) measure: Measure,
    /// As the window measures it.
    pub(super) size: usize,
    pub(super) chars: usize,
    pub(super) extent: Extent,
    pub(super) rank: Rank,
}

impl Piece<'_> {
    /// What is shown of it, and how much is not.
    pub(super) fn shown(&self) -> Stretches<'_> {
        let none = Stretches { before: 0, head: "", omitted: 0, tail: "", after: 0 };
        match self.extent {
            Extent::Whole => Stretches { head: &self.text, ..none },
            Extent::Dropped => Stretches { omitted: self.chars, ..none },
            Extent::Part(kept) => {
                let (head, rest) = self.text.split_at(self.measure.head(&self.text, kept.div_ceil(2)));
                let (omitted, tail) = rest.split_at(self.measure.tail(rest, kept / 2));
                Stretches { head, omitted: omitted.chars().count(), tail, ..none }
            }
            Extent::Slice { before, after } => Stretches { before, head: &self.text, after, ..none },
        }
    }

    /// Bytes of what is shown.
    pub(super) fn shown_bytes(&self) -> usize {
        let Stretches { head, tail, .. } = self.shown();
        head.len() + tail.len()
    }
}

/// What is shown of a conversation.
pub(super) struct Window<'a> {
    /// Wanted pieces in the order of the conversation, dropped ones included.
    pub(super) pieces: Vec<Piece<'a>>,
    pub(super) seen: Seen,
    /// Whether enough is visible to ask at all.
    pub(super) is_sufficient: bool,
}

/// Chooses what is shown. `turn` is the index of a message of the conversation; without one, all turns are the unit.
pub(super) fn window<'a>(
    conversation: &'a Conversation,
    turn: Option<u32>,
    settings: &WindowSettings,
    channels: &BTreeSet<Channel>,
) -> Window<'a> {
    let wanted = match turn {
        Some(turn) => wanted(conversation, turn, settings.neighbours),
        None => all(conversation),
    };
    let mut pieces = Vec::new();
    let measure = Measure::of(settings.limit);
    for (index, rank) in wanted {
        if let Some(message) = conversation.message(index) {
            add_pieces(&mut pieces, (index, message), rank, (channels, measure));
        }
    }
    fit(&mut pieces, Measure::room(settings.limit), measure);
    Window::of(pieces, settings)
}

impl<'a> Window<'a> {
    /// Of pieces whose extents are decided.
    pub(super) fn of(pieces: Vec<Piece<'a>>, settings: &WindowSettings) -> Self {
        let seen = seen(&pieces);
        let is_readable = is_unit_readable(&pieces) && has_required(&pieces);
        Self { is_sufficient: seen.coverage >= settings.min_coverage && is_readable, pieces, seen }
    }
}

pub(super) fn wanted(conversation: &Conversation, turn: u32, neighbours: u32) -> BTreeMap<u32, Rank> {
    let messages = || (0u32..).zip(&conversation.messages);
    let mut wanted = BTreeMap::new();
    let mut want = |index: u32, rank: Rank| {
        wanted.entry(index).and_modify(|known: &mut Rank| *known = rank.min(*known)).or_insert(rank);
    };
    want(turn, Rank::Unit);
    let has_role = |role: Role| move |(_, message): &(u32, &Message)| message.role == role;
    messages().filter(has_role(Role::System)).for_each(|(index, _)| want(index, Rank::Required));
    messages().find(has_role(Role::User)).into_iter().for_each(|(index, _)| want(index, Rank::Required));
    let before = conversation.messages.get(..turn as usize).unwrap_or_default();
    let last_run = (0..turn).zip(before).rev().skip_while(|(_, message)| message.role != Role::User);
    last_run.take_while(has_role(Role::User)).for_each(|(index, _)| want(index, Rank::Required));
    let count = u32::try_from(conversation.messages.len()).unwrap_or(u32::MAX);
    for index in turn.saturating_sub(neighbours)..turn.saturating_add(neighbours).saturating_add(1).min(count) {
        want(index, Rank::Neighbour(index.abs_diff(turn)));
    }
    wanted
}

/// Every message of a conversation that is the unit.
pub(super) fn all(conversation: &Conversation) -> BTreeMap<u32, Rank> {
    let mut is_task = true;
    let rank = |message: &Message| match message.role {
        Role::Assistant => Rank::Unit,
        Role::System => Rank::Required,
        Role::User if std::mem::take(&mut is_task) => Rank::Required,
        Role::User | Role::Tool => Rank::Rest,
    };
    (0..).zip(conversation.messages.iter().map(rank)).collect()
}

/// Adds the channels of a message that have text; at least one, so that an empty message is visible as such.
pub(super) fn add_pieces<'a>(
    pieces: &mut Vec<Piece<'a>>,
    (index, message): (u32, &'a Message),
    rank: Rank,
    (audited, measure): (&BTreeSet<Channel>, Measure),
) {
    let is_unit = rank == Rank::Unit;
    let piece = |channel: Channel| {
        let text = match channel_text(message, channel) {
            Cow::Borrowed(text) => neutralise(text),
            Cow::Owned(text) => Cow::Owned(neutralise(&text).into_owned()),
        };
        let (size, chars) = measure.size(&text);
        let (role, extent) = (message.role, Extent::Whole);
        Piece { message: index, role, channel, is_unit, text, measure, size, chars, extent, rank }
    };
    let channels = || Channel::ALL.into_iter().filter(|channel| !is_unit || audited.contains(channel));
    let before = pieces.len();
    pieces.extend(channels().map(piece).filter(|piece| piece.chars > 0));
    if pieces.len() == before {
        let shown = channels().find(|channel| *channel == Channel::Final).or_else(|| channels().next());
        pieces.push(piece(shown.unwrap_or(Channel::Final)));
    }
}

/// Cuts and drops until all that is shown has at most this size.
fn fit(pieces: &mut [Piece<'_>], most: usize, measure: Measure) {
    let total = |pieces: &[Piece<'_>], wanted: fn(Rank) -> bool| -> usize {
        pieces.iter().filter(|piece| wanted(piece.rank)).map(|piece| piece.size).sum()
    };
    let unit = total(pieces, |rank| rank == Rank::Unit);
    let required = total(pieces, |rank| rank == Rank::Required);
    if unit + required <= most {
        let left = most - unit - required;
        share(pieces.iter_mut().filter(|piece| piece.rank == Rank::Rest), left);
        fit_neighbours(pieces, left, measure);
        return;
    }
    let for_unit = unit.min(room_of_unit(most, required));
    share(pieces.iter_mut().filter(|piece| piece.rank == Rank::Unit), for_unit);
    share(pieces.iter_mut().filter(|piece| piece.rank == Rank::Required), most - for_unit);
    share(pieces.iter_mut().filter(|piece| matches!(piece.rank, Rank::Neighbour(_) | Rank::Rest)), 0);
}

/// What a unit has of the space where it does not fit beside system and task: what these leave, half of it at least.
pub(super) fn room_of_unit(most: usize, required: usize) -> usize {
    (most / 2).max(most.saturating_sub(required))
}

/// Shows neighbours from near to far as long as they fit.
fn fit_neighbours(pieces: &mut [Piece<'_>], mut left: usize, measure: Measure) {
    let mut neighbours: Vec<_> = pieces.iter_mut().filter(|piece| matches!(piece.rank, Rank::Neighbour(_))).collect();
    neighbours.sort_by_key(|piece| piece.rank);
    let mut is_full = false;
    for piece in neighbours {
        if !is_full && piece.size <= left {
            left -= piece.size;
            continue;
        }
        let is_worth_it = !is_full && left >= measure.smallest_part();
        piece.extent = if is_worth_it { Extent::Part(left) } else { Extent::Dropped };
        is_full = true;
    }
}

/// Divides some space: short pieces stay whole, long ones are cut to equal length.
pub(super) fn share<'p, 'a: 'p>(pieces: impl Iterator<Item = &'p mut Piece<'a>>, mut space: usize) {
    let mut pieces: Vec<_> = pieces.collect();
    pieces.sort_by_key(|piece| piece.size);
    let mut waiting = pieces.len();
    for piece in pieces {
        let fair = space / waiting;
        let kept = piece.size.min(fair);
        piece.extent = match kept {
            kept if kept == piece.size => Extent::Whole,
            0 => Extent::Dropped,
            kept => Extent::Part(kept),
        };
        space -= kept;
        waiting -= 1;
    }
}

fn seen(pieces: &[Piece<'_>]) -> Seen {
    let wanted: usize = pieces.iter().map(|piece| piece.text.len()).sum();
    let shown: usize = pieces.iter().map(Piece::shown_bytes).sum();
    let coverage = share_of(shown, wanted);
    let visible = pieces.iter().filter(|piece| piece.is_unit || piece.extent != Extent::Dropped);
    let messages: BTreeSet<_> = visible.map(|piece| piece.message).collect();
    let cut = pieces.iter().any(|piece| matches!(piece.extent, Extent::Part(_) | Extent::Dropped));
    Seen { messages: messages.into_iter().collect(), coverage, cut, ..Seen::default() }
}

/// So many bytes of so many; all of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share of at most some gigabytes")]
pub(super) fn share_of(shown: usize, wanted: usize) -> f64 {
    if wanted == 0 { 1.0 } else { shown as f64 / wanted as f64 }
}

/// At least half of the unit's text.
fn is_unit_readable(pieces: &[Piece<'_>]) -> bool {
    let unit = || pieces.iter().filter(|piece| piece.is_unit);
    let shown: usize = unit().map(Piece::shown_bytes).sum();
    let wanted: usize = unit().map(|piece| piece.text.len()).sum();
    shown * 2 >= wanted
}

/// No system or task text is gone altogether.
fn has_required(pieces: &[Piece<'_>]) -> bool {
    !pieces.iter().any(|piece| piece.rank == Rank::Required && piece.extent == Extent::Dropped)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::prompt::WindowLimit;
    use proptest::prelude::*;

    fn all() -> BTreeSet<Channel> {
        Channel::ALL.into()
    }

    pub(in crate::prompt) fn conversation(messages: Vec<Message>) -> Conversation {
        Conversation { id: "c".to_owned(), messages, metadata: BTreeMap::new() }
    }

    pub(in crate::prompt) fn chat(lengths: &[(Role, usize)]) -> Conversation {
        conversation(lengths.iter().map(|&(role, length)| Message::text(role, "x".repeat(length))).collect())
    }

    fn extents(window: &Window<'_>) -> Vec<(u32, Extent)> {
        window.pieces.iter().map(|piece| (piece.message, piece.extent)).collect()
    }

    fn settings(neighbours: u32, max_chars: u32) -> WindowSettings {
        WindowSettings::of_chars(neighbours, max_chars, 0.6)
    }

    const LONG: [(Role, usize); 8] = [
        (Role::System, 100),
        (Role::User, 100),
        (Role::Assistant, 100),
        (Role::User, 100),
        (Role::Assistant, 100),
        (Role::Tool, 100),
        (Role::Assistant, 100),
        (Role::User, 100),
    ];

    #[test]
    fn the_contract_wants_unit_system_task_and_neighbours() {
        let chat = chat(&LONG);
        let window = window(&chat, Some(6), &settings(0, 10_000), &all());
        assert_eq!(window.seen.messages, [0, 1, 3, 6], "the user message before the tool calls is the task at hand");
        let window = super::window(&chat, Some(6), &settings(1, 10_000), &all());
        assert_eq!(window.seen.messages, [0, 1, 3, 5, 6, 7]);
        assert!(window.is_sufficient && !window.seen.cut);
        assert!((window.seen.coverage - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn far_neighbours_go_first_and_the_next_one_is_cut() {
        let mut lengths = LONG;
        lengths[5].1 = 1_000;
        let chat = chat(&lengths);
        let window = window(&chat, Some(6), &settings(2, 900), &all());
        // Unit, system and task take 400 and the neighbour after the unit 100; the long tool output gets the rest.
        assert_eq!(
            extents(&window)[3..],
            [(4, Extent::Dropped), (5, Extent::Part(500)), (6, Extent::Whole), (7, Extent::Dropped)]
        );
        assert_eq!(window.seen.messages, [0, 1, 3, 5, 6]);
        assert!(window.seen.cut);
    }

    #[test]
    fn without_the_unit_or_the_task_nothing_is_asked() {
        let sufficient = |lengths: &[(Role, usize)], max_chars: u32| {
            let chat = chat(lengths);
            let unit = u32::try_from(lengths.len() - 1).unwrap();
            window(&chat, Some(unit), &WindowSettings { min_coverage: 0.0, ..settings(0, max_chars) }, &all())
                .is_sufficient
        };
        let long_unit = [(Role::System, 100), (Role::User, 100), (Role::Assistant, 1_000)];
        assert!(sufficient(&long_unit, 1_000));
        assert!(!sufficient(&long_unit, 600), "less than half of the unit");
        let long_task = [(Role::System, 40), (Role::User, 40), (Role::User, 40), (Role::Assistant, 4)];
        assert!(sufficient(&long_task, 6));
        assert!(!sufficient(&long_task, 4), "a part of the task is gone altogether");
    }

    #[test]
    fn coverage_counts_against_the_wanted_context() {
        let chat = chat(&[(Role::User, 100), (Role::Assistant, 100), (Role::Tool, 800)]);
        let window = window(&chat, Some(1), &settings(1, 400), &all());
        assert!((window.seen.coverage - 0.4).abs() < 1e-9);
        assert!(!window.is_sufficient);
    }

    #[test]
    fn only_the_units_channels_are_limited() {
        let reasoned =
            |text: &str| Message { reasoning: Some(text.to_owned()), ..Message::text(Role::Assistant, text) };
        let chat = conversation(vec![Message::text(Role::User, "q"), reasoned("first"), reasoned("second")]);
        let window = window(&chat, Some(2), &settings(4, 1_000), &BTreeSet::from([Channel::Final]));
        let shown: Vec<_> = window.pieces.iter().map(|piece| (piece.message, piece.channel)).collect();
        assert_eq!(shown, [(0, Channel::Final), (1, Channel::Reasoning), (1, Channel::Final), (2, Channel::Final)]);
    }

    #[test]
    fn of_a_whole_conversation_everything_is_wanted_and_every_turn_is_the_unit() {
        let mut lengths = LONG;
        lengths[5].1 = 1_000;
        let chat = chat(&lengths);
        let window = window(&chat, None, &settings(0, 10_000), &all());
        assert_eq!(window.seen.messages, [0, 1, 2, 3, 4, 5, 6, 7]);
        let units: Vec<_> = window.pieces.iter().filter(|piece| piece.is_unit).map(|piece| piece.message).collect();
        assert_eq!((units, window.seen.cut), (vec![2, 4, 6], false));
        // System, task and turns take 500; of the rest, the long tool output is cut and the short ones stay whole.
        let window = super::window(&chat, None, &settings(0, 1_000), &all());
        let rest = [(3, Extent::Whole), (5, Extent::Part(300)), (7, Extent::Whole)];
        assert!(rest.iter().all(|extent| extents(&window).contains(extent)), "{:?}", extents(&window));
        assert!(window.seen.cut && !window.is_sufficient, "coverage {}", window.seen.coverage);
    }

    #[test]
    fn middles_are_cut_between_characters() {
        let chat = conversation(vec![Message::text(Role::Assistant, "äöüß€".repeat(10))]);
        let window = window(&chat, Some(0), &settings(0, 5), &all());
        let shown = Stretches { before: 0, head: "äöü", omitted: 45, tail: "ß€", after: 0 };
        assert_eq!(window.pieces[0].shown(), shown);
    }

    fn any_conversation() -> impl Strategy<Value = (Conversation, u32)> {
        let role = prop_oneof![Just(Role::System), Just(Role::User), Just(Role::Assistant), Just(Role::Tool)];
        let message = (role, "[aé⟦<|\\x00 ]{0,80}", proptest::option::of("[bü]{0,80}"));
        proptest::collection::vec(message, 1..14).prop_flat_map(|parts| {
            let build = |(role, content, reasoning)| Message { role, content, reasoning, tool_calls: Vec::new() };
            let messages: Vec<_> = parts.into_iter().map(build).collect();
            let turns = u32::try_from(messages.len()).unwrap();
            (Just(conversation(messages)), 0..turns)
        })
    }

    proptest! {
        #[test]
        fn a_window_keeps_its_promises(
            (conversation, turn) in any_conversation(), whole in any::<bool>(), neighbours in 0u32..5, most in 0u32..400,
            tokens in any::<bool>(),
        ) {
            let turn = Some(turn).filter(|_| !whole);
            let limit = if tokens { WindowLimit::Tokens(most) } else { WindowLimit::Chars(most) };
            let settings = WindowSettings { limit, ..settings(neighbours, most) };
            let window = window(&conversation, turn, &settings, &all());
            let shown: usize = window.pieces.iter().map(|piece| {
                let Stretches { head, omitted, tail, .. } = piece.shown();
                let shown = head.chars().count() + tail.chars().count();
                assert_eq!(shown + omitted, piece.chars);
                if tokens { piece.measure.size(head).0 + piece.measure.size(tail).0 } else { shown }
            }).sum();
            prop_assert!(shown <= Measure::room(limit));
            prop_assert!(turn.is_none_or(|turn| window.seen.messages.contains(&turn)));
            prop_assert!(!whole || conversation.turns().all(|turn| window.seen.messages.contains(&turn)));
            prop_assert!(window.seen.messages.is_sorted_by(|left, right| left < right));
            prop_assert!((0.0..=1.0).contains(&window.seen.coverage));
            prop_assert_eq!(window.seen.cut, window.seen.coverage < 1.0);
            prop_assert!(!window.is_sufficient || window.seen.coverage >= 0.6);
        }
    }
}
