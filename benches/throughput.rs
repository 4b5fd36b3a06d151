//! What a run costs the machine: requests a second and processor time beside a bare client that does the same work
//! without any of the promises (it reads each unit from the snapshot, renders and hashes its question, writes the body,
//! posts it, parses the reply and the verdict, and appends the reply to a file), replay from the cache, and peak memory.
//!
//! ```text
//! cargo bench                                               20,000 candidates, 64 slots, replies at once
//! cargo bench -- --units 40000 --slots 512 --latency 50     any other size, concurrency and latency
//! cargo bench -- --memory                                   peak memory on 20,000 and on 200,000 candidates
//! cargo bench -- --memory --units 1000000 --slots 512       peak memory on one size
//! ```
//!
//! The server is a process of its own, so that its work is nobody's figure here. All three share the processors, so
//! the ratios say more than the absolute numbers.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails there")]
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use assize::cache::units::Snapshot;
use assize::model::event::Ordinal;
use assize::model::grading::ChatMessage;
use assize::model::hash::Digest;
use assize::prompt::{Buffers, Library, Question, Questioner, QuestionerSettings};
use assize::rehearse::{CorpusPlan, GroupPlan, Probability};
use assize::report::Report;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Turns in a conversation, on average.
const TURNS: f64 = 2.5;

/// What is measured.
#[derive(Clone, Copy)]
struct Case {
    units: u64,
    slots: usize,
    latency_ms: u64,
}

fn main() {
    // cargo adds `--bench` to what the user says.
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |name: &str| words.iter().position(|word| word == name).map(|at| words[at + 1].parse().unwrap());
    let slots = usize::try_from(number("--slots").unwrap_or(64)).unwrap();
    let case = |units| Case { units, slots, latency_ms: number("--latency").unwrap_or(0) };
    match (words.iter().any(|word| word == "--memory"), number("--units")) {
        (false, units) => throughput(case(units.unwrap_or(20_000))),
        (true, Some(units)) => memory(&[case(units)]),
        (true, None) => memory(&[case(20_000), case(200_000)]),
    }
}

/// One way of sending requests.
struct Measured {
    requests: u64,
    wall: Duration,
    processor: Duration,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "a rate of thousands a second")]
    fn rate(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64()
    }

    /// Milliseconds of processor time for a thousand requests.
    #[expect(clippy::cast_precision_loss, reason = "a figure of hundreds")]
    fn processor_ms(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / self.requests as f64
    }

    fn print(&self, name: &str) {
        println!("{name:<34} {:>9.0} {:>12.0}", self.rate(), self.processor_ms());
    }
}

fn throughput(case: Case) {
    let Case { units, slots, latency_ms } = case;
    let workspace = Workspace::new(units);
    let server = Grader::start(&workspace, latency_ms);
    workspace.audit(&server.url, slots);
    // The census is taken and the units are copied once, so that only grading is compared.
    assert!(workspace.assize(&["plan"]).status().unwrap().success());

    let bare = bare_client(&workspace, &server.url, slots);
    let run = workspace.run();
    let replayed = workspace.run();
    println!("\n{:<34} {:>9} {:>12}", format!("{slots} slots, {latency_ms} ms"), "requests/s", "CPU ms/1,000");
    bare.print("bare client");
    run.measured.print("assize run");
    replayed.measured.print("assize run again, from the cache");
    let (rate, processor) = (run.measured.rate() / bare.rate(), run.measured.processor_ms() / bare.processor_ms());
    println!("\nrun / bare client: {rate:.2} of the requests a second, {processor:.2} times the processor time");
    if latency_ms > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a rate of thousands a second")]
        let possible = slots as f64 * 1e3 / latency_ms as f64;
        println!("run / (slots / latency): {:.2} of {possible:.0} requests a second", run.measured.rate() / possible);
    }
    println!("peak memory of the run: {} MiB, from the cache: {} MiB", run.peak_kib / 1_024, replayed.peak_kib / 1_024);
}

fn memory(cases: &[Case]) {
    println!("{:>10} {:>10} {:>9} {:>16} {:>16}", "candidates", "requests", "seconds", "peak MiB", "again, peak MiB");
    let mut peaks = Vec::new();
    for case in cases {
        let workspace = Workspace::new(case.units);
        let server = Grader::start(&workspace, case.latency_ms);
        workspace.audit(&server.url, case.slots);
        let run = workspace.run();
        let again = workspace.run();
        let (candidates, peak) = (run.candidates, run.peak_kib / 1_024);
        let (requests, seconds) = (run.measured.requests, run.measured.wall.as_secs());
        println!("{candidates:>10} {requests:>10} {seconds:>9} {peak:>16} {:>16}", again.peak_kib / 1_024);
        again.measured.print("again, from the cache: units/s");
        peaks.push(run.peak_kib);
    }
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let ratio = peaks[peaks.len() - 1] as f64 / peaks[0] as f64;
    println!("\nlargest / smallest: {ratio:.2}");
}

/// What the bare client's workers share.
struct Bare {
    units: Snapshot,
    next: AtomicU64,
    questioner: Questioner,
    format: Value,
    params: BTreeMap<String, Value>,
    client: reqwest::Client,
    url: String,
    log: Mutex<BufWriter<fs::File>>,
}

/// The run's first question about every unit, asked by the shortest program that does the same reading, rendering,
/// hashing, JSON and appending. No cache, no sync, no budget, no journal, no retry.
fn bare_client(workspace: &Workspace, url: &str, slots: usize) -> Measured {
    let files = Library::open(Path::new("prompts")).unwrap().behaviour("metagaming").unwrap();
    let prompt = files.prompt(&"screen@1".parse().unwrap()).unwrap();
    let params = prompt.params.clone();
    let questioner = Questioner::new(QuestionerSettings::new(prompt, files.behaviour)).unwrap();
    let schema: Value = serde_json::from_str(&questioner.schema().json).unwrap();
    let shared = Arc::new(Bare {
        units: workspace.snapshot(),
        next: AtomicU64::new(0),
        format: json!({"name": questioner.schema().name, "schema": schema, "strict": true}),
        params,
        questioner,
        client: client(slots),
        url: format!("{url}/chat/completions"),
        log: Mutex::new(BufWriter::new(fs::File::create(workspace.path("bare.jsonl")).unwrap())),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (processor, started) = (processor_time(std::process::id()), Instant::now());
    let requests = runtime.block_on(async {
        let mut workers = JoinSet::new();
        for _ in 0..slots {
            workers.spawn(bare_worker(Arc::clone(&shared)));
        }
        let mut requests = 0;
        while let Some(ended) = workers.join_next().await {
            requests += ended.unwrap();
        }
        requests
    });
    Measured {
        requests,
        wall: started.elapsed(),
        processor: processor_time(std::process::id()).saturating_sub(processor),
    }
}

async fn bare_worker(shared: Arc<Bare>) -> u64 {
    let Bare { units, next, questioner, format, params, client, url, log } = &*shared;
    let mut requests = 0;
    loop {
        let ordinal = next.fetch_add(1, Ordering::Relaxed);
        if ordinal >= units.len() {
            return requests;
        }
        let unit = units.get(Ordinal(ordinal)).unwrap();
        let turn = unit.id.turn.unwrap();
        let Question::Ask(asked) = questioner.question(&unit.conversation, Some(turn), &mut Buffers::default()) else {
            continue;
        };
        let messages = questioner.messages(&asked);
        let message = |message: &ChatMessage| json!({"role": message.role.as_str(), "content": message.content});
        let mut body = json!({
            "model": "rehearsal",
            "messages": messages.iter().map(message).collect::<Vec<_>>(),
            "response_format": {"type": "json_schema", "json_schema": format},
        });
        body.as_object_mut().unwrap().extend(params.clone());
        let body = serde_json::to_vec(&body).unwrap();
        let key = Digest::of(&body);
        let request = client.post(url).header("content-type", "application/json").body(body);
        let text = request.send().await.unwrap().text().await.unwrap();
        let reply: Value = serde_json::from_str(&text).unwrap();
        let content = reply["choices"][0]["message"]["content"].as_str().unwrap();
        let verdict: Value = serde_json::from_str(content).unwrap();
        assert!(verdict["verdict"].is_string());
        let line = json!({"key": key.to_string(), "status": 200, "body": text}).to_string();
        writeln!(log.lock().unwrap(), "{line}").unwrap();
        requests += 1;
    }
}

#[expect(clippy::disallowed_methods, reason = "the bare client is what the product's client is compared with")]
fn client(slots: usize) -> reqwest::Client {
    // A second installation in one process is as good as the first.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(slots).build().unwrap()
}

/// What a run came to.
struct Ran {
    measured: Measured,
    candidates: u64,
    peak_kib: u64,
}

struct Workspace {
    folder: TempDir,
    plan: CorpusPlan,
}

impl Workspace {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes")]
    fn new(units: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let values = BTreeMap::from([("checkpoint".to_owned(), "late".to_owned())]);
        let prevalence = Probability::new(0.005).unwrap();
        let conversations = (units as f64 / TURNS) as u64;
        let plan = CorpusPlan::new(1, vec![GroupPlan { values, conversations, prevalence }]);
        let workspace = Self { folder, plan };
        fs::write(workspace.path(".assize"), "").unwrap();
        workspace.plan.write(&workspace.path("corpus"), &workspace.path("truth.jsonl")).unwrap();
        workspace
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    fn audit(&self, url: &str, slots: usize) {
        let audit = format!(
            r#"
name = "bench"
seed = 1
corpus = {{ source = [{{ paths = ["corpus/*.jsonl"] }}], group_by = ["checkpoint"] }}
behaviour = {{ name = "metagaming" }}
sample = {{ core = "all", action = "all", generic_near_self = "all", none = "all" }}
endpoint.main = {{ base_url = "{url}", price = "free", max_concurrency = {slots} }}
grader.screen = {{ endpoint = "main", model = "rehearsal", prompt = "screen@1" }}
grader.confirm = {{ endpoint = "main", model = "rehearsal", prompt = "confirm@1" }}
"#
        );
        fs::write(self.path("audit.toml"), audit).unwrap();
    }

    /// The selected units, as `plan` copied them.
    fn snapshot(&self) -> Snapshot {
        let units = self.path("cache/units");
        let mut name = fs::read_dir(&units).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let digest = name.find_map(|name| name.parse().ok()).unwrap();
        Snapshot::open(&units, &digest).unwrap().unwrap()
    }

    fn assize(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assize"));
        command.args(words).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs the audit in a process of its own and watches it.
    fn run(&self) -> Ran {
        let started = Instant::now();
        let mut child = self.assize(&["run", "--progress", "none"]).spawn().unwrap();
        let peak_kib = peak_memory_kib(child.id());
        let (wall, processor) = (started.elapsed(), processor_time(child.id()));
        assert!(child.wait().unwrap().success());
        let report = fs::read_to_string(self.path("runs/latest/report.json")).unwrap();
        let report: Report = serde_json::from_str(&report).unwrap();
        let requests = report.requests.sent + report.requests.replayed;
        Ran { measured: Measured { requests, wall, processor }, candidates: report.funnel.admitted, peak_kib }
    }
}

/// The simulated grader in a process of its own; it ends when this is dropped.
struct Grader {
    process: Child,
    url: String,
}

impl Grader {
    fn start(workspace: &Workspace, latency_ms: u64) -> Self {
        let profile = format!("truth = \"truth.jsonl\"\nlatency_ms = {latency_ms}\n");
        fs::write(workspace.path("rehearsal.toml"), profile).unwrap();
        let words = ["rehearse", "--listen", "127.0.0.1:0", "--profile", "rehearsal.toml"];
        let mut process = workspace.assize(&words).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut said).unwrap();
        let url = said.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        Self { process, url }
    }
}

impl Drop for Grader {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The highest `VmHWM` of a child until it has ended. It is then still there to be waited for.
fn peak_memory_kib(process: u32) -> u64 {
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        // A process that has ended has no memory any more.
        let Some(highest) = field("VmHWM:") else { return peak };
        peak = highest.trim_end_matches("kB").trim().parse().unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// User and system time of a process so far; also of one that has ended and was not waited for.
fn processor_time(process: u32) -> Duration {
    /// Of the kernel's interface, whatever the kernel's own tick is.
    const TICKS_PER_SECOND: u64 = 100;
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name, which may hold anything, ends with the last parenthesis; the times are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
}
