//! The table of known positives: what the gate does to units of which people know that they show the behaviour.

use super::escape::escape;
use super::json::{Report, SensitivityCount, SensitivityRow};
use super::layout::{Page, fitted};
use super::rate::count;
use super::table::group_name;
use crate::model::found_by::KnownUse;

pub(super) fn sensitivity(page: &mut Page, report: &Report) {
    let Some(set) = &report.sensitivity else { return };
    let gate: Vec<_> = set.gate.iter().map(|stage| stage.as_str()).collect();
    page.heading(&format!("Known positives (gate: {})", gate.join(" and ")));
    if set.rows.is_empty() {
        page.line("  none was graded");
    } else {
        page.line(&line("", "", ["items", "usable m", "passed c"]));
        for row in &set.rows {
            let figures = [row.items, row.usable, row.passed].map(count);
            let group = page.row_name(&fitted(&group_name(report, &row.group), 76), 26);
            page.line(&line(&group, &class(row), figures.each_ref().map(String::as_str)));
        }
        notes(page, set);
    }
    for (reason, items) in &set.left_out {
        page.wrapped("  ! ", &format!("left out: {} {}", count(*items), reason.reason()));
    }
    if let Some(version) = set.version {
        page.line(&format!("  set {}", version.short()));
    }
}

fn line(group: &str, class: &str, [items, usable, passed]: [&str; 3]) -> String {
    format!("  {group:<26} {:<22}{items:>7}{usable:>10}{passed:>10}", fitted(class, 22))
}

fn class(row: &SensitivityRow) -> String {
    let mark = match row.usage {
        KnownUse::Headline => "",
        KnownUse::HitsOnly => " *",
        KnownUse::Selected => " **",
    };
    format!("{}{mark}", escape(&row.class))
}

fn notes(page: &mut Page, set: &SensitivityCount) {
    let has = |usage| set.rows.iter().any(|row| row.usage == usage);
    if has(KnownUse::HitsOnly) {
        page.wrapped("  *  ", "found through the prefilter: counts among units with a cue only");
    }
    if has(KnownUse::Selected) {
        page.wrapped("  ** ", "found by a sibling of the grader: bounds sensitivity from above, in no headline");
    }
    let open: u64 = set.rows.iter().map(|row| row.unfinished).sum();
    if open > 0 {
        page.wrapped("  ! ", &format!("{} not ended: run again to grade the rest of the set", count(open)));
    }
}
