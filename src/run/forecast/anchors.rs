//! What anchors would be asked: every draw of the baseline is rendered and looked up.

use std::sync::Arc;

use super::{ForecastError, Survey, Terms};
use crate::cache::ReplyCache;
use crate::grade::stage::Grader;
use crate::model::anchor::due;
use crate::model::behaviour::Behaviour;
use crate::plan::anchors::AnchorLoad;
use crate::reconcile::Definitions;
use crate::run::anchors::{AnchorSet, Anchors, BASELINE_EPOCH};
use crate::run::assemble::Stand;
use crate::run::gates::Gates;

/// What the anchors of an audit would be asked in a run over so many units, known positives included.
///
/// # Errors
/// If the cache cannot be read.
pub(super) fn look_up(
    (set, units): (AnchorSet, u64),
    (gates, stands, terms): (&Gates, &[Stand], &Terms),
    (behaviour, definitions): (&Arc<Behaviour>, &Definitions),
    cache: &ReplyCache,
) -> Result<AnchorLoad, ForecastError> {
    let baseline = gates.repeated(stands, behaviour, BASELINE_EPOCH, cache)?;
    let anchors = Anchors::new(set, definitions.clone(), baseline, Vec::new())?;
    let due = due(units, anchors.plan());
    let (mut visits, mut missing) = (Survey::default(), Survey::default());
    anchors.each_draw(|number, grader, question| {
        let sizes = grader.sizes(question);
        let survey = match Grader::known(question) {
            None => &mut missing,
            // Where too little is visible, nothing is ever asked.
            Some(_) if number < due && sizes.questions > 0 => &mut visits,
            Some(_) => return,
        };
        survey.size(sizes);
        survey.reached(false);
    })?;
    let (visits, missing) = (terms.load(&visits), terms.load(&missing));
    Ok(AnchorLoad { plan: anchors.plan().clone(), due, visits, missing })
}
