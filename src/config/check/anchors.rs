//! `anchors` of `[grader.screen]`.

use std::path::Path;

use crate::run::settings::AnchorSettings;

use super::super::ledger::Ledger;
use super::super::written::{Anchors, Graders};
use super::Context;

/// The behaviour's own gold.
const OF_BEHAVIOUR: &str = "gold.jsonl";
/// One request in a hundred.
const RATE: f64 = 0.01;

/// Nothing without `anchors`, which is the default.
pub(super) fn check(graders: &mut Graders, ledger: &mut Ledger<'_>, context: &Context<'_>) -> Option<AnchorSettings> {
    let of_confirmer = graders.confirm.as_mut().and_then(|confirm| confirm.anchors.take());
    ledger.require("grader.confirm.anchors", of_confirmer.is_none(), "belongs in [grader.screen]");
    let screen = graders.screen.as_mut()?;
    let Some(Anchors { file, rate }) = screen.anchors.take() else {
        ledger.record_written("grader.screen.anchors", ());
        return None;
    };
    let file = ledger.or_default("grader.screen.anchors.file", file, OF_BEHAVIOUR.to_owned());
    ledger.require("grader.screen.anchors.file", !file.is_empty(), "must name a file of anchors");
    let rate = ledger.or_default("grader.screen.anchors.rate", rate, RATE);
    let is_share = rate > 0.0 && rate <= 1.0;
    ledger.require("grader.screen.anchors.rate", is_share, "must lie above 0 and not above 1");
    let path = (file != OF_BEHAVIOUR).then(|| context.folder.join(Path::new(&file)));
    Some(AnchorSettings { file, path, rate })
}
