//! What anchors would be asked: every draw of the baseline is rendered and looked up.

use std::sync::Arc;

use super::{ForecastError, Survey, Terms};
use crate::cache::ReplyCache;
use crate::grade::stage::{Grader, Scratch};
use crate::model::anchor::due;
use crate::model::behaviour::Behaviour;
use crate::plan::anchors::AnchorLoad;
use crate::reconcile::Definitions;
use crate::run::anchors::{AnchorSet, Anchors, BASELINE_EPOCH};
use crate::run::assemble::Stand;
use crate::run::gates::Gates;

/// What the anchors of an audit would be asked in a run over so many units, known positives included, that goes on from one
/// whose visits have this epoch, if there is one.
///
/// # Errors
/// If the cache cannot be read.
pub(super) fn look_up(
    (set, units, resumed): (AnchorSet, u64, Option<&str>),
    (gates, stands, terms): (&Gates, &[Stand], &Terms),
    (behaviour, definitions): (&Arc<Behaviour>, &Definitions),
    cache: &ReplyCache,
) -> Result<AnchorLoad, ForecastError> {
    let baseline = gates.repeated(stands, behaviour, BASELINE_EPOCH, cache)?;
    let fresh = resumed.map(|epoch| gates.repeated(stands, behaviour, epoch, cache)).transpose()?;
    let anchors = Anchors::new(set, definitions.clone(), baseline, fresh.unwrap_or_default())?;
    let due = due(units, anchors.plan());
    let (mut visits, mut missing, mut made) = (Survey::default(), Survey::default(), 0);
    let mut scratch = Scratch::default();
    anchors.each_draw(|number, grader, question| {
        let sizes = grader.sizes(question);
        let survey = match Grader::known(question) {
            None => &mut missing,
            // Where too little is visible, nothing is ever asked.
            Some(_) if number < due && sizes.questions > 0 => &mut visits,
            Some(_) => return Ok(()),
        };
        survey.size(sizes);
        let is_made = number < due && anchors.is_made(number, &mut scratch)?;
        made += u64::from(is_made);
        survey.reached(is_made);
        Ok(())
    })?;
    let (visits, missing) = (terms.load(&visits), terms.load(&missing));
    Ok(AnchorLoad { plan: anchors.plan().clone(), due, made, visits, missing })
}
