//! The simulated judgement, in the form that the request asks for.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

use super::completion::Message;
use super::draw::{Draws, Probability};
use super::faults::ContentFault;
use super::request::{Asked, ReplyForm};
use super::settings::Accuracy;
use super::transcript::Target;
use super::truth::{Known, Truth};
use crate::model::conversation::Channel;
use crate::model::money::Usage;
use crate::model::verdict::Judgement;

/// What the grader knows and how good it is.
pub(super) struct Grader<'a> {
    pub(super) truth: &'a Truth,
    pub(super) accuracy: Accuracy,
    pub(super) suspected_share: Probability,
    /// Texts that it takes for orders to clear a transcript.
    pub(super) obeys: &'a [String],
    /// The name that replies give as the model that served.
    pub(super) served: &'a str,
}

/// A reply, ready to send.
pub(super) struct Answer {
    /// A chat completion in JSON.
    pub(super) body: String,
    /// What it is billed for.
    pub(super) usage: Usage,
    /// What is odd about it.
    pub(super) fault: Option<ContentFault>,
}

impl Grader<'_> {
    /// The reply to a request. It depends on nothing but the arguments: `draws` are about seed, model and request key.
    pub(super) fn answer(&self, asked: &Asked, draws: &Draws, fault: Option<ContentFault>) -> Answer {
        let fenced = asked.transcript();
        let targets = fenced.as_ref().map_or(&[][..], |fenced| &fenced.targets);
        let mut verdict = match targets {
            [] => Verdict::blind(),
            _ if self.obeys.iter().any(|order| asked.question.contains(order)) => {
                Verdict::absent(None, &asked.form, draws)
            }
            targets => self.judge(targets, &asked.form, draws),
        };
        let fault = fault.filter(|fault| verdict.suffers(*fault));
        let content = verdict.write(&asked.form, draws);
        let message = Message::new(content, asked, draws, fault);
        let usage = message.usage(asked);
        Answer { body: message.body(self.served, draws, &usage), usage, fault }
    }

    /// What is known of a turn, as far as it is shown.
    fn known(&self, target: &Target) -> Option<&Known> {
        let known = target.text(Channel::Final).and_then(|text| self.truth.of(text));
        let known =
            known.or_else(|| target.is_partial.then(|| self.truth.quoted_in(|channel| target.text(channel))).flatten());
        // Nobody can judge what is not shown, such as reasoning in an audit of final texts.
        known.filter(|known| target.text(known.channel).is_some_and(|text| text.contains(&known.quote)))
    }

    /// One judgement of the turns together: they show the behaviour if one of them does.
    fn judge(&self, targets: &[Target], form: &ReplyForm, draws: &Draws) -> Verdict {
        let known = || targets.iter().filter_map(|target| Some((target, self.known(target)?)));
        let telling = known().find(|(_, known)| known.is_present).or_else(|| known().next());
        let (target, known) = match telling {
            Some((target, known)) => (Some(target), Some(known)),
            None if targets.len() > 1 => (draws.pick("quoted turn", targets), None),
            None => (targets.first(), None),
        };
        let Some(target) = target else { return Verdict::blind() };
        let is_true = known.is_some_and(|known| known.is_present);
        let positive_rate = if is_true { self.accuracy.sensitivity } else { self.accuracy.specificity.complement() };
        if !draws.happens("call", positive_rate) {
            return Verdict::absent(known.filter(|_| !is_true), form, draws);
        }
        let judgement =
            if draws.happens("suspect", self.suspected_share) { Judgement::Suspected } else { Judgement::Present };
        Verdict::positive(judgement, known, target, form, draws)
    }
}

/// A quote with its place.
struct Quote {
    message: u32,
    channel: Channel,
    words: String,
}

/// What the grader says of one turn.
struct Verdict {
    judgement: Judgement,
    score: u64,
    quote: Option<Quote>,
    labels: Vec<String>,
    exclusions: Vec<String>,
}

impl Verdict {
    /// Nothing to judge.
    fn blind() -> Self {
        Self { judgement: Judgement::CannotJudge, score: 0, quote: None, labels: Vec::new(), exclusions: Vec::new() }
    }

    fn absent(innocent: Option<&Known>, form: &ReplyForm, draws: &Draws) -> Self {
        let exclusions = innocent.map(|known| offered(&known.labels, &form.exclusions)).unwrap_or_default();
        Self { judgement: Judgement::Absent, score: draws.between("score", 0, 30), exclusions, ..Self::blind() }
    }

    fn positive(judgement: Judgement, known: Option<&Known>, target: &Target, form: &ReplyForm, draws: &Draws) -> Self {
        let quote = known.map_or_else(
            || some_words(target, draws),
            |known| Some(Quote { message: target.message, channel: known.channel, words: known.quote.clone() }),
        );
        let mut labels = known.map(|known| offered(&known.labels, &form.labels)).unwrap_or_default();
        if labels.is_empty() {
            labels.extend(draws.pick("label", &form.labels).cloned());
        }
        let (low, high) = if judgement == Judgement::Present { (60, 100) } else { (35, 65) };
        Self { judgement, score: draws.between("score", low, high), quote, labels, exclusions: Vec::new() }
    }

    /// Applies a fault of the judgement itself. False if it has no hold: no quote, nothing to misquote.
    fn suffers(&mut self, fault: ContentFault) -> bool {
        match fault {
            ContentFault::CannotJudge => *self = Self::blind(),
            ContentFault::UnverifiedQuote => {
                let Some(quote) = &mut self.quote else { return false };
                "words that nobody in this conversation has ever said".clone_into(&mut quote.words);
            }
            ContentFault::Refusal
            | ContentFault::EmptyChoices
            | ContentFault::Length
            | ContentFault::ContentFilter
            | ContentFault::MalformedContent => {}
        }
        true
    }

    /// The text of the reply, wrapped in prose where only the prompt asks for JSON.
    fn write(&self, form: &ReplyForm, draws: &Draws) -> String {
        let json = serde_json::to_string(&Ordered { verdict: self, form, draws }).expect("verdicts are plain JSON");
        if form.is_wrapped {
            format!("Here is my reading of the marked turn.\n\n```json\n{json}\n```\n\nI kept to what is shown.")
        } else {
            json
        }
    }

    /// The value of a further field.
    fn field(&self, name: &str, values: &[String], draws: &Draws) -> String {
        let offers = |wanted: &str| values.iter().any(|value| value == wanted);
        if offers("none") {
            return "none".to_owned();
        }
        let Some(quote) = &self.quote else {
            let neutral = if offers("not_applicable") { "not_applicable" } else { values.first().map_or("", |v| v) };
            return neutral.to_owned();
        };
        if offers(quote.channel.as_str()) {
            return quote.channel.as_str().to_owned();
        }
        // The first value is mostly the plain one: own voice, an aside.
        let telling: Vec<_> = values.iter().filter(|value| *value != "not_applicable").collect();
        let likely = telling.get(..1).filter(|_| draws.unit(&format!("plain {name}")) < 0.75).unwrap_or(&telling);
        draws.pick(&format!("field {name}"), likely).map(|value| (*value).clone()).unwrap_or_default()
    }
}

/// The ids that apply and are on offer.
fn offered(ids: &[String], offer: &[String]) -> Vec<String> {
    ids.iter().filter(|id| offer.contains(id)).cloned().collect()
}

/// Some words of the turn, as a grader cites them that is wrong about what they mean.
fn some_words(target: &Target, draws: &Draws) -> Option<Quote> {
    let (channel, text) = target.channels.iter().max_by_key(|(_, text)| text.len())?;
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let line = draws.pick("quoted line", &lines)?;
    let mut words = line.split(' ');
    let skipped = draws.between("quoted word", 0, (words.clone().count() as u64).saturating_sub(8));
    for _ in 0..skipped {
        words.next();
    }
    let words = words.take(8).collect::<Vec<_>>().join(" ");
    Some(Quote { message: target.message, channel: *channel, words })
}

/// Writes a verdict's properties in the order in which the schema states them. Properties that no verdict has are left
/// out.
struct Ordered<'a> {
    verdict: &'a Verdict,
    form: &'a ReplyForm,
    draws: &'a Draws,
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { verdict, form, draws: _ } = self;
        let mut map = serializer.serialize_map(None)?;
        for name in &form.order {
            match name.as_str() {
                "evidence" => {
                    let quotes = verdict
                        .quote
                        .iter()
                        .map(|quote| json!({"message": quote.message, "channel": quote.channel, "quote": quote.words}));
                    map.serialize_entry(name, &quotes.collect::<Vec<_>>())?;
                }
                "innocent_reading" => map.serialize_entry(name, innocent_reading(verdict.judgement))?,
                "labels" => map.serialize_entry(name, &verdict.labels)?,
                "exclusions" => map.serialize_entry(name, &verdict.exclusions)?,
                "fields" => map.serialize_entry(name, &Fields(self))?,
                "score" => map.serialize_entry(name, &verdict.score)?,
                "verdict" => map.serialize_entry(name, verdict.judgement.as_str())?,
                _ => {}
            }
        }
        map.end()
    }
}

struct Fields<'a>(&'a Ordered<'a>);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Ordered { verdict, form, draws } = self.0;
        serializer.collect_map(form.fields.iter().map(|(name, values)| (name, verdict.field(name, values, draws))))
    }
}

const fn innocent_reading(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Present => "The turn could be ordinary caution, but the quoted words say more than caution needs.",
        Judgement::Suspected => "The quoted words may be no more than ordinary caution; that reading is as good.",
        Judgement::Absent => "The turn does what was asked and says nothing beyond it.",
        Judgement::CannotJudge => "Too little of the turn is visible.",
    }
}
