//! What a trial is decided by: the prompt as it stands, the run to compare with, gold, and a plan like that of a run.

use std::sync::Arc;

use super::answers::Answers;
use super::baseline::{self, Baseline, Memory, Reading};
use super::{Trial, TrialError, TrialSettings};
use crate::cache::units::Snapshot;
use crate::model::behaviour::Behaviour;
use crate::model::event::CorpusCount;
use crate::model::grading::ApiKind;
use crate::model::hash::Digest;
use crate::prompt::lint::lint;
use crate::prompt::{Library, meaning_digest};
use crate::reconcile::Definitions;
use crate::run::assemble::{self, AssembleError, Assembly, Stand, check_capped, screener, stands};
use crate::run::census::Census;
use crate::run::expect::ExpectSettings;
use crate::run::recorded::Prompted;
use crate::run::settings::{Audit, CacheMode};

/// Decides a trial. Sends nothing.
pub(super) fn prepare(audit: &Audit, settings: &TrialSettings, memory: &mut Memory) -> Result<Trial, TrialError> {
    let audit = of_screen(audit);
    let files = Library::open(&audit.workspace.prompts())?.behaviour(&audit.behaviour)?;
    let definitions = Definitions::of(&files.behaviour, audit.definition.as_deref(), false)?;
    let mut warnings = Vec::new();
    let mut stands = stands(&audit, &files, &mut warnings)?;
    check_capped(&stands)?;
    check_lint(&stands, &files.behaviour)?;
    if let Some(framing) = &settings.framing {
        for stand in &mut stands {
            stand.asks = stand.asks.clone().framed(&framing.text);
        }
    }
    let screener = screener(&audit, &files)?;
    let is_rehearsal = stands.iter().any(|stand| stand.endpoint.api == ApiKind::Rehearsal);
    let answers = Answers::read(&audit, is_rehearsal)?;
    let meaning = meaning_digest(&files.behaviour);
    let Compared { base, without, digest, units } = compared(&audit, (&definitions, meaning), settings, memory)?;
    if answers.items.is_empty() && base.is_none() {
        return Err(TrialError::Nothing(audit.behaviour.clone()));
    }
    let (known_plan, known) = answers.plan(&audit, audit.corpus.group_by.len())?;
    let census = Census {
        digest,
        corpus: base.as_ref().map_or_else(CorpusCount::default, |base| base.planned.corpus.clone()),
        strata: base.as_ref().map(|base| base.planned.strata.clone()).unwrap_or_default(),
        units,
        fresh: false,
    };
    let mut planned = assemble::planned(&audit, &files.behaviour, &screener.digest(), &census, &stands);
    planned.known = known_plan;
    let name = settings.framing.as_ref().map(|framing| framing.id.clone());
    for asking in planned.graders.iter_mut().filter_map(|grader| grader.asking.as_mut()) {
        asking.framing.clone_from(&name);
    }
    let assembly = Assembly {
        audit,
        behaviour: Arc::new(files.behaviour),
        definitions: definitions.clone(),
        screener,
        census,
        known,
        anchors: None,
        stands,
        planned,
        warnings,
        missing: Vec::new(),
        allocation: None,
        trial: Some(settings.max_cost),
    };
    Ok(Trial { assembly, definitions, answers, base, without })
}

fn check_lint(stands: &[Stand], behaviour: &Behaviour) -> Result<(), TrialError> {
    for stand in stands {
        let Some(Prompted { prompt, .. }) = stand.asks.prompted() else { return Err(TrialError::Recorded) };
        let label = &prompt.label;
        let findings =
            lint(prompt, behaviour).map_err(|source| AssembleError::Render { label: label.to_string(), source })?;
        if !findings.is_empty() {
            return Err(TrialError::Lint { label: label.clone(), findings });
        }
    }
    Ok(())
}

/// The run to compare with, and the units of it that are tried again.
struct Compared {
    base: Option<Arc<Baseline>>,
    /// Why there is no run.
    without: Option<String>,
    digest: Digest,
    units: Snapshot,
}

fn compared(
    audit: &Audit,
    definitions: (&Definitions, Digest),
    settings: &TrialSettings,
    memory: &mut Memory,
) -> Result<Compared, TrialError> {
    let (base, without) = baseline_of(audit, definitions, settings, memory)?;
    if let Some((digest, units)) = baseline::snapshot(&audit.workspace, base.as_deref())? {
        return Ok(Compared { base, without, digest, units });
    }
    let without = Some("the copies of its conversations are gone: run the audit again".to_owned());
    let empty = baseline::snapshot(&audit.workspace, None)?;
    let (digest, units) = empty.expect("a snapshot of nothing needs no copies");
    Ok(Compared { base: None, without, digest, units })
}

/// The audit as a trial needs it: the screen alone, now, and without anything that could ask twice or stop early.
fn of_screen(audit: &Audit) -> Audit {
    let mut audit = audit.clone();
    (audit.confirm, audit.gold, audit.cache, audit.retry_errors) = (None, None, CacheMode::On, false);
    (audit.budget.deadline, audit.budget.stop_when) = (None, None);
    audit.screen.repeats = None;
    audit.expect = ExpectSettings::default();
    audit
}

/// The run to compare with, read; or why there is none.
fn baseline_of(
    audit: &Audit,
    (definitions, meaning): (&Definitions, Digest),
    settings: &TrialSettings,
    memory: &mut Memory,
) -> Result<(Option<Arc<Baseline>>, Option<String>), TrialError> {
    let Some(found) = baseline::newest(audit, settings.against.clone())? else {
        return Ok((None, Some("no run of this audit has verdicts yet: `assize run` makes one".to_owned())));
    };
    let (seed, sizes, definition) = (audit.sample.seed, settings.sizes, audit.definition.clone());
    match memory.recall(found, definitions, Reading { seed, sizes, meaning, definition }) {
        Ok(base) => Ok((Some(base), None)),
        // A field that is new in behaviour.toml: the gold can be tried all the same.
        Err(TrialError::Fold(error)) => Ok((None, Some(error.to_string()))),
        Err(TrialError::Definition(error)) => Ok((None, Some(error.to_string()))),
        Err(error) => Err(error),
    }
}
