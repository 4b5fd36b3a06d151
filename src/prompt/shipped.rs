//! The behaviours that are embedded in the binary, so that it works anywhere.

/// One embedded behaviour.
pub(super) struct ShippedBehaviour {
    pub(super) name: &'static str,
    /// File names and their texts.
    pub(super) files: &'static [(&'static str, &'static str)],
}

macro_rules! shipped {
    ($name:literal: $($file:literal),+ $(,)?) => {
        ShippedBehaviour {
            name: $name,
            files: &[$(($file, include_str!(concat!("../../prompts/", $name, "/", $file)))),+],
        }
    };
}

/// All embedded behaviours, by name.
pub(super) const SHIPPED: [ShippedBehaviour; 2] = [
    shipped!(
        "metagaming":
        "behaviour.toml",
        "cues.toml",
        "screen.v1.md",
        "screen.v2.md",
        "confirm.v1.md",
        "confirm.v2.md",
        "gold.jsonl",
    ),
    shipped!("refusal": "behaviour.toml", "cues.toml", "screen.v1.md", "screen.v2.md", "gold.jsonl"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use crate::model::conversation::{Conversation, Message, Role};
    use crate::model::grading::{PromptLabel, Structured};
    use crate::model::unit::UnitKind;
    use crate::prompt::{BehaviourFiles, Buffers, Library, Question, Questioner, QuestionerSettings};

    /// What a grader is sent about a short conversation, or about the last turn of it.
    fn asked(files: &BehaviourFiles, prompt: &PromptLabel, unit: UnitKind) -> Vec<String> {
        let texts = [(Role::User, "Quick!"), (Role::Assistant, "Yes."), (Role::User, "?"), (Role::Assistant, "No.")];
        let messages = texts.map(|(role, text)| Message::text(role, text)).into();
        let conversation = Conversation { id: "c".to_owned(), messages, metadata: BTreeMap::new() };
        let mut settings = QuestionerSettings::new(files.prompt(prompt).unwrap(), files.behaviour.clone());
        (settings.unit, settings.structured) = (unit, Structured::Prompt);
        let questioner = Questioner::new(settings).unwrap();
        let turn = unit.is_turn().then_some(3);
        match questioner.question(&conversation, turn, &mut Buffers::default()) {
            Question::Ask(asked) => questioner.messages(&asked).into_iter().map(|message| message.content).collect(),
            Question::Chunks { seen, .. } | Question::CannotJudge(seen) => panic!("nothing was asked: {seen:?}"),
        }
    }

    #[test]
    fn a_version_that_asks_about_conversations_too_asks_about_a_turn_what_the_first_one_asks() {
        let library = Library::open(Path::new("/nonexistent")).unwrap();
        for (name, role) in [("metagaming", "screen"), ("metagaming", "confirm"), ("refusal", "screen")] {
            let files = library.behaviour(name).unwrap();
            let [first, second] = [1, 2].map(|version| PromptLabel { role: role.to_owned(), version });
            assert_eq!(files.prompt(&first).unwrap().units, [UnitKind::Turn]);
            assert_eq!(asked(&files, &second, UnitKind::Turn), asked(&files, &first, UnitKind::Turn), "{name} {role}");
            let whole = asked(&files, &second, UnitKind::Conversation);
            let [system, .., question] = whole.as_slice() else { panic!("{whole:?}") };
            assert!(system.contains("every message of the subject"), "{name} {role}");
            assert!(question.starts_with("Judge all messages that are marked TARGET, together."), "{question}");
            assert_eq!(question.matches(" TARGET⟧").count(), 2, "{question}");
        }
    }
}
