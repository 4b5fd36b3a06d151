//! A validation as text, 80 columns wide.

use super::curve::CurvePoint;
use super::stage::{Interval, ShareFigure, StageFigures, Subset};
use super::{LabelsRow, ScoreFigures, SubsetName, Validation};
use crate::model::grading::Stage;
use crate::report::escape::escape;
use crate::report::layout::{Ink, Page, Style};
use crate::report::rate::{count, units};

/// Cuts of the curve that are shown; JSON holds all of them.
const MOST_CUTS: usize = 11;

/// Columns of a figure's name.
const NAME: usize = 22;

impl Validation {
    /// The validation as text.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut page = Page::new(style);
        self.head(&mut page);
        for stage in &self.stages {
            self.stage(&mut page, stage);
        }
        page.line("");
        page.wrapped(
            "",
            "Precision, F1 and accuracy depend on how many of these units are positive: unless the units were drawn at random \
             from the traffic, they say nothing about it, nor about a prevalence.",
        );
        match (&self.scores, self.scores_reason) {
            (Some(scores), _) => score(&mut page, scores),
            (None, reason) => {
                page.heading("Score");
                page.wrapped("  ", reason.unwrap_or("none"));
            }
        }
        if !self.warnings.is_empty() {
            page.heading("Warnings");
        }
        for warning in &self.warnings {
            page.wrapped("  - ", &escape(warning));
        }
        page.finish()
    }

    fn head(&self, page: &mut Page) {
        page.watermark(self.watermark);
        if self.simulated {
            let alarm = page.ink(Ink::Alarm, "*** SIMULATION ***");
            page.line(&alarm);
        }
        page.wrapped(
            "run     ",
            &escape(&format!("{} ({}), {}, {}", self.run, self.audit, self.behaviour, self.definition)),
        );
        for grader in &self.graders {
            let stage = grader.stage.as_str();
            page.wrapped(&format!("{stage:<8}"), &escape(&format!("{}, {}", grader.given_by(), grader.model)));
        }
        let LabelsRow { file, units: all, yes, no, undecided, disputed, .. } = &self.labels;
        let apart = match undecided + disputed {
            0 => String::new(),
            _ => format!(", {} undecided and {} disputed, which are in no figure", count(*undecided), count(*disputed)),
        };
        let (all, yes, no) = (units(*all, self.unit), count(*yes), count(*no));
        page.wrapped("labels  ", &escape(&format!("{file}: {all}, {yes} yes and {no} no{apart}")));
        let looks = match self.looks.total {
            0 => "none so far at the sealed test split".to_owned(),
            total => format!(
                "{} at the sealed test split so far, {} of them at these prompts",
                count(total),
                count(self.looks.same_prompts)
            ),
        };
        page.wrapped("looks   ", &looks);
        page.line(&format!("limits  at {}%", self.level * 100.0));
    }

    fn stage(&self, page: &mut Page, stage: &StageFigures) {
        let title = match stage.stage {
            Stage::Screen => "Screen",
            Stage::Confirm => "After the second grader",
        };
        let (decided, labelled) = (units(stage.decided, self.unit), count(stage.units));
        page.heading(&format!("{title}: {decided} labelled and decided, of {labelled} labelled"));
        let row = |name: &str, yes: &str, no: &str| format!("  {name:<14}{yes:>14}{no:>14}");
        page.line(&row("", "says yes", "says no"));
        page.line(&row("truly yes", &count(stage.detected), &count(stage.missed)));
        page.line(&row("truly no", &count(stage.false_alarms), &count(stage.cleared)));
        page.line("");
        shares(page, stage);
        if let Some(because) = &stage.uninformative_because {
            let alarm = page.ink(Ink::Alarm, because);
            page.wrapped("  ", &alarm);
        }
        subsets(page, &stage.subsets);
        for apart in &stage.apart {
            let reason = apart.reason.replace('_', " ");
            page.wrapped("  not counted: ", &format!("{} truly {}, {reason}", count(apart.units), apart.truth));
        }
        if stage.stage == Stage::Confirm {
            page.wrapped("  ", "What the screen cleared counts as a no. Decisions of the review have no say in it.");
        }
    }
}

fn shares(page: &mut Page, stage: &StageFigures) {
    let shares = [
        ("sensitivity", stage.sensitivity),
        ("specificity", stage.specificity),
        ("precision", stage.precision),
        ("accuracy", stage.accuracy),
    ];
    for (name, share) in shares {
        line(page, name, share.map(|share| share_text(&share)));
    }
    line(page, "F1", stage.f1.map(interval_text));
    line(page, "balanced accuracy", stage.balanced_accuracy.map(interval_text));
    line(page, "kappa with the labels", stage.kappa.map(interval_text));
}

fn line(page: &mut Page, name: &str, figure: Option<String>) {
    let figure = figure.unwrap_or_else(|| format!("{:>9}   no such unit", "-"));
    page.line(&format!("  {name:<NAME$}{figure}"));
}

fn share_text(share: &ShareFigure) -> String {
    let ShareFigure { k, n, estimate, lower, upper } = *share;
    format!("{:>9}   [{}, {}]   {} of {}", percent(estimate), percent(lower), percent(upper), count(k), count(n))
}

fn interval_text(figure: Interval) -> String {
    let limits = figure.lower.zip(figure.upper).map(|(lower, upper)| format!("   [{lower:.3}, {upper:.3}]"));
    format!("{:>9.3}{}", figure.estimate, limits.unwrap_or_default())
}

/// A share in percent, with the digits that tell it from 0 and from 1.
fn percent(share: f64) -> String {
    let distance = share.min(1.0 - share);
    let decimals = match distance {
        distance if distance <= 0.0 || distance >= 1e-3 => 1,
        distance if distance >= 1e-5 => 3,
        _ => 6,
    };
    format!("{:.decimals$}%", share * 100.0)
}

fn subsets(page: &mut Page, subsets: &[Subset]) {
    if subsets.is_empty() {
        return;
    }
    page.line("");
    for subset in subsets {
        let name = match &subset.name {
            SubsetName::Group(fields) => {
                fields.iter().map(|(field, value)| format!("{field} {value}")).collect::<Vec<_>>().join(", ")
            }
            SubsetName::Label(label) => format!("label {label}"),
            SubsetName::Exclusion(exclusion) => format!("exclusion {exclusion}"),
        };
        let name = page.row_name(&escape(&name), NAME);
        let figures = [("sensitivity", subset.sensitivity), ("specificity", subset.specificity)];
        let shown = figures.into_iter().filter_map(|(figure, share)| share.map(|share| (figure, share)));
        let mut lead = name;
        for (figure, share) in shown {
            page.line(&format!("  {lead:<NAME$}{figure:<11} {}", share_text(&share)));
            lead = String::new();
        }
    }
}

fn score(page: &mut Page, scores: &ScoreFigures) {
    page.heading(&format!(
        "Score of the screen: {} positives and {} negatives",
        count(scores.positives),
        count(scores.negatives)
    ));
    line(page, "area under ROC", scores.roc_area.map(interval_text));
    line(page, "average precision", Some(format!("{:>9.3}", scores.average_precision)));
    let error = format!("{:>9.3}   at most {:.3} in a bin", scores.calibration_error, scores.largest_calibration_error);
    line(page, "calibration error", Some(error));
    line(page, "Brier score", Some(format!("{:>9.3}", scores.brier)));
    page.line("");
    page.line(&format!("  {:<12}{:>14}{:>14}{:>14}", "score from", "sensitivity", "specificity", "precision"));
    for point in thinned(&scores.curve) {
        let specificity = point.specificity.map_or_else(|| "-".to_owned(), |share| percent(share.estimate));
        page.line(&format!(
            "  {:<12}{:>14}{specificity:>14}{:>14}",
            point.threshold,
            percent(point.sensitivity.estimate),
            percent(point.precision.estimate)
        ));
    }
    page.wrapped(
        "  ",
        "A threshold that was chosen by this table looks better in it than it is: choose on dev, read the test split once. \
         JSON has every cut with its limits, and the reliability diagram.",
    );
}

/// At most [`MOST_CUTS`] points, evenly over the curve, the first and the last among them.
fn thinned(curve: &[CurvePoint]) -> Vec<&CurvePoint> {
    if curve.len() <= MOST_CUTS {
        return curve.iter().collect();
    }
    (0..MOST_CUTS).map(|step| &curve[step * (curve.len() - 1) / (MOST_CUTS - 1)]).collect()
}
