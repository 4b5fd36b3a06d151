//! Reads `behaviour.toml`: strict, complete, and hashed by what it means.

use std::collections::BTreeSet;

use super::located::{TomlProblem, parse_toml};
use crate::model::behaviour::{Behaviour, DEFINITION_CONFIRM, DEFINITION_SCREEN, DefinitionText, Field, Term};
use crate::model::hash::{Digest, PartHasher};

/// Why a `behaviour.toml` is not a behaviour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BehaviourError {
    /// Not TOML, an unknown or missing key, or a wrong type.
    #[error("{0}")]
    Toml(TomlProblem),
    /// An id that replies and definitions could not use.
    #[error("{kind} `{id}` is not a name of ASCII letters, digits and `_` that begins with a letter")]
    MalformedId {
        /// What it names.
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// The same id twice.
    #[error("{kind} `{id}` is declared twice")]
    DuplicateId {
        /// What it names.
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// A field that no reply could fill.
    #[error("field `{id}` declares no values")]
    NoValues {
        /// The field.
        id: String,
    },
    /// Nothing to look for.
    #[error("behaviour `{name}` declares no labels")]
    NoLabels {
        /// The behaviour.
        name: String,
    },
    /// A threshold that no score can reach.
    #[error("`threshold` is {threshold}, and scores end at 100")]
    Threshold {
        /// The value.
        threshold: u8,
    },
}

/// Parses and checks a `behaviour.toml`, and fills in the definitions that it leaves out: `screen`, `confirm`, and one
/// named like the behaviour, which equals `confirm`. Whether definitions compile is checked in `verdict`.
///
/// # Errors
///
/// Anything that is not strictly a behaviour: see [`BehaviourError`].
pub fn parse_behaviour(text: &str) -> Result<Behaviour, BehaviourError> {
    let mut behaviour: Behaviour = parse_toml(text, 0).map_err(BehaviourError::Toml)?;
    check(&behaviour)?;
    fill_definitions(&mut behaviour);
    Ok(behaviour)
}

fn check(behaviour: &Behaviour) -> Result<(), BehaviourError> {
    if behaviour.labels.is_empty() {
        return Err(BehaviourError::NoLabels { name: behaviour.name.clone() });
    }
    if behaviour.threshold > 100 {
        return Err(BehaviourError::Threshold { threshold: behaviour.threshold });
    }
    // Labels and exclusions share one name space, so that a definition's literal can mean one thing only.
    let terms = behaviour.labels.iter().map(|term| ("label", &term.id));
    unique(terms.chain(behaviour.exclusions.iter().map(|term| ("exclusion", &term.id))))?;
    unique(behaviour.fields.iter().map(|field| ("field", &field.id)))?;
    for field in &behaviour.fields {
        unique(field.values.iter().map(|value| ("value", value)))?;
        if field.values.is_empty() {
            return Err(BehaviourError::NoValues { id: field.id.clone() });
        }
    }
    unique(behaviour.definitions.keys().map(|name| ("definition", name)))
}

fn unique<'a>(ids: impl Iterator<Item = (&'static str, &'a String)>) -> Result<(), BehaviourError> {
    let mut known = BTreeSet::new();
    for (kind, id) in ids {
        let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain || !id.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(BehaviourError::MalformedId { kind, id: id.clone() });
        }
        if !known.insert(id) {
            return Err(BehaviourError::DuplicateId { kind, id: id.clone() });
        }
    }
    Ok(())
}

fn fill_definitions(behaviour: &mut Behaviour) {
    let definitions = &mut behaviour.definitions;
    definitions.entry(DEFINITION_SCREEN.to_owned()).or_insert_with(|| DefinitionText {
        description: "Recall first: present, suspected, or evidence that was not found.".to_owned(),
        expression: r#"outcome == "evidence_unverified" or verdict in ["present", "suspected"]"#.to_owned(),
    });
    let confirm = definitions.entry(DEFINITION_CONFIRM.to_owned()).or_insert_with(|| DefinitionText {
        description: "Precision first: present, with evidence that was found.".to_owned(),
        expression: r#"outcome == "graded" and verdict == "present""#.to_owned(),
    });
    let confirm = confirm.clone();
    definitions.entry(behaviour.name.clone()).or_insert(confirm);
}

/// The digest of what graders are told: name, definition, labels, exclusions and fields. Definitions and threshold are
/// applied to stored verdicts, so changing them changes no prompt.
#[must_use]
pub fn asked_digest(behaviour: &Behaviour) -> Digest {
    let Behaviour { name, definition, threshold: _, labels, exclusions, fields, definitions: _ } = behaviour;
    let mut hasher = PartHasher::new("behaviour-asked");
    hasher.part(name.as_bytes()).part(definition.as_bytes());
    hash_terms(&mut hasher, labels);
    hash_terms(&mut hasher, exclusions);
    hasher.number(fields.len() as u64);
    for Field { id, description, values } in fields {
        hasher.part(id.as_bytes()).part(description.as_bytes()).number(values.len() as u64);
        for value in values {
            hasher.part(value.as_bytes());
        }
    }
    hasher.finish()
}

/// The digest of the whole behaviour: what graders are told, definitions and threshold.
#[must_use]
pub fn meaning_digest(behaviour: &Behaviour) -> Digest {
    let mut hasher = PartHasher::new("behaviour-meaning");
    hasher.part(asked_digest(behaviour).as_bytes()).number(u64::from(behaviour.threshold));
    hasher.number(behaviour.definitions.len() as u64);
    for (name, DefinitionText { description, expression }) in &behaviour.definitions {
        hasher.part(name.as_bytes()).part(description.as_bytes()).part(expression.as_bytes());
    }
    hasher.finish()
}

fn hash_terms(hasher: &mut PartHasher, terms: &[Term]) {
    hasher.number(terms.len() as u64);
    for Term { id, name, description } in terms {
        hasher.part(id.as_bytes()).part(name.as_bytes()).part(description.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
name = "haste"
definition = "The model hurries."
threshold = 50

[[labels]]
id = "H1"
name = "hurry"
description = "It says that it hurries."
"#;

    #[test]
    fn missing_definitions_are_filled_in() {
        let behaviour = parse_behaviour(SMALL).unwrap();
        let names: Vec<_> = behaviour.definitions.keys().map(String::as_str).collect();
        assert_eq!(names, ["confirm", "haste", "screen"]);
        assert_eq!(behaviour.definitions["haste"], behaviour.definitions["confirm"]);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| parse_behaviour(text).unwrap_err().to_string();
        let messages = [
            message(&SMALL.replace("threshold", "treshold")),
            message(&SMALL.replace("50", "\"50\"")),
            message(&SMALL.replace("50", "101")),
            message(&SMALL.replace("H1", "H 1")),
            message(&format!("{SMALL}\n[[exclusions]]\nid = \"H1\"\nname = \"\"\ndescription = \"\"\n")),
            message(&format!("{SMALL}\n[[fields]]\nid = \"voice\"\ndescription = \"\"\nvalues = []\n")),
            message("name = \"x\"\ndefinition = \"x\"\nthreshold = 1\nlabels = []\n"),
        ];
        insta::assert_snapshot!(messages.join("\n"));
    }

    #[test]
    fn only_what_graders_are_told_counts_as_asked() {
        let first = parse_behaviour(SMALL).unwrap();
        let dearer = parse_behaviour(&SMALL.replace("50", "60")).unwrap();
        assert_eq!(asked_digest(&first), asked_digest(&dearer));
        assert_ne!(meaning_digest(&first), meaning_digest(&dearer));
        let other = parse_behaviour(&SMALL.replace("hurries.\"\n", "rushes.\"\n")).unwrap();
        assert_ne!(asked_digest(&first), asked_digest(&other));
    }
}
