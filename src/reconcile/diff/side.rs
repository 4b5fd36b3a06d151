//! One run's verdicts, unit by unit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::event::{Admitted, Event, Judged, Ordinal, Planned};
use crate::model::grading::Stage;
use crate::model::outcome::OutcomeKind;
use crate::model::unit::Stratum;
use crate::reconcile::repeats::{Decision, Gap};
use crate::reconcile::{Definitions, FoldError};
use crate::verdict::{Definition, DefinitionError};

/// How a unit stands at one stage of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// The run did not admit it.
    NotAdmitted,
    /// It was admitted, and the stage has not ended.
    Unfinished,
    /// The stage ended without a usable verdict.
    Undecided(OutcomeKind),
    /// By a definition that is not the run's own it would have been asked about again, and was not: that happens to what the
    /// definition says yes to and to little else.
    AskedOnce,
    /// There is a verdict: yes or no.
    Decided(bool),
}

impl Standing {
    /// The name in files and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAdmitted => "not_admitted",
            Self::Unfinished => "unfinished",
            Self::Undecided(kind) => kind.as_str(),
            Self::AskedOnce => "asked_once",
            Self::Decided(true) => "yes",
            Self::Decided(false) => "no",
        }
    }

    pub(super) const fn decision(self) -> Option<bool> {
        match self {
            Self::Decided(decision) => Some(decision),
            Self::NotAdmitted | Self::Unfinished | Self::Undecided(_) | Self::AskedOnce => None,
        }
    }
}

/// What counts as yes on one side.
#[derive(Debug, Clone)]
pub struct SideRules {
    /// What the run flags, confirms and counts. With a definition of its own, a side counts by that one.
    pub definitions: Definitions,
    /// What a yes of the screen is instead of its flag, where a definition was named.
    pub named: Option<Arc<Definition>>,
}

/// How one stage of a unit ended.
#[derive(Debug, Clone, Copy)]
struct Mark {
    standing: Standing,
    /// Whether the unit goes one stage further.
    passes: bool,
}

#[derive(Debug)]
struct Unit {
    key: u128,
    content: u128,
    cluster: u64,
    stratum: u32,
    screen: Option<Mark>,
    confirm: Option<Mark>,
}

/// One unit of a finished side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) key: u128,
    pub(super) content: u128,
    pub(super) cluster: u64,
    pub(super) stratum: u32,
    pub(super) ordinal: Ordinal,
    pub(super) screen: Standing,
    pub(super) confirm: Standing,
}

/// One run's verdicts. Give it every event of the journal in order, then [`Side::close`]. Takes some hundred bytes a
/// unit.
#[derive(Debug)]
pub struct Side {
    rules: SideRules,
    pub(super) strata: Vec<Stratum>,
    units: HashMap<Ordinal, Unit>,
    pub(super) rows: Vec<Row>,
}

impl Side {
    /// A side without a unit.
    #[must_use]
    pub fn new(rules: SideRules) -> Self {
        Self { rules, strata: Vec::new(), units: HashMap::new(), rows: Vec::new() }
    }

    /// Whether a second grader reads what the screen flags.
    #[must_use]
    pub const fn has_confirmer(&self) -> bool {
        self.rules.definitions.has_confirmer()
    }

    /// Adds one event.
    ///
    /// # Errors
    /// A definition cannot be evaluated over a verdict.
    pub fn event(&mut self, event: &Event) -> Result<(), FoldError> {
        match event {
            Event::Planned(planned) => self.planned(planned),
            Event::Admitted(admitted) => self.admitted(admitted),
            Event::Judged(judged) => self.judged(judged)?,
            Event::Opened(_)
            | Event::Granted(_)
            | Event::Sent(_)
            | Event::Settled(_)
            | Event::Warned { .. }
            | Event::Closed(_) => {}
        }
        Ok(())
    }

    /// Ends the side. The last `set_back` admitted units are turns of a conversation that admission closed within: they
    /// count as not admitted, as in the run's report.
    pub fn close(&mut self, set_back: u64) {
        let end = self.units.keys().map(|ordinal| ordinal.0 + 1).max().unwrap_or_default().saturating_sub(set_back);
        let units = std::mem::take(&mut self.units).into_iter().filter(|(ordinal, _)| ordinal.0 < end);
        self.rows = units.map(|(ordinal, unit)| row(ordinal, &unit)).collect();
        self.rows.sort_unstable_by_key(|row| row.key);
    }

    /// Forgets all units but these; the side is closed.
    pub fn keep(&mut self, units: &HashSet<Ordinal>) {
        self.rows.retain(|row| units.contains(&row.ordinal));
        self.rows.shrink_to_fit();
    }

    fn planned(&mut self, planned: &Planned) {
        self.strata = planned.strata.iter().map(|row| row.stratum.clone()).collect();
    }

    fn admitted(&mut self, admitted: &Admitted) {
        // Known positives are no units of the sample.
        let Some(stratum) = admitted.stratum else { return };
        let cluster = admitted.cluster.unwrap_or_else(|| admitted.unit.conversation_key()).leading_u64();
        let (key, content) = (admitted.unit.key().leading_u128(), admitted.content.leading_u128());
        let unit = Unit { key, content, cluster, stratum, screen: None, confirm: None };
        self.units.entry(admitted.ordinal).or_insert(unit);
    }

    fn judged(&mut self, judged: &Judged) -> Result<(), FoldError> {
        let Judged { ordinal, stage, .. } = judged;
        let Some(unit) = self.units.get_mut(ordinal) else { return Ok(()) };
        let failed = |source| FoldError::Definition { ordinal: *ordinal, stage: *stage, source };
        let definitions = &self.rules.definitions;
        let passes = definitions.pass(judged).map_err(failed)?;
        let own = definitions.standing(judged).map_err(failed)?;
        match stage {
            Stage::Screen => {
                let named = self.rules.named.as_ref().filter(|_| own.decision().is_some());
                let named = named.map(|named| definitions.decide(judged, |outcome| named.holds(outcome)));
                let standing = named.transpose().map_err(failed)?.map_or(own, Standing::of);
                unit.screen = Some(Mark { standing, passes });
            }
            Stage::Confirm => unit.confirm = Some(Mark { standing: own, passes }),
        }
        Ok(())
    }
}

impl Standing {
    fn of(decision: Decision) -> Self {
        let Decision { kind, holds, gap, .. } = decision;
        match gap {
            Gap::NeverDue => Self::AskedOnce,
            Gap::None | Gap::Missing if kind.is_usable() => Self::Decided(holds),
            Gap::None | Gap::Missing => Self::Undecided(kind),
        }
    }
}

impl Definitions {
    /// How a unit stands at a stage by what graders say, not by what is done for caution.
    pub(in crate::reconcile) fn standing(&self, judged: &Judged) -> Result<Standing, DefinitionError> {
        Ok(Standing::of(self.decide(judged, |outcome| self.hold_of(judged.stage, outcome))?))
    }
}

fn row(ordinal: Ordinal, unit: &Unit) -> Row {
    let standing = |mark: Option<Mark>| mark.map_or(Standing::Unfinished, |mark| mark.standing);
    let screen = standing(unit.screen);
    // What the screen cleared is not confirmed, whatever an earlier session asked the second grader.
    let confirm = match unit.screen {
        Some(mark) if mark.standing.decision().is_none() => screen,
        Some(mark) if !mark.passes => Standing::Decided(false),
        Some(_) => standing(unit.confirm),
        None => Standing::Unfinished,
    };
    let Unit { key, content, cluster, stratum, .. } = *unit;
    Row { key, content, cluster, stratum, ordinal, screen, confirm }
}
