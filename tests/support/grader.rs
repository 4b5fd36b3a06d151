//! The simulated grader as a server of the test's own process.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

use assize::rehearse::{RehearsalSettings, Server, Stats, start};
use tokio::runtime::Runtime;

/// A running simulated grader; it ends when it is dropped.
pub(crate) struct Grader {
    server: Server,
    /// Outlives the server, whose tasks it runs.
    _runtime: Runtime,
}

impl Grader {
    /// Starts a grader on a free port.
    pub(crate) fn start(settings: &RehearsalSettings) -> Self {
        Self::start_at(settings, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Starts a grader where another one was.
    pub(crate) fn start_at(settings: &RehearsalSettings, address: SocketAddr) -> Self {
        let truth = settings.open_truth().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(start(settings, truth, address)).unwrap();
        Self { server, _runtime: runtime }
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        self.server.base_url()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What `GET /stats` says.
    pub(crate) fn stats(&self) -> Stats {
        serde_json::from_str(&http_get(self.address(), "/stats")).unwrap()
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.stats().requests
    }

    /// Returns once it has received this many requests.
    pub(crate) fn wait_for(&self, requests: u64) {
        while self.server.stats().requests < requests {
            std::thread::yield_now();
        }
    }
}

/// A profile that knows what is planted, from TOML lines.
pub(crate) fn profile(truth: &Path, lines: &str) -> RehearsalSettings {
    let mut settings = RehearsalSettings::parse(&format!("seed = 3\n{lines}")).unwrap();
    settings.truth = Some(truth.to_owned());
    settings
}

/// The body of a plain GET, without the program's own HTTP client.
pub(crate) fn http_get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body.to_owned()
}
