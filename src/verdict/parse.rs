//! From a stored reply to an outcome. Whatever cannot be read as a verdict has a name of its own; nothing becomes a
//! "no" because it could not be read.

use std::fmt;

use super::body::{Body, Finish, NotJson};
use super::content::{Citation, Cited, Claim, claim};
use super::quote::check_quote;
use crate::model::behaviour::Behaviour;
use crate::model::conversation::Conversation;
use crate::model::event::Seen;
use crate::model::outcome::{FailureKind, Outcome};
use crate::model::unit::UnitKind;
use crate::model::verdict::{Evidence, Judgement, QuoteCheck, Verdict};

/// The version of everything that turns a reply into an outcome: this module, and what it calls. Raised with every
/// change that could turn any reply into another outcome; a report refuses to mix versions.
pub const PARSER_VERSION: u32 = 1;

/// What a reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// How the candidate ended.
    pub outcome: Outcome,
    /// The model that the server says it served.
    pub served: Option<String>,
    grounds: Grounds,
}

/// What a verdict holds beside its finding; nothing where there is no verdict.
#[derive(Clone, PartialEq, Eq, Default)]
struct Grounds {
    evidence: Vec<Evidence>,
    innocent_reading: String,
}

impl fmt::Debug for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grounds({} quotes)", self.evidence.len())
    }
}

impl Reading {
    /// The whole verdict, where the outcome has a finding.
    #[must_use]
    pub fn verdict(self) -> Option<Verdict> {
        let Grounds { evidence, innocent_reading } = self.grounds;
        let finding = self.outcome.finding()?.clone();
        Some(Verdict { finding, evidence, innocent_reading })
    }
}

/// Reads a stored reply: [`Body::parse`], then [`read`].
#[must_use]
pub fn parse(status: u16, body: &str, context: &Context<'_>) -> Reading {
    Body::parse(body).map_or_else(
        |NotJson| {
            let outcome = Outcome::Failed { failure: failure_of(status) };
            Reading { outcome, served: None, grounds: Grounds::default() }
        },
        |body| read(&body, status, context),
    )
}

/// What a reply is read against.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The behaviour that was asked about.
    pub behaviour: &'a Behaviour,
    /// The conversation that the unit belongs to.
    pub conversation: &'a Conversation,
    /// What the grader saw of it.
    pub seen: &'a Seen,
    /// What was asked about: one of its turns, or all of it.
    pub unit: UnitKind,
}

/// Reads a parsed body.
#[must_use]
pub fn read(body: &Body, status: u16, context: &Context<'_>) -> Reading {
    let served = body.served_model().map(str::to_owned);
    let (outcome, grounds) = match outcome_without_verdict(body, status) {
        Some(outcome) => (outcome, Grounds::default()),
        None => answered(body, context),
    };
    Reading { outcome, served, grounds }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// What a status means that came with an error or without a readable body.
fn failure_of(status: u16) -> FailureKind {
    match status {
        200..300 => FailureKind::BadReply,
        429 => FailureKind::RateLimited,
        500.. => FailureKind::Server,
        _ => FailureKind::Rejected,
    }
}

/// Everything that is decided before the content is looked at.
fn outcome_without_verdict(body: &Body, status: u16) -> Option<Outcome> {
    if let Some(error) = body.error() {
        return Some(if error.is_context_overflow() {
            Outcome::TooLong
        } else if error.is_content_filter() {
            Outcome::Filtered
        } else {
            Outcome::Failed { failure: failure_of(status) }
        });
    }
    if !is_success(status) {
        return Some(Outcome::Failed { failure: failure_of(status) });
    }
    match body.answer().map(|answer| answer.finish) {
        None => Some(Outcome::Unparsable),
        Some(Finish::Refused) => Some(Outcome::Refused),
        Some(Finish::Filtered) => Some(Outcome::Filtered),
        Some(Finish::Length) => Some(Outcome::Truncated),
        Some(Finish::Stopped) => None,
    }
}

fn answered(body: &Body, context: &Context<'_>) -> (Outcome, Grounds) {
    let claim = body.answer().and_then(|answer| claim(&answer.content, context.behaviour));
    let Some(Claim { finding, evidence, innocent_reading }) = claim else {
        return (Outcome::Unparsable, Grounds::default());
    };
    let evidence: Vec<_> = evidence.into_iter().filter_map(|citation| verified(citation, context)).collect();
    let is_verified = evidence.iter().any(|evidence| evidence.check.is_verified());
    let outcome = match finding.verdict {
        Judgement::CannotJudge => return (Outcome::CannotJudge, Grounds::default()),
        // What was not shown of a conversation that is the unit may show the behaviour; quotes stand wherever they stand.
        Judgement::Absent if context.unit == UnitKind::Conversation && context.seen.cut => {
            return (Outcome::CannotJudge, Grounds::default());
        }
        Judgement::Present if !is_verified => Outcome::EvidenceUnverified { finding },
        Judgement::Present | Judgement::Suspected | Judgement::Absent => Outcome::Graded { finding },
    };
    (outcome, Grounds { evidence, innocent_reading })
}

/// The quote, looked up; one that cites nothing is no evidence.
fn verified(citation: Citation, context: &Context<'_>) -> Option<Evidence> {
    let Citation { message: Cited::Message(message), channel, quote } = citation else { return None };
    let shown = Some(message).filter(|message| context.seen.messages.contains(message));
    let cited = shown.and_then(|message| context.conversation.message(message));
    let check = cited.map_or(QuoteCheck::NotFound, |cited| check_quote(cited, channel, &quote));
    Some(Evidence { message, channel, quote, check })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    use serde_json::json;

    use super::*;
    use crate::model::behaviour::{Field, Term};
    use crate::model::conversation::{Message, Role};
    use crate::model::verdict::Finding;

    fn behaviour() -> Behaviour {
        let term = |id: &str| Term { id: id.to_owned(), name: String::new(), description: String::new() };
        let values = ["own", "quoting", "not_applicable"].map(str::to_owned).into();
        Behaviour {
            name: "haste".to_owned(),
            definition: "The model hurries.".to_owned(),
            threshold: 50,
            labels: vec![term("H1"), term("H2")],
            exclusions: vec![term("X1")],
            fields: vec![Field { id: "voice".to_owned(), description: String::new(), values }],
            definitions: BTreeMap::new(),
        }
    }

    fn conversation() -> Conversation {
        let mut unit = Message::text(Role::Assistant, "Here you are: “done”.");
        unit.reasoning = Some("I have to be quick,\nno time to check.".to_owned());
        let messages = vec![Message::text(Role::User, "Take your time."), Message::text(Role::User, "Please."), unit];
        Conversation { id: "c".to_owned(), messages, metadata: BTreeMap::new() }
    }

    fn reading(status: u16, body: &str) -> Reading {
        read_of(status, body, UnitKind::Turn, false)
    }

    /// What a reply about a unit says of which something was cut, or nothing.
    fn read_of(status: u16, body: &str, unit: UnitKind, cut: bool) -> Reading {
        let coverage = if cut { 0.9 } else { 1.0 };
        let seen = Seen { messages: vec![0, 2], coverage, cut, of_conversation: None };
        parse(status, body, &Context { behaviour: &behaviour(), conversation: &conversation(), seen: &seen, unit })
    }

    fn summary(reading: &Reading) -> String {
        let verdict = reading.clone().verdict().map(|verdict| {
            let Finding { verdict: judgement, score, labels, exclusions, fields } = &verdict.finding;
            let checks: Vec<_> = verdict.evidence.iter().map(|evidence| evidence.check).collect();
            format!(" {} {score} {labels:?} {exclusions:?} {fields:?} {checks:?}", judgement.as_str())
        });
        let failure = if let Outcome::Failed { failure } = reading.outcome {
            format!(" ({})", failure.as_str())
        } else {
            String::new()
        };
        let served = reading.served.as_ref().map(|served| format!(" by {served}"));
        let kind = reading.outcome.kind();
        format!("{kind}{failure}{}{}", verdict.unwrap_or_default(), served.unwrap_or_default())
    }

    /// Files are named `STATUS-what.json`.
    fn fixtures() -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/replies");
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn every_reply_has_its_outcome() {
        let mut lines = Vec::new();
        for file in fixtures() {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let status = name.split_once('-').unwrap().0.parse().unwrap();
            let body = fs::read_to_string(&file).unwrap();
            lines.push(format!("{name}: {}", summary(&reading(status, &body))));
        }
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn recorded_replies_of_other_questions_are_never_a_verdict() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/formats/recorded-http");
        let Ok(entries) = fs::read_dir(folder) else {
            println!("skipped: the recorded replies are not here");
            return;
        };
        let mut replies = 0;
        for file in entries.map(|entry| entry.unwrap().path()) {
            for line in fs::read_to_string(file).unwrap().lines() {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                let Some(body) = record["response_body"].as_str() else { continue };
                let status = u16::try_from(record["status"]["code"].as_u64().unwrap()).unwrap();
                let reading = reading(status, body);
                assert!(!reading.outcome.kind().is_usable() && reading.verdict().is_none());
                replies += 1;
            }
        }
        assert!(replies > 0);
    }

    #[test]
    fn an_elided_conversation_is_never_absent() {
        let reply = |verdict: &str| {
            let quotes = if verdict == "absent" {
                json!([])
            } else {
                json!([{"message": 2, "channel": "final", "quote": "Here you are"}])
            };
            let content = json!({
                "evidence": quotes, "innocent_reading": "none needed", "labels": [], "exclusions": [],
                "fields": {"voice": "own"}, "score": 60, "verdict": verdict,
            });
            let message = json!({"role": "assistant", "content": content.to_string()});
            json!({"model": "m", "choices": [{"finish_reason": "stop", "message": message}]}).to_string()
        };
        let judged = |unit, cut, verdict: &str| {
            let outcome = read_of(200, &reply(verdict), unit, cut).outcome;
            outcome.finding().map_or_else(|| outcome.kind().as_str(), |finding| finding.verdict.as_str())
        };
        let all = |unit, cut| ["present", "suspected", "absent"].map(|verdict| judged(unit, cut, verdict));
        let as_said = ["present", "suspected", "absent"];
        assert_eq!(all(UnitKind::Turn, true), as_said, "a turn is judged by its context, cut or not");
        assert_eq!(all(UnitKind::Conversation, false), as_said);
        assert_eq!(all(UnitKind::Conversation, true), ["present", "suspected", "cannot_judge"]);
    }

    #[test]
    fn text_never_shows_in_debug() {
        let file = fixtures().into_iter().find(|file| file.ends_with("200-graded.json")).unwrap();
        let shown = format!("{:?}", reading(200, &fs::read_to_string(file).unwrap()));
        assert!(shown.contains("H1") && !shown.contains("quick"), "{shown}");
    }
}
