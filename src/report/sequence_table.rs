//! What a run knew when it stopped because that was enough, as a table.

use super::json::{RateRow, Report};
use super::layout::{Ink, Page};
use super::rate::Scale;
use super::table::group_name;
use crate::model::rate::RateName;

/// Prints the table where there is one.
pub(super) fn sequence(page: &mut Page, report: &Report) {
    let rows: Vec<&RateRow> = report.rates.iter().filter(|rate| rate.name == RateName::GraderConfirmed).collect();
    let Some(first) = rows.first() else { return };
    page.heading(&format!(
        "Grader-confirmed {}s of the whole corpus, by the look that ended the run",
        report.unit.as_str()
    ));
    let known: Vec<_> = rows.iter().filter_map(|row| Some((*row, row.lower?, row.upper?))).collect();
    if known.is_empty() {
        page.wrapped("  none: ", first.reason.as_deref().unwrap_or("not computed"));
        return;
    }
    let references = known.iter().map(|(row, _, upper)| row.estimate.filter(|rate| *rate > 0.0).unwrap_or(*upper));
    let scale = references.map(Scale::fitting).max().unwrap_or(Scale::TenThousand);
    page.line(&format!("  {:<22}{} [{}%]", "", scale.as_str(), report.design.level * 100.0));
    for (row, lower, upper) in known {
        let name = page.row_name(&group_name(report, &row.group), 21);
        let figures = match row.estimate {
            Some(estimate) => {
                let (estimate, limits) = scale.interval(estimate, lower, upper);
                format!("{estimate} {limits}")
            }
            None => format!("[{}, {}]", scale.number(lower), scale.number(upper)),
        };
        let figures = page.ink(Ink::Figure, &figures);
        page.line(&format!("  {name:<22}{figures}"));
    }
    page.wrapped(
        "  ",
        "A confidence sequence: it holds although the run stopped because of it. It speaks of this corpus and of what these \
         graders confirm: no person has a say in it.",
    );
}
