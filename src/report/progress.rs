//! A run while it runs: a fold of its events into one line. Pure: the caller says what time it is and draws the line.
//!
//! Figures of a running run invite early stopping, so there is no rate of the behaviour and no interval here.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use serde::Serialize;

use super::rate::count;
use crate::clock::UnixMs;
use crate::model::event::{AttemptId, Ending, Event, Judged, Ordinal, Planned, Sent, Settled};
use crate::model::grading::Stage;
use crate::model::money::NanoUsd;
use crate::reconcile::Definitions;

/// The span over which the present rate is taken.
const WINDOW: Duration = Duration::from_mins(1);

/// Units that ended in this session.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    admitted: u64,
    finished: u64,
    /// Finished units for which something was sent.
    fresh: u64,
    flagged: u64,
    upheld: u64,
    ungraded: u64,
    replayed: u64,
}

/// A run in progress. Give it every event as it happens; a new session starts its counts anew and keeps the spend.
#[derive(Debug)]
pub struct Progress {
    definitions: Definitions,
    started: UnixMs,
    planned: u64,
    cap: Option<NanoUsd>,
    counts: Counts,
    /// Finished units by second, newest last: at most one entry per second of the window. A unit that was replayed
    /// from the cache says nothing about how fast the rest will be.
    recent: VecDeque<(UnixMs, u64)>,
    /// Bounds of the attempts in flight: as many as there are slots.
    open: HashMap<AttemptId, NanoUsd>,
    /// Stages of units that were asked for and have not ended: as many as there are places in the window.
    asked: HashSet<(Ordinal, Stage)>,
    spent: NanoUsd,
    rate_limited: u64,
    retried: u64,
}

impl Progress {
    /// A run that began now, of which nothing is known yet. What is planned, and the cap, the events say.
    #[must_use]
    pub fn new(definitions: Definitions, now: UnixMs) -> Self {
        Self {
            definitions,
            started: now,
            planned: 0,
            cap: None,
            counts: Counts::default(),
            recent: VecDeque::new(),
            open: HashMap::new(),
            asked: HashSet::new(),
            spent: NanoUsd::ZERO,
            rate_limited: 0,
            retried: 0,
        }
    }

    /// Adds one event that happened now.
    pub fn event(&mut self, event: &Event, now: UnixMs) {
        match event {
            Event::Opened(_) => self.opened(now),
            Event::Planned(plan) => self.planned(plan),
            Event::Admitted(_) => self.counts.admitted += 1,
            Event::Sent(sent) => self.sent(sent),
            Event::Settled(settled) => self.settled(settled),
            Event::Judged(judged) => self.judged(judged, now),
            Event::Granted(_) | Event::Warned { .. } | Event::Closed(_) => {}
        }
    }

    /// Where the run stands now.
    #[must_use]
    pub fn snapshot(&self, now: UnixMs) -> Snapshot {
        let counts = self.counts;
        let elapsed = now.since(self.started);
        let timed = if counts.fresh > 0 { counts.fresh } else { counts.finished };
        let average = per_second(timed, elapsed);
        let recent = self.recent.iter().filter(|(at, _)| now.since(*at) < WINDOW).map(|(_, units)| units).sum();
        let rate_now = per_second(recent, elapsed.min(WINDOW));
        let rest = self.planned.saturating_sub(counts.finished);
        let eta = [rate_now, average].into_iter().flatten().find(|rate| *rate > 0.0);
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
        let eta = eta.and_then(|rate| Duration::try_from_secs_f64(rest as f64 / rate).ok());
        Snapshot {
            planned: self.planned,
            admitted: counts.admitted,
            finished: counts.finished,
            flagged: counts.flagged,
            upheld: counts.upheld,
            ungraded: counts.ungraded,
            replayed: counts.replayed,
            elapsed_s: elapsed.as_secs(),
            per_second_now: rate_now,
            per_second_average: average,
            eta_s: eta.map(|eta| eta.as_secs()),
            spent_usd: self.spent.usd(),
            reserved_usd: self.open.values().copied().sum::<NanoUsd>().usd(),
            cap_usd: self.cap.map(NanoUsd::usd),
            in_flight: self.open.len() as u64,
            rate_limited: self.rate_limited,
            retried: self.retried,
        }
    }

    fn opened(&mut self, now: UnixMs) {
        // Attempts that an earlier process left open count as spent at their bound.
        self.spent += self.open.drain().map(|(_, bound)| bound).sum();
        self.asked.clear();
        self.recent.clear();
        self.counts = Counts::default();
        self.started = now;
    }

    fn planned(&mut self, plan: &Planned) {
        self.planned = plan.strata.iter().map(|stratum| stratum.planned).sum();
        self.cap = plan.cap;
    }

    fn sent(&mut self, sent: &Sent) {
        self.open.insert(sent.attempt, sent.bound);
        self.retried += u64::from(!self.asked.insert((sent.ordinal, sent.stage)));
    }

    fn settled(&mut self, settled: &Settled) {
        self.open.remove(&settled.attempt);
        self.spent += settled.cost;
        if let Ending::Declined { status: 429, .. } = settled.ending {
            self.rate_limited += 1;
        }
    }

    fn judged(&mut self, judged: &Judged, now: UnixMs) {
        self.asked.remove(&(judged.ordinal, judged.stage));
        // A definition that cannot be evaluated stops the report, which names it; the line goes on.
        let holds = self.definitions.hold(judged.stage, &judged.outcome).unwrap_or(false);
        let counts = &mut self.counts;
        counts.replayed += u64::from(judged.replayed);
        counts.ungraded += u64::from(!judged.outcome.kind().is_usable());
        let is_last = match judged.stage {
            Stage::Screen => {
                counts.flagged += u64::from(holds);
                !holds || !self.definitions.has_confirmer()
            }
            Stage::Confirm => {
                counts.upheld += u64::from(holds);
                true
            }
        };
        if is_last {
            counts.finished += 1;
            if !judged.replayed {
                counts.fresh += 1;
                self.tick(now);
            }
        }
    }

    fn tick(&mut self, now: UnixMs) {
        while self.recent.front().is_some_and(|(at, _)| now.since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
        match self.recent.back_mut() {
            Some((at, units)) if now.since(*at) < Duration::from_secs(1) => *units += 1,
            _ => self.recent.push_back((now, 1)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
fn per_second(units: u64, over: Duration) -> Option<f64> {
    // In the first second a rate says nothing.
    (over >= Duration::from_secs(1)).then(|| units as f64 / over.as_secs_f64())
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Units selected.
    pub planned: u64,
    /// Units admitted in this session, replayed ones included.
    pub admitted: u64,
    /// Units that ended.
    pub finished: u64,
    /// Units that the screen flagged.
    pub flagged: u64,
    /// Flagged units that the second grader upheld.
    pub upheld: u64,
    /// Judgements without a usable verdict.
    pub ungraded: u64,
    /// Judgements from the cache.
    pub replayed: u64,
    /// Seconds since the session began.
    pub elapsed_s: u64,
    /// Units per second over the last minute; absent in the first second.
    pub per_second_now: Option<f64>,
    /// Units per second over the session; absent in the first second.
    pub per_second_average: Option<f64>,
    /// Seconds until the last planned unit ends at the present rate; absent while there is none.
    pub eta_s: Option<u64>,
    /// Dollars spent over all sessions.
    pub spent_usd: f64,
    /// Dollars reserved for attempts in flight.
    pub reserved_usd: f64,
    /// The cap in dollars, if any.
    pub cap_usd: Option<f64>,
    /// Attempts in flight.
    pub in_flight: u64,
    /// Replies of status 429, over all sessions.
    pub rate_limited: u64,
    /// Attempts after the first for one question, over all sessions.
    pub retried: u64,
}

impl Snapshot {
    /// For a terminal: short enough for one line of most.
    #[must_use]
    pub fn terminal_line(&self) -> String {
        format!(
            "{}% {}/{}  {} flagged, {} upheld  {}/s  {}  {}  {} in flight",
            self.finished.saturating_mul(100).checked_div(self.planned).unwrap_or(0),
            count(self.finished),
            count(self.planned),
            count(self.flagged),
            count(self.upheld),
            number(self.per_second_now),
            self.left(),
            self.money(),
            self.in_flight,
        )
    }

    /// For a log: everything, one line per interval.
    #[must_use]
    pub fn plain_line(&self) -> String {
        format!(
            "{} of {} units, {} flagged, {} upheld, {} ungraded; {}/s now, {}/s average, {}; {}; {} in flight; \
             429s: {}, retries: {}, from cache: {}",
            count(self.finished),
            count(self.planned),
            count(self.flagged),
            count(self.upheld),
            count(self.ungraded),
            number(self.per_second_now),
            number(self.per_second_average),
            self.left(),
            self.money(),
            self.in_flight,
            count(self.rate_limited),
            count(self.retried),
            count(self.replayed),
        )
    }

    /// A page for somebody who looks in from another terminal; `is_over` says that the session has ended.
    #[must_use]
    pub fn page(&self, is_over: bool) -> String {
        let average = number(self.per_second_average);
        let pace = if is_over {
            format!("{average}/s over {}s", count(self.elapsed_s))
        } else {
            format!("{}/s now, {average}/s average, {}", number(self.per_second_now), self.left())
        };
        let reserved = if is_over { String::new() } else { format!(", ${:.2} reserved", self.reserved_usd) };
        let rows = [
            (
                "units",
                format!("{} of {} ended, {} admitted", count(self.finished), count(self.planned), count(self.admitted)),
            ),
            (
                "found",
                format!(
                    "{} flagged, {} upheld, {} ungraded",
                    count(self.flagged),
                    count(self.upheld),
                    count(self.ungraded)
                ),
            ),
            ("pace", pace),
            ("spend", format!("{}{reserved}", self.money())),
            (
                "requests",
                format!(
                    "{} in flight, {} refused with 429, {} retried, {} from the cache",
                    self.in_flight,
                    count(self.rate_limited),
                    count(self.retried),
                    count(self.replayed)
                ),
            ),
        ];
        rows.map(|(name, row)| format!("  {name:<10}{row}\n")).concat()
    }

    /// For a program: one JSON object, without a line end.
    ///
    /// # Panics
    ///
    /// Never: a snapshot is plain numbers.
    #[must_use]
    pub fn json_line(&self) -> String {
        serde_json::to_string(self).expect("a snapshot is plain numbers")
    }

    fn left(&self) -> String {
        match self.eta_s {
            None => "time left unknown".to_owned(),
            Some(seconds @ 0..60) => format!("{seconds}s left"),
            Some(seconds @ 60..3_600) => format!("{}m left", seconds.div_ceil(60)),
            Some(seconds) => format!("{}h{:02}m left", seconds / 3_600, seconds % 3_600 / 60),
        }
    }

    fn money(&self) -> String {
        match self.cap_usd {
            Some(cap) => format!("${:.2} of ${cap:.2}", self.spent_usd),
            None => format!("${:.2}", self.spent_usd),
        }
    }
}

fn number(rate: Option<f64>) -> String {
    rate.map_or_else(|| "?".to_owned(), |rate| if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") })
}
