//! What a command printed and how it ended.

use std::process::Output;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; none if a signal killed it.
    pub(crate) code: Option<i32>,
    /// Its result.
    pub(crate) stdout: String,
    /// Everything else that it said.
    pub(crate) stderr: String,
    /// The folder that differs from test to test.
    pub(super) home: String,
}

/// What differs from run to run, and what stands for it in a snapshot.
static VARIABLE: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"\d{8}T\d{6}Z-[0-9a-f]{4}", "[run]"),
        (r"127\.0\.0\.1:\d+", "[server]"),
        (r"\b[0-9a-f]{64}\b", "[hash]"),
        (r"\b[0-9a-f]{12}\b", "[short]"),
        (r"\d{13}-\d+-\d+\.jsonl", "[segment].jsonl"),
        (r"process \d+", "process [pid]"),
        (r"[0-9.,?]+/s over [0-9,]+s", "[pace]"),
        (r"\d+ [GM]iB free", "[room] free"),
        (r"[0-9,]+ bytes, paid", "[size], paid"),
    ];
    patterns.map(|(pattern, stands_for)| (Regex::new(pattern).unwrap(), stands_for)).into()
});

impl Ended {
    pub(super) fn new(output: Output, home: String) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("everything that is printed is UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr), home }
    }

    /// Fails the test unless the command ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// The result as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// The digest of a report printed as JSON.
    #[track_caller]
    pub(crate) fn digest(&self) -> String {
        self.json()["digest"].as_str().expect("a report has a digest").to_owned()
    }

    /// Everything that was printed, in a form that is the same every time.
    pub(crate) fn shown(&self) -> String {
        let code = self.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let mut shown = format!("exit code {code}\n--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr);
        shown = shown.replace(&self.home, "[home]");
        for (pattern, stands_for) in VARIABLE.iter() {
            shown = pattern.replace_all(&shown, *stands_for).into_owned();
        }
        shown
    }
}

/// Every path of a JSON value with its type, once: what a program that reads it relies on. Objects whose keys are
/// data rather than names, and elements of lists, are written as `*`.
pub(crate) fn shape(value: &Value, keyed_by_data: &[&str]) -> String {
    let mut paths = std::collections::BTreeSet::new();
    collect(value, "", keyed_by_data, &mut paths);
    paths.into_iter().collect::<Vec<_>>().join("\n")
}

fn collect(value: &Value, path: &str, keyed_by_data: &[&str], into: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Null => into.insert(format!("{path}: null")),
        Value::Bool(_) => into.insert(format!("{path}: boolean")),
        Value::Number(_) => into.insert(format!("{path}: number")),
        Value::String(_) => into.insert(format!("{path}: string")),
        Value::Array(items) if items.is_empty() => into.insert(format!("{path}[]: empty")),
        Value::Array(items) => {
            for item in items {
                collect(item, &format!("{path}[]"), keyed_by_data, into);
            }
            false
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let is_data = keyed_by_data.iter().any(|keyed| path.ends_with(keyed));
                let name = if is_data { "*" } else { name };
                collect(field, &format!("{path}.{name}"), keyed_by_data, into);
            }
            false
        }
    };
}
