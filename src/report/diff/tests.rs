//! What is said to differ, and what a hostile transcript can do to the page.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::page::Escaped;
use super::passage::{Passage, Piece};
use super::{Diff, FlipRow, Paired, Replies, SideTally, VerdictRow};
use crate::model::asking::{Asking, OverLong, Shown};
use crate::model::conversation::{Channel, Role};
use crate::model::event::Planned;
use crate::model::fixture::planned;
use crate::model::grading::{PromptLabel, Stage, Structured};
use crate::model::hash::Digest;
use crate::model::outcome::OutcomeKind;
use crate::model::rate::Level;
use crate::model::tally::Tally;
use crate::model::verdict::{Evidence, Judgement, QuoteCheck};
use crate::reconcile::diff::{Cross, Pairing, StagePairing};
use crate::report::layout::Style;

fn asking() -> Asking {
    Asking {
        params: BTreeMap::from([("temperature".to_owned(), 0.into())]),
        on_truncated: BTreeMap::new(),
        revision: String::new(),
        structured: Structured::JsonSchema,
        window: Shown {
            neighbours: 4,
            max_chars: Some(32_000),
            max_tokens: None,
            min_coverage: 0.6,
            over_long: OverLong::Cut,
        },
        channels: [Channel::Final].into(),
        repeats: None,
        framing: None,
    }
}

fn plan() -> Planned {
    let mut plan = planned(&[("core", "rl", 90, 60)]);
    plan.graders.iter_mut().for_each(|grader| grader.asking = Some(asking()));
    plan
}

/// A comparison of two plans that differ by `change`, with one flip more gained than lost.
fn compared(change: impl FnOnce(&mut Tally), flips: Vec<FlipRow>) -> Diff {
    let first = Tally { parser: Some(1), ..Tally::empty(plan(), Level::new(0.95).unwrap()) };
    let mut second = first.clone();
    change(&mut second);
    let cross = Cross { both: 5, first_only: 1, second_only: 2, neither: 90 };
    let screen = StagePairing { cross, ..StagePairing::default() };
    let pairing = Pairing { screen, confirm: None, flips: Vec::new() };
    let side = |run, tally| SideTally { run, tally, recorded: &tally.plan, named: None, replies: Replies::default() };
    Diff::new(Paired { sides: [side("first", &first), side("second", &second)], pairing: &pairing, flips })
}

#[test]
fn everything_that_shapes_a_verdict_is_named() {
    let all = compared(
        |other| {
            let plan = &mut other.plan;
            plan.graders.truncate(1);
            let grader = &mut plan.graders[0];
            grader.prompt = Some(PromptLabel { role: "screen".to_owned(), version: 2 });
            (grader.model, grader.endpoint, grader.simulated) = ("gpt-5".to_owned(), "other".to_owned(), true);
            let asking = grader.asking.as_mut().unwrap();
            (asking.revision, asking.structured) = ("weights-2".to_owned(), Structured::Prompt);
            asking.params.clear();
            asking.on_truncated.insert("max_completion_tokens".to_owned(), 6_000.into());
            asking.window.neighbours = 1;
            asking.channels.insert(Channel::Reasoning);
            plan.definition = "decisive".to_owned();
            other.parser = Some(2);
        },
        Vec::new(),
    );
    let rows: Vec<_> = all.changed.iter().map(|row| format!("{}: {} -> {}", row.what, row.a, row.b)).collect();
    insta::assert_snapshot!(rows.join("\n"));
    assert!(all.warnings[0].starts_with("13 things differ (screen prompt, screen model, "), "{:?}", all.warnings);
}

#[test]
fn one_change_is_no_warning_and_none_is_the_grader() {
    let label = |other: &mut Tally| other.plan.graders[0].prompt_hash = Some(Digest::of(b"edited"));
    let one = compared(label, Vec::new());
    assert_eq!(one.changed.iter().map(|row| row.what.as_str()).collect::<Vec<_>>(), ["screen prompt"]);
    assert!(one.warnings.iter().all(|warning| warning.ends_with("is in no comparison")), "{:?}", one.warnings);
    let none = compared(|_| {}, Vec::new());
    assert!(none.warnings[0].contains("the grader contradicting itself"), "{:?}", none.warnings);
    let old = compared(|other| other.plan.graders[0].asking = None, Vec::new());
    assert!(old.warnings.iter().any(|warning| warning.contains("whether these differ is not known")));
}

/// A flip whose every text is the same hostile words.
fn hostile(words: &str) -> FlipRow {
    let evidence = Evidence { message: 1, channel: Channel::Final, quote: words.to_owned(), check: QuoteCheck::Exact };
    let verdict = || VerdictRow {
        stage: Stage::Screen,
        outcome: OutcomeKind::Graded,
        verdict: Some(Judgement::Present),
        score: Some(90),
        labels: [words.to_owned()].into(),
        exclusions: [words.to_owned()].into(),
        fields: BTreeMap::from([(words.to_owned(), words.to_owned())]),
        evidence: vec![evidence.clone()],
        innocent_reading: Some(words.to_owned()),
        unavailable: None,
    };
    let text = |a, b| Piece::Text { text: words.to_owned(), a, b };
    let pieces = vec![text(false, false), text(true, false), text(false, true), text(true, true)];
    let (message, role, channel) = (1, Role::Assistant, Channel::Final);
    FlipRow {
        unit: words.to_owned(),
        group: BTreeMap::from([(words.to_owned(), words.to_owned())]),
        class: words.to_owned(),
        screen: Some("gained"),
        confirm: None,
        a: vec![verdict()],
        b: vec![verdict()],
        passages: vec![Passage { message, role, channel, is_target: true, is_cited: true, pieces }],
    }
}

#[test]
fn hostile_words_reach_neither_markup_nor_terminal() {
    let words = "</pre><script src=x>alert(1)</script><img onerror='x' a=\"b\">&\u{1b}[2J\u{202e}\u{0}";
    let diff = compared(|_| {}, vec![hostile(words)]);
    let page = diff.page();
    for foreign in ["<script", "<img", "</pre><s", "'x'", "\u{1b}", "\u{202e}", "\u{0}"] {
        assert!(!page.contains(foreign), "{foreign:?}");
    }
    assert!(page.contains("&lt;script src=x&gt;alert(1)&lt;/script&gt;&lt;img onerror=&#39;x&#39;"));
    let shown = diff.render(10, Style::Plain);
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n') && !shown.contains('\u{202e}'), "{shown}");
    assert!(shown.lines().all(|line| !line.starts_with("     ") || line.chars().count() <= 80), "{shown}");
}

proptest! {
    #[test]
    fn no_text_is_markup(text in "\\PC{0,40}|[<>&\"'\t\n\u{1b}\u{202e}a]{0,40}") {
        let escaped = Escaped(&text).to_string();
        prop_assert!(!escaped.contains(['<', '>', '"', '\'', '\t', '\u{1b}', '\u{202e}']), "{escaped:?}");
        let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        let known: usize = entities.iter().map(|entity| escaped.matches(entity).count()).sum();
        prop_assert_eq!(escaped.matches('&').count(), known, "{:?}", escaped);
    }
}
