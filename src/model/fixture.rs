//! Small plans and events for the tests of the modules that fold them.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Compare;
use super::event::{
    Admitted, AttemptId, Closed, CorpusCount, EVENT_FORMAT, Ending, Event, Judged, Opened, Ordinal, Part, Planned,
    PlannedGrader, PlannedStratum, Seen, Sent, Settled, StopReason,
};
use super::grading::{PromptLabel, Stage};
use super::hash::Digest;
use super::known_plan::KnownPlan;
use super::label::{Decision, Label};
use super::money::{NanoUsd, Usage};
use super::outcome::Outcome;
use super::review::ReviewDraw;
use super::unit::{Group, Stratum, UnitId, UnitKind};
use super::verdict::{Finding, Judgement};

/// One stratum: class, value of the only group field, units, planned units.
pub(crate) type StratumSpec = (&'static str, &'static str, u64, u64);

/// A plan over turns, two turns a conversation, grouped by `checkpoint`, with a screen and a confirmer.
pub(crate) fn planned(strata: &[StratumSpec]) -> Planned {
    let mut by_group: BTreeMap<Group, u64> = BTreeMap::new();
    for (_, value, units, _) in strata {
        *by_group.entry(group(value)).or_default() += units / 2;
    }
    let turns = strata.iter().map(|(_, _, units, _)| units).sum();
    let conversations = by_group.values().sum();
    Planned {
        audit: "nightly".to_owned(),
        identity: Digest::of(b"identity"),
        unit: UnitKind::Turn,
        sample_by: UnitKind::Turn,
        cluster_by: None,
        group_by: vec!["checkpoint".to_owned()],
        seed: 7,
        draw: 1,
        level: 0.95,
        behaviour: "metagaming".to_owned(),
        definition: "strict".to_owned(),
        behaviour_hash: Digest::of(b"behaviour"),
        cues_hash: Digest::of(b"cues"),
        census: Digest::of(b"census"),
        corpus: CorpusCount {
            files: 2,
            records: conversations + 3,
            conversations,
            turns,
            duplicates: 1,
            unreadable: [("not JSON".to_owned(), 2)].into(),
            examples: vec!["traffic/a.jsonl:17: not JSON".to_owned()],
            conversations_by_group: by_group.into_iter().collect(),
            ..CorpusCount::default()
        },
        strata: strata.iter().map(stratum).collect(),
        graders: vec![grader(Stage::Screen, "gpt-5-mini"), grader(Stage::Confirm, "o4")],
        cap: Some(NanoUsd(200_000_000_000)),
        max_ungraded: 0.01,
        spent_before: NanoUsd::ZERO,
        cap_total: None,
        stop_when: None,
        review: ReviewDraw::default(),
        gold: None,
        compare: Compare::default(),
        retry: 0,
        planted: None,
        anchors: None,
        known: KnownPlan::default(),
    }
}

fn stratum((class, value, units, planned): &StratumSpec) -> PlannedStratum {
    PlannedStratum {
        stratum: Stratum { class: (*class).to_owned(), group: group(value) },
        units: *units,
        conversations: *units,
        bytes: units * 100,
        planned: *planned,
        conversations_planned: None,
    }
}

fn grader(stage: Stage, model: &str) -> PlannedGrader {
    PlannedGrader {
        stage,
        model: model.to_owned(),
        endpoint: "main".to_owned(),
        prompt: Some(PromptLabel { role: stage.as_str().to_owned(), version: 1 }),
        prompt_hash: Some(Digest::of(stage.as_str().as_bytes())),
        recorded: None,
        simulated: false,
        asking: None,
    }
}

pub(crate) fn group(value: &str) -> Group {
    Group(vec![value.to_owned()])
}

/// The unit `conversation#turn` of a group.
pub(crate) fn unit(value: &str, conversation: &str, turn: u32) -> UnitId {
    UnitId { group: group(value), conversation: conversation.to_owned(), turn: Some(turn) }
}

pub(crate) fn opened(at_ms: u64) -> Event {
    let (run, version) = ("20261123T174012Z-1a2b".to_owned(), "0.1.0".to_owned());
    Event::Opened(Opened {
        format: EVENT_FORMAT,
        run,
        at_ms,
        pid: 1,
        version,
        boot: None,
        spent_before: None,
        deadline_ms: None,
        earlier_synced: false,
        replay: false,
        trial: false,
    })
}

pub(crate) fn closed(reason: StopReason, at_ms: u64) -> Event {
    Event::Closed(Closed { reason, at_ms })
}

/// Admits a unit with content of its own.
pub(crate) fn admitted(ordinal: u64, stratum: u32, unit: UnitId) -> Event {
    let content = unit.key();
    Event::Admitted(Admitted {
        ordinal: Ordinal(ordinal),
        unit,
        stratum: Some(stratum),
        content,
        cluster: None,
        part: None,
    })
}

/// Admits one turn of a conversation that was drawn as a whole: `number`, from 1, of so many.
pub(crate) fn admitted_part(ordinal: u64, stratum: u32, conversation: &str, (number, of): (u32, u32)) -> Event {
    let unit = unit("rl", conversation, 2 * number - 1);
    let content = unit.key();
    let part = Some(Part { number, of });
    Event::Admitted(Admitted { ordinal: Ordinal(ordinal), unit, stratum: Some(stratum), content, cluster: None, part })
}

pub(crate) fn graded(verdict: Judgement) -> Outcome {
    let score = if verdict == Judgement::Present { 90 } else { 10 };
    let (labels, exclusions, fields) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    Outcome::Graded { finding: Finding { verdict, score, labels, exclusions, fields } }
}

pub(crate) fn judged(ordinal: u64, stage: Stage, outcome: Outcome) -> Judged {
    Judged {
        ordinal: Ordinal(ordinal),
        stage,
        outcome,
        key: None,
        parser: 1,
        replayed: false,
        partly_replayed: false,
        served: Some(if stage == Stage::Screen { "gpt-5-mini-2026-08" } else { "o4" }.to_owned()),
        seen: Seen::default(),
        chunks: Vec::new(),
        injection_suspected: false,
        repeated: None,
    }
}

pub(crate) fn sent(attempt: u64, ordinal: u64, stage: Stage) -> Event {
    let key = Digest::of(&ordinal.to_le_bytes());
    let (attempt, ordinal) = (AttemptId(attempt), Ordinal(ordinal));
    Event::Sent(Sent { attempt, ordinal, stage, key, bound: NanoUsd(5_000_000), repeated: false, again: None })
}

pub(crate) fn replied(attempt: u64) -> Event {
    let usage = Usage { prompt_tokens: 1_000, cached_tokens: 400, completion_tokens: 50, reasoning_tokens: 0 };
    settled(attempt, Ending::Replied { usage: Some(usage) }, NanoUsd(1_000_000))
}

pub(crate) fn settled(attempt: u64, ending: Ending, cost: NanoUsd) -> Event {
    Event::Settled(Settled { attempt: AttemptId(attempt), ending, cost, latency_ms: 900, anchor: None })
}

/// A decision about `unit` on the minute.
pub(crate) fn label(unit: &str, seat: &str, decision: Decision, minute: i64) -> Label {
    Label {
        unit: unit.to_owned(),
        group: None,
        decision,
        labels: BTreeSet::new(),
        code: None,
        seat: seat.to_owned(),
        at: jiff::Timestamp::from_second(60 * minute).unwrap(),
        behaviour: "metagaming".to_owned(),
        definition: None,
    }
}
