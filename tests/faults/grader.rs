//! The simulated grader: the counterparty, with books of its own.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use assize::model::money::{NanoUsd, Price, Usage};
use assize::rehearse::{self, NewLimits, RehearsalSettings, Server, Stats};
use tokio::runtime::{Builder, Runtime};

use crate::workspace::Workspace;

/// What the audits of these tests say that both models cost, in nano-dollars per token.
pub(crate) const PRICE: Price = Price::flat(1_000, 100, 4_000);

/// Until something has certainly gone wrong. Nothing is measured with it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A simulated grader with a runtime of its own, so that its death cuts every connection.
pub(crate) struct Grader {
    runtime: Runtime,
    server: Server,
}

impl Grader {
    /// A grader of this profile that knows what is planted in the workspace's corpus.
    pub(crate) fn start(workspace: &Workspace, profile: &str) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), workspace, profile)
    }

    /// The same at an address, such as that of one that died.
    pub(crate) fn start_at(address: SocketAddr, workspace: &Workspace, profile: &str) -> Self {
        let mut settings = RehearsalSettings::parse(profile).unwrap();
        settings.truth = Some(workspace.truth());
        settings.known = Some(workspace.path("labels/sensitivity"));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(async {
            // Whoever had the address before may still be letting go of it.
            let started = async {
                loop {
                    match rehearse::start(&settings, settings.open_truth().unwrap(), address).await {
                        Ok(server) => return server,
                        Err(_) => tokio::task::yield_now().await,
                    }
                }
            };
            tokio::time::timeout(PATIENCE, started).await.expect("the address can be listened on")
        });
        Self { runtime, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Changes its limits, as a provider may at any time.
    pub(crate) fn limit(&self, requests_per_minute: Option<u32>) {
        self.server.limit(NewLimits { requests_per_minute, tokens_per_minute: None });
    }

    /// Waits until it has refused this many requests as too many.
    pub(crate) fn refused(&self, requests: u64) {
        self.wait(async {
            while self.stats().by_status.get(&429).copied().unwrap_or_default() < requests {
                tokio::task::yield_now().await;
            }
        });
    }

    pub(crate) fn base_url(&self) -> String {
        self.server.base_url()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.server.stats()
    }

    /// Requests beyond the first with the same body.
    pub(crate) fn repeated(&self) -> u64 {
        let stats = self.stats();
        stats.requests - stats.distinct_bodies
    }

    /// What it would put on the invoice.
    pub(crate) fn billed(&self) -> NanoUsd {
        invoice(&self.stats())
    }

    /// Waits until this many requests have arrived.
    pub(crate) fn received(&self, requests: u64) {
        self.wait(self.server.received(requests));
    }

    /// Waits until this many requests have arrived or something else is so; whether they have arrived.
    pub(crate) fn received_before(&self, requests: u64, mut is_over: impl FnMut() -> bool) -> bool {
        self.wait(async {
            while self.stats().requests < requests && !is_over() {
                tokio::task::yield_now().await;
            }
        });
        self.stats().requests >= requests
    }

    /// Waits until nothing is in flight.
    pub(crate) fn idle(&self) {
        self.wait(async {
            while self.stats().in_flight > 0 {
                tokio::task::yield_now().await;
            }
        });
    }

    fn wait(&self, event: impl Future<Output = ()>) {
        let waited = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, event).await });
        assert!(waited.is_ok(), "the requests never came: {:?}", self.stats());
    }

    /// Dies in the middle of whatever it is doing.
    pub(crate) fn die(self) -> Stats {
        let stats = self.stats();
        drop(self.server);
        self.runtime.shutdown_background();
        stats
    }
}

/// The price of everything that was billed.
pub(crate) fn invoice(stats: &Stats) -> NanoUsd {
    PRICE.cost(&Usage {
        prompt_tokens: stats.prompt_tokens,
        cached_tokens: stats.cached_tokens,
        completion_tokens: stats.completion_tokens,
        reasoning_tokens: stats.reasoning_tokens,
    })
}
