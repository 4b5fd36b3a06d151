//! The gates of a session: endpoints with their slots and pacers, and simulated graders where the audit names one.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::anchors::AnchorSet;
use super::assemble::Stand;
use super::conclude::ConcludeError;
use super::gold::labelled;
use super::pipeline::window;
use super::repeater::Repeater;
use super::sensitivity::{SensitivityError, for_each_item};
use super::settings::Audit;
use crate::cache::ReplyCache;
use crate::grade::attempt::Line;
use crate::grade::command::{CommandError, CommandServer};
use crate::grade::http::{Endpoint, EndpointError};
use crate::grade::openai::BodyError;
use crate::grade::pace::Pacer;
use crate::grade::settings::{EndpointSettings, KeySetting};
use crate::grade::slots::Slots;
use crate::grade::stage::{Grader, GraderParts, Retries};
use crate::model::anchor::BASELINE_DRAWS;
use crate::model::behaviour::Behaviour;
use crate::model::event::{Planned, PlantedTruth};
use crate::model::grading::ApiKind;
use crate::model::verdict::Judgement;
use crate::reconcile::Definitions;
use crate::rehearse::{self, RehearsalSettings, RehearseError, Server, SettingsError, TruthError};

/// Why the gates cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum GatesError {
    /// An endpoint cannot be set up.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The audit allows certain endpoints only.
    #[error("endpoint `{name}` at `{url}` is not among `privacy.endpoints`")]
    NotAllowed {
        /// The endpoint.
        name: String,
        /// Its address.
        url: String,
    },
    /// A local program cannot be reached.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A grader's requests cannot be written.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The simulated grader cannot be started.
    #[error(transparent)]
    Rehearse(#[from] RehearseError),
    /// The profile of the simulated grader is wrong.
    #[error(transparent)]
    Profile(#[from] SettingsError),
    /// The planted truth cannot be read.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// The sensitivity set, which a simulated grader has to know, cannot be read.
    #[error("sensitivity set: {0}")]
    Sensitivity(#[from] SensitivityError),
    /// The gold, which a simulated grader has to know, cannot be read.
    #[error("gold: {0}")]
    Gold(#[from] ConcludeError),
    /// The workspace's secret cannot be used.
    #[error("failed to use `{path}`: {source}")]
    Secret {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How many units may be followed at once, as slots come and go.
#[derive(Debug, Clone)]
pub struct Window(Vec<Slots>);

impl Window {
    /// As large as it can get.
    #[must_use]
    pub fn most(&self) -> usize {
        window(self.0.iter().map(Slots::most).max().unwrap_or(1))
    }

    /// At this moment.
    #[must_use]
    pub fn size(&self) -> usize {
        window(self.0.iter().map(Slots::limit).max().unwrap_or(1))
    }
}

/// Everything that a session keeps open beside its cache and journal.
#[derive(Debug)]
pub struct Gates {
    /// Units that may be followed at once.
    pub window: Window,
    /// What is planted in the corpus, where the grader is simulated and knows.
    pub planted: Option<Vec<PlantedTruth>>,
    /// Which replies count where several rounds asked.
    pub retries: Retries,
    secret: [u8; 32],
    /// By stage position, none where nobody is asked; empty where nothing may be sent.
    lines: Vec<Option<Arc<Line>>>,
    servers: BTreeMap<String, Server>,
    commands: BTreeMap<String, CommandServer>,
    tasks: JoinSet<()>,
}

impl Gates {
    /// Opens one line per stage. Stages on one endpoint share its slots; stages on one endpoint and model share its
    /// pacer as well. With `replay_only` nothing is opened at all.
    ///
    /// # Errors
    /// See [`GatesError`].
    pub async fn open(
        audit: &Audit,
        stands: &[Stand],
        replay_only: bool,
        anchors: Option<&AnchorSet>,
    ) -> Result<Self, GatesError> {
        let mut slots: BTreeMap<String, Slots> = BTreeMap::new();
        for stand in stands {
            let fresh = || Slots::new(stand.endpoint.max_concurrency);
            slots.entry(stand.endpoint.name.clone()).or_insert_with(fresh);
        }
        let mut gates = Self {
            window: Window(slots.values().cloned().collect()),
            planted: planted(audit, stands)?,
            secret: secret(&audit.workspace.root.join("cache/secret"), !replay_only)?,
            retries: Retries::default(),
            lines: Vec::new(),
            servers: BTreeMap::new(),
            commands: BTreeMap::new(),
            tasks: JoinSet::new(),
        };
        if replay_only {
            return Ok(gates);
        }
        let mut shared: BTreeMap<(String, String), Arc<Line>> = BTreeMap::new();
        for stand in stands {
            allow(audit, &stand.endpoint)?;
            if stand.endpoint.api == ApiKind::Recorded {
                gates.lines.push(None);
                continue;
            }
            let endpoint = gates.located(&stand.endpoint, audit, anchors).await?;
            let key = (endpoint.name.clone(), stand.settings.model.clone());
            let line = if let Some(line) = shared.get(&key) {
                Arc::clone(line)
            } else {
                let (pacer, task) = Pacer::new(endpoint.max_requests_per_minute, endpoint.max_tokens_per_minute);
                gates.tasks.spawn(task);
                let slots = slots[&endpoint.name].clone();
                Arc::new(Line::new(Endpoint::new(&endpoint)?, slots, pacer, endpoint.item_deadline))
            };
            shared.insert(key, Arc::clone(&line));
            gates.lines.push(Some(line));
        }
        Ok(gates)
    }

    /// The endpoint with its address; a simulated grader is started for it first, which knows what is planted, the known
    /// positives and the gold of the workspace, and the positives among the anchors.
    async fn located(
        &mut self,
        endpoint: &EndpointSettings,
        audit: &Audit,
        anchors: Option<&AnchorSet>,
    ) -> Result<EndpointSettings, GatesError> {
        let mut located = endpoint.clone();
        if let Some(command) = &endpoint.command {
            if !self.commands.contains_key(&endpoint.name) {
                self.commands.insert(endpoint.name.clone(), CommandServer::start(command.clone()).await?);
            }
            let server = self.commands.get(&endpoint.name).expect("it has just been started");
            (located.base_url, located.key) = (server.base_url(), KeySetting::Value(server.key()));
        }
        if endpoint.api == ApiKind::Rehearsal {
            if !self.servers.contains_key(&endpoint.name) {
                let (profile, _) = profile(endpoint)?;
                let mut truth = profile.open_truth()?;
                // Lines that cannot be read are named where the set is chosen from.
                for_each_item(&audit.workspace.sensitivity(), |item| {
                    truth.add_known(&item);
                    Ok(())
                })?;
                for unit in anchors.iter().flat_map(|set| set.positives()) {
                    truth.add_answer(&unit.conversation, unit.id.turn, true, &[]);
                }
                let (mut items, _) = labelled(&audit.workspace, &audit.behaviour)?;
                items.sort_by_key(|item| item.expect != Judgement::Present);
                for item in items {
                    let is_present = item.expect == Judgement::Present;
                    let terms = if is_present { item.labels } else { item.exclusions };
                    let terms: Vec<_> = terms.into_iter().collect();
                    truth.add_answer(&item.conversation, Some(item.turn), is_present, &terms);
                }
                let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let server = rehearse::start(&profile, truth, loopback).await?;
                self.servers.insert(endpoint.name.clone(), server);
            }
            located.base_url = self.servers.get(&endpoint.name).map(Server::base_url).unwrap_or_default();
        }
        Ok(located)
    }

    /// The screen under another epoch, once for each baseline draw of an anchor: each asks the same question under a key of its
    /// own. To be called before [`graders`](Self::graders), which takes the lines.
    ///
    /// # Errors
    /// If a grader's requests cannot be written.
    pub fn repeated(
        &self,
        stands: &[Stand],
        behaviour: &Arc<Behaviour>,
        epoch: &str,
        cache: &ReplyCache,
    ) -> Result<Vec<Grader>, GatesError> {
        let screen = stands.first().expect("every audit has a screen");
        let grader = |repeat| {
            let which = Which { epoch, repeat, is_further: false };
            let parts = parts(screen.clone(), behaviour, which, Retries::default(), self.secret);
            Ok(Grader::new(parts, self.lines.first().cloned().flatten(), cache.clone())?)
        };
        (0..BASELINE_DRAWS).map(grader).collect()
    }

    /// The graders of all stages: the screen and, if there is one, the confirmer; each with as many as its repeats in this
    /// plan need.
    ///
    /// # Errors
    /// If a grader's requests cannot be written.
    pub fn graders(
        &mut self,
        stands: Vec<Stand>,
        (behaviour, definitions): (&Arc<Behaviour>, &Definitions),
        plan: &Planned,
        (epoch, cache): (&str, &ReplyCache),
    ) -> Result<(Repeater, Option<Repeater>), GatesError> {
        let mut lines = std::mem::take(&mut self.lines).into_iter();
        let (retries, secret) = (self.retries, self.secret);
        let mut graders = stands.into_iter().map(|stand| {
            let (stage, line) = (stand.stage, lines.next().flatten());
            let grader = |repeat| {
                let which = Which { epoch, repeat, is_further: repeat > 0 };
                let parts = parts(stand.clone(), behaviour, which, retries, secret);
                Grader::new(parts, line.clone(), cache.clone())
            };
            let further: Result<Vec<_>, _> = (1..=Repeater::further_of(plan.repeats(stage))).map(grader).collect();
            Ok::<_, BodyError>(Repeater::new(stage, (grader(0)?, further?), plan, definitions))
        });
        let screen = graders.next().expect("every audit has a screen")?;
        Ok((screen, graders.next().transpose()?))
    }

    /// Ends simulated graders and pacers.
    pub async fn close(mut self) {
        for (_, server) in std::mem::take(&mut self.servers) {
            server.stop().await;
        }
        self.tasks.shutdown().await;
    }
}

/// Which asking of a stage is meant: under what its replies are kept, and whether one came before it.
#[derive(Clone, Copy)]
struct Which<'a> {
    epoch: &'a str,
    repeat: u32,
    is_further: bool,
}

/// A stage's grader for one asking.
fn parts(
    stand: Stand,
    behaviour: &Arc<Behaviour>,
    Which { epoch, repeat, is_further }: Which<'_>,
    retries: Retries,
    secret: [u8; 32],
) -> GraderParts {
    GraderParts {
        stage: stand.stage,
        behaviour: Arc::clone(behaviour),
        answers: stand.asks.into_answers(),
        api: stand.endpoint.api,
        model: stand.settings.model,
        revision: stand.settings.revision,
        epoch: epoch.to_owned(),
        repeat,
        is_further,
        retries,
        structured: stand.endpoint.structured,
        params: stand.params,
        on_truncated: stand.settings.on_truncated,
        price: stand.price,
        secret,
    }
}

fn allow(audit: &Audit, endpoint: &EndpointSettings) -> Result<(), GatesError> {
    let allowed = &audit.allowed_endpoints;
    let place = match endpoint.api {
        ApiKind::Chat => endpoint.base_url.as_str(),
        ApiKind::Command => ApiKind::Command.as_str(),
        // Nothing is sent to a file.
        ApiKind::Rehearsal | ApiKind::Recorded => return Ok(()),
    };
    if allowed.is_empty() || allowed.iter().any(|allowed| allowed == place) {
        return Ok(());
    }
    Err(GatesError::NotAllowed { name: endpoint.name.clone(), url: place.to_owned() })
}

/// The profile of a simulated grader, with the path of its truth.
fn profile(endpoint: &EndpointSettings) -> Result<(RehearsalSettings, Option<PathBuf>), GatesError> {
    let profile = endpoint.rehearsal.as_deref().map(RehearsalSettings::open).transpose()?.unwrap_or_default();
    let truth = profile.truth.clone();
    Ok((profile, truth))
}

fn planted(audit: &Audit, stands: &[Stand]) -> Result<Option<Vec<PlantedTruth>>, GatesError> {
    let Some(stand) = stands.first().filter(|stand| stand.endpoint.api == ApiKind::Rehearsal) else { return Ok(None) };
    let (_, truth) = profile(&stand.endpoint)?;
    Ok(truth.map(|path| rehearse::planted_by_group(&path, &audit.corpus.group_by)).transpose()?)
}

/// The workspace's secret, made at the first run. Without permission to write, a missing secret is all zeros: nothing
/// is sent then, so no fence depends on it.
fn secret(path: &Path, may_write: bool) -> Result<[u8; 32], GatesError> {
    let failed = |source| GatesError::Secret { path: path.to_owned(), source };
    let mut secret = [0; 32];
    match std::fs::File::open(path) {
        Ok(mut file) => file.read_exact(&mut secret).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_write => {
            let mut random = std::fs::File::open("/dev/urandom").map_err(failed)?;
            random.read_exact(&mut secret).map_err(failed)?;
            // A process that dies here must not leave half a secret under the name.
            let folder = path.parent().unwrap_or(path);
            let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
            file.write_all(&secret).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
            file.persist_noclobber(path).map_err(|error| failed(error.error))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    Ok(secret)
}
