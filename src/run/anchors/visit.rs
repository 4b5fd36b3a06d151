//! One visit of a run to an anchor.

use super::{Anchors, SharedAnchors};
use crate::cache::units::SelectedUnit;
use crate::grade::desk::{Desk, Message};
use crate::grade::stage::{Grader, Prepared, Scratch, StageError};
use crate::model::anchor::{AnchorVisit, Visit, ordinal_of, visit_at};
use crate::model::event::{Event, Sent};

/// A visit that has its question.
struct Ready {
    unit: SelectedUnit,
    question: Prepared,
    /// All but what is found out now.
    told: AnchorVisit,
}

/// Grades an anchor once more and tells of it. Nothing is asked without a baseline draw to compare with, nor a second time in
/// one run: an earlier session has told of what is in the cache under the run's own epoch.
///
/// # Errors
/// If a reply cannot be kept, or the run has ended.
pub(in crate::run) async fn visit(anchors: SharedAnchors, number: u64, desk: Desk) -> Result<(), StageError> {
    let Some(visit) = Visit::nth(number, anchors.plan.anchors, anchors.plan.draws) else { return Ok(()) };
    let shared = SharedAnchors::clone(&anchors);
    let ready = tokio::task::spawn_blocking(move || ready(&shared, number, visit)).await;
    let Some(Ready { unit, question, mut told }) = ready.map_err(|_| StageError::Thread)?? else { return Ok(()) };
    let end = anchors.fresh[visit.draw as usize].judge(&unit, question, &desk).await?;
    told.now = anchors.is_flagged(&end.judged)?;
    told.served.clone_from(&end.judged.served);
    let settlement = end.settlement.map(|mut settlement| {
        settlement.settled.anchor = Some(Box::new(told));
        settlement
    });
    desk.say(Message::Anchored { ordinal: unit.ordinal, settlement }).await?;
    Ok(())
}

/// A visit with a question that has no reply yet.
fn ready(anchors: &Anchors, number: u64, visit: Visit) -> Result<Option<Ready>, StageError> {
    let ready = prepared(anchors, number, visit)?;
    // What is decided has been told of: by an earlier session, or at the beginning of this one.
    Ok(ready.filter(|ready| Grader::known(&ready.question).is_none()))
}

/// A visit with its question, answered or not; nothing without a baseline draw to compare with.
fn prepared(anchors: &Anchors, number: u64, visit: Visit) -> Result<Option<Ready>, StageError> {
    let anchor = anchors.anchor(visit);
    let mut scratch = Scratch::default();
    let prepared = anchors.baseline[visit.draw as usize].prepare(&anchor.unit, &mut scratch)?;
    let Some(then) = Grader::known(&prepared) else { return Ok(None) };
    let told = AnchorVisit {
        number,
        draw: visit.draw,
        content: anchor.unit.content,
        label: anchor.label,
        now: None,
        then: anchors.is_flagged(then)?,
        served: None,
        served_then: then.served.clone(),
    };
    let unit = SelectedUnit { ordinal: ordinal_of(number), ..anchor.unit.clone() };
    let question = anchors.fresh[visit.draw as usize].prepare(&unit, &mut scratch)?;
    Ok(Some(Ready { unit, question, told }))
}

/// Completes the ends of requests that a process left on the wire, of which each belongs to one of `open`: where the reply to
/// a visit's last question is kept, its end tells of the visit, as it would have if the process had lived.
///
/// # Errors
/// If the cache cannot be read.
pub(in crate::run) fn retell(anchors: &Anchors, open: &[Sent], ends: &mut [Event]) -> Result<(), StageError> {
    for (sent, end) in open.iter().zip(ends) {
        let (Some(number), Event::Settled(settled)) = (visit_at(sent.ordinal), end) else { continue };
        let Some(visit) = Visit::nth(number, anchors.plan.anchors, anchors.plan.draws) else { continue };
        let Some(Ready { question, mut told, .. }) = prepared(anchors, number, visit)? else { continue };
        // Under a number that meant another anchor then, the reply is not among its own.
        let known = Grader::known(&question).filter(|judged| judged.keys().any(|key| key == sent.key));
        if let Some(judged) = known {
            told.now = anchors.is_flagged(judged)?;
            told.served.clone_from(&judged.served);
            settled.anchor = Some(Box::new(told));
        }
    }
    Ok(())
}
