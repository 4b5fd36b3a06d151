//! Values of a record as metadata: scalars found by name, or by the dotted paths of `fields`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::error::{Fault, UnreadableReason};
use super::wire::string_or_json;

/// The entries of one JSON object, unread.
pub(super) type Object<'a> = BTreeMap<String, &'a RawValue>;

/// A string, number or boolean as text; `None` for null.
pub(super) fn scalar(value: &RawValue) -> Result<Option<String>, Fault> {
    match value.get().as_bytes().first() {
        Some(b'{' | b'[') => Err(Fault::new(UnreadableReason::WrongType, "a list or an object in place of a value")),
        Some(b'n') => Ok(None),
        _ => string_or_json(value).map(Some),
    }
}

/// The scalars of a metadata object. Lists and objects in it cannot name a group and are left out; `fields` reaches
/// into them.
pub(super) fn metadata(object: Object<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let mut kept = BTreeMap::new();
    for (name, value) in object {
        if !value.get().starts_with(['{', '['])
            && let Some(text) = scalar(value)?
        {
            kept.insert(name, text);
        }
    }
    Ok(kept)
}

/// The entries of an object; none if the value is anything else.
pub(super) fn object(value: Option<&RawValue>) -> Result<Object<'_>, Fault> {
    match value.map(RawValue::get) {
        Some(text) if text.trim_start().starts_with('{') => Ok(serde_json::from_str(text)?),
        Some(_) | None => Ok(Object::new()),
    }
}

/// The value at a dotted path: keys of objects, and positions in lists.
pub(super) fn at<'a>(record: &Object<'a>, path: &str) -> Result<Option<&'a RawValue>, Fault> {
    let mut steps = path.split('.');
    let mut value = steps.next().and_then(|first| record.get(first).copied());
    for step in steps {
        let Some(inside) = value else { return Ok(None) };
        value = if inside.get().starts_with('[') {
            let list: Vec<&RawValue> = serde_json::from_str(inside.get())?;
            step.parse::<usize>().ok().and_then(|index| list.get(index).copied())
        } else {
            object(Some(inside))?.get(step).copied()
        };
    }
    Ok(value)
}

/// The scalars at all `paths`, joined with `/`; `None` if one of them is absent.
pub(super) fn joined(record: &Object<'_>, paths: &[String]) -> Result<Option<String>, Fault> {
    let mut parts = Vec::with_capacity(paths.len());
    for path in paths {
        let found = at(record, path)?.map(scalar).transpose();
        match found.map_err(|fault| Fault { detail: format!("{} at `{path}`", fault.detail), ..fault })?.flatten() {
            Some(text) => parts.push(text),
            None => return Ok(None),
        }
    }
    Ok(Some(parts.join("/")))
}
