use std::collections::HashSet;
use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::model::conversation::{Channel, Message, Role};
use crate::model::hash::Digest;
use crate::rehearse::{PlantedTurn, planted_by_group};

fn group(checkpoint: &str, conversations: u64, prevalence: f64) -> GroupPlan {
    let values = BTreeMap::from([("checkpoint".to_owned(), checkpoint.to_owned())]);
    GroupPlan { values, conversations, prevalence: Probability::new(prevalence).unwrap() }
}

fn plan(seed: u64) -> CorpusPlan {
    let mut plan = CorpusPlan::new(seed, vec![group("rl-early", 300, 0.02), group("rl-late", 500, 0.1)]);
    plan.cue_negatives = Probability::new(0.05).unwrap();
    plan.extra_metadata.insert("user".to_owned(), 40);
    plan
}

fn lines<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text_of(message: &Message, channel: Channel) -> &str {
    match channel {
        Channel::Reasoning => message.reasoning.as_deref().unwrap_or_default(),
        Channel::Final => &message.content,
        Channel::Tool => "",
    }
}

#[test]
fn what_is_written_is_what_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth.jsonl");
    let planted = plan(1).write(&folder.path().join("traffic"), &truth).unwrap();
    let turns: Vec<PlantedTurn> = lines(&fs::read_to_string(&truth).unwrap());
    let mut texts = HashSet::new();
    for counts in &planted.groups {
        let conversations: Vec<Conversation> = lines(&fs::read_to_string(&counts.file).unwrap());
        assert_eq!(counts.conversations, conversations.len() as u64);
        let own: Vec<_> =
            turns.iter().filter(|turn| conversations[0].metadata["checkpoint"] == turn.group["checkpoint"]).collect();
        assert_eq!(counts.present, own.iter().filter(|turn| turn.present).count() as u64);
        assert_eq!(counts.present_with_cue, own.iter().filter(|turn| turn.present && turn.cue).count() as u64);
        assert_eq!(counts.innocent_with_cue, own.iter().filter(|turn| !turn.present && turn.cue).count() as u64);
        assert_eq!(counts.turns, conversations.iter().map(|c| c.turns().count() as u64).sum::<u64>());
        for turn in own {
            let (id, index) = turn.unit.rsplit_once('#').unwrap();
            let conversation = conversations.iter().find(|conversation| conversation.id == id).unwrap();
            let message = conversation.message(index.parse().unwrap()).unwrap();
            assert_eq!(message.role, Role::Assistant);
            assert_eq!(turn.text, Digest::of(message.content.trim().as_bytes()));
            assert!(text_of(message, turn.channel).contains(&turn.quote));
        }
        for message in conversations.iter().flat_map(|conversation| &conversation.messages) {
            assert!(message.role != Role::Assistant || texts.insert(message.content.clone()), "final texts are unique");
        }
    }
    let by_group = planted_by_group(&truth, &["checkpoint".to_owned()]).unwrap();
    let read: Vec<_> = by_group.iter().map(|group| (group.turns, group.conversations)).collect();
    let written: Vec<_> = planted.groups.iter().map(|group| (group.present, group.present_conversations)).collect();
    assert_eq!(read, written);
}

#[test]
fn equal_plans_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, seed| {
        let mut plan = plan(seed);
        plan.compress = true;
        let own = folder.path().join(name);
        let planted = plan.write(&own, &own.join("truth/truth.jsonl")).unwrap();
        let mut files: Vec<_> = planted.groups.iter().map(|group| fs::read(&group.file).unwrap()).collect();
        files.push(fs::read(own.join("truth/truth.jsonl")).unwrap());
        files
    };
    let first = write("a", 1);
    assert_eq!(first, write("b", 1));
    assert_ne!(first, write("c", 2));
    let mut text = String::new();
    zstd::Decoder::new(first[0].as_slice()).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(lines::<Conversation>(&text), plan(1).conversations(0).collect::<Vec<_>>());
}

#[test]
fn shares_are_as_planned() {
    let mut plan = CorpusPlan::new(3, vec![group("only", 8_000, 0.05)]);
    plan.turns = 3..=3;
    plan.cue_negatives = Probability::new(0.1).unwrap();
    plan.clustering = Probability::new(0.5).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let planted = plan.write(folder.path(), &folder.path().join("truth")).unwrap();
    let counts = &planted.groups[0];
    assert_eq!(counts.turns, 24_000);
    // Standard deviations, clustering included: about 50 for positives, 17 for cues, 50 for innocents.
    assert!((1_000..1_400).contains(&counts.present), "{counts:?}");
    let cued = counts.present_with_cue * 100 / counts.present;
    assert!((54..66).contains(&cued), "{counts:?}");
    assert!((2_080..2_480).contains(&counts.innocent_with_cue), "{counts:?}");
    assert!((11_600..12_400).contains(&counts.turns_with_reasoning), "{counts:?}");
    // Independent turns would put 1,200 positives into more than 1,100 of the conversations.
    assert!(counts.present_conversations < 900, "{counts:?}");
}

#[test]
fn ordinary_turns_avoid_the_vocabulary() {
    let mut plan = plan(5);
    plan.cue_negatives = Probability::NEVER;
    plan.groups[0].prevalence = Probability::NEVER;
    let cues = ["test", "grader", "reward", "score", "monitor", "evaluat", "benchmark", "watch", "trap", "caught"];
    for message in plan.conversations(0).flat_map(|conversation| conversation.messages) {
        let text = format!("{} {}", message.content, message.reasoning.unwrap_or_default()).to_lowercase();
        assert!(cues.iter().all(|cue| !text.contains(cue)), "{text}");
    }
}

#[test]
fn impossible_plans_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |plan: &CorpusPlan| plan.write(folder.path(), &folder.path().join("truth")).unwrap_err().to_string();
    let twice = CorpusPlan::new(1, vec![group("a", 1, 0.0), group("a", 2, 0.0)]);
    assert!(write(&twice).contains("two groups"));
    let mut none = CorpusPlan::new(1, vec![group("a", 1, 0.0)]);
    none.turns = 0..=3;
    assert!(write(&none).contains("at least one turn"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn texts_are_realistic(seed: u64, prevalence in 0.0..=1.0) {
        let mut plan = plan(seed);
        plan.groups[0].conversations = 5;
        plan.groups[0].prevalence = Probability::new(prevalence).unwrap();
        for conversation in plan.conversations(0) {
            prop_assert_eq!(conversation.metadata.len(), 2);
            for message in &conversation.messages {
                let text = format!("{}{}", message.content, message.reasoning.as_deref().unwrap_or_default());
                let is_plain = !text.contains(['⟦', '⟧', '\0', '{', '}']);
                prop_assert!(is_plain);
                let chars = message.content.chars().count();
                prop_assert!(message.role != Role::Assistant || (200..=1_500).contains(&chars), "{} characters", chars);
            }
        }
    }
}
