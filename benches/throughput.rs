//! What a run costs the machine: requests a second and processor time beside a bare loop that does the same JSON work
//! against the same server, and peak memory on a small and on a large corpus.
//!
//! ```text
//! cargo bench                     throughput on 20,000 candidates
//! cargo bench -- --memory         peak memory on 20,000 and on 200,000 candidates
//! cargo bench -- --units 5000     any other size
//! ```
//!
//! The server is a process of its own, so that its work is nobody's figure here. All three share the processors, so
//! the ratios say more than the absolute numbers.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails there")]
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assize::model::grading::ChatMessage;
use assize::prompt::{Library, Question, Questioner, QuestionerSettings};
use assize::rehearse::{CorpusPlan, GroupPlan, Probability};
use assize::report::Report;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Requests in flight at once, for the run and for the loop.
const SLOTS: usize = 64;
/// Turns in a conversation, on average.
const TURNS: f64 = 2.5;

fn main() {
    // cargo adds `--bench` to what the user says.
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let units = words.iter().position(|word| word == "--units").map(|at| words[at + 1].parse().unwrap());
    if words.iter().any(|word| word == "--memory") {
        memory(&[20_000, 200_000]);
    } else {
        throughput(units.unwrap_or(20_000));
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

fn throughput(units: u64) {
    let workspace = Workspace::new(units);
    let server = Grader::start(&workspace);
    workspace.audit(&server.url);
    // The census is taken and the units are copied once, so that only grading is compared.
    assert!(workspace.assize(&["plan"]).status().unwrap().success());

    let bare = bare_loop(&workspace, &server.url);
    let run = workspace.run();
    let replayed = workspace.run();
    println!("\n{:<34} {:>9} {:>12}", format!("{SLOTS} slots, latency 0 ms"), "requests/s", "CPU ms/1,000");
    bare.print("bare loop");
    run.measured.print("assize run");
    replayed.measured.print("assize run again, from the cache");
    let (rate, processor) = (run.measured.rate() / bare.rate(), run.measured.processor_ms() / bare.processor_ms());
    println!("\nrun / bare loop: {rate:.2} of the requests a second, {processor:.2} times the processor time");
    println!("peak memory of the run: {} MiB", run.peak_kib / 1_024);
}

fn memory(sizes: &[u64]) {
    println!("{:>10} {:>10} {:>9} {:>16} {:>16}", "candidates", "requests", "seconds", "peak MiB", "again, peak MiB");
    let mut peaks = Vec::new();
    for size in sizes {
        let workspace = Workspace::new(*size);
        let server = Grader::start(&workspace);
        workspace.audit(&server.url);
        let run = workspace.run();
        let again = workspace.run();
        let (candidates, peak, again) = (run.candidates, run.peak_kib / 1_024, again.peak_kib / 1_024);
        let (requests, seconds) = (run.measured.requests, run.measured.wall.as_secs());
        println!("{candidates:>10} {requests:>10} {seconds:>9} {peak:>16} {again:>16}");
        peaks.push(run.peak_kib);
    }
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let ratio = peaks[peaks.len() - 1] as f64 / peaks[0] as f64;
    println!("\nlargest / smallest: {ratio:.2}");
}

/// The same questions as the run's, by the shortest program that asks them: build a body, post it, parse the reply and
/// the verdict in it. No key, no cache, no log, no budget, no journal.
fn bare_loop(workspace: &Workspace, url: &str) -> Measured {
    let files = Library::open(Path::new("prompts")).unwrap().behaviour("metagaming").unwrap();
    let prompt = files.prompt(&"screen@1".parse().unwrap()).unwrap();
    let params = prompt.params.clone();
    let questioner = Questioner::new(QuestionerSettings::new(prompt, files.behaviour.clone())).unwrap();
    let questions: Vec<_> = workspace.questions(&questioner).collect();
    let schema: Value = serde_json::from_str(&questioner.schema().json).unwrap();
    let schema_name = questioner.schema().name.clone();
    let body = move |question: &Vec<ChatMessage>| {
        let message = |message: &ChatMessage| json!({"role": message.role.as_str(), "content": message.content});
        let messages: Vec<_> = question.iter().map(message).collect();
        let format = json!({"name": schema_name, "schema": schema, "strict": true});
        let mut body = json!({"model": "rehearsal", "messages": messages,
            "response_format": {"type": "json_schema", "json_schema": format}});
        body.as_object_mut().unwrap().extend(params.clone());
        serde_json::to_vec(&body).unwrap()
    };
    let client = client();
    let url = format!("{url}/chat/completions");
    let requests = questions.len() as u64;
    let shared = std::sync::Arc::new((questions, body, client, url));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();

    let (processor, started) = (processor_time(std::process::id()), Instant::now());
    runtime.block_on(async {
        let mut workers = JoinSet::new();
        for worker in 0..SLOTS {
            let shared = std::sync::Arc::clone(&shared);
            workers.spawn(async move {
                let (questions, body, client, url) = &*shared;
                for question in questions.iter().skip(worker).step_by(SLOTS) {
                    let request = client.post(url).header("content-type", "application/json").body(body(question));
                    let reply = request.send().await.unwrap().bytes().await.unwrap();
                    let reply: Value = serde_json::from_slice(&reply).unwrap();
                    let content = reply["choices"][0]["message"]["content"].as_str().unwrap();
                    let verdict: Value = serde_json::from_str(content).unwrap();
                    assert!(verdict["verdict"].is_string());
                }
            });
        }
        while let Some(ended) = workers.join_next().await {
            ended.unwrap();
        }
    });
    Measured {
        requests,
        wall: started.elapsed(),
        processor: processor_time(std::process::id()).saturating_sub(processor),
    }
}

#[expect(clippy::disallowed_methods, reason = "the bare loop is what the product's client is compared with")]
fn client() -> reqwest::Client {
    // A second installation in one process is as good as the first.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(SLOTS).build().unwrap()
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
        fs::write(workspace.path("rehearsal.toml"), "truth = \"truth.jsonl\"\n").unwrap();
        workspace.plan.write(&workspace.path("corpus"), &workspace.path("truth.jsonl")).unwrap();
        workspace
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    fn audit(&self, url: &str) {
        let audit = format!(
            r#"
name = "bench"
seed = 1
corpus = {{ source = [{{ paths = ["corpus/*.jsonl"] }}], group_by = ["checkpoint"] }}
behaviour = {{ name = "metagaming" }}
sample = {{ core = "all", action = "all", generic_near_self = "all", none = "all" }}
endpoint.main = {{ base_url = "{url}", price = "free", max_concurrency = {SLOTS} }}
grader.screen = {{ endpoint = "main", model = "rehearsal", prompt = "screen@1" }}
grader.confirm = {{ endpoint = "main", model = "rehearsal", prompt = "confirm@1" }}
"#
        );
        fs::write(self.path("audit.toml"), audit).unwrap();
    }

    /// The first question about every turn, rendered.
    fn questions<'a>(&'a self, questioner: &'a Questioner) -> impl Iterator<Item = Vec<ChatMessage>> + 'a {
        self.plan.conversations(0).flat_map(move |conversation| {
            let asked = |turn| match questioner.question(&conversation, turn, String::new()) {
                Question::Ask(asked) => Some(questioner.messages(&asked)),
                Question::CannotJudge(_) => None,
            };
            conversation.turns().filter_map(asked).collect::<Vec<_>>()
        })
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
    fn start(workspace: &Workspace) -> Self {
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
