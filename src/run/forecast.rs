//! What a run would do, found out without sending anything: every planned unit is rendered and looked up.

mod anchors;

use std::num::NonZeroUsize;
use std::thread;

use super::anchors::visits_epoch;
use super::assemble::{Assembly, Stand};
use super::folder::FolderError;
use super::gates::{Gates, GatesError};
use super::ledger::Ledger;
use super::repeater::{Repeater, Sitting};
use super::resume::{earlier_cap, look_back, retried, rounds};
use super::settings::Audit;
use super::sizing::Allocation;
use crate::cache::units::{ReadBuffers, SelectedUnit, Units};
use crate::cache::{Access, CacheError, CacheSettings, ReplyCache};
use crate::grade::price::output_limit;
use crate::grade::stage::{Grader, Retries, Scratch, Sizes, StageError};
use crate::model::event::{Ordinal, Planned};
use crate::model::money::{NanoUsd, Price};
use crate::model::repeats::Repeats;
use crate::plan::anchors::{AnchorForecast, forecast_anchors};
use crate::plan::forecast::{Forecast, KnownLoad, Limits, Load, Questions, StageLoad, forecast};
use crate::plan::measured::Measured;
use crate::plan::prospect::{Prospect, believe, prospect};
use crate::plan::repeats::RepeatLoad;
use crate::reconcile::Definitions;

/// Why there is no forecast.
#[derive(Debug, thiserror::Error)]
pub enum ForecastError {
    /// The reply cache cannot be read.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The endpoints are not what the audit allows.
    #[error(transparent)]
    Gates(#[from] GatesError),
    /// An earlier run cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A unit cannot be prepared.
    #[error(transparent)]
    Stage(#[from] StageError),
}

/// A plan with its forecast.
#[derive(Debug)]
pub struct Outlook {
    /// What would be done.
    pub planned: Planned,
    /// What is known about the units.
    pub load: Load,
    /// What it would cost, and how long it would take: units, and visits to anchors.
    pub forecast: Forecast,
    /// The part of it that goes to anchors, where the audit has any.
    pub anchors: Option<AnchorForecast>,
    /// What it should buy.
    pub prospect: Prospect,
    /// The sizes that the cap decided, where the audit leaves them to it.
    pub allocation: Option<Allocation>,
    /// What `[expect]` misses in the corpus: a run would stop before it sends anything.
    pub missing: Vec<String>,
}

/// Counts of one stage over all planned units.
#[derive(Debug, Clone, Copy, Default)]
struct Survey {
    units: u64,
    cached: u64,
    /// Units with a question, whether it will be asked or not.
    asked: u64,
    /// Questions of all of them, and of the unit that has most.
    sizes: Sizes,
    most_questions: u64,
    /// Units without a reply that are drawn to be asked once more.
    drawn: u64,
    /// Further askings without a reply, of units whose first one has one.
    open: u64,
    /// Units that may go on, which depends on those.
    undecided: u64,
    /// See [`RepeatLoad::likely`].
    likely: u64,
    /// See [`RepeatLoad::likely_open`].
    likely_open: u64,
    /// See [`RepeatLoad::waiting`].
    waiting: u64,
}

impl Survey {
    fn add(&mut self, other: Self) {
        self.units += other.units;
        self.cached += other.cached;
        self.asked += other.asked;
        self.sizes.add(other.sizes);
        self.most_questions = self.most_questions.max(other.most_questions);
        self.drawn += other.drawn;
        self.open += other.open;
        self.undecided += other.undecided;
        self.likely += other.likely;
        self.likely_open += other.likely_open;
        self.waiting += other.waiting;
    }

    /// Askings that reach the stage for certain and have no reply.
    const fn lacking(&self) -> u64 {
        self.units - self.cached + self.open
    }

    /// Of a unit that may reach the stage, with its counts here in `alone`: what it needs if it does.
    fn may_be_reached(&mut self, alone: Self) {
        let Self { asked, sizes, most_questions, open, .. } = alone;
        self.add(Self { asked, sizes, most_questions, likely_open: open, ..Self::default() });
    }

    /// A unit reaches the stage; its reply may be `known`.
    fn reached(&mut self, known: bool) {
        self.units += 1;
        self.cached += u64::from(known);
    }

    /// A unit's questions, whether they will be asked or not.
    fn size(&mut self, sizes: Sizes) {
        self.asked += u64::from(sizes.questions > 0);
        self.sizes.add(sizes);
        self.most_questions = self.most_questions.max(sizes.questions);
    }
}

/// Looks every planned unit up and forecasts the rest, by what a run has shown where it has `measured` anything. Blocks:
/// tens of microseconds per unit and core.
///
/// # Errors
/// If the cache or the unit snapshot cannot be read.
pub async fn outlook(assembly: Assembly, measured: Option<Measured>) -> Result<Outlook, ForecastError> {
    let Assembly {
        audit,
        behaviour,
        definitions,
        screener: _,
        census,
        known,
        anchors,
        stands,
        mut planned,
        warnings: _,
        missing,
        allocation,
        trial: _,
    } = assembly;
    let access = Access::ReadOnly;
    let settings = CacheSettings { replies: audit.workspace.replies(), index: audit.workspace.index(), access };
    let (cache, _warnings) = ReplyCache::open(&settings)?;
    let mut gates = Gates::open(&audit, &stands, true, None).await?;
    let mut ledger = Ledger::open(&audit.workspace.accounts())?;
    let runs = audit.workspace.runs();
    if planned.cap.is_none() {
        planned.cap = earlier_cap(&runs, &ledger, &audit.name)?;
    }
    let (last, of_visits) = earlier(&audit, &mut ledger, (&planned, anchors.is_some()))?;
    gates.retries = Retries { last, is_asking: audit.retry_errors };
    planned.planted.clone_from(&gates.planted);
    let terms: Vec<_> = stands.iter().map(|stand| Terms::new(&audit, stand)).collect();
    let units = Units::new(known, census.units);
    let anchors = match (anchors, terms.first()) {
        (Some(set), Some(terms)) => {
            let of_screen = (&gates, stands.as_slice(), &terms.asked_once());
            Some(anchors::look_up(
                (set, units.len(), of_visits.as_deref()),
                of_screen,
                (&behaviour, &definitions),
                &cache,
            )?)
        }
        (Some(_) | None, _) => None,
    };
    let (screen, confirm) = gates.graders(stands, (&behaviour, &definitions), &planned, ("", &cache))?;
    let surveys = survey(&units, &screen, confirm.as_ref(), &definitions)?;
    let known = terms.first().filter(|_| units.known() > 0).map(|terms| KnownLoad {
        screen: terms.without_draw().load(&surveys.known),
        is_confirmed: planned.gate_includes_confirmer(),
    });
    let surveys = [surveys.screened, surveys.confirmed];
    let mut loads = terms.iter().zip(surveys).map(|(terms, survey)| terms.load(&survey));
    let mut load = Load {
        screen: loads.next().expect("every audit has a screen"),
        confirm: loads.next(),
        shared_limits: matches!(terms.as_slice(), [screen, confirm] if screen.line == confirm.line),
        known,
        assume: audit.assume,
        paid_per_unit: None,
    };
    believe(&mut load, &planned, measured.as_ref());
    let of_units = forecast(&load);
    let anchors = anchors.map(|anchors| forecast_anchors(&anchors, load.assume, &of_units));
    let forecast = anchors.as_ref().map_or(of_units, |anchors| of_units + anchors.visits);
    let is_auto = allocation.is_some();
    let spent = ledger.spent_by(&audit.name);
    let prospect = prospect((&planned, &audit.assume), (&load, &forecast), spent, (measured, is_auto));
    Ok(Outlook { planned, load, forecast, anchors, prospect, allocation, missing })
}

/// The rounds of `--retry-errors` that count, and the epoch of the visits to anchors that a run which would go on has made.
fn earlier(
    audit: &Audit,
    ledger: &mut Ledger,
    (planned, has_anchors): (&Planned, bool),
) -> Result<(u32, Option<String>), FolderError> {
    let runs = audit.workspace.runs();
    if !audit.retry_errors && !has_anchors {
        return Ok((rounds(&runs, ledger)?, None));
    }
    let mut past = look_back((&runs, &audit.workspace.trials()), ledger, &audit.name, false)?;
    past.leave_narrow(audit.budget.stop_when);
    let (last, identity) = if audit.retry_errors {
        let round = past.retry_round(&planned.identity);
        (round, retried(&planned.identity, round))
    } else {
        (rounds(&runs, ledger)?, planned.identity)
    };
    let resumed = past.resume(&identity).0.folder;
    Ok((last, resumed.map(|folder| visits_epoch(&folder.id, audit.cache))))
}

/// The most that the screen of a trial can send and cost: questions without a reply, and their bound. Sends nothing.
///
/// # Errors
/// As [`outlook`].
pub(super) async fn greatest(assembly: Assembly) -> Result<(u64, NanoUsd), ForecastError> {
    let Assembly { audit, behaviour, definitions, census, known, stands, planned, .. } = assembly;
    let access = Access::ReadOnly;
    let settings = CacheSettings { replies: audit.workspace.replies(), index: audit.workspace.index(), access };
    let (cache, _warnings) = ReplyCache::open(&settings)?;
    let mut gates = Gates::open(&audit, &stands, true, None).await?;
    let ledger = Ledger::open(&audit.workspace.accounts())?;
    gates.retries = Retries { last: rounds(&audit.workspace.runs(), &ledger)?, is_asking: false };
    let terms: Vec<_> = stands.iter().map(|stand| Terms::new(&audit, stand)).collect();
    let (screen, _) = gates.graders(stands, (&behaviour, &definitions), &planned, ("", &cache))?;
    let surveys = survey(&Units::new(known, census.units), &screen, None, &definitions)?;
    let terms = terms.first().expect("every audit has a screen");
    let load = |survey: &Survey| Load {
        screen: terms.load(survey),
        confirm: None,
        known: None,
        shared_limits: false,
        assume: audit.assume,
        paid_per_unit: None,
    };
    let both = [&surveys.screened, &surveys.known].map(|survey| forecast(&load(survey)));
    Ok((both.iter().map(|one| one.requests_worst).sum(), both.iter().map(|one| one.cost_worst).sum()))
}

/// What is known of all units.
#[derive(Debug, Clone, Copy, Default)]
struct Surveys {
    /// The sample at the screen.
    screened: Survey,
    /// The sample at the confirmer.
    confirmed: Survey,
    /// Known positives at the screen.
    known: Survey,
}

/// Surveys all units on all cores. The confirmer's sizes are over all units, its counts over those that cached replies
/// flag.
fn survey(
    units: &Units,
    screen: &Repeater,
    confirm: Option<&Repeater>,
    definitions: &Definitions,
) -> Result<Surveys, StageError> {
    let rules = [definitions, &definitions.clone().asked_once()];
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let share = |first: u64| -> Result<Surveys, StageError> {
        let Surveys { mut screened, mut confirmed, mut known } = Surveys::default();
        let (mut next, mut reader, mut scratch) = (first, units.reader(ReadBuffers::default()), Scratch::default());
        while next < units.len() {
            let unit = reader.get(Ordinal(next))?;
            let is_sampled = unit.stratum.is_some();
            let (cached, lacking) = (screened.cached, screened.open + confirmed.lacking());
            let asked = if is_sampled { &mut screened } else { &mut known };
            let ahead = looked_up(asked, screen, &unit, rules, &mut scratch)?;
            if let Some(grader) = confirm.filter(|_| is_sampled) {
                match ahead {
                    Ahead::GoesOn => {
                        looked_up(&mut confirmed, grader, &unit, rules, &mut scratch)?;
                    }
                    Ahead::Likely => {
                        let mut alone = Survey::default();
                        looked_up(&mut alone, grader, &unit, rules, &mut scratch)?;
                        screened.likely += alone.units - alone.cached;
                        confirmed.may_be_reached(alone);
                    }
                    Ahead::Unknown => {
                        let question = grader.first.prepare(&unit, &mut scratch)?;
                        confirmed.size(grader.first.sizes(&question));
                    }
                }
            }
            let is_waiting = screened.cached > cached && screened.open + confirmed.lacking() > lacking;
            screened.waiting += u64::from(is_waiting);
            next += threads;
        }
        Ok(Surveys { screened, confirmed, known })
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || share(first))).collect();
        let mut sum = Surveys::default();
        for worker in workers {
            let Surveys { screened, confirmed, known } = worker.join().map_err(|_| StageError::Thread)??;
            sum.screened.add(screened);
            sum.confirmed.add(confirmed);
            sum.known.add(known);
        }
        Ok(sum)
    })
}

/// What stored replies say of a unit's way from a stage to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    /// It goes on.
    GoesOn,
    /// Its first asking would have it go on, and askings without a reply decide.
    Likely,
    /// It does not go on, or nobody knows.
    Unknown,
}

impl Ahead {
    const fn if_passed(passes: bool, then: Self) -> Self {
        if passes { then } else { Self::Unknown }
    }
}

/// Adds a unit that reaches a stage; what is known of its way on from there, by the rule of the gate and by that of one asking.
fn looked_up(
    survey: &mut Survey,
    stage: &Repeater,
    unit: &SelectedUnit,
    [rule, once]: [&Definitions; 2],
    scratch: &mut Scratch,
) -> Result<Ahead, StageError> {
    let question = stage.first.prepare(unit, scratch)?;
    survey.size(stage.first.sizes(&question));
    let Some(first) = Grader::known(&question) else {
        survey.reached(false);
        survey.drawn += u64::from(stage.is_drawn(unit));
        return Ok(Ahead::Unknown);
    };
    survey.reached(true);
    match stage.prepare_after(Box::new(first.clone()), unit, scratch)? {
        Sitting::Decided(judged) => Ok(Ahead::if_passed(rule.pass(&judged)?, Ahead::GoesOn)),
        Sitting::Further(further) => {
            survey.open += further.open();
            survey.undecided += u64::from(further.decides());
            let then = if further.decides() { Ahead::Likely } else { Ahead::GoesOn };
            Ok(Ahead::if_passed(once.pass(further.first())?, then))
        }
        Sitting::First(_) => Ok(Ahead::Unknown),
    }
}

/// What a stage's requests cost and how fast they may go.
#[derive(Debug, Clone)]
struct Terms {
    /// Endpoint and model: what shares limits.
    line: (String, String),
    price: Price,
    most_output_tokens: u64,
    most_output_tokens_after_truncation: Option<u64>,
    limits: Limits,
    repeats: Option<Repeats>,
}

impl Terms {
    fn new(audit: &Audit, stand: &Stand) -> Self {
        let most_output_tokens = output_limit(&stand.params).unwrap_or(audit.assume.output_tokens);
        let on_truncated = &stand.settings.on_truncated;
        let mut longer = stand.params.clone();
        longer.extend(on_truncated.clone());
        Self {
            line: (stand.endpoint.name.clone(), stand.settings.model.clone()),
            price: stand.price,
            most_output_tokens,
            most_output_tokens_after_truncation: output_limit(&longer).filter(|_| !on_truncated.is_empty()),
            limits: Limits {
                requests_per_minute: stand.endpoint.max_requests_per_minute,
                tokens_per_minute: stand.endpoint.max_tokens_per_minute,
                concurrency: stand.endpoint.max_concurrency.most(),
                seconds_per_request: None,
            },
            repeats: stand.settings.repeats,
        }
    }

    /// For known positives, which no draw is about.
    fn without_draw(&self) -> Self {
        Self { repeats: self.repeats.map(|policy| Repeats { random: 0.0, ..policy }), ..self.clone() }
    }

    /// For anchors, which nothing repeats.
    fn asked_once(&self) -> Self {
        Self { repeats: None, ..self.clone() }
    }

    fn load(&self, survey: &Survey) -> StageLoad {
        StageLoad {
            units: survey.units,
            cached: survey.cached,
            questions: Questions { of: survey.sizes.questions, units: survey.asked, most: survey.most_questions },
            mean_request_bytes: survey.sizes.bytes.checked_div(survey.sizes.questions).unwrap_or_default(),
            most_request_bytes: survey.sizes.most_bytes,
            most_output_tokens: self.most_output_tokens,
            most_output_tokens_after_truncation: self.most_output_tokens_after_truncation,
            price: self.price,
            limits: self.limits,
            repeats: RepeatLoad {
                policy: self.repeats,
                drawn: survey.drawn,
                open: survey.open,
                undecided: survey.undecided,
                likely: survey.likely,
                likely_open: survey.likely_open,
                waiting: survey.waiting,
            },
        }
    }
}
