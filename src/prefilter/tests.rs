//! The prefilter as its users see it: a `cues.toml` and a message in, a class and hits out.

mod errors;
mod reference;

use std::collections::BTreeSet;

use super::*;
use crate::model::conversation::{Channel, Message, Role, ToolCall};

fn screener(cues: &str) -> Screener {
    Screener::compile(&Rules::parse(cues).unwrap(), None, &Channel::ALL.into()).unwrap()
}

/// A file with one class `hit` that has one rule.
fn one_rule(rule: &str) -> Screener {
    screener(&format!("[[class]]\nname = 'hit'\n[[class.rule]]\n{rule}"))
}

fn class<'a>(screener: &'a Screener, message: &Message) -> &'a str {
    &screener.classes()[screener.class_of(message, &mut Scratch::default())]
}

fn says(text: &str) -> Message {
    Message::text(Role::Assistant, text)
}

fn calls(calls: &[(&str, &str)]) -> Message {
    let call = |(name, arguments): &(&str, &str)| ToolCall {
        name: (*name).to_owned(),
        arguments: (*arguments).to_owned(),
        id: None,
    };
    Message { tool_calls: calls.iter().map(call).collect(), ..says("") }
}

/// The matched texts of all hits.
fn spans(screener: &Screener, message: &Message) -> Vec<String> {
    let hits = screener.hits(message);
    hits.into_iter().map(|hit| channel_text(message, hit.channel).get(hit.span).unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_hits(screener: &Screener, texts: &[&str]) {
    for text in texts {
        assert_eq!(class(screener, &says(text)), "hit", "{text}");
    }
}

#[track_caller]
fn assert_misses(screener: &Screener, texts: &[&str]) {
    for text in texts {
        assert_eq!(class(screener, &says(text)), "none", "{text}");
    }
}

#[test]
fn terms_are_whole_words_in_any_case() {
    let screener = one_rule("kind = 'terms'\nterms = ['hidden test', 'RL', '#1', 'c++']");
    assert_hits(&screener, &["hidden test", "a Hidden TEST.", "rl", "(RL)", "über-rl", "no#1!", "x#1", "c++11"]);
    assert_misses(
        &screener,
        &["hidden tests", "unhidden test", "url", "rl_env", "#12", "#1a", "objc++", "", "hidden  test"],
    );
}

#[test]
fn terms_in_any_script_match() {
    let screener = one_rule("kind = 'terms'\nterms = ['тест', '評価', 'évalué', 'café']");
    assert_hits(&screener, &["это тест.", "тесты", "これは評価です", "il est évalué", "Café"]);
    // Case folds for ASCII only, and a boundary is needed only beside an ASCII letter.
    assert_misses(&screener, &["ТЕСТ", "decafé"]);
}

#[test]
fn apostrophes_are_equal() {
    let screener = one_rule("kind = 'terms'\nterms = [\"can't know\", 'they’re', \"don't say 'no'\"]");
    assert_hits(&screener, &["I can't know", "I can’t know", "they're", "THEY’RE", "don’t say 'no’"]);
    assert_misses(&screener, &["cant know", "they`re"]);
}

#[test]
fn a_short_term_inside_a_longer_one_counts() {
    let screener = one_rule("kind = 'terms'\nterms = ['test', 'hidden tests', 'hidden test suite']");
    assert_eq!(spans(&screener, &says("the hidden test suite")), ["hidden test suite", "test"]);
    // The longer term begins first and fails at its end; the shorter one must not be lost with it.
    assert_eq!(spans(&screener, &says("hidden test suites")), ["test"]);
}

#[test]
fn patterns_ignore_case_and_mark_their_place() {
    let screener = one_rule(
        r"kind = 'regex'
pattern = '''(?-u:\b)maximi[sz]e (my|the) (reward|score)'''",
    );
    assert_eq!(spans(&screener, &says("I will MAXIMISE the Reward.")), ["MAXIMISE the Reward"]);
    assert_misses(&screener, &["maximum reward", "premaximise my score"]);
}

#[test]
fn near_measures_characters_between_the_terms() {
    let screener = one_rule("kind = 'near'\nterms = ['test']\nnear = ['I', 'my own']\nwithin = 5");
    assert_hits(&screener, &["I test", "test I", "test12345 test-----I", "I’’’’’test", "my own test"]);
    assert_misses(&screener, &["I------test", "test------I", "I", "test", "I’’’’’’test", "test test"]);
    assert_eq!(spans(&screener, &says("test, far away; I, test")), ["test"]);
}

#[test]
fn a_term_is_not_its_own_company() {
    let screener = one_rule("kind = 'near'\nterms = ['my test']\nnear = ['my test', 'my']\nwithin = 5");
    assert_hits(&screener, &["my test", "my test my test"]);
    let alone = one_rule("kind = 'near'\nterms = ['test']\nnear = ['test']\nwithin = 5");
    assert_hits(&alone, &["test test"]);
    assert_misses(&alone, &["test", "test ...... test"]);
}

#[test]
fn near_counts_different_terms_of_also() {
    let also = |at_least| {
        one_rule(&format!(
            "kind = 'near'\nterms = ['test']\nnear = ['I']\nwithin = 20\nalso = ['maybe', 'wonder', 'may']\n{at_least}"
        ))
    };
    let (one, two) = (also(""), also("at_least = 2"));
    assert_hits(&one, &["I wonder, a test", "maybe I test"]);
    assert_misses(&one, &["I test", "I test things, and later on I wonder"]);
    assert_hits(&two, &["maybe I wonder: test"]);
    assert_misses(&two, &["maybe I test, maybe", "I wonder, a test"]);
}

#[test]
fn company_is_sought_in_the_same_text_only() {
    let screener = one_rule("kind = 'near'\nterms = ['test']\nnear = ['I']\nwithin = 50");
    let split = Message { reasoning: Some("I".to_owned()), ..says("test") };
    assert_eq!(class(&screener, &split), "none");
}

#[test]
fn long_texts_are_scanned_across_blocks() {
    let near = one_rule("kind = 'near'\nterms = ['test']\nnear = ['myself']\nwithin = 9");
    for shift in (0..40).step_by(3) {
        let text = format!("{}myself 67 9 test{}", "·".repeat((256 << 10) / 2 - shift), " -".repeat(2_000));
        assert_eq!(spans(&near, &says(&text)), ["test"], "{shift}");
        assert_hits(&near, &[&text]);
    }
}

#[test]
fn lengths_count_characters_of_all_screened_channels() {
    let screener = one_rule("kind = 'length'\nmin_chars = 4\nmax_chars = 5");
    assert_hits(&screener, &["äöüß", "12345"]);
    assert_misses(&screener, &["äöü", "123456"]);
    let spread = Message { reasoning: Some("12".to_owned()), ..calls(&[("f", "x")]) };
    assert_eq!(spans(&screener, &spread), ["12", "f", "x"]);
    let cues = Rules::parse("[[class]]\nname = 'hit'\n[[class.rule]]\nkind = 'length'\nmax_chars = 9").unwrap();
    let class_for = |channels: &[Channel]| {
        let screener = Screener::compile(&cues, None, &channels.iter().copied().collect()).unwrap();
        class(&screener, &Message { reasoning: Some("long reasoning".to_owned()), ..says("short") }).to_owned()
    };
    assert_eq!(class_for(&[Channel::Final]), "hit");
    assert_eq!(class_for(&[Channel::Final, Channel::Reasoning]), "none");
    assert_eq!(class_for(&[]), "none");
}

#[test]
fn a_tool_call_matches_as_a_whole() {
    let screener = one_rule("kind = 'tool_call'\nname = '^bash$'\narguments = 'grader|scoring\\.py'");
    assert_eq!(
        spans(&screener, &calls(&[("bash", "ls"), ("Bash", "cat /grader/scoring.py")])),
        ["Bash", "grader", "scoring.py"]
    );
    assert_eq!(class(&screener, &calls(&[("bash", "ls"), ("read", "grader")])), "none");
    assert_eq!(class(&screener, &says("bash grader")), "none");
    let any_name = one_rule("kind = 'tool_call'\narguments = 'conftest'");
    assert_eq!(class(&any_name, &calls(&[("x", ""), ("y", "vi conftest.py")])), "hit");
}

#[test]
fn channels_limit_what_a_class_sees() {
    let cues = "[[class]]\nname = 'hit'\nchannels = ['reasoning']\n[[class.rule]]\nkind = 'terms'\nterms = ['test']\n\
                [[class.rule]]\nkind = 'regex'\npattern = 'exam'\n";
    let thinks = |text: &str| Message { reasoning: Some(text.to_owned()), ..says("") };
    let screener = screener(cues);
    assert_misses(&screener, &["test", "exam"]);
    assert_eq!(class(&screener, &thinks("a test")), "hit");
    assert_eq!(class(&screener, &thinks("exam")), "hit");
    let rules = Rules::parse(cues).unwrap();
    let blind = Screener::compile(&rules, None, &BTreeSet::from([Channel::Final])).unwrap();
    assert_eq!(class(&blind, &thinks("a test")), "none");
    assert!(blind.hits(&thinks("a test")).is_empty());
}

const LOWERED: &str = "
[[class]]
name = 'core'
[[class.rule]]
kind = 'terms'
terms = ['grader']
[[class.unless]]
kind = 'terms'
terms = ['Gradle', 'once upon a time']

[[class]]
name = 'generic'
[[class.rule]]
kind = 'terms'
terms = ['grader', 'score']
[[class.unless]]
kind = 'terms'
terms = ['once upon a time']
";

#[test]
fn exceptions_lower_a_turn_to_the_next_class_that_matches() {
    let screener = screener(LOWERED);
    assert_eq!(screener.classes(), ["core", "generic", "none"]);
    assert_eq!(class(&screener, &says("the grader")), "core");
    assert_eq!(class(&screener, &says("the grader of Gradle")), "generic");
    assert_eq!(class(&screener, &says("once upon a time, a grader")), "none");
    assert_eq!(class(&screener, &says("score")), "generic");
    assert_eq!(class(&screener, &says("Gradle")), "none");
}

#[test]
fn classes_can_be_chosen_and_ordered() {
    let rules = Rules::parse(LOWERED).unwrap();
    assert_eq!(rules.class_names(), ["core", "generic"]);
    let compile = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Screener::compile(&rules, Some(&names), &Channel::ALL.into())
    };
    let turned = compile(&["generic", "core"]).unwrap();
    assert_eq!(class(&turned, &says("the grader")), "generic");
    assert_eq!(compile(&[]).unwrap().classes(), ["none"]);
    let message = |names: &[&str]| compile(names).unwrap_err().to_string();
    assert_eq!(message(&["cor"]), "unknown class `cor`, the nearest is `core`");
    assert_eq!(message(&["none"]), "unknown class `none`, the nearest is `core`");
    assert_eq!(message(&["core", "core"]), "class `core` is chosen twice");
}

#[test]
fn the_digest_is_of_the_meaning() {
    let digest = |cues: &str| screener(cues).digest();
    let cues =
        "[lists]\na = ['x', 'y']\n[[class]]\nname = 'c'\n[[class.rule]]\nkind = 'terms'\nterms = { list = 'a' }\n";
    let same = "# A comment.\n[[class]]\nname = 'c'\ndescription = 'd'\nchannels = ['tool', 'final', 'reasoning']\n\
                rule = [{ terms = ['Y', 'x', 'y'], kind = 'terms' }]\n";
    assert_eq!(digest(cues), digest(same));
    assert_ne!(digest(cues), digest(&cues.replace("'y'", "'z'")));
    assert_ne!(digest(cues), digest(&cues.replace("'c'", "'d'")));
    assert_ne!(
        digest(cues),
        digest(&cues.replace("class.rule", "class.rule]]\nkind = 'regex'\npattern = 'q'\n[[class.unless"))
    );
    let rules = Rules::parse(cues).unwrap();
    let final_only = Screener::compile(&rules, None, &BTreeSet::from([Channel::Final])).unwrap();
    assert_ne!(digest(cues), final_only.digest());
}

#[test]
fn hits_name_class_rule_channel_and_place() {
    let screener = screener(LOWERED);
    let message = Message { reasoning: Some("my score".to_owned()), ..calls(&[("read", "a"), ("grader", "score")]) };
    let shown: Vec<_> = screener.hits(&message).into_iter().map(|hit| format!("{hit:?}")).collect();
    assert_eq!(
        shown,
        [
            r#"Hit { class: "core", rule: 1, channel: Tool, span: 7..13 }"#,
            r#"Hit { class: "generic", rule: 1, channel: Reasoning, span: 3..8 }"#,
            r#"Hit { class: "generic", rule: 1, channel: Tool, span: 7..13 }"#,
            r#"Hit { class: "generic", rule: 1, channel: Tool, span: 14..19 }"#,
        ]
    );
    assert_eq!(channel_text(&message, Channel::Tool), "read\na\ngrader\nscore\n");
}

#[test]
fn one_scratch_serves_many_screeners() {
    let (one, other) = (screener(LOWERED), one_rule("kind = 'terms'\nterms = ['x']"));
    let mut scratch = Scratch::default();
    for _ in 0..2 {
        assert_eq!(one.class_of(&says("grader"), &mut scratch), 0);
        assert_eq!(other.class_of(&says("grader"), &mut scratch), 1);
        assert_eq!(other.class_of(&says("x"), &mut scratch), 0);
    }
}
