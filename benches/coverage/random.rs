//! Random numbers that depend on scenario and run only, so that a run can be repeated alone and in any order.

use crate::peers::real;

/// A stream of the generator splitmix64 (Steele, Lea and Flood, OOPSLA 2014): a counter, mixed.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    counter: u64,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mixed(counter: u64) -> u64 {
    let first = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let second = (first ^ (first >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    second ^ (second >> 31)
}

impl Stream {
    /// The stream of one run of one scenario.
    pub(crate) fn new(scenario: u64, run: u64) -> Self {
        Self { counter: mixed(mixed(scenario.wrapping_add(STEP)).wrapping_add(run.wrapping_mul(STEP))) }
    }

    fn next(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(STEP);
        mixed(self.counter)
    }

    /// Between 0 and 1, neither included.
    pub(crate) fn uniform(&mut self) -> f64 {
        (real(self.next() >> 11) + 0.5) / real(1 << 53)
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// By counting arrivals.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        let (mut count, mut time) = (0, -self.uniform().ln());
        while time < mean {
            count += 1;
            time -= self.uniform().ln();
        }
        count
    }

    /// A Poisson number with mean 1, by its distribution function.
    pub(crate) fn poisson_of_one(&mut self) -> u64 {
        let uniform = self.uniform();
        let (mut count, mut mass) = (0, (-1.0_f64).exp());
        let mut below = mass;
        while below < uniform && mass > 0.0 {
            count += 1;
            mass /= real(count);
            below += mass;
        }
        count
    }

    /// Trials up to and with the first success.
    pub(crate) fn geometric(&mut self, probability: f64) -> u64 {
        if probability >= 1.0 {
            return 1;
        }
        let trials = (self.uniform().ln() / (-probability).ln_1p()).ceil();
        whole(trials).max(1)
    }

    /// By skipping from success to success.
    pub(crate) fn binomial(&mut self, trials: u64, probability: f64) -> u64 {
        if probability <= 0.0 {
            return 0;
        }
        let (mut count, mut used) = (0, self.geometric(probability));
        while used <= trials {
            count += 1;
            used += self.geometric(probability);
        }
        count
    }
}

/// The nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "simulated counts are small and not negative"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// Units taken one after the other from a list of which so many are still to be drawn: a simple random sample.
#[derive(Debug, Clone)]
pub(crate) struct Urn {
    left: u64,
    wanted: u64,
}

impl Urn {
    pub(crate) fn new(units: u64, wanted: u64) -> Self {
        Self { left: units, wanted: wanted.min(units) }
    }

    /// Whether the next unit is drawn.
    pub(crate) fn draws(&mut self, stream: &mut Stream) -> bool {
        let is_drawn = stream.uniform() * real(self.left) < real(self.wanted);
        self.left -= 1;
        self.wanted -= u64::from(is_drawn);
        is_drawn
    }
}
