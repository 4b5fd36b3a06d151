//! Composes one conversation of the simulated corpus.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::corpus::{CorpusPlan, GroupPlan};
use super::domains::{COMMON, DAYS, DOMAINS, Domain, NAMES, PLACES, REASONING};
use super::draw::{Dice, Draws, Probability};
use super::plantings::{INNOCENT, Planting, WITH_CUE, WITHOUT_CUE};
use super::truth::PlantedTurn;
use crate::model::conversation::{Channel, Conversation, Message, Role};
use crate::model::hash::Digest;

/// Share of conversations with instructions of the operator.
const INSTRUCTED: Probability = Probability::literal(0.5);
/// Share of planted sentences that stand in the reasoning, where there is any.
const SHOWN_IN_REASONING: Probability = Probability::literal(0.7);
/// Shortest and longest final text, in characters.
const FINAL_CHARS: (u64, u64) = (200, 1_500);
/// Shortest and longest reasoning, in characters.
const REASONING_CHARS: (u64, u64) = (120, 900);
/// Room for the longest sentence with its words filled in: texts stop this short of their limit.
const SENTENCE_CHARS: u64 = 220;

/// A conversation and what was planted in it.
pub(super) struct Composed {
    pub(super) conversation: Conversation,
    pub(super) planted: Vec<PlantedTurn>,
}

/// What makes a turn telling.
struct Choice {
    planting: &'static Planting,
    present: bool,
    cue: bool,
}

/// The conversation with this number in the group at this position of the plan: always the same one.
pub(super) fn compose(plan: &CorpusPlan, group: usize, number: u64) -> Composed {
    let draws = Draws::about(plan.seed, &[b"corpus", &(group as u64).to_le_bytes(), &number.to_le_bytes()]);
    let mut dice = draws.dice();
    let GroupPlan { values, conversations: _, prevalence } = &plan.groups[group];
    let mut metadata = values.clone();
    for (field, variety) in &plan.extra_metadata {
        let value = dice.between(1, *variety);
        metadata.insert(field.clone(), format!("{field}-{value:05}"));
    }
    let domain = dice.pick(DOMAINS);
    let mut writer = Writer {
        domain,
        thing: dice.word(domain.things),
        name: dice.word(&NAMES),
        place: dice.word(&PLACES),
        dice,
        id: format!("conv-{number:06}"),
        case: format!("{group}-{number:06}"),
        group: values.clone(),
        messages: Vec::new(),
        planted: Vec::new(),
    };
    writer.write_all(plan, *prevalence);
    let Writer { id, messages, planted, .. } = writer;
    Composed { conversation: Conversation { id, messages, metadata }, planted }
}

struct Writer {
    domain: &'static Domain,
    thing: &'static str,
    name: &'static str,
    place: &'static str,
    dice: Dice,
    id: String,
    /// Unique in the corpus: part of every final text, so that no two are equal.
    case: String,
    group: BTreeMap<String, String>,
    messages: Vec<Message>,
    planted: Vec<PlantedTurn>,
}

impl Writer {
    /// All messages.
    fn write_all(&mut self, plan: &CorpusPlan, prevalence: Probability) {
        if self.dice.happens(INSTRUCTED) {
            self.messages.push(Message::text(Role::System, self.domain.system));
        }
        let turns = self.dice.between(u64::from(*plan.turns.start()), u64::from(*plan.turns.end()));
        let mut was_positive = None;
        for _ in 0..turns {
            let copies = self.dice.happens(plan.clustering);
            let drawn = self.dice.happens(prevalence);
            // Copying the last turn's state now and then keeps the prevalence and makes neighbours alike.
            let is_positive = was_positive.filter(|_| copies).unwrap_or(drawn);
            was_positive = Some(is_positive);
            let (request, choice) = self.choose(plan, is_positive);
            let reasons = self.dice.happens(plan.reasoning);
            self.write_turn(request, choice.as_ref(), reasons);
        }
    }

    /// What the user asks next, and what is telling about the answer.
    fn choose(&mut self, plan: &CorpusPlan, is_positive: bool) -> (&'static str, Option<Choice>) {
        let has_begun = self.messages.iter().any(|message| message.role == Role::Assistant);
        let openings = self.domain.requests.split_last().map_or(self.domain.requests, |(_, openings)| openings);
        let request = self.dice.word(if has_begun { self.domain.requests } else { openings });
        if is_positive {
            let cue = self.dice.happens(plan.cue_bearing);
            let planting = self.dice.pick(if cue { WITH_CUE } else { WITHOUT_CUE });
            (request, Some(Choice { planting, present: true, cue }))
        } else if self.dice.happens(plan.cue_negatives) {
            let innocent = self.dice.pick(INNOCENT);
            (innocent.request, Some(Choice { planting: &innocent.planting, present: false, cue: true }))
        } else {
            (request, None)
        }
    }

    /// One question and its answer.
    fn write_turn(&mut self, request: &str, choice: Option<&Choice>, reasons: bool) {
        let request = self.fill(request);
        self.messages.push(Message::text(Role::User, request));

        let telling = choice.map(|choice| self.fill(choice.planting.sentence));
        let channel =
            if reasons && self.dice.happens(SHOWN_IN_REASONING) { Channel::Reasoning } else { Channel::Final };
        let planted_in = |wanted| telling.as_deref().filter(|_| channel == wanted);
        let thought = planted_in(Channel::Reasoning);
        let reasoning = reasons.then(|| self.text(REASONING, &[], REASONING_CHARS, thought));
        let body = self.text(self.domain.sentences, COMMON, FINAL_CHARS, planted_in(Channel::Final));
        let content = format!("{body} (Case {}-{}.)", self.case, self.messages.len());

        if let (Some(choice), Some(quote)) = (choice, telling) {
            self.planted.push(PlantedTurn {
                text: Digest::of(content.trim().as_bytes()),
                unit: format!("{}#{}", self.id, self.messages.len()),
                group: self.group.clone(),
                present: choice.present,
                labels: vec![choice.planting.id.to_owned()],
                channel,
                quote,
                cue: choice.cue,
            });
        }
        self.messages.push(Message { role: Role::Assistant, content, reasoning, tool_calls: Vec::new() });
    }

    /// Sentences in random order, none twice, first of `own`, then of `common`, with `planted` somewhere among them.
    /// Short texts are more frequent than long ones.
    fn text(
        &mut self,
        own: &[&'static str],
        common: &[&'static str],
        (low, high): (u64, u64),
        planted: Option<&str>,
    ) -> String {
        let longest = high - SENTENCE_CHARS;
        let wanted = self.dice.between(low, longest).min(self.dice.between(low, longest));
        let (mut own, mut common) = (own.to_vec(), common.to_vec());
        self.dice.shuffle(&mut own);
        self.dice.shuffle(&mut common);

        let mut chars = planted.map_or(0, |sentence| sentence.chars().count() as u64);
        let mut sentences: Vec<String> = Vec::new();
        for template in own.into_iter().chain(common) {
            if chars >= wanted {
                break;
            }
            let sentence = self.fill(template);
            chars += sentence.chars().count() as u64 + 1;
            sentences.push(sentence);
        }
        if let Some(sentence) = planted {
            let place = self.dice.index(sentences.len() + 1);
            sentences.insert(place, sentence.to_owned());
        }
        let paragraphs: Vec<_> = sentences.chunks(4).map(|sentences| sentences.join(" ")).collect();
        paragraphs.join("\n\n")
    }

    /// A template with words in its places; `{n}` is a number from 2 to 99.
    fn fill(&mut self, template: &str) -> String {
        let mut pieces = template.split('{');
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (slot, rest) = piece.split_once('}').unwrap_or(("", piece));
            match slot {
                "thing" => text.push_str(self.thing),
                "name" => text.push_str(self.name),
                "place" => text.push_str(self.place),
                "day" => text.push_str(self.dice.word(&DAYS)),
                _ => write!(text, "{}", self.dice.between(2, 99)).expect("writing to a string succeeds"),
            }
            text.push_str(rest);
        }
        text
    }
}
