//! The controller behind `max_concurrency = "auto"`: additive increase, multiplicative decrease, one step per round
//! trip at most.
//!
//! It doubles from its start until something speaks against it, then climbs slowly. Two things speak against a limit.
//! A server that sheds load (503, 529, time-outs) says so. A server that queues in silence answers later and later at
//! the same rate: when latency has doubled, the limit is cut, and the cut stands only if the rate did not suffer. So
//! longer transcripts, which are slower at any concurrency, do not throttle a night. Just below a limit that went
//! wrong it stays for a while before it tries again, and after a burst of refusals it doubles back to half of what
//! went well before.
//!
//! Compare Netflix's concurrency-limits (gradient of latency) and the adaptive concurrency of vector, whose long-term
//! averages follow a silent queue; the cut that has to prove itself replaces them.

use std::time::Duration;

use tokio::time::Instant;

use super::Load;

/// Requests in flight at the start.
const START: f64 = 8.0;
/// Ended attempts that a step is based on: fewer say too little of latencies that differ by nature.
const LEAST_SEEN: usize = 32;
/// The same while doubling: what is overlooked there shows at the next step.
const LEAST_SEEN_DOUBLING: usize = 8;
/// Share of attempts that a server may shed without being overloaded: nights have a background of faults.
const SHED_SHARE: f64 = 0.05;
/// Shed attempts, at least, before they count.
const LEAST_SHED: usize = 3;
/// The step down when load is shed: small, since the next one may follow as soon as the server has seen the last.
const SHED_CUT: f64 = 0.9;
/// The step down after signs of a silent queue.
const CUT: f64 = 0.7;
/// The share of a limit that went wrong at which the climb rests,
const REST: f64 = 0.9;
/// for so many steps, and for twice as many each time that the same limit goes wrong again,
const RESTING_STEPS: u32 = 20;
/// up to this.
const MOST_RESTING_STEPS: u32 = 320;
/// How far apart two limits may be to count as the same.
const SAME: f64 = 0.25;
/// A latency this many times the shortest known is a sign of a queue,
const TOLERANCE: f64 = 2.0;
/// if it is longer by more than this: below, the processors of this machine are what is measured.
const LEAST_GROWTH: Duration = Duration::from_millis(50);
/// The share of the rate that a cut may cost and still stand.
const RATE_KEPT: f64 = 0.9;
/// The share of the limit that must have been on the wire for a step up: a limit that does not bind proves nothing.
const SATURATED: f64 = 0.9;

#[derive(Debug)]
pub(super) struct Adaptive {
    limit: f64,
    ceiling: f64,
    phase: Phase,
    /// Up to here the limit doubles: half of what went well before the last trouble.
    threshold: f64,
    wrong: Option<Wrong>,
    /// Whether a whole step went well since the last trouble.
    is_well: bool,
    /// The shortest mean latency of a window, in seconds, since the limit was last found.
    shortest: Option<f64>,
    /// What was sent before is about another limit,
    changed: Instant,
    /// and so is what was sent before the first reply under this one: queues take a round trip to settle.
    is_settling: bool,
    seen: Seen,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Growing,
    /// Cut to look for the end of a queue; to go back to `from` if that costs more than a tenth of `rate`.
    Cutting {
        from: f64,
        rate: f64,
    },
}

/// The last limit that went wrong.
#[derive(Debug, Clone, Copy)]
struct Wrong {
    limit: f64,
    /// For how many steps it is kept away from, and how many of them are to come.
    steps: u32,
    left: u32,
}

/// What was sent and what ended since the last step.
#[derive(Debug, Default)]
struct Seen {
    sent: usize,
    served: usize,
    shed: usize,
    seconds: f64,
    most_on_wire: usize,
}

impl Adaptive {
    pub(super) fn new(ceiling: usize) -> Self {
        let ceiling = count(ceiling);
        Self {
            limit: START,
            ceiling,
            phase: Phase::Growing,
            threshold: ceiling,
            wrong: None,
            is_well: true,
            shortest: None,
            changed: Instant::now(),
            is_settling: false,
            seen: Seen::default(),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to the ceiling")]
    pub(super) const fn limit(&self) -> usize {
        self.limit as usize
    }

    pub(super) const fn sent(&mut self) {
        self.seen.sent += 1;
    }

    /// Takes note of one ended attempt, sent at `sent`, with `on_wire` in flight at its end; returns the limit.
    pub(super) fn ended(&mut self, now: Instant, sent: Instant, on_wire: usize, load: Load) -> usize {
        if sent < self.changed {
            return self.limit();
        }
        if self.is_settling && load == Load::Served {
            self.is_settling = false;
            self.changed = now;
            self.seen = Seen::default();
            return self.limit();
        }
        match load {
            Load::Served => {
                self.seen.served += 1;
                self.seen.seconds += now.saturating_duration_since(sent).as_secs_f64();
            }
            Load::TooMany | Load::TooFast => self.seen.shed += 1,
            Load::Unrelated => return self.limit(),
        }
        self.seen.most_on_wire = self.seen.most_on_wire.max(on_wire);
        let is_doubling = self.limit < self.threshold;
        let enough = self.limit().max(if is_doubling { LEAST_SEEN_DOUBLING } else { LEAST_SEEN });
        // Refusals come back sooner than replies do: what they are a share of is what was sent.
        let is_shed = self.seen.shed >= LEAST_SHED && count(self.seen.shed) > SHED_SHARE * count(self.seen.sent);
        if is_shed || self.seen.served + self.seen.shed >= enough {
            let seen = std::mem::take(&mut self.seen);
            let limit = if is_shed { self.shed() } else { self.step(&seen) };
            let limit = limit.clamp(1.0, self.ceiling);
            if limit.to_bits() != self.limit.to_bits() {
                self.changed = now;
                self.is_settling = true;
            }
            self.limit = limit;
        }
        self.limit()
    }

    fn shed(&mut self) -> f64 {
        self.trouble();
        self.phase = Phase::Growing;
        (self.limit * SHED_CUT).floor()
    }

    /// Notes that the present limit went wrong.
    fn trouble(&mut self) {
        // Steps down that follow each other are one trouble.
        if std::mem::take(&mut self.is_well) {
            self.threshold = self.limit / 2.0;
        }
        let limit = self.limit;
        let again = self.wrong.filter(|wrong| (wrong.limit - limit).abs() <= SAME * limit && wrong.left == 0);
        let steps = again.map_or(RESTING_STEPS, |wrong| (2 * wrong.steps).min(MOST_RESTING_STEPS));
        self.wrong = Some(Wrong { limit, steps, left: steps });
    }

    fn step(&mut self, seen: &Seen) -> f64 {
        if seen.served == 0 || count(seen.most_on_wire) < SATURATED * self.limit.floor() {
            return self.limit;
        }
        let latency = seen.seconds / count(seen.served);
        // A full pipe of so many requests delivers that many in one latency.
        let rate = self.limit / latency.max(1e-9);
        if let Phase::Cutting { from, rate: best } = self.phase {
            if rate < RATE_KEPT * best {
                self.phase = Phase::Growing;
                self.shortest = None;
                return from;
            }
            return self.cut(rate.max(best));
        }
        let shortest = self.shortest.map_or(latency, |shortest| shortest.min(latency));
        self.shortest = Some(shortest);
        if latency > (shortest * TOLERANCE).max(shortest + LEAST_GROWTH.as_secs_f64()) {
            self.trouble();
            return self.cut(rate);
        }
        self.is_well = true;
        self.grow()
    }

    fn grow(&mut self) -> f64 {
        if self.limit < self.threshold {
            return (self.limit * 2.0).min(self.threshold.max(self.limit + 1.0));
        }
        let next = self.limit + (self.limit.sqrt() / 2.0).max(1.0);
        match &mut self.wrong {
            Some(wrong) if next > wrong.limit * REST && wrong.left > 0 => {
                wrong.left -= 1;
                self.limit.max((wrong.limit * REST).floor())
            }
            Some(_) | None => next,
        }
    }

    fn cut(&mut self, rate: f64) -> f64 {
        self.phase = Phase::Cutting { from: self.limit, rate };
        if self.limit <= 1.0 {
            // There is nothing left to cut: this is what one request takes.
            self.phase = Phase::Growing;
            self.shortest = None;
        }
        (self.limit * CUT).floor().max(1.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests in flight")]
const fn count(number: usize) -> f64 {
    number as f64
}
