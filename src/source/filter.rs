//! `where`: an expression over metadata that decides which conversations belong to the corpus, or which units are listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, Expression, Value};

use super::error::SourceError;

/// No filters, functions, tests or globals: an expression sees metadata and nothing else.
static EMPTY: LazyLock<Environment<'static>> = LazyLock::new(Environment::empty);

/// A checked `where` expression. Every metadata value is a string; a name that a conversation does not carry is
/// undefined, which equals nothing.
#[derive(Debug)]
pub struct Filter {
    text: String,
    expression: Option<Expression<'static, 'static>>,
}

impl Filter {
    /// Compiles an expression; an empty one keeps everything.
    ///
    /// # Errors
    ///
    /// The expression does not parse, or is not true or false for a conversation without metadata.
    pub fn new(text: &str) -> Result<Self, SourceError> {
        if text.trim().is_empty() {
            return Ok(Self { text: String::new(), expression: None });
        }
        let compiled = EMPTY.compile_expression_owned(text.to_owned());
        let compiled = compiled.map_err(|error| refuse(text, &error.to_string()))?;
        let filter = Self { text: text.to_owned(), expression: Some(compiled) };
        filter.keeps(&BTreeMap::new())?;
        Ok(filter)
    }

    /// Compiles an expression over metadata and [`Fact`]s, for [`Filter::lists`]; an empty one keeps everything.
    ///
    /// # Errors
    ///
    /// The expression does not parse.
    pub fn over_units(text: &str) -> Result<Self, SourceError> {
        let written = Some(text).filter(|text| !text.trim().is_empty());
        let compiled = written.map(|text| {
            EMPTY.compile_expression_owned(text.to_owned()).map_err(|error| refuse(text, &error.to_string()))
        });
        Ok(Self { text: text.to_owned(), expression: compiled.transpose()? })
    }

    /// The names that the expression uses.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let names = self.expression.as_ref().map(|expression| expression.undeclared_variables(false));
        names.into_iter().flatten().collect()
    }

    /// Whether a unit with these facts, of a conversation with this metadata, is listed. A fact stands before metadata of
    /// the same name. `None` if the expression needs a fact that was not asked: then it is neither true nor false.
    ///
    /// # Errors
    ///
    /// As for [`Filter::keeps`].
    pub fn lists(
        &self,
        metadata: &BTreeMap<String, String>,
        facts: &BTreeMap<&'static str, Fact>,
    ) -> Result<Option<bool>, SourceError> {
        let Some(expression) = &self.expression else { return Ok(Some(true)) };
        if self.names().iter().any(|name| facts.get(name.as_str()) == Some(&Fact::NotAsked)) {
            return Ok(None);
        }
        let texts = metadata.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str())));
        let facts = facts.iter().map(|(name, fact)| (*name, fact.value()));
        self.decide(expression, Value::from_pairs(texts.chain(facts))).map(Some)
    }

    /// Whether a conversation with this metadata belongs to the corpus.
    ///
    /// # Errors
    ///
    /// The expression fails for these values, or gives neither true nor false.
    pub fn keeps(&self, metadata: &BTreeMap<String, String>) -> Result<bool, SourceError> {
        let Some(expression) = &self.expression else { return Ok(true) };
        let names = Value::from_pairs(metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.decide(expression, names)
    }

    fn decide(&self, expression: &Expression<'_, '_>, names: Value) -> Result<bool, SourceError> {
        let value = expression.eval(names).map_err(|error| refuse(&self.text, &error.kind().to_string()))?;
        if value.kind() != ValueKind::Bool {
            return Err(refuse(&self.text, "must be true or false for every conversation"));
        }
        Ok(value.is_true())
    }
}

/// What is known of a unit beside the metadata of its conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A word.
    Text(String),
    /// A number.
    Number(u64),
    /// Several words.
    Texts(BTreeSet<String>),
    /// Words by name.
    Named(BTreeMap<String, String>),
    /// Nobody was asked.
    NotAsked,
}

impl Fact {
    fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Number(number) => Value::from(*number),
            Self::Texts(texts) => texts.iter().map(String::as_str).collect(),
            Self::Named(texts) => Value::from_pairs(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))),
            Self::NotAsked => Value::UNDEFINED,
        }
    }
}

fn refuse(text: &str, message: &str) -> SourceError {
    SourceError::Filter { expression: text.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(expression: &str) -> Result<bool, SourceError> {
        let metadata = [("checkpoint", "rl-late"), ("reward", "0.0")];
        let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Filter::new(expression)?.keeps(&metadata)
    }

    #[test]
    fn metadata_decides() {
        assert!(keeps("").unwrap());
        assert!(keeps("checkpoint == 'rl-late' and reward != '1.0'").unwrap());
        assert!(!keeps("checkpoint in ['rl-early', 'production']").unwrap());
        assert!(!keeps("source == 'chat'").unwrap());
    }

    #[test]
    fn what_was_not_asked_is_neither_true_nor_false() {
        let metadata =
            [("user", "u-1"), ("class", "of the corpus")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let facts = BTreeMap::from([
            ("class", Fact::Text("core".to_owned())),
            ("score", Fact::Number(70)),
            ("labels", Fact::Texts(["M1".to_owned()].into())),
            ("fields", Fact::Named([("voice".to_owned(), "not_asked".to_owned())].into())),
            ("confirm", Fact::Text("not_asked".to_owned())),
            ("confirm_score", Fact::NotAsked),
        ]);
        let lists = |text: &str| Filter::over_units(text).unwrap().lists(&metadata.clone().into(), &facts);
        for (text, expected) in [
            ("", Some(true)),
            ("score >= 50 and user == 'u-1'", Some(true)),
            ("class == 'core' and 'M1' in labels", Some(true)),
            ("score < 50", Some(false)),
            ("fields.voice == 'not_asked' and confirm == 'not_asked'", Some(true)),
            ("confirm_score < 50", None),
            ("not confirm_score < 50", None),
            ("nothing == 'u-1'", Some(false)),
        ] {
            assert_eq!(lists(text).unwrap(), expected, "{text}");
        }
        assert!(lists("score").is_err() && Filter::over_units("score >").is_err());
        assert_eq!(Filter::over_units("score > 1 and fields.a == b").unwrap().names().len(), 3);
    }

    #[test]
    fn what_is_not_boolean_or_not_an_expression_is_refused() {
        for expression in ["checkpoint", "1 + 1", "checkpoint ==", "range(3)", "checkpoint|length == 7"] {
            let message = keeps(expression).unwrap_err().to_string();
            assert!(message.starts_with(&format!("`where = \"{expression}\"")), "{message}");
        }
    }
}
