//! What a plan will cost and how long it will take, before anything is spent.
//!
//! Three figures each: `low` if the night goes well, `expected` under the audit's assumptions, and `worst`, which is
//! an upper bound for any replies as long as each request is sent once. Requests that are repeated after a time-out
//! come on top; the cap holds for them too.

use std::ops::AddAssign;

use super::repeats::RepeatLoad;
use super::settings::Assumptions;
use crate::model::money::{NanoUsd, Price, Usage};

/// Bytes of English prose per token with the vocabularies of current models: usual, and for easy text. No token is
/// shorter than a byte, so the worst case needs no assumption.
pub const BYTES_PER_TOKEN: u64 = 4;
const EASY_BYTES_PER_TOKEN: u64 = 5;

/// How much shorter than assumed the replies of a good night are.
const SHORT_REPLY_DIVISOR: u64 = 2;

/// All requests of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// The screening of the planned units.
    pub screen: StageLoad,
    /// The second grader, if there is one: it reads what the screen flags.
    pub confirm: Option<StageLoad>,
    /// Known positives, which are graded besides, if there are any.
    pub known: Option<KnownLoad>,
    /// Whether both stages draw on the limits of `screen`: same endpoint, key and model. Else they run side by side.
    pub shared_limits: bool,
    /// What is believed about units whose screening is yet to come.
    pub assume: Assumptions,
    /// What a unit has cost on average in a run, with everything that followed from it: stands in place of prices times
    /// assumed tokens.
    pub paid_per_unit: Option<NanoUsd>,
}

/// Known positives on their way through the gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownLoad {
    /// At the screen.
    pub screen: StageLoad,
    /// Whether those that the screen flags go to the second grader.
    pub is_confirmed: bool,
}

/// The requests of one stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StageLoad {
    /// Units that certainly reach the stage: of the screen the planned ones, of the confirmer those that cached
    /// replies flag.
    pub units: u64,
    /// How many of these units have their reply in the cache.
    pub cached: u64,
    /// How many questions a unit has.
    pub questions: Questions,
    /// Size of an average request: messages and schema, in bytes.
    pub mean_request_bytes: u64,
    /// Size of the largest request that can be sent, overhead included, in bytes.
    pub most_request_bytes: u64,
    /// Most completion tokens of a reply.
    pub most_output_tokens: u64,
    /// Most completion tokens of the one further attempt after a truncated reply, if there is one.
    pub most_output_tokens_after_truncation: Option<u64>,
    /// What tokens cost.
    pub price: Price,
    /// How fast requests may go.
    pub limits: Limits,
    /// What is asked again of its units.
    pub repeats: RepeatLoad,
}

/// Questions of the units that have any: one each, but for conversations that are too long for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Questions {
    /// Questions in all.
    pub of: u64,
    /// Of so many units.
    pub units: u64,
    /// Questions of the unit that has most.
    pub most: u64,
}

impl Questions {
    /// One question a unit.
    pub const ONE: Self = Self { of: 1, units: 1, most: 1 };

    /// Questions of a unit on average; where no unit has any, one is supposed.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub const fn per_unit(&self) -> f64 {
        if self.units == 0 { 1.0 } else { self.of as f64 / self.units as f64 }
    }

    /// Requests that so many units make on average, rounded up.
    fn usual(&self, units: u64) -> u64 {
        let Self { of, units: with, .. } = if self.units == 0 { Self::ONE } else { *self };
        (u128::from(units) * u128::from(of)).div_ceil(u128::from(with)).try_into().unwrap_or(u64::MAX)
    }

    /// Requests that so many units make at most.
    fn worst(&self, units: u64) -> u64 {
        units.saturating_mul(self.most.max(1))
    }
}

/// How fast requests may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Requests per minute, if limited.
    pub requests_per_minute: Option<u32>,
    /// Prompt and completion tokens per minute, if limited.
    pub tokens_per_minute: Option<u32>,
    /// Requests in flight at once, at least 1.
    pub concurrency: u32,
    /// How long a request takes, in seconds, if anything is known of it.
    pub seconds_per_request: Option<f64>,
}

/// What a plan will cost and how long it will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Requests if nothing more is flagged and nothing truncated.
    pub requests_low: u64,
    /// Requests under the assumptions.
    pub requests_expected: u64,
    /// Requests if everything is flagged and truncated.
    pub requests_worst: u64,
    /// Prompt tokens of the expected requests.
    pub prompt_tokens_expected: u64,
    /// Completion tokens of the expected requests.
    pub completion_tokens_expected: u64,
    /// Cost if nothing more is flagged, prompts are easy and replies half as long as assumed.
    pub cost_low: NanoUsd,
    /// Cost under the assumptions, without any help from the provider's prompt cache.
    pub cost_expected: NanoUsd,
    /// Upper bound of the cost.
    pub cost_worst: NanoUsd,
    /// Minutes that the expected requests take; unknown if nothing limits them and no request was timed.
    pub minutes_expected: Option<f64>,
    /// What these minutes are spent waiting for, if there are any.
    pub limited_by: Option<Bottleneck>,
}

/// What a run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bottleneck {
    /// Requests per minute.
    Requests,
    /// Tokens per minute.
    Tokens,
    /// Requests in flight at once.
    Concurrency,
}

impl Bottleneck {
    /// The name in tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Concurrency => "concurrency",
        }
    }
}

/// Forecasts requests, cost and time.
#[must_use]
pub fn forecast(load: &Load) -> Forecast {
    let Load { screen, confirm, known, shared_limits, assume, paid_per_unit } = load;
    let open = screen.unanswered();
    let mut low = screen.low(*assume);
    let mut expected = screen.expected(0, assume.flag_rate, *assume);
    let mut worst = screen.worst(0);
    // Neither what follows on stored first answers nor known positives without a reply are in what a unit costs from its beginning.
    let mut beside_units = screen.usual(screen.repeats.open, *assume).cost;
    if let Some(known) = known {
        let asked = known.screen.expected(0, assume.sensitivity, *assume);
        low += known.screen.low(*assume);
        expected += asked;
        beside_units += asked.cost;
        worst += known.screen.worst(0);
    }
    let known = known.filter(|known| known.is_confirmed).map_or(0, |known| known.screen.units);
    let mut time = screen.limits.time(&expected);
    if let Some(confirm) = confirm {
        // What a first asking says stands until others say something else.
        let beside = screen.repeats.likely + share(known, assume.sensitivity);
        // A second grader that upholds all of it repeats all of it.
        let flagged = confirm.expected(share(open, assume.flag_rate) + beside, 1.0, *assume);
        beside_units += confirm.expected(beside, 1.0, *assume).cost;
        low += confirm.low(*assume);
        expected += flagged;
        worst += confirm.worst(open + screen.repeats.undecided + known);
        let separate = confirm.limits.time(&flagged);
        time = if *shared_limits { screen.limits.time(&expected) } else { slower(time, separate) };
    }
    if let Some(paid) = paid_per_unit {
        expected.cost = (NanoUsd(paid.0.saturating_mul(open)) + beside_units).min(worst.cost);
        // What was paid is known better than what easy prompts cost.
        low.cost = low.cost.min(expected.cost);
    }
    Forecast {
        requests_low: low.requests,
        requests_expected: expected.requests,
        requests_worst: worst.requests,
        prompt_tokens_expected: expected.usage.prompt_tokens,
        completion_tokens_expected: expected.usage.completion_tokens,
        cost_low: low.cost,
        cost_expected: expected.cost,
        cost_worst: worst.cost,
        minutes_expected: time.map(|time| time.minutes),
        limited_by: time.and_then(|time| time.limited_by),
    }
}

/// Requests with their usage and cost.
#[derive(Debug, Clone, Copy, Default)]
struct Volume {
    requests: u64,
    usage: Usage,
    cost: NanoUsd,
}

impl AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.usage += other.usage;
        self.cost += other.cost;
    }
}

impl StageLoad {
    /// Units that certainly reach the stage and whose reply is not cached.
    const fn unanswered(&self) -> u64 {
        self.units.saturating_sub(self.cached)
    }

    fn low(&self, assume: Assumptions) -> Volume {
        let reply = self.usual_reply(assume) / SHORT_REPLY_DIVISOR;
        let requests = self.questions.usual(self.unanswered().saturating_add(self.repeats.low()));
        self.volume(requests, (self.mean_request_bytes, EASY_BYTES_PER_TOKEN), reply)
    }

    /// With so many units more than those that certainly reach the stage, of which the given share is answered with yes.
    fn expected(&self, further: u64, yes_rate: f64, assume: Assumptions) -> Volume {
        let units = self.unanswered().saturating_add(further);
        let repeated = self.repeats.expected(units, further, yes_rate);
        self.usual(units.saturating_add(repeated), assume)
    }

    fn usual(&self, askings: u64, assume: Assumptions) -> Volume {
        let requests = self.questions.usual(askings);
        self.volume(requests, (self.mean_request_bytes, BYTES_PER_TOKEN), self.usual_reply(assume))
    }

    fn worst(&self, further: u64) -> Volume {
        let units = self.unanswered().saturating_add(further);
        let requests = self.questions.worst(units.saturating_add(self.repeats.worst(units, further)));
        let largest = (self.most_request_bytes.max(self.mean_request_bytes), 1);
        let mut worst = self.volume(requests, largest, self.most_output_tokens);
        if let Some(most) = self.most_output_tokens_after_truncation {
            worst += self.volume(requests, largest, most);
        }
        worst
    }

    fn usual_reply(&self, assume: Assumptions) -> u64 {
        assume.output_tokens.min(self.most_output_tokens)
    }

    /// So many requests of so many bytes each, at so many bytes per token.
    fn volume(&self, requests: u64, (bytes, bytes_per_token): (u64, u64), reply_tokens: u64) -> Volume {
        let prompt_tokens = requests.saturating_mul(bytes).div_ceil(bytes_per_token);
        let completion_tokens = requests.saturating_mul(reply_tokens);
        let usage = Usage { prompt_tokens, completion_tokens, ..Usage::default() };
        Volume { requests, usage, cost: self.price.cost_of_many(requests, &usage) }
    }
}

/// How long requests take, and why.
#[derive(Debug, Clone, Copy)]
struct Time {
    minutes: f64,
    limited_by: Option<Bottleneck>,
}

impl Limits {
    /// How long requests take under these limits; `None` if nothing limits them and no request was timed.
    #[expect(clippy::cast_precision_loss, reason = "minutes need no 53 bits")]
    fn time(&self, load: &Volume) -> Option<Time> {
        if load.requests == 0 {
            return Some(Time { minutes: 0.0, limited_by: None });
        }
        let requests = load.requests as f64;
        let tokens = load.usage.prompt_tokens.saturating_add(load.usage.completion_tokens) as f64;
        let by_requests = self.requests_per_minute.map(|limit| (requests / f64::from(limit), Bottleneck::Requests));
        let by_tokens = self.tokens_per_minute.map(|limit| (tokens / f64::from(limit), Bottleneck::Tokens));
        let by_slots = self.seconds_per_request.map(|seconds| {
            let minutes = requests * seconds / 60.0 / f64::from(self.concurrency);
            (minutes, Bottleneck::Concurrency)
        });
        let waits = [by_requests, by_tokens, by_slots].into_iter().flatten();
        let longest = waits.max_by(|a, b| a.0.total_cmp(&b.0));
        longest.map(|(minutes, by)| Time { minutes, limited_by: Some(by) })
    }
}

/// The time of two stages side by side; unknown if either is.
fn slower(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    let (one, other) = (one?, other?);
    Some(if other.minutes > one.minutes { other } else { one })
}

/// A share of `units`, rounded up.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an expectation needs no 53 bits, and the cast saturates"
)]
pub(super) fn share(units: u64, rate: f64) -> u64 {
    ((units as f64 * rate).ceil() as u64).min(units)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::repeats::{RepeatRule, Repeats};

    /// 10,000 units, 2,000 of them cached; requests of 4,000 bytes; prices as of a small model.
    fn stage() -> StageLoad {
        StageLoad {
            units: 10_000,
            cached: 2_000,
            questions: Questions::ONE,
            mean_request_bytes: 4_000,
            most_request_bytes: 40_000,
            most_output_tokens: 2_000,
            most_output_tokens_after_truncation: None,
            price: Price::flat(250, 25, 2_000),
            limits: Limits {
                requests_per_minute: None,
                tokens_per_minute: None,
                concurrency: 8,
                seconds_per_request: Some(6.0),
            },
            repeats: RepeatLoad::default(),
        }
    }

    fn load() -> Load {
        Load {
            screen: stage(),
            confirm: None,
            known: None,
            shared_limits: false,
            assume: Assumptions::default(),
            paid_per_unit: None,
        }
    }

    #[test]
    fn a_screen_is_counted_by_hand() {
        let forecast = forecast(&load());
        assert_eq!(forecast.requests_low, 8_000);
        assert_eq!(forecast.requests_expected, 8_000);
        assert_eq!(forecast.requests_worst, 8_000);
        assert_eq!(forecast.prompt_tokens_expected, 8_000_000);
        assert_eq!(forecast.completion_tokens_expected, 2_400_000);
        // 8 M tokens at $0.25 and 2.4 M at $2 a million.
        assert_eq!(Some(forecast.cost_expected), NanoUsd::from_usd(2.0 + 4.8));
        assert_eq!(Some(forecast.cost_low), NanoUsd::from_usd(1.6 + 2.4));
        assert_eq!(Some(forecast.cost_worst), NanoUsd::from_usd(80.0 + 32.0));
        assert_eq!(forecast.minutes_expected, Some(100.0));
        assert_eq!(forecast.limited_by, Some(Bottleneck::Concurrency));
    }

    #[test]
    fn a_confirmer_reads_what_is_flagged() {
        let confirm = StageLoad { units: 7, cached: 3, ..stage() };
        let forecast = forecast(&Load { confirm: Some(confirm), ..load() });
        // Four known ones, and 0.5% of the 8,000 units still to be screened; at worst all of these.
        assert_eq!(forecast.requests_low, 8_000 + 4);
        assert_eq!(forecast.requests_expected, 8_000 + 4 + 40);
        assert_eq!(forecast.requests_worst, 8_000 + 4 + 8_000);
    }

    #[test]
    fn known_positives_are_asked_besides_and_confirmed_only_by_a_gate_of_two() {
        let known = |is_confirmed| {
            let screen = StageLoad { units: 100, cached: 20, ..stage() };
            let confirm = StageLoad { units: 0, cached: 0, ..stage() };
            let known = KnownLoad { screen, is_confirmed };
            forecast(&Load { known: Some(known), confirm: Some(confirm), ..load() })
        };
        let (screen, both) = (known(false), known(true));
        assert_eq!((screen.requests_low, both.requests_low), (8_080, 8_080));
        assert_eq!((screen.requests_expected, both.requests_expected), (8_080 + 40, 8_080 + 40 + 80));
        assert_eq!((screen.requests_worst, both.requests_worst), (8_080 + 8_000, 8_080 + 8_100));
    }

    #[test]
    fn truncated_replies_are_asked_for_again_at_worst() {
        let screen = StageLoad { most_output_tokens_after_truncation: Some(6_000), ..stage() };
        let forecast = forecast(&Load { screen, ..load() });
        assert_eq!(forecast.requests_expected, 8_000);
        assert_eq!(forecast.requests_worst, 16_000);
        assert_eq!(Some(forecast.cost_worst), NanoUsd::from_usd(80.0 + 32.0 + 80.0 + 96.0));
    }

    #[test]
    fn the_tightest_limit_sets_the_time() {
        let time = |limits: Limits| {
            let forecast = forecast(&Load { screen: StageLoad { limits, ..stage() }, ..load() });
            (forecast.minutes_expected, forecast.limited_by)
        };
        let slots = stage().limits;
        let by_requests = Limits { requests_per_minute: Some(50), tokens_per_minute: Some(104_000), ..slots };
        assert_eq!(time(by_requests), (Some(160.0), Some(Bottleneck::Requests)));
        let by_tokens = Limits { requests_per_minute: Some(100), tokens_per_minute: Some(52_000), ..slots };
        assert_eq!(time(by_tokens), (Some(200.0), Some(Bottleneck::Tokens)));
        assert_eq!(time(Limits { seconds_per_request: None, ..slots }), (None, None));
    }

    #[test]
    fn stages_share_limits_or_run_side_by_side() {
        let limits = Limits { requests_per_minute: Some(80), seconds_per_request: None, ..stage().limits };
        let screen = StageLoad { limits, ..stage() };
        let confirm = StageLoad { units: 760, cached: 0, limits, ..stage() };
        let minutes = |shared_limits| {
            forecast(&Load { screen, confirm: Some(confirm), shared_limits, ..load() }).minutes_expected
        };
        assert_eq!(minutes(true), Some(110.0));
        assert_eq!(minutes(false), Some(100.0));
    }

    #[test]
    fn what_was_paid_stands_in_place_of_prices() {
        let of = |nano| forecast(&Load { paid_per_unit: Some(NanoUsd(nano)), ..load() });
        assert_eq!(Some(of(1_000_000).cost_expected), NanoUsd::from_usd(8.0));
        assert_eq!(Some(of(1_000_000).cost_low), NanoUsd::from_usd(4.0));
        let cheap = of(100_000);
        assert_eq!(Some(cheap.cost_expected), NanoUsd::from_usd(0.8));
        assert_eq!(cheap.cost_low, cheap.cost_expected, "a good night costs no more than what was paid");
        assert_eq!(of(u64::MAX).cost_expected, of(u64::MAX).cost_worst);
        let confirm = StageLoad { units: 7, cached: 3, ..stage() };
        let repeats = RepeatLoad { open: 5, undecided: 2, likely: 2, ..RepeatLoad::default() };
        let load = Load {
            screen: StageLoad { repeats, ..stage() },
            confirm: Some(StageLoad { repeats: RepeatLoad { open: 3, ..RepeatLoad::default() }, ..confirm }),
            paid_per_unit: Some(NanoUsd(1_000_000)),
            ..load()
        };
        // Five repeats of the screen, four units and three repeats of the confirmer, and two that may come: 850 tokens' worth each.
        let question = forecast(&Load { paid_per_unit: None, ..self::load() }).cost_expected.0 / 8_000;
        assert_eq!(forecast(&load).cost_expected, NanoUsd(8_000 * 1_000_000 + (5 + 4 + 3 + 2) * question));
        let known = StageLoad { units: 100, cached: 20, ..stage() };
        let known = Some(KnownLoad { screen: known, is_confirmed: true });
        let with_known = forecast(&Load { known, ..load }).cost_expected;
        // Eighty at the screen, and of all hundred what the gate is assumed to detect.
        assert_eq!(
            with_known,
            forecast(&load).cost_expected + NanoUsd((80 + 80) * question),
            "a unit of the run paid for none"
        );
    }

    #[test]
    fn conversations_in_chunks_have_several_questions_each() {
        let questions = Questions { of: 15_000, units: 10_000, most: 4 };
        let forecast = forecast(&Load { screen: StageLoad { questions, ..stage() }, ..load() });
        assert_eq!(
            (forecast.requests_low, forecast.requests_expected, forecast.requests_worst),
            (12_000, 12_000, 32_000)
        );
        assert_eq!(forecast.completion_tokens_expected, 12_000 * 300);
        assert!((questions.per_unit() - 1.5).abs() < 1e-12);
    }

    #[test]
    fn repeats_are_forecast_with_what_they_repeat() {
        let policy = Repeats { rule: RepeatRule::Majority, flagged: 3, near_threshold: 1, near: 10, random: 0.01 };
        let repeats =
            RepeatLoad { policy: Some(policy), drawn: 80, open: 10, undecided: 5, likely: 3, ..RepeatLoad::default() };
        let screen = StageLoad { repeats, ..stage() };
        let of_confirm = RepeatLoad { policy: Some(Repeats { random: 0.0, ..policy }), ..RepeatLoad::default() };
        let confirm = StageLoad { units: 0, cached: 0, repeats: of_confirm, ..stage() };
        let alone = forecast(&Load { screen, ..load() });
        // 40 of 8,000 are flagged as assumed, and two further askings follow on each.
        assert_eq!(
            (alone.requests_low, alone.requests_expected, alone.requests_worst),
            (8_000 + 90, 8_000 + 90 + 80, 8_000 + 10 + 16_000)
        );
        let both = forecast(&Load { screen, confirm: Some(confirm), ..load() });
        assert_eq!(both.requests_expected, 8_170 + (40 + 3) * 3, "a first yes is expected to be upheld");
        assert_eq!(both.requests_low, 8_090);
        let known = StageLoad { repeats: RepeatLoad { likely_open: 2, ..of_confirm }, ..confirm };
        let known = forecast(&Load { screen, confirm: Some(known), ..load() });
        assert_eq!((known.requests_low, known.requests_expected), (both.requests_low, both.requests_expected + 2));
        assert_eq!(both.requests_worst, 24_010 + 8_005 * 3, "those that wait for their repeats may be flagged too");
    }

    #[test]
    fn a_full_cache_costs_nothing() {
        let screen = StageLoad { cached: 10_000, ..stage() };
        let forecast =
            forecast(&Load { screen, confirm: Some(StageLoad { units: 0, cached: 0, ..stage() }), ..load() });
        assert_eq!(forecast.requests_worst, 0);
        assert_eq!(forecast.cost_worst, NanoUsd::ZERO);
        assert_eq!((forecast.minutes_expected, forecast.limited_by), (Some(0.0), None));
    }

    prop_compose! {
        fn any_stage()(
            (units, cached) in (0..u64::MAX, 0..u64::MAX),
            (mean_request_bytes, most_request_bytes) in (0..u64::MAX, 0..u64::MAX),
            most_output_tokens in 0..u64::MAX,
            most_output_tokens_after_truncation in prop::option::of(0..u64::MAX),
            (asked, further, most) in (0..1_000_u64, 0.0..=1.0, 1..50_u64),
            (flagged, near_threshold, random, drawn) in (1..9_u32, 1..9_u32, 0.0..=1.0, 0.0..=1.0),
            (open, likely) in (0..1_000_u64, 0.0..=1.0),
        ) -> StageLoad {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small counts"
            )]
            let of = asked + ((asked * (most - 1)) as f64 * further) as u64;
            let policy = Repeats { rule: RepeatRule::Majority, flagged, near_threshold, near: 10, random };
            let (drawn, likely) = (share(units.saturating_sub(cached), drawn), share(open, likely));
            StageLoad {
                questions: Questions { of, units: asked, most },
                repeats: RepeatLoad { policy: Some(policy), drawn, open, undecided: open, likely, ..RepeatLoad::default() },
                units, cached, mean_request_bytes, most_request_bytes, most_output_tokens,
                most_output_tokens_after_truncation, ..stage()
            }
        }
    }

    proptest! {
        #[test]
        fn low_is_at_most_expected_and_expected_at_most_worst(
            screen in any_stage(),
            confirm in prop::option::of(any_stage()),
            flag_rate in 0.0..=1.0,
            output_tokens in 0..u64::MAX,
        ) {
            let assume = Assumptions { flag_rate, output_tokens, ..Assumptions::default() };
            let load = Load { screen, confirm, known: None, shared_limits: false, assume, paid_per_unit: None };
            let forecast = forecast(&load);
            prop_assert!(forecast.requests_low <= forecast.requests_expected);
            prop_assert!(forecast.requests_expected <= forecast.requests_worst);
            prop_assert!(forecast.cost_low <= forecast.cost_expected);
            prop_assert!(forecast.cost_expected <= forecast.cost_worst);
        }
    }
}
