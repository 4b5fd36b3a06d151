//! Reference values against what the library computes.

mod comparison;
pub(crate) mod figures;
pub(crate) mod methods;
#[path = "../../../tests/support/peers/mod.rs"]
pub(crate) mod peers;
mod tolerances;

use std::collections::BTreeSet;

use serde_json::Value;

use comparison::difference;
use figures::{Expected, Figures, Input, Misfit, flatten};
use tolerances::{Reference, Tolerance};

/// Schema of the files that this reads.
const SCHEMA: u64 = 1;

/// What a file's check came to.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) method: String,
    pub(crate) is_known: bool,
    pub(crate) cases: usize,
    /// Figures compared, over all cases; those that the library refuses on purpose are not among them.
    pub(crate) compared: usize,
    /// The largest relative error among figures that differ by more than the absolute tolerance.
    pub(crate) worst: f64,
    /// One sentence each, with the case, the figure, what was found and what was expected.
    pub(crate) failures: Vec<String>,
    /// Figures that are known not to be the file's, with what is right and why.
    pub(crate) exceptions: Vec<String>,
    /// Figures of the file that nothing here computes.
    pub(crate) not_computed: BTreeSet<String>,
}

impl Checked {
    /// Whether the method is known, something was compared, and nothing differed.
    pub(crate) fn passed(&self) -> bool {
        self.is_known && self.compared > 0 && self.failures.is_empty()
    }

    /// One line: passed, failed or unknown, and how much was compared.
    pub(crate) fn sentence(&self) -> String {
        let Self { method, cases, compared, worst, .. } = self;
        let verdict = match (self.is_known, self.passed()) {
            (false, _) => return format!("{method:<28} UNKNOWN METHOD, {cases} cases not checked"),
            (true, true) => "passed",
            (true, false) => "FAILED",
        };
        format!("{method:<28} {verdict}: {cases} cases, {compared} figures, worst relative error {worst:.1e}")
    }
}

/// Checks the text of one file.
pub(crate) fn check(text: &str) -> Result<Checked, Misfit> {
    let golden: Value = serde_json::from_str(text).map_err(|error| Misfit(error.to_string()))?;
    let file = Input(&golden);
    if file.count("schema")? != SCHEMA {
        return Err(Misfit(format!("schema {} instead of {SCHEMA}", golden["schema"])));
    }
    let name = file.word("method")?;
    let written = Tolerance::Near {
        relative: file.part("tolerance").number("rel")?,
        absolute: file.part("tolerance").number("abs")?,
    };
    let cases = file.items("cases")?;
    let mut checked = Checked {
        method: name.to_owned(),
        is_known: false,
        cases: cases.len(),
        compared: 0,
        worst: 0.0,
        failures: Vec::new(),
        exceptions: Vec::new(),
        not_computed: BTreeSet::new(),
    };
    let Some(method) = methods::find(name) else { return Ok(checked) };
    checked.is_known = true;
    let (mut computed, mut expected_anywhere) = (BTreeSet::new(), BTreeSet::new());
    for case in cases {
        let id = Input(case).word("id")?;
        let expected = flatten(&case["expected"]);
        match method(Input(&case["input"])) {
            Ok(found) => {
                compare(id, &found, &expected, written, &mut checked);
                computed.extend(found.0.iter().map(|(path, _)| column(path)));
            }
            Err(misfit) => checked.failures.push(format!("{id}: {misfit}")),
        }
        expected_anywhere.extend(expected.iter().map(|(path, _)| column(path)));
    }
    // A misspelt column would otherwise be compared with nothing.
    let is_expected = |name: &&String| {
        expected_anywhere.iter().any(|other: &String| other == *name || other.starts_with(&format!("{name}.")))
    };
    for extra in computed.iter().filter(|name| !is_expected(name)) {
        checked.failures.push(format!("`{extra}` is computed, but no case expects it"));
    }
    Ok(checked)
}

/// A figure's name without its places in a list.
fn column(path: &str) -> String {
    path.split('[').next().unwrap_or(path).to_owned()
}

fn compare(id: &str, found: &Figures, expected: &[(String, Expected)], written: Tolerance, checked: &mut Checked) {
    for (path, expected) in expected {
        let figures = found.at(path);
        if figures.is_empty() {
            checked.not_computed.insert(column(path));
        }
        let (counts, expected, tolerance) = match tolerances::of(&checked.method, id, path, written) {
            Reference::Written(tolerance) => (1, *expected, tolerance),
            Reference::Replaced { exact, reason } => {
                checked
                    .exceptions
                    .push(format!("{id}: `{path}` is not compared with {expected} but with {exact:.12e}: {reason}"));
                (1, Expected::Number(exact), written)
            }
            Reference::Refused { reason } => {
                checked.exceptions.push(format!("{id}: `{path}` is refused, not {expected}: {reason}"));
                (0, Expected::Undefined, written)
            }
        };
        for figure in figures {
            checked.compared += counts;
            let outcome = difference(figure, expected, tolerance);
            checked.worst = checked.worst.max(outcome.unwrap_or_else(|relative| relative));
            if outcome.is_err() {
                let found = figure.map_or("undefined".to_owned(), |figure| format!("{figure:.12e}"));
                checked.failures.push(format!("{id}: `{path}` is {found}, expected {expected}"));
            }
        }
    }
}
