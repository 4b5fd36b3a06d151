//! Where a run is heading: when the last planned unit ends at the present rate, and whether the cap or the deadline ends
//! it before.

use std::time::Duration;

use serde::Serialize;

use crate::clock::UnixMs;
use crate::model::money::NanoUsd;

/// Units that must have ended before their cost says anything about the rest.
const ENOUGH_UNITS: u64 = 20;

/// What an outlook is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// The time.
    pub(super) now: UnixMs,
    /// Planned units.
    pub(super) planned: u64,
    /// Units that ended.
    pub(super) finished: u64,
    /// Those of them for which something was sent.
    pub(super) fresh: u64,
    /// Units per second.
    pub(super) rate: Option<f64>,
    /// What this session spent.
    pub(super) session: NanoUsd,
    /// What is left under the cap.
    pub(super) room: Option<NanoUsd>,
    /// When requests stop.
    pub(super) deadline: Option<UnixMs>,
}

/// Where a run is heading if it goes on as it does. A field is null while nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, serde::Deserialize)]
pub struct Outlook {
    /// Seconds until the last planned unit ends at the present rate, cap and deadline apart.
    pub all_in_s: Option<u64>,
    /// Dollars per unit that ended in this session and for which something was sent.
    pub usd_per_unit: Option<f64>,
    /// Share of the planned units that will have ended when the cap closes admission; 1 if it never does.
    pub cap_at_share: Option<f64>,
    /// Seconds until then; null if the cap never closes admission.
    pub cap_in_s: Option<u64>,
    /// Share of the planned units that will have ended at the deadline; 1 if all of them.
    pub deadline_at_share: Option<f64>,
    /// Seconds until the deadline.
    pub deadline_in_s: Option<u64>,
    /// Whether the run ends, by its last unit or by the cap, before the deadline.
    pub before_deadline: Option<bool>,
}

impl Outlook {
    #[expect(clippy::cast_precision_loss, reason = "estimates for people")]
    pub(super) fn of(course: &Course) -> Self {
        let rest = course.planned.saturating_sub(course.finished);
        let is_done = course.planned > 0 && rest == 0;
        let seconds = |units: f64| {
            let rate = course.rate.filter(|rate| *rate > 0.0)?;
            Duration::try_from_secs_f64(units / rate).ok().map(|left| left.as_secs())
        };
        let all_in_s = if is_done { Some(0) } else { seconds(rest as f64) };
        let share = |units: f64| (units / course.planned.max(1) as f64).min(1.0);
        let usd_per_unit = (course.fresh >= ENOUGH_UNITS).then(|| course.session.usd() / course.fresh as f64);
        let affordable = course.room.zip(usd_per_unit).map(|(room, per_unit)| {
            let free = if per_unit > 0.0 { room.usd() / per_unit } else { f64::INFINITY };
            free.min(rest as f64)
        });
        let is_capped = affordable.is_some_and(|units| units < rest as f64);
        let cap_in_s = affordable.filter(|_| is_capped).and_then(seconds);
        let deadline_in_s = course.deadline.map(|deadline| deadline.since(course.now).as_secs());
        let until_deadline = deadline_in_s.zip(course.rate).map(|(left, rate)| left as f64 * rate);
        let end = if is_capped { cap_in_s } else { all_in_s };
        Self {
            all_in_s,
            usd_per_unit,
            cap_at_share: affordable.map(|units| share(course.finished as f64 + units)),
            cap_in_s,
            deadline_at_share: until_deadline.map(|units| share(course.finished as f64 + units)),
            deadline_in_s,
            before_deadline: deadline_in_s.zip(end).map(|(left, end)| end <= left),
        }
    }
}
