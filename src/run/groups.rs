//! Fields of a run's groups, as a command line names them.

use crate::model::event::Planned;

/// The groups of a run have no such field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run has no groups by `{field}`; it has groups by {known}")]
pub struct NoField {
    /// The field.
    pub field: String,
    /// What there is.
    pub known: String,
}

/// Where each of these fields stands among the values of a group, with the value that is asked for.
///
/// # Errors
/// The first field that the groups do not have.
pub(super) fn places<'a>(
    planned: &Planned,
    wanted: &'a [(String, String)],
) -> Result<Vec<(usize, &'a String)>, NoField> {
    let place = |(field, value): &'a (String, String)| {
        let place = planned.group_by.iter().position(|known| known == field).ok_or_else(|| {
            let known = if planned.group_by.is_empty() { "nothing".to_owned() } else { planned.group_by.join(", ") };
            NoField { field: field.clone(), known }
        })?;
        Ok((place, value))
    };
    wanted.iter().map(place).collect()
}
