//! What an endpoint's answers say about a grader.

use serde::Deserialize;

use super::remote::Question;
use super::{Check, Health};
use crate::grade::http::Probed;
use crate::grade::retry::{Decision, decide, shown};
use crate::model::behaviour::Behaviour;
use crate::model::grading::Structured;
use crate::model::money::{NanoUsd, Price};
use crate::model::outcome::OutcomeKind;
use crate::run::assemble::Stand;
use crate::verdict::{Body, Context, read};

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// Whether the endpoint lists the model. A model that just answered is there, listed or not.
pub(super) fn listed(stand: &Stand, answer: &Probed, is_served: bool) -> Check {
    let about = format!("{} model", stand.stage.as_str());
    let model = &stand.settings.model;
    if matches!(answer.status, 401 | 403) {
        return refused(&about, answer);
    }
    let Ok(list) = serde_json::from_str::<ModelList>(&answer.body) else {
        return Check::new(&about, Health::Warning, format!("the server lists no models (HTTP {})", answer.status));
    };
    // Some providers list a model under a longer name, such as `models/gemini-2.5-pro`.
    let is_it = |listed: &Model| {
        listed.id == *model || listed.id.strip_suffix(model.as_str()).is_some_and(|rest| rest.ends_with('/'))
    };
    if list.data.iter().any(is_it) {
        return Check::ok(&about, format!("`{model}` is among the {} models of the server", list.data.len()));
    }
    let says = format!("`{model}` is not among the {} models that the server lists", list.data.len());
    if is_served {
        return Check::ok(&about, format!("{says}, and answers all the same"));
    }
    Check::new(&about, Health::Warning, says).fixed_by("check the name of the model")
}

/// The key is not accepted.
fn refused(about: &str, answer: &Probed) -> Check {
    let message = match decide(answer.status, None, Body::parse(&answer.body).ok().as_ref()) {
        Decision::StopRun { message } => message,
        Decision::Keep | Decision::Retry { .. } | Decision::GiveUp { .. } => format!("HTTP {}", answer.status),
    };
    Check::new(about, Health::Unusable, message)
        .fixed_by("check the key and what it may do; `assize config` shows which variable it comes from")
}

/// What to do about a program that gives no reply.
const MEND_PROGRAM: &str =
    "run it by hand in the audit's folder: it has to read JSON lines, and to go on until its input ends";

/// What the reply to a question says, and what it cost.
pub(super) fn read_answer(
    stand: &Stand,
    question: &Question,
    behaviour: &Behaviour,
    answer: &Probed,
) -> (Vec<Check>, NanoUsd) {
    let about = format!("{} reply", stand.stage.as_str());
    let body = Body::parse(&answer.body).ok();
    let limits = limits(stand, answer);
    match (decide(answer.status, None, body.as_ref()), &body) {
        (Decision::Keep, Some(body)) => {
            let context =
                Context { behaviour, conversation: &question.conversation, seen: &question.seen, unit: question.unit };
            let kind = read(body, answer.status, &context).outcome.kind();
            let mut checks = vec![outcome(&about, stand, kind)];
            checks.extend(served(stand, body));
            checks.push(usage(stand, question, body));
            checks.extend(limits);
            let cost = body.usage().map(|usage| question.price.cost(&usage));
            let unknown = if (200..300).contains(&answer.status) { question.bound() } else { NanoUsd::ZERO };
            (checks, cost.unwrap_or(unknown))
        }
        (Decision::StopRun { message }, _) => {
            let fix = match answer.status {
                _ if stand.endpoint.command.is_some() => MEND_PROGRAM,
                401 | 403 => "check the key and what it may do; `assize config` shows which variable it comes from",
                404 => "check the model's name and `base_url`",
                429 => "top up the quota, or raise the limit of the account",
                _ => "check the model, `params` and `structured` of the grader",
            };
            (vec![Check::new(&about, Health::Unusable, message).fixed_by(fix)], NanoUsd::ZERO)
        }
        (Decision::Retry { .. }, Some(body)) if stand.endpoint.command.is_some() => {
            let says = body.error().map(shown).unwrap_or_default();
            (vec![Check::new(&about, Health::Unusable, says).fixed_by(MEND_PROGRAM)], question.bound())
        }
        (Decision::Retry { .. }, _) => {
            let says = format!("HTTP {}: a run would try again", answer.status);
            let check = Check::new(&about, Health::Warning, says).fixed_by("ask again in a minute");
            let maybe_billed = (200..300).contains(&answer.status) || answer.status >= 500;
            (vec![check], if maybe_billed { question.bound() } else { NanoUsd::ZERO })
        }
        (Decision::GiveUp { .. } | Decision::Keep, _) => {
            let said = body.as_ref().and_then(Body::error).map(|error| error.code.clone()).unwrap_or_default();
            let code: String = said.chars().filter(char::is_ascii_graphic).take(60).collect();
            let says = format!("the server refuses the request: HTTP {} {code}", answer.status);
            let fix = match stand.endpoint.structured {
                Structured::JsonSchema => {
                    "remove what the server does not know from `params`; if it knows no schemas, set \
                     `structured = \"json_object\"` or `\"prompt\"` for its endpoint"
                }
                Structured::JsonObject => {
                    "remove what the server does not know from `params`, or set `structured = \"prompt\"` for its endpoint"
                }
                Structured::Prompt => "remove what the server does not know from `params`",
            };
            (vec![Check::new(&about, Health::Unusable, says.trim()).fixed_by(fix)], NanoUsd::ZERO)
        }
    }
}

/// Whether the reply is a verdict.
fn outcome(about: &str, stand: &Stand, outcome: OutcomeKind) -> Check {
    let structured = stand.endpoint.structured.as_str();
    match outcome {
        OutcomeKind::Graded | OutcomeKind::EvidenceUnverified | OutcomeKind::CannotJudge => {
            Check::ok(about, format!("is a verdict that satisfies the schema (structured = \"{structured}\")"))
        }
        OutcomeKind::Truncated => Check::new(about, Health::Warning, "was cut at the output limit of this test")
            .fixed_by(
                "raise `max_completion_tokens`, or lower `reasoning_effort`, if replies of a run are cut as well",
            ),
        OutcomeKind::Refused | OutcomeKind::Filtered | OutcomeKind::TooLong => {
            Check::new(about, Health::Warning, format!("the question about a harmless turn ended as {outcome}"))
                .fixed_by("look at the prompt: a grader that declines this declines more")
        }
        OutcomeKind::Unparsable
        | OutcomeKind::Failed
        | OutcomeKind::NotRecorded
        | OutcomeKind::NotCached
        | OutcomeKind::OverBudget
        | OutcomeKind::PastDeadline => {
            Check::new(about, Health::Unusable, format!("is not a verdict (structured = \"{structured}\")"))
                .fixed_by("set another `structured` for its endpoint, or another model")
        }
    }
}

/// Which model answered.
fn served(stand: &Stand, body: &Body) -> Option<Check> {
    let about = format!("{} served", stand.stage.as_str());
    let asked = &stand.settings.model;
    let Some(served) = body.served_model() else {
        return Some(
            Check::new(&about, Health::Warning, "the server does not say which model answered")
                .fixed_by("a model that changes during a run cannot be noticed; set `revision` when you change it"),
        );
    };
    let served = crate::report::escape(served);
    if served == *asked {
        return None;
    }
    if served.starts_with(asked.as_str()) {
        return Some(Check::ok(
            &about,
            format!(
                "`{asked}` is served as `{served}`; a run stops when that changes: name the snapshot for a long audit"
            ),
        ));
    }
    Some(
        Check::new(&about, Health::Warning, format!("`{asked}` is served as `{served}`"))
            .fixed_by("name the model that you mean to publish"),
    )
}

/// Whether the server says what it bills.
fn usage(stand: &Stand, question: &Question, body: &Body) -> Check {
    let about = format!("{} usage", stand.stage.as_str());
    match body.usage() {
        Some(usage) => Check::ok(
            &about,
            format!("{} prompt and {} completion tokens reported", usage.prompt_tokens, usage.completion_tokens),
        ),
        None if question.price == Price::FREE => Check::ok(&about, "is not reported, and nothing is charged"),
        None => Check::new(&about, Health::Warning, "is not reported: every reply counts at its bound")
            .fixed_by("the cap holds and is reached early; have the server report usage"),
    }
}

/// What the server allows per minute against what the audit says.
fn limits(stand: &Stand, answer: &Probed) -> Vec<Check> {
    let about = format!("{} limits", stand.stage.as_str());
    if answer.limits.is_empty() {
        return vec![Check::ok(&about, "the server states none")];
    }
    let ours = [("requests", stand.endpoint.max_requests_per_minute), ("tokens", stand.endpoint.max_tokens_per_minute)];
    let compared =
        ours.into_iter().filter_map(|(what, ours)| Some(compare(&about, what, ours, *answer.limits.get(what)?)));
    compared.collect()
}

fn compare(about: &str, what: &str, ours: Option<u32>, theirs: u64) -> Check {
    let key = format!("max_{what}_per_minute");
    let allowed = crate::report::rate::count(theirs);
    match ours.map(u64::from) {
        None => Check::ok(about, format!("the server says {allowed} {what} a minute; the audit sets no `{key}`")),
        Some(ours) if ours > theirs => {
            let says = format!(
                "your audit says {} {what} a minute, the server says {allowed}",
                crate::report::rate::count(ours)
            );
            Check::new(about, Health::Warning, says).fixed_by(format!("set `{key} = {theirs}`"))
        }
        Some(ours) => Check::ok(
            about,
            format!(
                "the server says {allowed} {what} a minute, the audit stays at {}",
                crate::report::rate::count(ours)
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_compared() {
        let check = |ours, theirs| compare("limits", "requests", ours, theirs);
        let over = check(Some(5_000), 500);
        assert_eq!(over.health, Health::Warning);
        assert_eq!(over.says, "your audit says 5,000 requests a minute, the server says 500");
        assert_eq!(over.fix.as_deref(), Some("set `max_requests_per_minute = 500`"));
        assert_eq!((check(Some(500), 500).health, check(None, 500).health), (Health::Ok, Health::Ok));
    }
}
