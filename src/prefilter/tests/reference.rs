//! A second implementation, slow and obvious, that the screener has to agree with.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::class::{Class, Near, Rule, Terms};
use super::super::passage;
use super::*;

/// Starts and ends in characters.
type Span = (usize, usize);

fn same(a: char, b: char) -> bool {
    let plain = |c: char| if c == '’' { '\'' } else { c.to_ascii_lowercase() };
    plain(a) == plain(b)
}

fn occurrences(text: &[char], term: &str) -> Vec<Span> {
    let term: Vec<char> = term.chars().collect();
    let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_');
    let windows = text.windows(term.len()).enumerate();
    let equal = windows.filter(|(_, window)| window.iter().zip(&term).all(|(a, b)| same(*a, *b)));
    let spans = equal.map(|(start, window)| (start, start + window.len()));
    let bounded = spans.filter(|(start, end)| {
        let before = start.checked_sub(1).and_then(|before| text.get(before));
        let cut_left = is_word(before) && is_word(text.get(*start));
        let cut_right = is_word(text.get(*end)) && is_word(text.get(end - 1));
        !cut_left && !cut_right
    });
    bounded.collect()
}

fn all_of(text: &[char], terms: &Terms) -> Vec<(String, Span)> {
    let each = |term: &str| occurrences(text, term).into_iter().map(|span| (term.to_owned(), span)).collect::<Vec<_>>();
    terms.iter().flat_map(each).collect()
}

fn near(text: &[char], rule: &Near) -> bool {
    let gap = |(a, b): Span, (c, d): Span| c.saturating_sub(b).max(a.saturating_sub(d));
    all_of(text, &rule.terms).iter().any(|anchor| {
        let company = |terms: &Terms| {
            let all = all_of(text, terms).into_iter();
            let near = all.filter(|other| other != anchor && gap(other.1, anchor.1) <= rule.within);
            near.map(|(term, _)| term).collect::<BTreeSet<_>>().len()
        };
        company(&rule.company) > 0 && rule.also.as_ref().is_none_or(|also| company(&also.terms) >= also.at_least)
    })
}

fn matches(rule: &Rule, class: &Class, message: &Message) -> bool {
    let seen = || passage::all(message).filter(|passage| class.channels.contains(&passage.channel));
    let any = |test: &dyn Fn(&str) -> bool| seen().any(|passage| test(passage.text));
    let regex = |pattern: &str, text: &str| regex::Regex::new(&format!("(?i){pattern}")).unwrap().is_match(text);
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    match rule {
        Rule::Terms(terms) => any(&|text| !all_of(&chars(text), terms).is_empty()),
        Rule::Regex(pattern) => any(&|text| regex(pattern.as_str(), text)),
        Rule::Near(rule) => any(&|text| near(&chars(text), rule)),
        Rule::Length { min_chars, max_chars } => {
            let total: usize = seen().map(|passage| passage.text.chars().count()).sum();
            (*min_chars..=*max_chars).contains(&(total as u64))
        }
        Rule::ToolCall { name, arguments } => message.tool_calls.iter().any(|call| {
            name.as_ref().is_none_or(|pattern| regex(pattern.as_str(), &call.name))
                && arguments.as_ref().is_none_or(|pattern| regex(pattern.as_str(), &call.arguments))
        }),
    }
}

fn reference_class(rules: &Rules, message: &Message) -> usize {
    let any = |rules: &[Rule], class| rules.iter().any(|rule| matches(rule, class, message));
    let class = rules.classes.iter().position(|class| any(&class.rules, class) && !any(&class.unless, class));
    class.unwrap_or(rules.classes.len())
}

const CUES: &str = r"
[lists]
self = ['I', 'me', 'my']
doubt = ['may', 'maybe', 'can’t']

[[class]]
name = 'calls'
[[class.rule]]
kind = 'tool_call'
name = '^me'
arguments = 'te+st'

[[class]]
name = 'core'
channels = ['reasoning', 'tool']
[[class.rule]]
kind = 'terms'
terms = ['my test', 'test', 'é test']
[[class.unless]]
kind = 'regex'
pattern = '(?-u:\b)my tests'

[[class]]
name = 'doubtful'
[[class.rule]]
kind = 'near'
terms = ['test', 'my test']
near = { list = 'self' }
within = 6
also = { list = 'doubt' }
at_least = 2

[[class]]
name = 'near'
[[class.rule]]
kind = 'near'
terms = ['test', 'me']
near = { list = 'self' }
within = 3
[[class.unless]]
kind = 'length'
min_chars = 60
";

/// Texts of few words, so that they meet often.
fn any_text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "I", "me", "my", "ME", "may", "maybe", "can't", "CAN’T", "test", "Test", "tests", "é", "日本", " ", " ", " ",
        "_", "-", "...", "\n", "x",
    ]);
    prop::collection::vec(word, 0..14).prop_map(|words| words.concat())
}

fn any_message() -> impl Strategy<Value = Message> {
    let call = (any_text(), any_text()).prop_map(|(name, arguments)| ToolCall { name, arguments, id: None });
    let calls = prop::collection::vec(call, 0..3);
    (any_text(), prop::option::of(any_text()), calls).prop_map(|(content, reasoning, tool_calls)| Message {
        reasoning,
        tool_calls,
        ..says(&content)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_screener_agrees_with_the_reference(message in any_message()) {
        static COMPILED: LazyLock<(Rules, Screener)> = LazyLock::new(|| (Rules::parse(CUES).unwrap(), screener(CUES)));
        let (rules, screener) = &*COMPILED;
        let class = screener.class_of(&message, &mut Scratch::default());
        prop_assert_eq!(class, reference_class(rules, &message), "{}", channel_text(&message, Channel::Final));
        let hits = screener.hits(&message);
        let explained = hits.iter().any(|hit| hit.class == screener.classes()[class]);
        prop_assert_eq!(explained, class < rules.classes.len());
    }
}
