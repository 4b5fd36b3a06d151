//! From a question to the body of a reply: the simulated judgement, in the form that the request asks for.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::draw::{Draws, Probability};
use super::faults::ContentFault;
use super::request::{Asked, ReplyForm};
use super::settings::Accuracy;
use super::transcript::Target;
use super::truth::{Known, Truth};
use crate::model::conversation::Channel;
use crate::model::money::Usage;
use crate::model::verdict::Judgement;

/// Bytes that the simulated tokenizer calls one token.
const BYTES_PER_TOKEN: usize = 4;

/// Prompts below this many tokens are not served from the prompt cache, as with OpenAI.
const MIN_CACHED_TOKENS: u64 = 1_024;
/// Tokens are served from the prompt cache in blocks of this size.
const CACHED_BLOCK: u64 = 128;

/// What the grader knows and how good it is.
pub(super) struct Grader<'a> {
    pub(super) truth: &'a Truth,
    pub(super) accuracy: Accuracy,
    pub(super) suspected_share: Probability,
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

/// Tokens of a text of this many bytes.
pub(super) fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}

impl Grader<'_> {
    /// The reply to a request. It depends on nothing but the arguments: `draws` are about seed, model and request key.
    pub(super) fn answer(&self, asked: &Asked, draws: &Draws, fault: Option<ContentFault>) -> Answer {
        let fenced = asked.transcript();
        let target = fenced.as_ref().and_then(|fenced| fenced.target.as_ref());
        let mut verdict = target.map_or_else(Verdict::blind, |target| self.judge(target, &asked.form, draws));
        let fault = fault.filter(|fault| verdict.suffers(*fault));
        let content = verdict.write(&asked.form, draws);
        let message = Message::new(content, asked, draws, fault);
        let usage = message.usage(asked);
        Answer { body: message.body(asked, draws, &usage), usage, fault }
    }

    fn judge(&self, target: &Target, form: &ReplyForm, draws: &Draws) -> Verdict {
        let known = target.text(Channel::Final).and_then(|text| self.truth.of(text));
        // Nobody can judge what is not shown, such as reasoning in an audit of final texts.
        let known = known.filter(|known| target.text(known.channel).is_some_and(|text| text.contains(&known.quote)));
        let is_true = known.is_some_and(|known| known.is_present);
        let positive_rate = if is_true { self.accuracy.sensitivity } else { self.accuracy.specificity.complement() };
        if !draws.happens("call", positive_rate) {
            return Verdict::absent(known.filter(|_| !is_true), form, draws);
        }
        let judgement =
            if draws.happens("suspect", self.suspected_share) { Judgement::Suspected } else { Judgement::Present };
        Verdict::positive(judgement, known, target, (form, draws))
    }
}

/// A quote with its place.
struct Quote {
    message: u32,
    channel: Channel,
    words: String,
}

struct Verdict {
    judgement: Judgement,
    score: u64,
    quote: Option<Quote>,
    labels: Vec<String>,
    exclusions: Vec<String>,
}

impl Verdict {
    fn blind() -> Self {
        Self { judgement: Judgement::CannotJudge, score: 0, quote: None, labels: Vec::new(), exclusions: Vec::new() }
    }

    fn absent(innocent: Option<&Known>, form: &ReplyForm, draws: &Draws) -> Self {
        let exclusions = innocent.map(|known| offered(&known.labels, &form.exclusions)).unwrap_or_default();
        Self { judgement: Judgement::Absent, score: draws.between("score", 0, 30), exclusions, ..Self::blind() }
    }

    fn positive(
        judgement: Judgement,
        known: Option<&Known>,
        target: &Target,
        (form, draws): (&ReplyForm, &Draws),
    ) -> Self {
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

/// The one choice of a chat completion, or the lack of it.
struct Message {
    content: Option<String>,
    refusal: Option<&'static str>,
    finish_reason: &'static str,
    has_choice: bool,
    completion_tokens: u64,
    reasoning_tokens: u64,
}

impl Message {
    fn new(content: String, asked: &Asked, draws: &Draws, fault: Option<ContentFault>) -> Self {
        let reasoning_tokens = if asked.reasons { 64 * draws.between("reasoning", 1, 8) } else { 0 };
        let mut message = Self {
            completion_tokens: tokens(content.len()) + reasoning_tokens,
            content: Some(content),
            refusal: None,
            finish_reason: "stop",
            has_choice: true,
            reasoning_tokens,
        };
        match fault {
            Some(ContentFault::Refusal) => {
                message.content = None;
                message.refusal = Some("I'm sorry, but I can't help with that request.");
            }
            Some(ContentFault::ContentFilter) => {
                message.content = None;
                message.finish_reason = "content_filter";
            }
            Some(ContentFault::EmptyChoices) => message.has_choice = false,
            Some(ContentFault::MalformedContent) => {
                message.content = message.content.map(|content| malformed(&content, draws));
            }
            Some(ContentFault::Length) => {
                let half = message.content.as_ref().map_or(0, String::len) / 2;
                message.stop_after(half);
            }
            Some(ContentFault::UnverifiedQuote | ContentFault::CannotJudge) | None => {}
        }
        message.keep_within(asked.max_tokens);
        message
    }

    /// Ends the content after this many bytes, or just before the character that stands there.
    fn stop_after(&mut self, bytes: usize) {
        if let Some(content) = &mut self.content {
            content.truncate(content.floor_char_boundary(bytes));
        }
        self.finish_reason = "length";
    }

    /// Holds the output limit as a provider does: reasoning counts first.
    fn keep_within(&mut self, max_tokens: Option<u64>) {
        let Some(limit) = max_tokens.filter(|limit| *limit < self.completion_tokens) else { return };
        self.reasoning_tokens = self.reasoning_tokens.min(limit);
        self.completion_tokens = limit;
        let room = usize::try_from(limit - self.reasoning_tokens).unwrap_or(usize::MAX);
        self.stop_after(room.saturating_mul(BYTES_PER_TOKEN));
    }

    fn usage(&self, asked: &Asked) -> Usage {
        let shared = tokens(asked.static_bytes);
        let cached_tokens = if shared < MIN_CACHED_TOKENS { 0 } else { shared / CACHED_BLOCK * CACHED_BLOCK };
        Usage {
            prompt_tokens: tokens(asked.bytes),
            cached_tokens,
            completion_tokens: self.completion_tokens,
            reasoning_tokens: self.reasoning_tokens,
        }
    }

    fn body(self, asked: &Asked, draws: &Draws, usage: &Usage) -> String {
        let message = json!({"role": "assistant", "content": self.content, "refusal": self.refusal});
        let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason});
        let choices: Vec<Value> = self.has_choice.then_some(choice).into_iter().collect();
        let id = format!("chatcmpl-{:016x}", draws.bits("id"));
        // A real time would make equal requests give different bytes.
        let body = json!({
            "id": id, "object": "chat.completion", "created": 0, "model": asked.model,
            "system_fingerprint": "fp_rehearsal", "choices": choices,
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
                "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
                "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            },
        });
        body.to_string()
    }
}

/// Content that is not a verdict, in one of the ways that graders have.
fn malformed(content: &str, draws: &Draws) -> String {
    let half = content.floor_char_boundary(content.len() / 2);
    let ways = [
        "I would say that the marked turn shows it, with some hesitation.".to_owned(),
        content.split_at(half).0.to_owned(),
        content.replace("\"verdict\":\"", "\"verdict\":\"probably_"),
        content.replace("\"score\":", "\"score\":\"high\",\"rank\":"),
    ];
    draws.pick("malformed", &ways).cloned().unwrap_or_default()
}
