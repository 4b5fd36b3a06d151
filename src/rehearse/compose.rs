//! Composes one conversation of the simulated corpus.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::corpus::{CorpusPlan, GroupPlan};
use super::draw::{Dice, Draws, Probability};
use super::phrases::{
    COMMON, DAYS, DOMAINS, Domain, INNOCENT, NAMES, PLACES, Planting, REASONING, WITH_CUE, WITHOUT_CUE,
};
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

/// What one turn is to be.
#[derive(Clone, Copy)]
enum Part {
    Plain,
    Positive { has_cue: bool },
    Innocent,
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
    let mut writer = Writer {
        domain: dice.pick(DOMAINS),
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
    dice: Dice,
    id: String,
    /// Unique in the corpus: part of every final text, so that no two are equal.
    case: String,
    group: BTreeMap<String, String>,
    messages: Vec<Message>,
    planted: Vec<PlantedTurn>,
}

impl Writer {
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
            let part = if is_positive {
                Part::Positive { has_cue: self.dice.happens(plan.cue_bearing) }
            } else if self.dice.happens(plan.cue_negatives) {
                Part::Innocent
            } else {
                Part::Plain
            };
            let reasons = self.dice.happens(plan.reasoning);
            self.write_turn(part, reasons);
        }
    }

    /// One question and its answer.
    fn write_turn(&mut self, part: Part, reasons: bool) {
        let domain = self.domain;
        let (request, planting) = match part {
            Part::Plain => (*self.dice.pick(domain.requests), None),
            Part::Positive { has_cue } => {
                let list = if has_cue { WITH_CUE } else { WITHOUT_CUE };
                (*self.dice.pick(domain.requests), Some(self.dice.pick(list)))
            }
            Part::Innocent => {
                let innocent = self.dice.pick(INNOCENT);
                (innocent.request, Some(&innocent.planting))
            }
        };
        let request = self.fill(request);
        self.messages.push(Message::text(Role::User, request));
        let planting = planting.map(|planting| (planting, self.fill(planting.sentence)));

        let in_reasoning = reasons && self.dice.happens(SHOWN_IN_REASONING);
        let sentence = planting.as_ref().map(|(_, sentence)| sentence.as_str());
        let (thought, said) = if in_reasoning { (sentence, None) } else { (None, sentence) };
        let reasoning = reasons.then(|| self.text(&[REASONING], REASONING_CHARS, thought));
        let body = self.text(&[domain.sentences, COMMON], FINAL_CHARS, said);
        let content = format!("{body} (Case {}-{}.)", self.case, self.messages.len());

        if let Some((planting, sentence)) = &planting {
            let channel = if in_reasoning { Channel::Reasoning } else { Channel::Final };
            self.plant(part, planting, (channel, sentence), &content);
        }
        self.messages.push(Message { role: Role::Assistant, content, reasoning, tool_calls: Vec::new() });
    }

    fn plant(&mut self, part: Part, planting: &Planting, (channel, sentence): (Channel, &str), content: &str) {
        let (present, cue) = match part {
            Part::Positive { has_cue } => (true, has_cue),
            Part::Innocent | Part::Plain => (false, true),
        };
        self.planted.push(PlantedTurn {
            text: Digest::of(content.trim().as_bytes()),
            unit: format!("{}#{}", self.id, self.messages.len()),
            group: self.group.clone(),
            present,
            labels: vec![planting.id.to_owned()],
            channel,
            quote: sentence.to_owned(),
            cue,
        });
    }

    /// Sentences from `lists` in random order, none twice, with `planted` somewhere among them. Short texts are more
    /// frequent than long ones.
    fn text(&mut self, lists: &[&'static [&'static str]], (low, high): (u64, u64), planted: Option<&str>) -> String {
        let longest = high - SENTENCE_CHARS;
        let wanted = self.dice.between(low, longest).min(self.dice.between(low, longest));
        let mut sentences: Vec<_> = lists.iter().copied().flatten().copied().collect();
        let own = lists.first().map_or(0, |list| list.len());
        let (first, rest) = sentences.split_at_mut(own);
        self.dice.shuffle(first);
        self.dice.shuffle(rest);

        let mut text = String::new();
        let mut chars = planted.map_or(0, |sentence| sentence.chars().count() as u64);
        let mut parts: Vec<String> = Vec::new();
        for sentence in sentences {
            if chars >= wanted {
                break;
            }
            let filled = self.fill(sentence);
            chars += filled.chars().count() as u64 + 1;
            parts.push(filled);
        }
        if let Some(sentence) = planted {
            let place = usize::try_from(self.dice.between(0, parts.len() as u64)).unwrap_or_default();
            parts.insert(place.min(parts.len()), sentence.to_owned());
        }
        for (position, part) in parts.iter().enumerate() {
            if position > 0 {
                text.push_str(if position % 4 == 0 { "\n\n" } else { " " });
            }
            text.push_str(part);
        }
        text
    }

    fn fill(&mut self, template: &str) -> String {
        let mut pieces = template.split('{');
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (slot, rest) = piece.split_once('}').unwrap_or(("", piece));
            let words: &[&str] = match slot {
                "thing" => self.domain.things,
                "name" => &NAMES,
                "place" => &PLACES,
                "day" => &DAYS,
                _ => &[],
            };
            if words.is_empty() {
                write!(text, "{}", self.dice.between(2, 99)).expect("writing to a string succeeds");
            } else {
                let word = self.dice.pick(words);
                text.push_str(word);
            }
            text.push_str(rest);
        }
        text
    }
}
