//! Everything that a run is decided by, before anything is sent: behaviour, rules, census, prompts, identity.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::anchors::{AnchorError, AnchorSet};
use super::census::{self, Census, CensusError, CensusPlace};
use super::recorded::{Asks, Prompted, read_all, without_group};
use super::sensitivity::{Selection, SensitivityError, select};
use super::settings::{Audit, CacheMode};
use super::sizing::{self, Allocation};
use super::window;
use crate::cache::units::{Snapshot, UnitsError};
use crate::grade::price::{UnknownPrice, output_limit, price_of};
use crate::grade::recorded::RecordedError;
use crate::grade::settings::{EndpointSettings, GraderSettings};
use crate::model::asking::Asking;
use crate::model::behaviour::Behaviour;
use crate::model::event::{CorpusCount, Planned, PlannedGrader};
use crate::model::grading::{ApiKind, PromptLabel, Stage};
use crate::model::hash::{Digest, PartHasher};
use crate::model::known_plan::KnownPlan;
use crate::model::money::{NanoUsd, Price};
use crate::model::repeats::Repeats;
use crate::model::unit::{CLASS_NONE, UnitKind};
use crate::prefilter::{CuesError, Rules, Screener};
use crate::prompt::library::LibraryError;
use crate::prompt::render::RenderError;
use crate::prompt::{BehaviourFiles, Library, Prompt, Questioner, QuestionerSettings, meaning_digest};
use crate::reconcile::Definitions;
use crate::verdict::DefinitionError;

/// Why an audit cannot be run as it is written.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A behaviour, prompt or lock file.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// `cues.toml` of the behaviour.
    #[error("cues of behaviour `{behaviour}`: {source}")]
    Cues {
        /// The behaviour.
        behaviour: String,
        /// What is wrong.
        source: CuesError,
    },
    /// A prompt cannot be rendered.
    #[error("prompt `{label}`: {source}")]
    Render {
        /// The prompt.
        label: String,
        /// What is wrong.
        source: RenderError,
    },
    /// A prompt asks about turns where conversations are graded, or the other way round.
    #[error("prompt `{label}` does not ask about a {}, which is the unit of this audit", unit.as_str())]
    OtherUnit {
        /// The stage that is to use it.
        stage: Stage,
        /// The prompt.
        label: String,
        /// What is graded.
        unit: UnitKind,
        /// The newest version of the behaviour that asks about that.
        instead: Option<PromptLabel>,
    },
    /// A definition of the behaviour.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The corpus cannot be read.
    #[error(transparent)]
    Census(#[from] CensusError),
    /// The sensitivity set cannot be read.
    #[error("sensitivity set: {0}")]
    Sensitivity(#[from] SensitivityError),
    /// The anchors cannot be used.
    #[error(transparent)]
    Anchors(#[from] AnchorError),
    /// A file of verdicts cannot be used.
    #[error(transparent)]
    Recorded(#[from] RecordedError),
    /// A cap needs a price.
    #[error("{source}, so a cap could not hold")]
    CapWithoutPrice {
        /// Which model.
        source: UnknownPrice,
    },
    /// A cap needs an output limit.
    #[error("the {stage} grader has no output limit, so a cap could not hold", stage = stage.as_str())]
    CapWithoutLimit {
        /// Which stage.
        stage: Stage,
    },
}

/// One stage, decided.
#[derive(Debug, Clone)]
pub struct Stand {
    /// Which stage.
    pub stage: Stage,
    /// What the audit says.
    pub settings: GraderSettings,
    /// Where it is asked.
    pub endpoint: EndpointSettings,
    /// What its verdicts come from.
    pub asks: Asks,
    /// Sampling parameters: the prompt's, then the audit's.
    pub params: BTreeMap<String, Value>,
    /// The price; nothing is charged against a cap that does not exist.
    pub price: Price,
    /// Why the price is not known, if it is not.
    pub unpriced: Option<UnknownPrice>,
    /// Whether every request states how much may be written.
    pub is_limited: bool,
}

/// Whether a cap could hold over these stages.
///
/// # Errors
/// If a price or an output limit is missing.
pub fn check_capped(stands: &[Stand]) -> Result<(), AssembleError> {
    for stand in stands {
        if let Some(source) = &stand.unpriced {
            return Err(AssembleError::CapWithoutPrice { source: source.clone() });
        }
        if stand.price != Price::FREE && !stand.is_limited {
            return Err(AssembleError::CapWithoutLimit { stage: stand.stage });
        }
    }
    Ok(())
}

/// A whole audit, decided.
#[derive(Debug)]
pub struct Assembly {
    /// What the audit file says.
    pub audit: Audit,
    /// What is counted.
    pub behaviour: Arc<Behaviour>,
    /// What flags, confirms and counts.
    pub definitions: Definitions,
    /// The prefilter.
    pub screener: Screener,
    /// The corpus and the selected units.
    pub census: Census,
    /// Conversations of the known positives that are graded first, if there are any.
    pub known: Option<Snapshot>,
    /// What the screen is asked about again during a run, if anything.
    pub anchors: Option<AnchorSet>,
    /// The screen and, if there is one, the confirmer.
    pub stands: Vec<Stand>,
    /// The first event of the run.
    pub planned: Planned,
    /// What a reader of the report should know of the audit.
    pub warnings: Vec<String>,
    /// What `[expect]` misses in the corpus: if there is anything, nothing may be sent.
    pub missing: Vec<String>,
    /// The sizes of the sample, where the audit leaves them to the cap.
    pub allocation: Option<Allocation>,
    /// What it may spend at most, if it is a trial of a prompt and no run.
    pub trial: Option<NanoUsd>,
}

/// Decides an audit: reads the behaviour, takes the census, prepares the prompts. Sends nothing. Blocks for as long as
/// a walk over the corpus takes, unless the census is cached.
///
/// # Errors
/// Whatever makes the audit impossible to run as it is written.
pub fn assemble(mut audit: Audit) -> Result<Assembly, AssembleError> {
    let files = Library::open(&audit.workspace.prompts())?.behaviour(&audit.behaviour)?;
    let definitions = Definitions::of(&files.behaviour, audit.definition.as_deref(), audit.confirm.is_some())?;
    let definitions = definitions.repeating(audit.screen.repeats, audit.confirm.as_ref().and_then(|one| one.repeats));
    let mut warnings = Vec::new();
    let mut stands = stands(&audit, &files, &mut warnings)?;
    if audit.budget.max_cost.is_some() || audit.budget.max_cost_total.is_some() {
        check_capped(&stands)?;
    }
    let anchors = AnchorSet::read(&audit, &files, &definitions)?;
    warnings.extend(anchors.iter().flat_map(|set| set.warnings.iter().cloned()));
    let screener = screener(&audit, &files)?;
    let hits: Vec<_> = screener.classes().iter().filter(|class| *class != CLASS_NONE).cloned().collect();
    let allocation = sizing::decide(&mut audit, &screener, &stands)?;
    audit.sample = audit.sample.or_default(&hits);
    let mut census = census::take(&audit.corpus, &screener, &audit.sample, &CensusPlace::of(&audit.workspace))?;
    let known = known(&audit, &screener, &mut census)?;
    warnings.extend(known.warnings);
    read_all(&mut stands, &audit, &files.behaviour, (&census, known.units.as_ref()))?;
    warnings.extend(without_group(&stands, &census));
    let mut planned = planned(&audit, &files.behaviour, &screener.digest(), &census, &stands);
    planned.known = known.plan;
    planned.identity = with_known(&planned);
    let behaviour = Arc::new(files.behaviour);
    let missing = audit.expect.missing_in(&census.corpus);
    warnings.extend(without_cluster(&audit, &census.corpus));
    let known = known.units;
    Ok(Assembly {
        audit,
        behaviour,
        definitions,
        screener,
        census,
        known,
        anchors,
        stands,
        planned,
        warnings,
        missing,
        allocation,
        trial: None,
    })
}

/// Says how many conversations lack the field that clusters are formed by.
fn without_cluster(audit: &Audit, corpus: &CorpusCount) -> Option<String> {
    let (field, with) = audit.corpus.cluster_by.as_ref().zip(corpus.conversations_with_cluster)?;
    let without = corpus.conversations.saturating_sub(with);
    (without > 0).then(|| {
        format!(
            "{without} of {} conversations carry no `{field}`, by which clusters are formed: each of them counts as a cluster \
             of its own",
            corpus.conversations
        )
    })
}

/// The known positives of an audit. Whether one of them is in the sample, every row of its copy has to say: one that is
/// damaged is copied again.
fn known(audit: &Audit, screener: &Screener, census: &mut Census) -> Result<Selection, AssembleError> {
    match select(audit, screener, census) {
        Err(SensitivityError::Units(UnitsError::Damaged { path, .. })) => {
            let set_aside = path.parent().map(Snapshot::set_aside).transpose();
            set_aside.map_err(SensitivityError::from)?;
            *census = census::take(&audit.corpus, screener, &audit.sample, &CensusPlace::of(&audit.workspace))?;
            Ok(select(audit, screener, census)?)
        }
        selected => Ok(selected?),
    }
}

/// The prefilter of an audit.
///
/// # Errors
/// If `cues.toml` is wrong or lacks a class that the audit names.
pub fn screener(audit: &Audit, files: &BehaviourFiles) -> Result<Screener, AssembleError> {
    let failed = |source| AssembleError::Cues { behaviour: files.behaviour.name.clone(), source };
    let rules = Rules::parse(&files.cues_text).map_err(failed)?;
    Screener::compile(&rules, audit.classes.as_deref(), &audit.corpus.channels).map_err(failed)
}

/// All stages of an audit, decided; what a reader of the report should know is added to `warnings`.
///
/// # Errors
/// A prompt that does not render, or a cap that could not hold.
pub(super) fn stands(
    audit: &Audit,
    files: &BehaviourFiles,
    warnings: &mut Vec<String>,
) -> Result<Vec<Stand>, AssembleError> {
    let screen = (Stage::Screen, &audit.screen);
    let confirm = audit.confirm.as_ref().map(|settings| (Stage::Confirm, settings));
    let graders = std::iter::once(screen).chain(confirm);
    graders.map(|(stage, settings)| stand(audit, files, stage, settings, warnings)).collect()
}

fn stand(
    audit: &Audit,
    files: &BehaviourFiles,
    stage: Stage,
    settings: &GraderSettings,
    warnings: &mut Vec<String>,
) -> Result<Stand, AssembleError> {
    let endpoint = audit.endpoints.get(&settings.endpoint).expect("the configuration names existing endpoints only");
    if endpoint.api == ApiKind::Recorded {
        return Ok(recorded_stand(stage, settings, endpoint));
    }
    let prompt = asking_about(audit.corpus.unit, files, stage, settings)?;
    let mut params = prompt.params.clone();
    params.extend(settings.params.clone());
    let mut unpriced = None;
    let price = match price_of(endpoint.price, &settings.model) {
        Ok(price) => price,
        Err(unknown) => {
            unpriced = Some(unknown.clone());
            warnings
                .push(format!("{unknown}: what it costs is missing from the spend; state `price` for its endpoint"));
            Price::FREE
        }
    };
    let mut longer = params.clone();
    longer.extend(settings.on_truncated.clone());
    let is_limited = output_limit(&params).is_some() && output_limit(&longer).is_some();
    let mut asked = QuestionerSettings::new(prompt.clone(), files.behaviour.clone());
    asked.unit = audit.corpus.unit;
    asked.structured = endpoint.structured;
    asked.channels.clone_from(&audit.corpus.channels);
    if let Some(window) = settings.window {
        asked.window = window;
    }
    let failed = |source| AssembleError::Render { label: settings.prompt.to_string(), source };
    let questioner = Questioner::new(asked).map_err(failed)?;
    let (settings, endpoint) = (settings.clone(), endpoint.clone());
    let asks = Asks::Prompt(Box::new(Prompted { prompt, questioner }));
    Ok(Stand { stage, settings, endpoint, asks, params, price, unpriced, is_limited })
}

/// A stage that asks nobody: what an audit says of prompt, window and parameters waits for another `api`.
fn recorded_stand(stage: Stage, settings: &GraderSettings, endpoint: &EndpointSettings) -> Stand {
    Stand {
        stage,
        settings: settings.clone(),
        endpoint: endpoint.clone(),
        asks: Asks::Recorded(None),
        params: BTreeMap::new(),
        price: Price::FREE,
        unpriced: None,
        is_limited: true,
    }
}

/// The prompt of a stage, which has to ask about what is graded.
fn asking_about(
    unit: UnitKind,
    files: &BehaviourFiles,
    stage: Stage,
    settings: &GraderSettings,
) -> Result<Prompt, AssembleError> {
    let prompt = files.prompt(&settings.prompt)?;
    if prompt.units.contains(&unit) {
        return Ok(prompt);
    }
    let mut instead = None;
    for label in files.labels(stage.as_str()) {
        if files.prompt(&label)?.units.contains(&unit) {
            instead = Some(label);
        }
    }
    Err(AssembleError::OtherUnit { stage, label: settings.prompt.to_string(), unit, instead })
}

pub(super) fn planned(
    audit: &Audit,
    behaviour: &Behaviour,
    cues_hash: &Digest,
    census: &Census,
    stands: &[Stand],
) -> Planned {
    let definition = audit.definition.clone().unwrap_or_else(|| behaviour.name.clone());
    let grader = |stand: &Stand| PlannedGrader {
        stage: stand.stage,
        model: stand.settings.model.clone(),
        endpoint: stand.settings.endpoint.clone(),
        prompt: stand.asks.prompted().map(|prompted| prompted.prompt.label.clone()),
        prompt_hash: stand.asks.prompted().map(|prompted| prompted.prompt.hash),
        simulated: stand.endpoint.api == ApiKind::Rehearsal,
        asking: stand.asks.prompted().map(|prompted| asking(audit, stand, &prompted.prompt)),
        recorded: stand.asks.recorded().cloned(),
    };
    Planned {
        audit: audit.name.clone(),
        identity: identity(audit, behaviour, census, stands),
        unit: audit.corpus.unit,
        sample_by: audit.corpus.sample_by,
        cluster_by: audit.corpus.cluster_by.clone(),
        group_by: audit.corpus.group_by.clone(),
        seed: audit.sample.seed,
        draw: audit.sample.draw,
        level: audit.level,
        behaviour: behaviour.name.clone(),
        definition,
        behaviour_hash: meaning_digest(behaviour),
        cues_hash: *cues_hash,
        census: census.digest,
        corpus: census.corpus.clone(),
        strata: census.strata.clone(),
        graders: stands.iter().map(grader).collect(),
        cap: audit.budget.max_cost,
        max_ungraded: audit.budget.max_ungraded,
        spent_before: NanoUsd::ZERO,
        cap_total: None,
        stop_when: audit.budget.stop_when,
        review: audit.review,
        gold: audit.gold.clone(),
        compare: audit.compare.clone(),
        retry: 0,
        planted: None,
        anchors: None,
        known: KnownPlan::default(),
    }
}

/// What else shapes the verdicts of a stage, for whoever compares two runs.
fn asking(audit: &Audit, stand: &Stand, prompt: &Prompt) -> Asking {
    let shown = stand.settings.window.or(prompt.context).unwrap_or_default();
    Asking {
        params: stand.params.clone(),
        on_truncated: stand.settings.on_truncated.clone(),
        revision: stand.settings.revision.clone(),
        structured: stand.endpoint.structured,
        window: window::shown(shown),
        channels: audit.corpus.channels.clone(),
        repeats: stand.settings.repeats,
        framing: None,
    }
}

/// The identity of a run that grades its known positives first; without any it is that of the sample alone.
fn with_known(planned: &Planned) -> Digest {
    let Some(version) = &planned.known.version else { return planned.identity };
    let mut hasher = PartHasher::new("run-identity with known positives");
    hasher.part(planned.identity.as_bytes()).part(version.as_bytes());
    hasher.part(planned.known.units.as_ref().map_or(&[][..], |units| units.as_bytes()));
    hasher.number(u64::from(planned.gate_includes_confirmer())).finish()
}

/// Digest of everything that decides what is asked of whom. Not part of it: money, time, limits, concurrency, keys.
fn identity(audit: &Audit, behaviour: &Behaviour, census: &Census, stands: &[Stand]) -> Digest {
    let mut hasher = PartHasher::new("run-identity");
    hasher.part(census.digest.as_bytes()).part(meaning_digest(behaviour).as_bytes());
    hasher.part(audit.definition.as_deref().unwrap_or_default().as_bytes());
    for stand in stands {
        let GraderSettings {
            endpoint: _,
            model,
            revision,
            prompt: _,
            params: _,
            on_truncated,
            window,
            on_model_change: _,
            repeats,
        } = &stand.settings;
        hasher.part(stand.stage.as_str().as_bytes()).part(stand.endpoint.api.as_str().as_bytes());
        hasher.part(stand.endpoint.structured.as_str().as_bytes());
        hasher.part(model.as_bytes()).part(revision.as_bytes());
        stand.asks.identify(&mut hasher);
        for params in [&stand.params, on_truncated] {
            hasher.number(params.len() as u64);
            for (name, value) in params {
                hasher.part(name.as_bytes()).part(value.to_string().as_bytes());
            }
        }
        hasher.part(window::identity(*window).as_bytes());
        // Runs that ask everything once are what they were before there were repeats.
        if let Some(Repeats { rule, flagged, near_threshold, near, random }) = repeats {
            hasher.part(b"repeats").part(rule.as_str().as_bytes());
            hasher.number(u64::from(*flagged)).number(u64::from(*near_threshold)).number(u64::from(*near));
            hasher.number(random.to_bits());
        }
    }
    // A refresh asks everything again under its run's id: another run, not the rest of one.
    if audit.cache == CacheMode::Refresh {
        hasher.part(b"refresh");
    }
    hasher.finish()
}
