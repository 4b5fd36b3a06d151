//! What a plan says of anchors.

use serde::Serialize;

use super::super::layout::Page;
use super::super::rate::count;
use crate::model::money::NanoUsd;
use crate::plan::anchors::AnchorForecast;
use crate::plan::forecast::Forecast;

/// Anchors of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedAnchors {
    /// Anchors.
    pub anchors: u64,
    /// Visits for each unit that is admitted.
    pub rate: f64,
    /// Visits that are due once every planned unit has ended.
    pub visits: u64,
    /// Those of them that the run which would go on has made.
    pub visits_made: u64,
    /// Requests of the others that have a baseline draw, as a part of the plan's: if all goes well, as assumed, and at worst.
    pub requests: [u64; 3],
    /// The same in dollars.
    pub cost_usd: [f64; 3],
    /// Draws of the baseline.
    pub draws: u64,
    /// Those that are there.
    pub baseline: u64,
    /// Requests that the rest takes, before the run and as no part of it: if all goes well, as assumed, and at worst.
    pub baseline_requests: [u64; 3],
    /// The same in dollars.
    pub baseline_cost_usd: [f64; 3],
}

impl PlannedAnchors {
    /// Of a forecast.
    #[must_use]
    pub fn new(forecast: &AnchorForecast) -> Self {
        let AnchorForecast { plan, due, made, visits, baseline } = forecast;
        Self {
            anchors: plan.anchors,
            rate: plan.rate,
            visits: *due,
            visits_made: *made,
            requests: requests(visits),
            cost_usd: cost_usd(visits),
            draws: plan.anchors * u64::from(plan.draws),
            baseline: plan.baseline,
            baseline_requests: requests(baseline),
            baseline_cost_usd: cost_usd(baseline),
        }
    }
}

const fn requests(forecast: &Forecast) -> [u64; 3] {
    [forecast.requests_low, forecast.requests_expected, forecast.requests_worst]
}

fn cost_usd(forecast: &Forecast) -> [f64; 3] {
    [forecast.cost_low, forecast.cost_expected, forecast.cost_worst].map(NanoUsd::usd)
}

/// Two rows of the table of requests and cost, and what the baseline lacks.
pub(super) fn section(page: &mut Page, anchors: &PlannedAnchors) {
    let [low, expected, worst] = anchors.requests.map(count);
    page.line(&format!("  of it for anchors       {low:>20}{expected:>14}{worst:>14}"));
    let [low, expected, worst] = anchors.cost_usd.map(dollars);
    page.line(&format!("{:26}{low:>20}{expected:>14}{worst:>14}", ""));
    let PlannedAnchors { visits, rate, draws, baseline, .. } = anchors;
    let made = match anchors.visits_made {
        0 => String::new(),
        made => format!(" The run that goes on has made {} of these visits.", count(made)),
    };
    page.wrapped(
        "  ",
        &format!(
            "{} anchors are visited {} times over all units (rate {rate}), if anything else is sent.{made}",
            count(anchors.anchors),
            count(*visits)
        ),
    );
    if baseline < draws {
        let [_, expected, worst] = anchors.baseline_cost_usd.map(dollars);
        page.wrapped(
            "  ",
            &format!(
                "Their baseline lacks {} of {} draws, and a visit without one is skipped and not counted here. `assize anchors \
                 baseline` draws them first: {} requests, expected {expected}, {worst} at worst, under the same cap.",
                count(draws - baseline),
                count(*draws),
                count(anchors.baseline_requests[1])
            ),
        );
    }
}

fn dollars(usd: f64) -> String {
    if usd > 0.0 && usd < 0.01 { format!("${usd:.4}") } else { format!("${usd:.2}") }
}
