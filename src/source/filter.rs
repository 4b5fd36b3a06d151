//! `where`: an expression over metadata that decides which conversations belong to the corpus.

use std::collections::BTreeMap;
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

    /// Whether a conversation with this metadata belongs to the corpus.
    ///
    /// # Errors
    ///
    /// The expression fails for these values, or gives neither true nor false.
    pub fn keeps(&self, metadata: &BTreeMap<String, String>) -> Result<bool, SourceError> {
        let Some(expression) = &self.expression else { return Ok(true) };
        let names = Value::from_pairs(metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let value = expression.eval(names).map_err(|error| refuse(&self.text, &error.kind().to_string()))?;
        if value.kind() != ValueKind::Bool {
            return Err(refuse(&self.text, "must be true or false for every conversation"));
        }
        Ok(value.is_true())
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
    fn what_is_not_boolean_or_not_an_expression_is_refused() {
        for expression in ["checkpoint", "1 + 1", "checkpoint ==", "range(3)", "checkpoint|length == 7"] {
            let message = keeps(expression).unwrap_err().to_string();
            assert!(message.starts_with(&format!("`where = \"{expression}\"")), "{message}");
        }
    }
}
