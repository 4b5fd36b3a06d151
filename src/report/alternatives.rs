//! One run, counted by other definitions and thresholds: how far its figures depend on them.

use std::collections::BTreeSet;

use serde::Serialize;

use super::escape::escape;
use super::json::{RateRow, Report};
use super::layout::{Ink, Page, Style};
use super::rate::{Scale, count, units};
use crate::model::bucket::Bucket;
use crate::model::planned::Planned;
use crate::model::rate::{Decider, RateName, Target};
use crate::model::tally::Tally;
use crate::model::unit::UnitKind;
use crate::reconcile::Rule;
use crate::verdict::DefinitionError;

/// The version of [`Alternatives`] that this build writes.
pub const ALTERNATIVES_SCHEMA: u32 = 1;

/// A run by several rules. The first row is the run's own.
#[derive(Debug, Serialize)]
pub struct Alternatives {
    /// [`ALTERNATIVES_SCHEMA`].
    pub schema: u32,
    /// The run.
    pub run: Option<String>,
    /// The audit.
    pub audit: String,
    /// The behaviour.
    pub behaviour: String,
    /// The definition that the run counts.
    pub definition: String,
    /// The behaviour's threshold.
    pub threshold: u8,
    /// What is counted.
    pub unit: UnitKind,
    /// Confidence level of the limits.
    pub level: f64,
    /// Whether any grader is the simulated one.
    pub simulated: bool,
    /// That a grader's prompt is a draft: nothing here is for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<String>,
    /// Whether the behaviour has other labels, definitions or another threshold than when the run began: then no row is what the
    /// run reported at the time.
    pub behaviour_changed: bool,
    /// One row a rule.
    pub rows: Vec<RuleRow>,
    /// What the report of the run's own row warns of.
    pub warnings: Vec<String>,
}

/// Which kind of rule a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// The run's own.
    Own,
    /// Another definition is counted.
    Counted,
    /// Another definition flags.
    Flagged,
    /// A score flags.
    Score,
    /// Another threshold in the definitions.
    Threshold,
}

/// A run by one rule. Of a definition that is refused there are no figures, and why.
#[derive(Debug, Serialize)]
pub struct RuleRow {
    /// The kind.
    pub rule: RuleKind,
    /// The definition, where the rule is one.
    pub definition: Option<String>,
    /// The score, where the rule has one.
    pub score: Option<u8>,
    /// Why the run has no figures by this rule: then they are null.
    pub reason: Option<String>,
    /// Units without a usable verdict of the screen: they are in no other figure.
    pub ungraded: Option<u64>,
    /// Units flagged.
    pub flagged: Option<u64>,
    /// Those that nobody decided about: newly flagged ones, of which the second grader was never asked, are here.
    pub pending: Option<u64>,
    /// Those that people contradict each other about.
    pub disputed: Option<u64>,
    /// Those turned down.
    pub rejected: Option<u64>,
    /// Those confirmed, by the second grader or by people.
    pub confirmed: Option<u64>,
    /// Of these, by people.
    pub confirmed_by_people: Option<u64>,
    /// The floor, of the corpus; null with its reason in the report where there is none.
    pub floor: Option<RateRow>,
    /// The floor if all that is pending or disputed were confirmed, as a share of the corpus.
    pub floor_if_pending: Option<f64>,
    /// The catchable rate of the corpus, with its reason where it is not supported.
    pub catchable: Option<RateRow>,
    /// The corrected rate of the corpus.
    pub corrected: Option<RateRow>,
}

impl Alternatives {
    /// Of tallies of one run by these rules, the run's own first. One whose definition is refused has a row that says why.
    #[must_use]
    pub fn new(
        run: &str,
        planned: &Planned,
        threshold: u8,
        tallies: Vec<(Rule, Result<Tally, DefinitionError>)>,
    ) -> Self {
        // A later session may have another level than the first.
        let plan = tallies.iter().find_map(|(_, tally)| tally.as_ref().ok()).map_or(planned, |tally| &tally.plan);
        let mut found = Self {
            schema: ALTERNATIVES_SCHEMA,
            run: Some(run.to_owned()),
            audit: plan.audit.clone(),
            behaviour: plan.behaviour.clone(),
            definition: planned.definition.clone(),
            threshold,
            unit: plan.unit,
            level: plan.level,
            simulated: plan.graders.iter().any(|grader| grader.simulated),
            watermark: plan.watermark().map(str::to_owned),
            behaviour_changed: plan.behaviour_hash != planned.behaviour_hash,
            rows: Vec::new(),
            warnings: Vec::new(),
        };
        let mut unasked_by_own = 0;
        for (rule, tally) in tallies {
            let is_own = matches!(rule, Rule::Own);
            let row = match tally {
                Ok(tally) => {
                    let (report, unasked) = (Report::new(&tally), unasked(&tally));
                    let row = row(rule, &report);
                    if is_own {
                        (found.warnings, unasked_by_own) = (report.warnings, unasked);
                        row
                    } else {
                        row.without_estimates(unasked.saturating_sub(unasked_by_own), found.unit)
                    }
                }
                Err(why) => RuleRow { reason: Some(why.to_string()), ..unknown(rule) },
            };
            found.rows.push(row);
        }
        found
    }

    /// The table, 80 columns wide.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut page = Page::new(style);
        page.watermark(self.watermark.as_deref());
        if self.simulated {
            let alarm = page.ink(Ink::Alarm, "*** SIMULATION ***");
            page.line(&alarm);
        }
        let run = escape(self.run.as_deref().unwrap_or("?"));
        page.wrapped("", &format!("{} ({run}), counted by other rules from its stored verdicts", escape(&self.audit)));
        let rates = self.rows.iter().filter_map(RuleRow::reference);
        let scale = rates.map(Scale::fitting).max().unwrap_or(Scale::TenThousand);
        let now = if self.behaviour_changed { ", as they are now" } else { "" };
        let heads = [
            (RuleKind::Own, format!("The run: flagged by `screen`, counted by `{}`{now}", escape(&self.definition))),
            (RuleKind::Counted, "Another definition counted; flags as they are".to_owned()),
            (RuleKind::Flagged, format!("Flagged by another definition; counted by `{}`", escape(&self.definition))),
            (RuleKind::Score, "Flagged by the screen's score alone".to_owned()),
            (RuleKind::Threshold, format!("Another `threshold` in the definitions (now {})", self.threshold)),
        ];
        let units = self.rows.iter().find_map(|row| row.floor.as_ref()?.n).map(|n| units(n, self.unit));
        let per = format!("{} of {}", scale.as_str(), units.unwrap_or_else(|| format!("all {}s", self.unit.as_str())));
        page.line(&format!("\n  {:<48}  {per}", ""));
        let limits = format!("catchable [{}%]", self.level * 100.0);
        page.line(&format!("  {:<20}{:>9}{:>9}{:>10}  {:<12}{limits}", "", "flagged", "pending", "confirmed", "floor"));
        for (kind, head) in heads {
            let rows: Vec<_> = self.rows.iter().filter(|row| row.rule == kind).collect();
            if !rows.is_empty() {
                page.line(&head);
            }
            for row in rows {
                line(&mut page, row, if self.behaviour_changed { "as they are now" } else { "as reported" }, scale);
            }
        }
        self.notes(&mut page);
        if !self.warnings.is_empty() {
            page.heading(&format!("Warnings ({})", self.warnings.len()));
        }
        for warning in &self.warnings {
            page.wrapped("  ! ", &escape(warning));
        }
        page.finish()
    }

    fn notes(&self, page: &mut Page) {
        page.line("");
        let note = |page: &mut Page, words: &str| page.wrapped("  ", words);
        let refused: BTreeSet<_> = self.rows.iter().filter_map(|row| row.reason.as_deref()).collect();
        for why in refused {
            note(page, &format!("Refused: {}.", escape(why)));
        }
        let own = self.rows.first().and_then(|row| row.pending).unwrap_or_default();
        if self.rows.iter().any(|row| row.pending > Some(own)) {
            note(
                page,
                "Newly flagged units are pending: no second grader was asked about them, nor the screen again where `repeats` \
                 would. A floor of two figures goes from none of the pending confirmed to all of them.",
            );
        }
        let reasons: BTreeSet<_> =
            self.rows.iter().filter_map(|row| row.catchable.as_ref()?.reason.as_deref()).collect();
        match reasons.len() {
            0 => {}
            1 => reasons.iter().for_each(|reason| note(page, &format!("No catchable rate: {reason}."))),
            _ => note(page, "No catchable rate where there is a dash: `--format json` gives the reason of each row."),
        }
        note(page, "Confirmed: by people, or by the second grader where people are silent.");
        if self.rows.iter().any(|row| row.confirmed_by_people > Some(0)) {
            note(
                page,
                "People outrank every definition and threshold: a decision of theirs that names no definition counts for all of \
                 them, so that rows differ by what graders said of the rest only.",
            );
        }
        note(
            page,
            "How far the figure depends on the rule, not a menu: a rule that is chosen by its figure has no honest interval.",
        );
    }
}

/// Flagged units that the second grader was never asked about; without one, those that nobody decided about.
fn unasked(tally: &Tally) -> u64 {
    match &tally.confirm {
        Some(confirm) => confirm.unfinished,
        None => tally.buckets(None).count(|bucket| *bucket == Bucket::Pending),
    }
}

/// A row by this rule, before anything is known of it.
fn unknown(rule: Rule) -> RuleRow {
    let (rule, definition, score) = match rule {
        Rule::Own => (RuleKind::Own, None, None),
        Rule::Counted(name) => (RuleKind::Counted, Some(name), None),
        Rule::Flagged(name) => (RuleKind::Flagged, Some(name), None),
        Rule::Score(score) => (RuleKind::Score, None, Some(score)),
        Rule::Threshold(score) => (RuleKind::Threshold, None, Some(score)),
    };
    RuleRow {
        rule,
        definition,
        score,
        reason: None,
        ungraded: None,
        flagged: None,
        pending: None,
        disputed: None,
        rejected: None,
        confirmed: None,
        confirmed_by_people: None,
        floor: None,
        floor_if_pending: None,
        catchable: None,
        corrected: None,
    }
}

fn row(rule: Rule, report: &Report) -> RuleRow {
    let funnel = &report.funnel;
    let rate = |name| {
        let mut rates = report.rates.iter().filter(|rate| rate.target == Target::Corpus && rate.unit == report.unit);
        rates.find(|rate| rate.name == name && rate.group.is_empty()).cloned()
    };
    RuleRow {
        ungraded: Some(funnel.ungraded),
        flagged: Some(funnel.flagged),
        pending: Some(funnel.pending),
        disputed: Some(funnel.disputed),
        rejected: Some(funnel.rejected),
        confirmed: Some(funnel.confirmed),
        confirmed_by_people: Some(funnel.confirmed_by.get(&Decider::People).copied().unwrap_or_default()),
        floor_if_pending: share(funnel.confirmed + funnel.pending + funnel.disputed, funnel.units),
        floor: rate(RateName::Floor),
        catchable: rate(RateName::Catchable),
        corrected: rate(RateName::Corrected),
        ..unknown(rule)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn share(k: u64, n: u64) -> Option<f64> {
    (n > 0).then(|| super::build::rounded(k as f64 / n as f64))
}

impl RuleRow {
    /// Without the rates that need to know how every flag ends, if the rule flags units that were never followed: their
    /// probability of being read was 0 (`statistics-formulas.md` section 1).
    fn without_estimates(mut self, newly: u64, unit: UnitKind) -> Self {
        if newly == 0 {
            return self;
        }
        let reason = format!(
            "{} flagged by this rule were not flagged by the run's own, so that nobody was asked about them further: run the audit \
             under this rule",
            units(newly, unit)
        );
        for rate in [&mut self.catchable, &mut self.corrected].into_iter().flatten() {
            (rate.estimate, rate.lower, rate.upper, rate.level, rate.method) = (None, None, None, None, None);
            (rate.clusters, rate.bracket, rate.tipping_point) = (None, None, None);
            rate.lowered.clear();
            rate.reason = Some(reason.clone());
        }
        self
    }

    /// The figure that a common scale must show.
    fn reference(&self) -> Option<f64> {
        self.floor.as_ref().and_then(|floor| floor.estimate).filter(|estimate| *estimate > 0.0)
    }
}

fn line(page: &mut Page, row: &RuleRow, own: &str, scale: Scale) {
    let name = match (row.rule, &row.definition, row.score) {
        (_, Some(name), _) => escape(name),
        (RuleKind::Threshold, None, Some(score)) => format!("threshold {score}"),
        (_, None, Some(score)) => format!("score {score} or more"),
        (_, None, None) => own.to_owned(),
    };
    let name = page.row_name(&name, 20);
    let (Some(flagged), Some(pending), Some(confirmed)) = (row.flagged, row.pending, row.confirmed) else {
        page.line(&format!("  {name:<20}{:>9}{:>9}{:>10}  refused, see below", "-", "-", "-"));
        return;
    };
    let open = pending + row.disputed.unwrap_or_default();
    let floor = row.floor.as_ref().and_then(|floor| floor.estimate);
    let floor = match (floor, row.floor_if_pending) {
        (Some(floor), Some(most)) if open > 0 => format!("{}-{}", scale.number(floor), scale.number(most)),
        (Some(floor), _) => scale.number(floor),
        (None, _) => "-".to_owned(),
    };
    let catchable = row.catchable.as_ref();
    let limits = catchable.and_then(|rate| Some((rate.estimate?, rate.lower?, rate.upper?)));
    let catchable = limits.map_or_else(
        || "-".to_owned(),
        |(estimate, lower, upper)| {
            let (rate, limits) = scale.interval(estimate, lower, upper);
            format!("{rate} {limits}")
        },
    );
    let [flagged, pending, confirmed] = [flagged, pending, confirmed].map(count);
    page.line(&format!("  {name:<20}{flagged:>9}{pending:>9}{confirmed:>10}  {floor:<12}{catchable}"));
}
