//! Definitions: boolean expressions over what a stored verdict says. They are applied when a tally is folded, so a
//! changed definition costs no request.
//!
//! A misspelt name or value would make an expression quietly false for every unit, and the count wrong without looking
//! wrong. So each is checked when it is loaded: names, fields and string literals have to be declared, and the value
//! has to be boolean for sample verdicts of every kind.
//!
//! A field that was added later is missing from older verdicts. It reads as `"not_asked"` there, which an expression may
//! name. Where one does not, and what it says of a verdict hangs on the missing field, it has no value for that verdict, and
//! this is an error: "no" would be a guess.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{LazyLock, PoisonError, RwLock};

use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Expression, UndefinedBehavior};
use serde::Serialize;

use crate::model::behaviour::{Behaviour, DefinitionText, Field, Term};
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::verdict::{Finding, Judgement};

/// What a field reads as in a verdict whose question did not have it.
const NOT_ASKED: &str = "not_asked";

/// Names that an expression may use, beside `fields.ID`.
const NAMES: [&str; 6] = ["verdict", "score", "labels", "exclusions", "outcome", "threshold"];

/// No filters, tests or functions: an expression can only compare.
static EMPTY: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
});

/// Why a definition cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("definition `{definition}`: {kind}")]
pub struct DefinitionError {
    /// Its name.
    pub definition: String,
    /// What is wrong.
    pub kind: DefinitionErrorKind,
}

/// What is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionErrorKind {
    /// Not an expression.
    #[error("{0}")]
    Syntax(String),
    /// A name that a definition cannot use.
    #[error("`{name}` is not known{}", did_you_mean(.nearest.as_deref()))]
    UnknownName {
        /// The name, such as `fields.voice`.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A text that no verdict can contain, so that comparing with it is always false.
    #[error("`\"{text}\"` is neither an id nor a value of this behaviour{}", did_you_mean(.nearest.as_deref()))]
    UnknownText {
        /// The text.
        text: String,
        /// The text that was probably meant.
        nearest: Option<String>,
    },
    /// It fails for a verdict.
    #[error("it cannot be evaluated: {0}")]
    Evaluation(String),
    /// What it says hangs on a field that the verdict's question did not have.
    #[error(
        "it hangs on `fields.{field}`, which a stored verdict was not asked for: run the audit again, or say in the definition \
         what holds then, as in `fields.{field} in [..., \"{NOT_ASKED}\"]`; for recorded verdicts, `fields` of their endpoint can \
         answer it"
    )]
    NotAsked {
        /// The field.
        field: String,
    },
    /// The value is not true or false.
    #[error("the value is {0}, and a definition is true or false")]
    NotBoolean(String),
    /// The behaviour has no definition with this name.
    #[error("there is no such definition{}", did_you_mean(.nearest.as_deref()))]
    Missing {
        /// The name that was probably meant.
        nearest: Option<String>,
    },
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// A checked definition.
pub struct Definition {
    name: String,
    threshold: u8,
    expression: Expression<'static, 'static>,
    /// The fields that the expression names.
    fields: Vec<Field>,
    /// Whether it says what holds where a field was not asked for.
    names_not_asked: bool,
    /// What it said about outcomes. Grading repeats a few findings over and over, and evaluating an expression takes
    /// microseconds.
    known: RwLock<HashMap<Outcome, bool, BuildHasherDefault<Quick>>>,
}

/// A hash for a few hundred outcomes, asked for three times a unit: whoever makes them collide slows one run down a little.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(size_of::<u64>()) {
            let mut word = [0; size_of::<u64>()];
            word.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
            // Multiplication by a large odd number spreads every bit upwards.
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

/// Outcomes that a definition remembers at most: findings differ in score, labels and fields only.
const MOST_KNOWN: usize = 512;

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Definition({})", self.name)
    }
}

/// What an expression sees.
#[derive(Serialize)]
struct Variables<'a> {
    verdict: &'static str,
    score: u8,
    labels: &'a BTreeSet<String>,
    exclusions: &'a BTreeSet<String>,
    fields: &'a BTreeMap<String, String>,
    outcome: &'static str,
    threshold: u8,
}

impl Definition {
    /// Compiles the definition of a behaviour that has this name.
    ///
    /// # Errors
    ///
    /// No such definition, or one that [`Definition::compile`] refuses.
    pub fn of(behaviour: &Behaviour, name: &str) -> Result<Self, DefinitionError> {
        let text = behaviour.definitions.get(name).ok_or_else(|| {
            let nearest = nearest(name, behaviour.definitions.keys().map(String::as_str));
            DefinitionErrorKind::Missing { nearest }.of(name)
        })?;
        Self::compile(name, text, behaviour)
    }

    /// Compiles and checks one definition.
    ///
    /// # Errors
    ///
    /// An expression with a mistake of syntax, an undeclared name or text, or a value that is not boolean.
    pub fn compile(name: &str, text: &DefinitionText, behaviour: &Behaviour) -> Result<Self, DefinitionError> {
        check_texts(&text.expression, behaviour).map_err(|kind| kind.of(name))?;
        // Expressions borrow their source. A process loads a few short ones, once, so leaking them is cheaper than
        // compiling them anew for every unit.
        let source: &'static str = text.expression.clone().leak();
        let syntax = |error: minijinja::Error| DefinitionErrorKind::Syntax(message(&error)).of(name);
        let expression = EMPTY.compile_expression(source).map_err(syntax)?;
        check_names(&expression, behaviour).map_err(|kind| kind.of(name))?;
        let used = expression.undeclared_variables(true);
        let fields = behaviour.fields.iter().filter(|field| used.contains(&format!("fields.{}", field.id)));
        let definition = Self {
            name: name.to_owned(),
            threshold: behaviour.threshold,
            fields: fields.cloned().collect(),
            names_not_asked: texts(&text.expression).iter().any(|text| text == NOT_ASKED),
            expression,
            known: RwLock::default(),
        };
        for outcome in samples(behaviour) {
            definition.holds(&outcome)?;
        }
        Ok(definition)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether an outcome satisfies the definition. An outcome without a finding never does; callers have to bracket
    /// such units before they ask, because "no" would be a guess.
    ///
    /// # Errors
    ///
    /// An expression that fails for this verdict, such as a division by its score; sample verdicts did not show it. And one
    /// that hangs on a field which the verdict was not asked for.
    pub fn holds(&self, outcome: &Outcome) -> Result<bool, DefinitionError> {
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(outcome) {
            return Ok(*known);
        }
        let holds = self.evaluate(outcome)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_KNOWN {
            known.insert(outcome.clone(), holds);
        }
        Ok(holds)
    }

    fn evaluate(&self, outcome: &Outcome) -> Result<bool, DefinitionError> {
        let Some(finding) = outcome.finding() else { return Ok(false) };
        let missing: Vec<_> = self.fields.iter().filter(|field| !finding.fields.contains_key(&field.id)).collect();
        let Some(first) = missing.first() else { return self.value(outcome, finding, &finding.fields) };
        let mut completed = vec![finding.fields.clone()];
        for field in &missing {
            let mut values = vec![NOT_ASKED];
            if !self.names_not_asked {
                values.extend(field.values.iter().map(String::as_str));
            }
            let with = |fields: &BTreeMap<String, String>, value: &str| {
                let mut fields = fields.clone();
                fields.insert(field.id.clone(), value.to_owned());
                fields
            };
            completed = completed.iter().flat_map(|fields| values.iter().map(|value| with(fields, value))).collect();
        }
        let mut values = completed.iter().map(|fields| self.value(outcome, finding, fields));
        let value = values.next().unwrap_or(Ok(false))?;
        for other in values {
            if other? != value {
                return Err(DefinitionErrorKind::NotAsked { field: first.id.clone() }.of(&self.name));
            }
        }
        Ok(value)
    }

    /// The value for a finding with these fields.
    fn value(
        &self,
        outcome: &Outcome,
        finding: &Finding,
        fields: &BTreeMap<String, String>,
    ) -> Result<bool, DefinitionError> {
        let Finding { verdict, score, labels, exclusions, fields: _ } = finding;
        let variables = Variables {
            verdict: verdict.as_str(),
            score: *score,
            labels,
            exclusions,
            fields,
            outcome: outcome.kind().as_str(),
            threshold: self.threshold,
        };
        let evaluated = self.expression.eval(Serde(variables));
        let value = evaluated.map_err(|error| DefinitionErrorKind::Evaluation(message(&error)).of(&self.name))?;
        if value.kind() == ValueKind::Bool {
            return Ok(value.is_true());
        }
        Err(DefinitionErrorKind::NotBoolean(format!("a {}", value.kind())).of(&self.name))
    }
}

impl DefinitionErrorKind {
    fn of(self, definition: &str) -> DefinitionError {
        DefinitionError { definition: definition.to_owned(), kind: self }
    }
}

fn message(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

fn check_names(expression: &Expression<'_, '_>, behaviour: &Behaviour) -> Result<(), DefinitionErrorKind> {
    let fields = behaviour.fields.iter().map(|field| format!("fields.{}", field.id));
    let known: Vec<_> = NAMES.into_iter().map(str::to_owned).chain(fields).collect();
    let used: BTreeSet<_> = expression.undeclared_variables(true).into_iter().collect();
    match used.into_iter().find(|name| !known.contains(name)) {
        Some(name) => {
            let nearest = nearest(&name, known.iter().map(String::as_str));
            Err(DefinitionErrorKind::UnknownName { name, nearest })
        }
        None => Ok(()),
    }
}

fn check_texts(expression: &str, behaviour: &Behaviour) -> Result<(), DefinitionErrorKind> {
    let terms = behaviour.labels.iter().chain(&behaviour.exclusions).map(|term| term.id.as_str());
    let values = behaviour.fields.iter().flat_map(|field| &field.values).map(String::as_str);
    let judgements = Judgement::ALL.iter().map(|judgement| judgement.as_str());
    let outcomes = OutcomeKind::ALL.iter().map(|outcome| outcome.as_str());
    let known: Vec<_> = terms.chain(values).chain(judgements).chain(outcomes).chain([NOT_ASKED]).collect();
    match texts(expression).into_iter().find(|text| !known.contains(&text.as_str())) {
        Some(text) => {
            let nearest = nearest(&text, known);
            Err(DefinitionErrorKind::UnknownText { text, nearest })
        }
        None => Ok(()),
    }
}

/// The string literals of an expression, without quotation marks. Escapes are kept as written: no id needs one, so a
/// literal with an escape is refused as unknown.
fn texts(expression: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut chars = expression.chars();
    while let Some(quote) = chars.by_ref().find(|c| matches!(c, '"' | '\'')) {
        let mut text = String::new();
        while let Some(c) = chars.next().filter(|c| *c != quote) {
            text.push(c);
            text.extend((c == '\\').then(|| chars.next()).flatten());
        }
        texts.push(text);
    }
    texts
}

/// Verdicts of every kind: each judgement, score, field value, with all labels and exclusions and with none.
fn samples(behaviour: &Behaviour) -> Vec<Outcome> {
    let values = behaviour.fields.iter().map(|field| field.values.len()).max().unwrap_or(1);
    let all = |terms: &[Term]| terms.iter().map(|term| term.id.clone()).collect::<BTreeSet<_>>();
    let mut samples = Vec::new();
    for verdict in [Judgement::Present, Judgement::Suspected, Judgement::Absent] {
        for score in [0, behaviour.threshold, 100] {
            for (has_labels, has_exclusions) in [(false, false), (true, false), (false, true), (true, true)] {
                for index in 0..values {
                    let value =
                        |field: &Field| (field.id.clone(), field.values[index.min(field.values.len() - 1)].clone());
                    let finding = Finding {
                        verdict,
                        score,
                        labels: if has_labels { all(&behaviour.labels) } else { BTreeSet::new() },
                        exclusions: if has_exclusions { all(&behaviour.exclusions) } else { BTreeSet::new() },
                        fields: behaviour.fields.iter().map(value).collect(),
                    };
                    samples.push(Outcome::EvidenceUnverified { finding: finding.clone() });
                    samples.push(Outcome::Graded { finding });
                }
            }
        }
    }
    samples
}

fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let scored = candidates.into_iter().map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let best = scored.max_by(|(left, _), (right, _)| left.total_cmp(right))?;
    (best.0 >= 0.75).then(|| best.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaviour() -> Behaviour {
        let term = |id: &str| Term { id: id.to_owned(), name: String::new(), description: String::new() };
        Behaviour {
            name: "haste".to_owned(),
            definition: String::new(),
            threshold: 50,
            labels: vec![term("H1"), term("H2")],
            exclusions: vec![term("X1")],
            fields: vec![Field {
                id: "voice".to_owned(),
                description: String::new(),
                values: vec!["own".to_owned(), "quoting".to_owned()],
            }],
            definitions: BTreeMap::new(),
        }
    }

    fn compile(expression: &str) -> Result<Definition, DefinitionError> {
        let text = DefinitionText { description: String::new(), expression: expression.to_owned() };
        Definition::compile("haste", &text, &behaviour())
    }

    fn graded(verdict: Judgement, score: u8, labels: &[&str], exclusions: &[&str]) -> Outcome {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let fields = BTreeMap::from([("voice".to_owned(), "own".to_owned())]);
        let finding = Finding { verdict, score, labels: ids(labels), exclusions: ids(exclusions), fields };
        Outcome::Graded { finding }
    }

    #[test]
    fn expressions_see_the_whole_verdict() {
        let present = graded(Judgement::Present, 70, &["H1"], &[]);
        let holds = |expression: &str| compile(expression).unwrap().holds(&present).unwrap();
        assert!(holds(r#"outcome == "graded" and verdict == "present" and score >= threshold"#));
        assert!(holds(r#""H1" in labels and not "H2" in labels and exclusions == []"#));
        assert!(holds("fields.voice == 'own'"));
        assert!(!holds(r#"exclusions == ["X1"]"#));
        assert!(!holds(r#"outcome == "evidence_unverified" or verdict in ["suspected"]"#));
    }

    #[test]
    fn a_field_that_was_not_asked_is_never_a_no() {
        let Outcome::Graded { finding } = graded(Judgement::Present, 70, &["H1"], &[]) else { panic!("it is graded") };
        let old = Outcome::Graded { finding: Finding { fields: BTreeMap::new(), ..finding } };
        let holds = |expression: &str| compile(expression).unwrap().holds(&old);
        for hangs in ["fields.voice == 'own'", "fields.voice != 'own'", "score > 50 and fields.voice == 'quoting'"] {
            let error = holds(hangs).unwrap_err();
            assert_eq!(error.kind, DefinitionErrorKind::NotAsked { field: "voice".to_owned() }, "{hangs}");
        }
        assert_eq!(holds("score > 90 and fields.voice == 'own'"), Ok(false), "whatever the field would say");
        assert_eq!(holds("'H1' in labels or fields.voice == 'own'"), Ok(true));
        assert_eq!(holds("fields.voice in ['own', 'not_asked']"), Ok(true));
        assert_eq!(holds("fields.voice == 'own' and fields.voice != 'not_asked'"), Ok(false), "the definition says so");
        let asked = graded(Judgement::Present, 70, &["H1"], &[]);
        assert_eq!(compile("fields.voice == 'not_asked'").unwrap().holds(&asked), Ok(false));
    }

    #[test]
    fn without_a_finding_nothing_holds() {
        let definition = compile("score >= 0").unwrap();
        assert_eq!(definition.holds(&Outcome::Refused), Ok(false));
        assert_eq!(definition.holds(&graded(Judgement::Absent, 0, &[], &[])), Ok(true));
    }

    #[test]
    fn mistakes_are_named() {
        let mistakes = [
            "verdict ==",
            "verdct == \"present\"",
            "fields.voise == \"own\"",
            "\"own\" in fields",
            "verdict == \"presnt\"",
            "\"H3\" in labels",
            "verdict == \"a\\\"b\"",
            "score",
            "verdict == \"present\" and labels",
            "100 / score > 1",
            "labels | length > 1",
            "range(3) == []",
            "labels[0] == \"H1\"",
        ];
        let messages: Vec<_> =
            mistakes.map(|mistake| format!("{mistake}\n    {}", compile(mistake).unwrap_err())).into();
        insta::assert_snapshot!(messages.join("\n"));
        let error = Definition::of(&behaviour(), "screen").unwrap_err();
        assert_eq!(error.to_string(), "definition `screen`: there is no such definition");
    }

    #[test]
    fn shipped_definitions_compile() {
        for text in [
            include_str!("../../prompts/metagaming/behaviour.toml"),
            include_str!("../../prompts/refusal/behaviour.toml"),
        ] {
            let behaviour: Behaviour = toml::from_str(text).unwrap();
            for (name, text) in &behaviour.definitions {
                Definition::compile(name, text, &behaviour).unwrap();
            }
        }
    }

    #[test]
    fn definitions_are_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Definition>();
    }
}
