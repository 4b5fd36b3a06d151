//! A snapshot in words: a few lines that stay put on a terminal, one line for a log, a page for somebody who looks in.

use super::snapshot::{Phase, Snapshot};
use crate::model::outcome::OutcomeKind;
use crate::report::rate::count;

/// Between two parts of a line.
const GAP: &str = "  ";

impl Snapshot {
    /// For a terminal of this many columns: lines of which none is wider, most important first in each.
    #[must_use]
    pub fn terminal_lines(&self, columns: usize) -> Vec<String> {
        let bar = match columns {
            0..80 => 10,
            80..140 => 20,
            _ => 40,
        };
        let pace = match (self.per_second_now, self.per_second_average) {
            (Some(now), Some(average)) => Some(format!("{}/s, average {}/s", number(now), number(average))),
            (Some(rate), None) | (None, Some(rate)) => Some(format!("{}/s", number(rate))),
            (None, None) => None,
        };
        let first = [
            Some(format!("{:>3}% {} {}", self.percent(), self.bar(bar), self.ended())),
            Some(self.left()),
            pace,
            self.deadline(),
        ];
        let second = [
            Some(format!(
                "     {} flagged, {} upheld, {} ungraded",
                count(self.flagged),
                count(self.upheld),
                count(self.ungraded)
            )),
            self.known_in_words().map(|words| format!("known positives {words}")),
            self.floor_in_words().map(|words| format!("floor {words}")),
            self.stop_when(),
            self.ungraded_kinds(),
        ];
        let third = [
            Some(format!("     {}", self.money())),
            Some(format!("{} in flight", count(self.in_flight))),
            self.cap(),
            (self.rate_limited > 0).then(|| counted(self.rate_limited, "429", "429s")),
            (self.retried > 0).then(|| counted(self.retried, "retry", "retries")),
            (self.replayed > 0).then(|| format!("{} from cache", count(self.replayed))),
        ];
        let mut lines: Vec<_> =
            self.watermark.iter().map(|mark| packed([Some(format!("*** {mark} ***"))], columns)).collect();
        lines.extend([packed(first, columns), packed(second, columns), packed(third, columns)]);
        if let Some(waiting) = &self.waiting_for {
            lines.push(packed([Some(format!("     waiting for {waiting}"))], columns));
        }
        lines
    }

    /// For a log: everything, one line per interval.
    #[must_use]
    pub fn plain_line(&self) -> String {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "?".to_owned(), number);
        let parts = [
            self.watermark.clone(),
            Some(format!("{} of {} units", count(self.finished), count(self.planned))),
            Some(format!("{} flagged, {} upheld", count(self.flagged), count(self.upheld))),
            Some(self.ungraded_in_words()),
            self.known_in_words().map(|words| format!("known positives {words}")),
            self.floor_in_words().map(|words| format!("floor {words}")),
            self.stop_when(),
            Some(format!("{}/s now, {}/s average", rate(self.per_second_now), rate(self.per_second_average))),
            Some(self.left()),
            self.deadline(),
            Some(self.money()),
            self.cap(),
            Some(format!("{} in flight", count(self.in_flight))),
            Some(format!("429s: {}, retries: {}", count(self.rate_limited), count(self.retried))),
            Some(format!("from cache: {}", count(self.replayed))),
            self.waiting_for.as_ref().map(|what| format!("waiting for {what}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// A page for somebody who looks in from another terminal; `is_over` says that the session has ended.
    #[must_use]
    pub fn page(&self, is_over: bool) -> String {
        let mut rows = vec![
            (
                "units",
                format!("{} of {} ended, {} admitted", count(self.finished), count(self.planned), count(self.admitted)),
            ),
            (
                "found",
                format!("{} flagged, {} upheld, {}", count(self.flagged), count(self.upheld), self.ungraded_in_words()),
            ),
            ("outcomes", self.outcomes_in_words()),
        ];
        rows.extend(self.known_in_words().map(|words| ("known", format!("positives: {words}"))));
        match (&self.floor, &self.floor_reason) {
            (Some(_), _) => rows.extend(self.floor_in_words().map(|words| ("floor", words))),
            (None, reason) => {
                rows.push(("floor", format!("not available: {}", reason.as_deref().unwrap_or("unknown"))));
            }
        }
        rows.extend(self.stop_when().map(|words| ("stop", words)));
        rows.push(("pace", self.pace(is_over)));
        let reserved = if is_over {
            String::new()
        } else {
            format!("; {} reserved for what is in flight", usd(self.reserved_usd))
        };
        rows.push(("spend", format!("{}{reserved}", self.money())));
        if !is_over {
            rows.extend([self.cap(), self.deadline()].into_iter().flatten().map(|words| ("outlook", words)));
        }
        let in_flight = match (is_over, self.in_flight) {
            (true, 0) => None,
            (true, left) => Some(format!("{} without a known end", count(left))),
            (false, now) => Some(format!("{} in flight", count(now))),
        };
        let requests = [
            in_flight,
            Some(format!("{} answered 429", count(self.rate_limited))),
            Some(format!("{} retried", count(self.retried))),
            Some(format!("{} from the cache", count(self.replayed))),
        ];
        rows.push(("requests", requests.into_iter().flatten().collect::<Vec<_>>().join(", ")));
        rows.extend(self.waiting_for.iter().filter(|_| !is_over).map(|what| ("waiting", format!("for {what}"))));
        rows.into_iter().map(|(name, row)| format!("  {name:<10}{row}\n")).collect::<Vec<_>>().concat()
    }

    /// For a program: one JSON object, without a line end.
    ///
    /// # Panics
    ///
    /// Never: a snapshot is plain figures.
    #[must_use]
    pub fn json_line(&self) -> String {
        serde_json::to_string(self).expect("a snapshot is plain figures")
    }

    fn percent(&self) -> u64 {
        self.finished.saturating_mul(100).checked_div(self.planned).unwrap_or(0).min(100)
    }

    fn ended(&self) -> String {
        format!("{} of {} units", count(self.finished), count(self.planned))
    }

    fn bar(&self, columns: usize) -> String {
        let full = usize::try_from(self.percent()).map_or(columns, |percent| percent * columns / 100);
        format!("{}{}", "█".repeat(full), "░".repeat(columns.saturating_sub(full)))
    }

    fn pace(&self, is_over: bool) -> String {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "?".to_owned(), number);
        let average = rate(self.per_second_average);
        if is_over {
            return format!("{average}/s over {}", duration(self.elapsed_s));
        }
        format!("{}/s now, {average}/s average, {}", rate(self.per_second_now), self.left())
    }

    fn left(&self) -> String {
        match (self.phase, self.outlook.all_in_s) {
            (Phase::Draining | Phase::Abandoning, _) => "stopping".to_owned(),
            (Phase::Running, None) => "time left unknown".to_owned(),
            (Phase::Running, Some(seconds)) => format!("{} left", duration(seconds)),
        }
    }

    fn goes_on(&self) -> bool {
        self.phase == Phase::Running && self.finished < self.planned
    }

    fn money(&self) -> String {
        let presumed =
            if self.presumed_usd > 0.0 { format!(" ({} presumed)", usd(self.presumed_usd)) } else { String::new() };
        match self.cap_usd {
            Some(cap) => format!("{} of ${cap:.2} spent{presumed}", usd(self.spent_usd)),
            None => format!("{} spent{presumed}", usd(self.spent_usd)),
        }
    }

    /// Whether the cap ends the run, once that can be told.
    fn cap(&self) -> Option<String> {
        let share = self.outlook.cap_at_share.filter(|_| self.goes_on())?;
        if share >= 1.0 {
            return Some("the cap is enough for all".to_owned());
        }
        let when = self.outlook.cap_in_s.map(|seconds| format!(", in {}", duration(seconds))).unwrap_or_default();
        Some(format!("the cap ends this at about {} of the units{when}", share_in_words(share)))
    }

    /// Whether the deadline ends the run, once that can be told.
    fn deadline(&self) -> Option<String> {
        let left = self.outlook.deadline_in_s.filter(|_| self.goes_on())?;
        if left == 0 {
            return Some("the deadline has passed".to_owned());
        }
        let left = duration(left);
        match (self.outlook.before_deadline, self.outlook.deadline_at_share) {
            (Some(true), _) => Some(format!("before the deadline in {left}")),
            (Some(false), Some(share)) => {
                Some(format!("the deadline in {left} ends this at about {} of the units", share_in_words(share)))
            }
            (Some(false) | None, _) => Some(format!("deadline in {left}")),
        }
    }

    fn known_in_words(&self) -> Option<String> {
        let known = self.known?;
        Some(format!("{} of {} ended", count(known.ended), count(known.planned)))
    }

    fn floor_in_words(&self) -> Option<String> {
        let floor = self.floor.as_ref()?;
        if floor.lower == floor.upper {
            return Some(count(floor.upper));
        }
        let level = percent_of(floor.level);
        Some(format!(
            "{} so far, {} to {} when all have ended ({level})",
            count(floor.confirmed),
            count(floor.lower),
            count(floor.upper)
        ))
    }

    /// When `stop_when` would stop the run, or that it has.
    fn stop_when(&self) -> Option<String> {
        let stop = self.stop_when.as_ref()?;
        if let Some(look) = stop.narrow_at_look {
            return Some(format!("narrow enough at look {}: what is admitted finishes", count(look)));
        }
        let now = stop.now.map_or_else(|| "unknown".to_owned(), |now| format!("{now:.2}"));
        Some(format!("stops at a relative width of {}, now {now}", stop.relative_width))
    }

    fn ungraded_in_words(&self) -> String {
        let kinds = self.ungraded_kinds().map(|kinds| format!(": {kinds}")).unwrap_or_default();
        format!("{} ungraded{kinds}", count(self.ungraded))
    }

    fn ungraded_kinds(&self) -> Option<String> {
        self.kinds(|kind| !kind.is_usable())
    }

    fn outcomes_in_words(&self) -> String {
        self.kinds(|_| true).unwrap_or_else(|| "none yet".to_owned())
    }

    /// Outcomes of some kinds with their numbers, in the order of tables.
    fn kinds(&self, counts: impl Fn(&OutcomeKind) -> bool) -> Option<String> {
        let kinds = OutcomeKind::ALL.into_iter().filter(counts);
        let kinds = kinds.filter_map(|kind| Some((kind, self.outcomes.get(kind.as_str())?)));
        let kinds: Vec<String> =
            kinds.map(|(kind, number)| format!("{} {}", count(*number), kind.as_str().replace('_', " "))).collect();
        (!kinds.is_empty()).then(|| kinds.join(", "))
    }
}

/// Parts side by side for as long as they fit: one that does not fit takes all behind it away, so that nothing wraps and
/// what is left stays where it is.
fn packed(parts: impl IntoIterator<Item = Option<String>>, columns: usize) -> String {
    let mut line = String::new();
    for part in parts.into_iter().flatten() {
        let gap = if line.is_empty() { "" } else { GAP };
        let width = line.chars().count() + gap.len() + part.chars().count();
        if line.is_empty() {
            line = part.chars().take(columns).collect();
        } else if width <= columns {
            line = line + gap + &part;
        } else {
            break;
        }
    }
    line
}

fn number(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

fn usd(dollars: f64) -> String {
    if dollars > 0.0 && dollars < 0.01 { format!("${dollars:.4}") } else { format!("${dollars:.2}") }
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

fn percent_of(share: f64) -> String {
    let percent = format!("{:.2}", share * 100.0);
    format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'))
}

/// A share below 1 in whole percent, never rounded up to all of it.
fn share_in_words(share: f64) -> String {
    format!("{}%", (share * 100.0).floor())
}

/// Whole seconds as people say them.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds.div_ceil(60)),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}
