//! The nearest of the known names.

/// "did you mean ..." if one of the names is near, otherwise the list of all of them.
pub(super) fn suggestion<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = |name: &&&str| strsim::damerau_levenshtein(wrong, name) <= name.chars().count().div_ceil(3).max(1);
    let nearest = known.iter().filter(near).min_by_key(|name| strsim::damerau_levenshtein(wrong, name));
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "none is defined".to_owned(),
        None => format!("expected one of {}", quoted(&known)),
    }
}

/// The names in backticks, separated by commas.
pub(super) fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
