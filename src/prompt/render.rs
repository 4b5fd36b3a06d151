//! Templates: minijinja, strict about names, without escaping, includes and functions.
//!
//! They run once per grader. The user section is rendered with markers in place of transcript and target and split
//! there, so that no template work is left for the single unit, and no transcript ever passes through a template.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, Template, UndefinedBehavior};
use serde::Serialize;

use super::located::{did_you_mean, nearest};
use super::version::Section;
use crate::model::behaviour::{Behaviour, Field, Term};
use crate::model::grading::ReplySchema;
use crate::model::unit::UnitKind;

/// Most bytes of one rendered section.
const MAX_RENDERED_BYTES: usize = 1 << 20;

/// Stand for transcript and target while the user section is rendered. A prompt file cannot contain NUL.
const TRANSCRIPT_MARKER: &str = "\u{0}transcript\u{0}";
const TARGET_MARKER: &str = "\u{0}target\u{0}";

/// Names that sections may use, with the members of `behaviour`.
const STATIC_NAMES: [&str; 9] = [
    "behaviour",
    "behaviour.name",
    "behaviour.definition",
    "behaviour.labels",
    "behaviour.exclusions",
    "behaviour.fields",
    "schema",
    "schema_in_prompt",
    "unit",
];
const USER_NAMES: [&str; 3] = ["transcript", "target", "unit"];

/// Why a prompt cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The template is wrong, or renders more than a mebibyte.
    #[error("line {line}, in section `# {section}`: {message}")]
    Template {
        /// The section's heading.
        section: &'static str,
        /// Line of the prompt file.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A name that does not exist in this section.
    #[error("line {line}, in section `# {section}`: `{name}` is not known{}", did_you_mean(.nearest.as_deref()))]
    UnknownName {
        /// The section's heading.
        section: &'static str,
        /// Line of the prompt file.
        line: usize,
        /// The name.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// The user section has to show the transcript once.
    #[error("section `# User` shows `{{{{ transcript }}}}` {0} times, and it has to be once")]
    TranscriptCount(usize),
    /// The prompt does not ask about what is to be graded.
    #[error("it does not ask about a {}; its front matter says `units`", .0.as_str())]
    OtherUnit(UnitKind),
    /// Something is done to transcript or target besides showing them.
    #[error("section `# User` may use `transcript` and `target` only as `{{{{ transcript }}}}` and `{{{{ target }}}}`")]
    AlteredVariable,
}

/// What all sections but the user's are rendered with.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Static<'a> {
    behaviour: Told<'a>,
    schema: &'a str,
    schema_in_prompt: bool,
    unit: UnitKind,
}

/// The part of a behaviour that graders are told. The threshold is not among it: it is applied to stored scores, and
/// changing it must not change a prompt.
#[derive(Clone, Copy, Serialize)]
struct Told<'a> {
    name: &'a str,
    definition: &'a str,
    labels: &'a [Term],
    exclusions: &'a [Term],
    fields: &'a [Field],
}

impl<'a> Static<'a> {
    pub(super) fn new(
        behaviour: &'a Behaviour,
        schema: &'a ReplySchema,
        schema_in_prompt: bool,
        unit: UnitKind,
    ) -> Self {
        let Behaviour { name, definition, threshold: _, labels, exclusions, fields, definitions: _ } = behaviour;
        Self {
            behaviour: Told { name, definition, labels, exclusions, fields },
            schema: &schema.json,
            schema_in_prompt,
            unit,
        }
    }
}

/// Renders a section that is the same in every request.
pub(super) fn render_static(section: &Section, values: Static<'_>) -> Result<String, RenderError> {
    render(section, &STATIC_NAMES, values)
}

/// Renders the user section up to transcript and target.
pub(super) fn render_user(section: &Section, unit: UnitKind) -> Result<UserText, RenderError> {
    #[derive(Serialize)]
    struct Markers {
        transcript: &'static str,
        target: &'static str,
        unit: UnitKind,
    }
    let markers = Markers { transcript: TRANSCRIPT_MARKER, target: TARGET_MARKER, unit };
    UserText::split(&render(section, &USER_NAMES, markers)?)
}

fn render<T: Serialize>(section: &Section, names: &[&str], values: T) -> Result<String, RenderError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let wrong = |error: minijinja::Error| RenderError::Template {
        section: section.heading,
        line: section.text_line + error.line().unwrap_or(1) - 1,
        message: if error.kind() == ErrorKind::WriteFailure {
            "it renders more than a mebibyte".to_owned()
        } else {
            error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
        },
    };
    let template = environment.template_from_str(&section.text).map_err(wrong)?;
    check_names(section, names, &template)?;
    let mut rendered = Limited(Vec::new());
    template.render_captured_to(Serde(values), &mut rendered).map_err(wrong)?;
    Ok(String::from_utf8_lossy(&rendered.0).trim().to_owned())
}

/// Strict rendering refuses unknown names as well, but does not say which one.
fn check_names(section: &Section, known: &[&str], template: &Template<'_, '_>) -> Result<(), RenderError> {
    let used: BTreeSet<_> = template.undeclared_variables(true).into_iter().collect();
    // Members of members, such as `behaviour.labels.0.id`, are left to strict rendering.
    let is_known = |name: &String| {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let member = rest.split('.').next().unwrap_or_default();
        known.contains(&first) && (rest.is_empty() || known.contains(&format!("{first}.{member}").as_str()))
    };
    let Some(name) = used.into_iter().find(|name| !is_known(name)) else { return Ok(()) };
    let above = section.text.lines().position(|line| line.contains(&name)).unwrap_or_default();
    let nearest = nearest(&name, known.iter().copied()).map(str::to_owned);
    Err(RenderError::UnknownName { section: section.heading, line: section.text_line + above, name, nearest })
}

/// Stops a template that would fill the memory.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_RENDERED_BYTES {
            return Err(io::Error::other("the rendered text exceeds a mebibyte"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The user message, split where transcript and target go.
#[derive(Clone)]
pub(super) struct UserText(Vec<Part>);

impl fmt::Debug for UserText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserText({} parts)", self.0.len())
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Transcript,
    Target,
}

impl UserText {
    fn split(rendered: &str) -> Result<Self, RenderError> {
        let mut parts = Vec::new();
        for (index, stretch) in rendered.split(TRANSCRIPT_MARKER).enumerate() {
            if index > 0 {
                parts.push(Part::Transcript);
            }
            for (index, text) in stretch.split(TARGET_MARKER).enumerate() {
                if index > 0 {
                    parts.push(Part::Target);
                }
                if text.contains('\0') {
                    return Err(RenderError::AlteredVariable);
                }
                parts.push(Part::Text(text.to_owned()));
            }
        }
        match parts.iter().filter(|part| **part == Part::Transcript).count() {
            1 => Ok(Self(parts)),
            count => Err(RenderError::TranscriptCount(count)),
        }
    }

    /// Appends the message to `out`; `transcript` writes the transcript at its place.
    pub(super) fn fill(&self, out: &mut String, transcript: impl Fn(&mut String), target: &str) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Transcript => transcript(out),
                Part::Target => out.push_str(target),
            }
        }
    }

    /// What stands before transcript and target.
    pub(super) fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            Some(Part::Transcript | Part::Target) | None => "",
        }
    }

    pub(super) fn has_text_after_transcript(&self) -> bool {
        let after = self.0.iter().skip_while(|part| **part != Part::Transcript).skip(1);
        after.into_iter().any(|part| match part {
            Part::Text(text) => !text.trim().is_empty(),
            Part::Transcript | Part::Target => true,
        })
    }
}
