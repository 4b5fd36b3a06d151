//! What an audit expects of its corpus, checked right after the census and before any money is spent: a night over
//! half a corpus looks green and is not.

use crate::model::event::CorpusCount;
use crate::model::unit::Group;

/// Groups that a message lists before it only counts them.
const MOST_LISTED: usize = 8;

/// `[expect]`. The default expects nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExpectSettings {
    /// Fewest conversations.
    pub min_conversations: u64,
    /// Fewest turns.
    pub min_turns: u64,
    /// Largest share of records that may be unreadable, 0 to 1; anything goes without one.
    pub max_unreadable: Option<f64>,
    /// Smallest share of turns that must carry reasoning, 0 to 1.
    pub min_reasoning_share: f64,
    /// Groups that must be there, as reports print them: values in the order of `group_by`, joined by ` · ` or ` / `,
    /// an empty value as `(none)`.
    pub groups: Vec<String>,
}

impl ExpectSettings {
    /// A sentence for everything that `corpus` lacks, with the figure observed; none if it is as expected.
    #[must_use]
    pub fn missing_in(&self, corpus: &CorpusCount) -> Vec<String> {
        let mut missing = Vec::new();
        let mut at_least = |key: &str, what: &str, least: u64, found: u64| {
            if found < least {
                missing.push(format!("the corpus holds {found} {what}, and `expect.{key}` is {least}"));
            }
        };
        at_least("min_conversations", "conversations", self.min_conversations, corpus.conversations);
        at_least("min_turns", "turns", self.min_turns, corpus.turns);
        missing.extend(self.unreadable(corpus));
        missing.extend(self.reasoning(corpus));
        missing.extend(self.groups.iter().filter_map(|name| absent(name, corpus)));
        missing
    }

    fn unreadable(&self, corpus: &CorpusCount) -> Option<String> {
        let most = self.max_unreadable?;
        let unreadable: u64 = corpus.unreadable.values().sum();
        if share(unreadable, corpus.records) <= most {
            return None;
        }
        let of = format!("{unreadable} of {} records are unreadable", corpus.records);
        let example = corpus.examples.first().map(|example| format!(", such as {example}")).unwrap_or_default();
        let most = percent(most);
        Some(format!(
            "{of} ({}), and `expect.max_unreadable` is {most}{example}",
            percent(share(unreadable, corpus.records))
        ))
    }

    fn reasoning(&self, corpus: &CorpusCount) -> Option<String> {
        let (found, least) = (corpus.turns_with_reasoning, self.min_reasoning_share);
        let found_share = share(found, corpus.turns);
        (found_share < least).then(|| {
            let (found_share, least) = (percent(found_share), percent(least));
            format!(
                "{found} of {} turns carry reasoning ({found_share}), and `expect.min_reasoning_share` is {least}",
                corpus.turns
            )
        })
    }
}

/// The sentence about a group that is not there, with the nearest one that is.
fn absent(name: &str, corpus: &CorpusCount) -> Option<String> {
    let present: Vec<&Group> =
        corpus.conversations_by_group.iter().filter(|(_, count)| *count > 0).map(|(group, _)| group).collect();
    if present.iter().any(|group| spellings(group).iter().any(|spelling| spelling == name)) {
        return None;
    }
    let distance = |group: &&&Group| {
        spellings(group).iter().map(|spelling| strsim::damerau_levenshtein(spelling, name)).min().unwrap_or(usize::MAX)
    };
    let nearest =
        present.iter().min_by_key(distance).filter(|group| distance(group) <= name.chars().count().div_ceil(3));
    let advice = match nearest {
        Some(group) => format!("did you mean `{group}`?"),
        None if present.is_empty() => "there are none".to_owned(),
        None => format!("the groups are {}", listed(&present)),
    };
    Some(format!("there is no conversation of group `{name}`, which `expect.groups` names; {advice}"))
}

/// A group as reports print it, and as it is typed.
fn spellings(group: &Group) -> [String; 2] {
    let printed = group.to_string();
    let typed = printed.replace(" · ", " / ");
    [printed, typed]
}

fn listed(groups: &[&Group]) -> String {
    let shown: Vec<_> = groups.iter().take(MOST_LISTED).map(|group| format!("`{group}`")).collect();
    match groups.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> CorpusCount {
        let group = |values: [&str; 2], count| (Group(values.map(str::to_owned).to_vec()), count);
        CorpusCount {
            records: 1_000,
            conversations: 990,
            turns: 2_000,
            turns_with_reasoning: 500,
            conversations_by_group: vec![group(["rl-early", "chat"], 400), group(["rl-late", ""], 590)],
            unreadable: [("not JSON".to_owned(), 8)].into(),
            examples: vec!["a.jsonl:3: not JSON".to_owned()],
            ..CorpusCount::default()
        }
    }

    fn missing(change: impl FnOnce(&mut ExpectSettings)) -> Vec<String> {
        let mut expect = ExpectSettings::default();
        change(&mut expect);
        expect.missing_in(&corpus())
    }

    #[test]
    fn what_is_as_expected_is_not_mentioned() {
        assert_eq!(ExpectSettings::default().missing_in(&CorpusCount::default()), Vec::<String>::new());
        let met = missing(|expect| {
            expect.min_conversations = 990;
            expect.min_turns = 2_000;
            expect.max_unreadable = Some(0.008);
            expect.min_reasoning_share = 0.25;
            expect.groups = ["rl-early · chat", "rl-early / chat", "rl-late / (none)"].map(str::to_owned).to_vec();
        });
        assert_eq!(met, Vec::<String>::new());
    }

    #[test]
    fn each_shortfall_comes_with_the_figure_observed() {
        let all = missing(|expect| {
            expect.min_conversations = 991;
            expect.min_turns = 2_001;
            expect.max_unreadable = Some(0.007_9);
            expect.min_reasoning_share = 0.251;
            expect.groups = ["rl-early / chats", "production / api"].map(str::to_owned).to_vec();
        });
        insta::assert_snapshot!(all.join("\n"), @r"
        the corpus holds 990 conversations, and `expect.min_conversations` is 991
        the corpus holds 2000 turns, and `expect.min_turns` is 2001
        8 of 1000 records are unreadable (0.8%), and `expect.max_unreadable` is 0.79%, such as a.jsonl:3: not JSON
        500 of 2000 turns carry reasoning (25%), and `expect.min_reasoning_share` is 25.1%
        there is no conversation of group `rl-early / chats`, which `expect.groups` names; did you mean `rl-early · chat`?
        there is no conversation of group `production / api`, which `expect.groups` names; the groups are `rl-early · chat`, `rl-late · (none)`
        ");
    }

    #[test]
    fn a_corpus_without_records_lacks_what_must_be_there_and_no_more() {
        let expect = ExpectSettings { min_turns: 1, max_unreadable: Some(0.0), ..ExpectSettings::default() };
        assert_eq!(expect.missing_in(&CorpusCount::default()).len(), 1);
    }
}
