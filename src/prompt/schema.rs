//! The schema that a reply must satisfy, generated from the behaviour. Properties are in the order in which a grader
//! has to write them, so that evidence and the innocent reading precede the verdict.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::model::behaviour::{Behaviour, Field, Term};
use crate::model::conversation::Channel;
use crate::model::grading::ReplySchema;
use crate::model::verdict::Judgement;

/// The name that travels with the schema.
const NAME: &str = "verdict";

/// Strict `json_schema` of a verdict: every property required, no further ones.
pub(super) fn reply_schema(behaviour: &Behaviour) -> ReplySchema {
    let schema = object(vec![
        ("evidence", array(evidence_item())),
        ("innocent_reading", Node::Leaf(json!({"type": "string"}))),
        ("labels", ids(&behaviour.labels)),
        ("exclusions", ids(&behaviour.exclusions)),
        ("fields", fields(behaviour)),
        ("score", Node::Leaf(json!({"type": "integer", "minimum": 0, "maximum": 100}))),
        ("verdict", one_of(Judgement::ALL.iter().map(|judgement| judgement.as_str()))),
    ]);
    let json = serde_json::to_string(&schema).expect("a tree of strings is JSON");
    ReplySchema { name: NAME.to_owned(), json }
}

fn evidence_item() -> Node<'static> {
    object(vec![
        ("message", Node::Leaf(json!({"type": "integer"}))),
        ("channel", one_of(Channel::ALL.iter().map(|channel| channel.as_str()))),
        ("quote", Node::Leaf(json!({"type": "string"}))),
    ])
}

fn ids(terms: &[Term]) -> Node<'_> {
    // An `enum` may not be empty; a behaviour without exclusions can only get an empty list.
    if terms.is_empty() {
        return Node::Leaf(json!({"type": "array", "items": {"type": "string"}, "maxItems": 0}));
    }
    array(one_of(terms.iter().map(|term| term.id.as_str())))
}

fn fields(behaviour: &Behaviour) -> Node<'_> {
    let node = |field: &Field| one_of(field.values.iter().map(String::as_str));
    object(behaviour.fields.iter().map(|field| (field.id.as_str(), node(field))).collect())
}

fn one_of<'a>(values: impl Iterator<Item = &'a str>) -> Node<'static> {
    let values: Vec<_> = values.collect();
    Node::Leaf(json!({"type": "string", "enum": values}))
}

fn array(items: Node<'_>) -> Node<'_> {
    Node::Array { kind: "array", items: Box::new(items) }
}

fn object<'a>(properties: Vec<(&'a str, Node<'a>)>) -> Node<'a> {
    let required = properties.iter().map(|(name, _)| *name).collect();
    Node::Object { kind: "object", properties: Ordered(properties), required, further: false }
}

/// A part of the schema. `serde_json` sorts the keys of a [`Value`], so whatever has ordered properties is a type.
#[derive(Serialize)]
#[serde(untagged)]
enum Node<'a> {
    Leaf(Value),
    Array {
        #[serde(rename = "type")]
        kind: &'static str,
        items: Box<Self>,
    },
    Object {
        #[serde(rename = "type")]
        kind: &'static str,
        properties: Ordered<'a>,
        required: Vec<&'a str>,
        #[serde(rename = "additionalProperties")]
        further: bool,
    },
}

struct Ordered<'a>(Vec<(&'a str, Node<'a>)>);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, node)| (name, node)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::behaviour::parse_behaviour;
    use crate::prompt::version::tests::BEHAVIOUR;

    #[test]
    fn the_schema_is_strict_and_in_order() {
        let schema = reply_schema(&parse_behaviour(BEHAVIOUR).unwrap());
        insta::assert_snapshot!(schema.json);
    }

    #[test]
    fn no_enum_is_empty() {
        let mut behaviour = parse_behaviour(BEHAVIOUR).unwrap();
        behaviour.exclusions.clear();
        behaviour.fields.clear();
        let schema = reply_schema(&behaviour);
        assert!(!schema.json.contains("\"enum\":[]"), "{}", schema.json);
        assert!(serde_json::from_str::<Value>(&schema.json).is_ok());
    }
}
