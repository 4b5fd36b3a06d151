//! What anchors add to a plan: visits beside the requests of units, and the baseline that visits are compared with.

use std::ops::Add;

use super::forecast::{Forecast, Load, StageLoad, forecast};
use super::settings::Assumptions;
use crate::model::anchor::AnchorPlan;
use crate::model::money::NanoUsd;

/// The requests about anchors.
#[derive(Debug, Clone, PartialEq)]
pub struct AnchorLoad {
    /// The anchors, and how much of their baseline is there.
    pub plan: AnchorPlan,
    /// Visits that are due once every planned unit has ended.
    pub due: u64,
    /// Those of them that the run which would go on has made.
    pub made: u64,
    /// Those that are due and can be paid: they have a baseline draw.
    pub visits: StageLoad,
    /// Baseline draws that are missing.
    pub missing: StageLoad,
}

/// What anchors will cost.
#[derive(Debug, Clone, PartialEq)]
pub struct AnchorForecast {
    /// The anchors, and how much of their baseline is there.
    pub plan: AnchorPlan,
    /// Visits that are due once every planned unit has ended.
    pub due: u64,
    /// Those of them that the run which would go on has made.
    pub made: u64,
    /// The visits of a run. Each is asked afresh, once in a run.
    pub visits: Forecast,
    /// What drawing the rest of the baseline takes, which is no part of a run.
    pub baseline: Forecast,
}

/// Forecasts the visits of a run that sends so much else, and the rest of the baseline.
#[must_use]
pub fn forecast_anchors(load: &AnchorLoad, assume: Assumptions, run: &Forecast) -> AnchorForecast {
    let alone = |screen| {
        forecast(&Load { screen, confirm: None, known: None, shared_limits: false, assume, paid_per_unit: None })
    };
    let mut visits = alone(load.visits);
    // A run that sends nothing visits nothing.
    if run.requests_low == 0 {
        (visits.requests_low, visits.cost_low) = (0, NanoUsd::ZERO);
    }
    if run.requests_expected == 0 {
        let nothing = alone(StageLoad { units: 0, cached: 0, ..load.visits });
        visits = Forecast { requests_worst: visits.requests_worst, cost_worst: visits.cost_worst, ..nothing };
    }
    if run.requests_worst == 0 {
        (visits.requests_worst, visits.cost_worst) = (0, NanoUsd::ZERO);
    }
    AnchorForecast { plan: load.plan.clone(), due: load.due, made: load.made, visits, baseline: alone(load.missing) }
}

impl Add for Forecast {
    type Output = Self;

    /// Both, one after the other: they draw on the same limits.
    fn add(self, other: Self) -> Self {
        let minutes = self.minutes_expected.zip(other.minutes_expected).map(|(one, other)| one + other);
        Self {
            requests_low: self.requests_low.saturating_add(other.requests_low),
            requests_expected: self.requests_expected.saturating_add(other.requests_expected),
            requests_worst: self.requests_worst.saturating_add(other.requests_worst),
            prompt_tokens_expected: self.prompt_tokens_expected.saturating_add(other.prompt_tokens_expected),
            completion_tokens_expected: self
                .completion_tokens_expected
                .saturating_add(other.completion_tokens_expected),
            cost_low: self.cost_low + other.cost_low,
            cost_expected: self.cost_expected + other.cost_expected,
            cost_worst: self.cost_worst + other.cost_worst,
            minutes_expected: minutes,
            limited_by: self.limited_by.or(other.limited_by),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::money::Price;
    use crate::plan::forecast::{Limits, Questions};
    use crate::plan::repeats::RepeatLoad;

    fn stage(units: u64) -> StageLoad {
        StageLoad {
            units,
            cached: 0,
            questions: Questions::ONE,
            mean_request_bytes: 4_000,
            most_request_bytes: 8_000,
            most_output_tokens: 2_000,
            most_output_tokens_after_truncation: None,
            price: Price::flat(250, 25, 2_000),
            limits: Limits {
                requests_per_minute: Some(100),
                tokens_per_minute: None,
                concurrency: 8,
                seconds_per_request: None,
            },
            repeats: RepeatLoad::default(),
        }
    }

    fn run(units: u64, flag_rate: f64) -> (Forecast, Assumptions) {
        let assume = Assumptions { flag_rate, ..Assumptions::default() };
        let confirm = Some(stage(0));
        let screen = StageLoad { cached: 1_000 - units, ..stage(1_000) };
        let load = Load { screen, confirm, known: None, shared_limits: true, assume, paid_per_unit: None };
        (forecast(&load), assume)
    }

    fn load() -> AnchorLoad {
        let plan = AnchorPlan { anchors: 5, draws: 8, rate: 0.01, baseline: 30 };
        AnchorLoad { plan, due: 10, made: 0, visits: stage(10), missing: stage(10) }
    }

    #[test]
    fn visits_come_on_top_of_what_units_are_asked() {
        let (units, assume) = run(1_000, 0.005);
        let anchors = forecast_anchors(&load(), assume, &units);
        let visits = anchors.visits;
        assert_eq!((visits.requests_low, visits.requests_expected, visits.requests_worst), (10, 10, 10));
        assert!(visits.cost_low < visits.cost_expected && visits.cost_expected < visits.cost_worst, "{visits:?}");
        let all = units + visits;
        assert_eq!(all.requests_expected, 1_000 + 5 + 10);
        assert_eq!(all.cost_worst, units.cost_worst + visits.cost_worst);
        assert!((all.minutes_expected.unwrap() - 10.15).abs() < 1e-9, "{all:?}");
    }

    #[test]
    fn a_run_that_sends_nothing_visits_nothing() {
        let (nothing, assume) = run(0, 0.005);
        let anchors = forecast_anchors(&load(), assume, &nothing);
        let Forecast { requests_low, requests_expected, requests_worst, cost_worst, .. } = anchors.visits;
        assert_eq!((requests_low, requests_expected, requests_worst, cost_worst), (0, 0, 0, NanoUsd::ZERO));
        assert_eq!((nothing + anchors.visits).minutes_expected, Some(0.0));
        assert_eq!(anchors.baseline.requests_expected, 10, "the baseline is no part of a run");
    }
}
