//! The `cues.toml` parser: what was written becomes [`Rules`], fully checked.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::class::{Also, Class, Lists, MAX_WITHIN, Near, Pattern, Rule, Rules, Terms};
use super::error::{CuesError, CuesErrorKind, Position};
use super::section::{Section, Text};
use crate::model::conversation::Channel;
use crate::model::unit::CLASS_NONE;

const KINDS: [&str; 5] = ["terms", "regex", "near", "length", "tool_call"];

impl Rules {
    /// Reads the text of a `cues.toml`.
    ///
    /// # Errors
    ///
    /// With line and column, if the text is not TOML, holds an unknown key or name, or a rule that cannot be meant
    /// (an empty term, a pattern that matches everything, a class without rules).
    pub fn parse(text: &str) -> Result<Self, CuesError> {
        let root = DeTable::parse(text).map_err(|error| CuesError {
            position: error.span().map(|span| Position::of(text, span.start)),
            kind: CuesErrorKind::Syntax(error.message().to_owned()),
        })?;
        let root = Section::root(text, &root);
        root.only(&["lists", "class"])?;
        let lists = lists(&root)?;
        let mut classes: Vec<Class> = Vec::new();
        for section in root.sections("class")? {
            let class = class(&section, &lists)?;
            if classes.iter().any(|earlier| earlier.name == class.name) {
                return Err(section.wrong(format!("there are two classes `{}`", class.name)));
            }
            classes.push(class);
        }
        Ok(Self { classes })
    }
}

fn lists(root: &Section<'_>) -> Result<Lists, CuesError> {
    let Some(value) = root.value("lists") else { return Ok(Lists::new()) };
    let section = root.section("lists", value)?;
    let entries = section.entries();
    entries.map(|(name, value)| Ok((name.to_owned(), array_of_terms(&section, name, value)?))).collect()
}

fn class(section: &Section<'_>, lists: &Lists) -> Result<Class, CuesError> {
    section.only(&["name", "description", "channels", "rule", "unless"])?;
    let name = section.required("name", section.text("name")?)?;
    if name.text.is_empty() || name.text == CLASS_NONE {
        let problem = "a class needs a name of its own; `none` is for turns without a cue";
        return Err(section.error(&name.span, CuesErrorKind::invalid(problem)));
    }
    section.text("description")?;
    let channels = channels(section)?;
    let rules = rules_of(section, "rule", lists, &channels)?;
    let unless = rules_of(section, "unless", lists, &channels)?;
    let class = Class { name: name.text.to_owned(), channels, rules, unless };
    if class.rules.is_empty() {
        return Err(section.wrong(format!("class `{}` has no rule", class.name)));
    }
    Ok(class)
}

fn rules_of(
    section: &Section<'_>,
    key: &str,
    lists: &Lists,
    channels: &BTreeSet<Channel>,
) -> Result<Vec<Rule>, CuesError> {
    section.sections(key)?.iter().map(|section| rule(section, lists, channels)).collect()
}

fn channels(section: &Section<'_>) -> Result<BTreeSet<Channel>, CuesError> {
    let Some(value) = section.value("channels") else { return Ok(Channel::ALL.into()) };
    let names = section.texts("channels", value)?;
    if names.is_empty() {
        return Err(section.error(&value.span(), CuesErrorKind::invalid("`channels` names no channel")));
    }
    names.iter().map(|name| channel(section, name)).collect()
}

fn channel(section: &Section<'_>, name: &Text<'_>) -> Result<Channel, CuesError> {
    let known = Channel::ALL.into_iter().find(|channel| channel.as_str() == name.text);
    let names = Channel::ALL.map(Channel::as_str);
    known.ok_or_else(|| section.error(&name.span, CuesErrorKind::unknown("channel", name.text, names)))
}

fn rule(section: &Section<'_>, lists: &Lists, channels: &BTreeSet<Channel>) -> Result<Rule, CuesError> {
    let kind = section.required("kind", section.text("kind")?)?;
    match kind.text {
        "terms" => {
            section.only(&["kind", "terms"])?;
            Ok(Rule::Terms(terms(section, "terms", lists)?))
        }
        "regex" => {
            section.only(&["kind", "pattern"])?;
            Ok(Rule::Regex(section.required("pattern", pattern(section, "pattern")?)?))
        }
        "near" => near(section, lists),
        "length" => length(section),
        "tool_call" if !channels.contains(&Channel::Tool) => {
            Err(section.wrong("a `tool_call` rule never matches in a class without the channel `tool`"))
        }
        "tool_call" => tool_call(section),
        other => Err(section.error(&kind.span, CuesErrorKind::unknown("kind", other, KINDS))),
    }
}

fn near(section: &Section<'_>, lists: &Lists) -> Result<Rule, CuesError> {
    section.only(&["kind", "terms", "near", "within", "also", "at_least"])?;
    let within = section.required("within", section.number("within")?)?;
    if !(1..=MAX_WITHIN).contains(&within) {
        return Err(section.wrong(format!("`within` should be 1 to {MAX_WITHIN} characters, not {within}")));
    }
    let at_least = section.number("at_least")?;
    let also = match section.value("also") {
        Some(_) => Some(also(section, lists, at_least.unwrap_or(1))?),
        None if at_least.is_some() => {
            return Err(section.wrong("`at_least` counts the terms of `also`, which is missing"));
        }
        None => None,
    };
    let (terms, company) = (terms(section, "terms", lists)?, terms(section, "near", lists)?);
    Ok(Rule::Near(Near { terms, company, within: to_usize(within), also }))
}

fn also(section: &Section<'_>, lists: &Lists, at_least: u64) -> Result<Also, CuesError> {
    let terms = terms(section, "also", lists)?;
    if at_least == 0 || at_least > terms.len() as u64 {
        let different = terms.len();
        return Err(
            section.wrong(format!("`at_least` should be 1 to {different}, the terms of `also`, not {at_least}"))
        );
    }
    Ok(Also { terms, at_least: to_usize(at_least) })
}

fn to_usize(checked: u64) -> usize {
    usize::try_from(checked).expect("the number was checked to be small")
}

fn length(section: &Section<'_>) -> Result<Rule, CuesError> {
    section.only(&["kind", "min_chars", "max_chars"])?;
    let (min, max) = (section.number("min_chars")?, section.number("max_chars")?);
    let (min_chars, max_chars) = (min.unwrap_or(0), max.unwrap_or(u64::MAX));
    if min_chars > max_chars || (min_chars == 0 && max.is_none()) {
        return Err(section.wrong("a `length` rule needs `min_chars` above 0, `max_chars`, or both in this order"));
    }
    Ok(Rule::Length { min_chars, max_chars })
}

fn tool_call(section: &Section<'_>) -> Result<Rule, CuesError> {
    section.only(&["kind", "name", "arguments"])?;
    let (name, arguments) = (pattern(section, "name")?, pattern(section, "arguments")?);
    if name.is_none() && arguments.is_none() {
        return Err(section.wrong("a `tool_call` rule needs a pattern for `name` or `arguments`"));
    }
    Ok(Rule::ToolCall { name, arguments })
}

fn pattern(section: &Section<'_>, key: &str) -> Result<Option<Pattern>, CuesError> {
    let Some(written) = section.text(key)? else { return Ok(None) };
    Pattern::new(written.text).map(Some).map_err(|kind| section.error(&written.span, kind))
}

/// An array of strings, or `{ list = "NAME" }`.
fn terms(section: &Section<'_>, key: &str, lists: &Lists) -> Result<Terms, CuesError> {
    let value = section.required(key, section.value(key))?;
    if !value.get_ref().is_table() {
        return array_of_terms(section, key, value);
    }
    let reference = section.section(key, value)?;
    reference.only(&["list"])?;
    let name = reference.required("list", reference.text("list")?)?;
    let known = lists.keys().map(String::as_str);
    let unknown = || section.error(&name.span, CuesErrorKind::unknown("list", name.text, known));
    lists.get(name.text).cloned().ok_or_else(unknown)
}

fn array_of_terms<'a>(section: &Section<'a>, key: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Terms, CuesError> {
    let written = section.texts(key, value)?;
    for term in &written {
        Terms::new([term.text]).map_err(|kind| section.error(&term.span, kind))?;
    }
    Terms::new(written.iter().map(|term| term.text)).map_err(|kind| section.error(&value.span(), kind))
}
