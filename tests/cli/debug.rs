//! `Debug` of public types: what a log line or a panic of a program built on the library would show.

use std::fmt::Debug;
use std::time::Duration;

use assize::cache::units::Snapshot;
use assize::cache::{Access, CacheSettings, ReplyCache};
use assize::clock::UnixMs;
use assize::config::{Environment, LoadRequest, load};
use assize::grade::attempt::Shot;
use assize::grade::desk::Sending;
use assize::grade::http::{Answer, Endpoint};
use assize::grade::lane::Lane;
use assize::model::conversation::Channel;
use assize::model::event::{Event, Ordinal};
use assize::model::grading::{ApiKind, GradeRequest, Stage, Structured};
use assize::model::hash::Digest;
use assize::model::label::Label;
use assize::model::money::{NanoUsd, Price};
use assize::model::unit::UnitKind;
use assize::prompt::{Buffers, Library, Question, Questioner, QuestionerSettings};
use assize::rehearse::{RehearsalSettings, Truth};
use assize::run::assemble::assemble;
use assize::run::conclude::plan_of;
use assize::run::folder::RunFolder;
use assize::run::settings::{Audit, Workspace};
use assize::source::settings::{CorpusSettings, SourceSettings};
use assize::source::{Filter, Parser, files, read};
use assize::verdict::{Body, Context, parse};

use bytes::Bytes;

use crate::support::{Night, conversation, line};

const TRANSCRIPT: &str = "canary-transcript-5f1c";
const PROMPT: &str = "canary-prompt-77ab";
const KEY: &str = "sk-canary-key-90de";

#[track_caller]
fn keeps_secrets(value: &impl Debug) {
    let shown = format!("{value:?} {value:#?}");
    for secret in [TRANSCRIPT, PROMPT, KEY] {
        assert!(!shown.contains(secret), "`{secret}` in a {}", std::any::type_name_of_val(value));
    }
}

/// A night whose every turn, prompt and key holds a canary, after its run.
fn night() -> Night {
    let grader = format!("sensitivity = 1.0\nspecificity = 0.0\napi_key = \"{KEY}\"");
    let night = Night::with(1, &grader, "specificity = 0.0");
    std::fs::remove_dir_all(night.workspace.path("corpus")).unwrap();
    let said = format!("{TRANSCRIPT} says this");
    let mut record = conversation("canary", TRANSCRIPT, &said);
    record["messages"][1]["reasoning"] = said.clone().into();
    record["messages"][1]["tool_calls"] =
        serde_json::json!([{ "id": "1", "type": "function", "function": { "name": "x", "arguments": said } }]);
    night.workspace.write("corpus/canary.jsonl", line(&record));
    night.workspace.copy_behaviour("metagaming");
    night.workspace.edit("prompts/metagaming/screen.v1.md", "# System\n", &format!("# System\n\n{PROMPT}\n"));
    night.workspace.edit("prompts/metagaming/screen.v1.md", "# User\n", &format!("# User\n\n{PROMPT}\n"));
    night.workspace.edit("audit.toml", "max_concurrency = 8", "api_key_env = \"GRADER_KEY\"");
    night.workspace.assize(&["run"]).env("GRADER_KEY", KEY).run().expect(0);
    night
}

fn audit(night: &Night) -> Audit {
    let environment = Environment::of([("GRADER_KEY", KEY)]);
    keeps_secrets(&environment);
    let request = LoadRequest::new(night.workspace.path("audit.toml"), environment, UnixMs(0));
    keeps_secrets(&request);
    let loaded = load(&request).unwrap();
    keeps_secrets(&loaded);
    loaded.audit
}

#[test]
fn settings_show_no_key() {
    let night = night();
    let audit = audit(&night);
    keeps_secrets(&audit);
    keeps_secrets(&Endpoint::new(&audit.endpoints["main"]).unwrap());
    keeps_secrets(&RehearsalSettings::parse(&format!("api_key = \"{KEY}\"")).unwrap());
    keeps_secrets(&assemble(audit).unwrap());
}

#[test]
fn prompts_and_questions_show_no_text() {
    let night = night();
    let library = Library::open(&night.workspace.path("prompts")).unwrap();
    keeps_secrets(&library);
    let files = library.behaviour("metagaming").unwrap();
    keeps_secrets(&files);
    let prompt = files.prompt(&"screen@1".parse().unwrap()).unwrap();
    assert!(prompt.text.contains(PROMPT));
    keeps_secrets(&prompt);
    let settings = QuestionerSettings::new(prompt, files.behaviour);
    keeps_secrets(&settings);
    let questioner = Questioner::new(settings).unwrap();
    keeps_secrets(&questioner);
    let snapshot = snapshot(&night);
    let unit = snapshot.get(Ordinal(0)).unwrap();
    let question = questioner.question(&unit.conversation, unit.id.turn, &mut Buffers::default());
    keeps_secrets(&question);
    let Question::Ask(asked) = question else { panic!("the whole conversation is visible") };
    assert!(asked.text.contains(TRANSCRIPT));
    keeps_secrets(&asked);
    keeps_secrets(&GradeRequest {
        api: ApiKind::Chat,
        model: "m".to_owned(),
        messages: questioner.messages(&asked),
        schema: questioner.schema().clone(),
        structured: Structured::default(),
        params: std::collections::BTreeMap::new(),
        revision: String::new(),
        repeat: 0,
        retry: 0,
        epoch: String::new(),
    });
}

fn workspace(night: &Night) -> Workspace {
    Workspace { root: night.workspace.root() }
}

fn snapshot(night: &Night) -> Snapshot {
    let folder = RunFolder::find(&workspace(night).runs(), None).unwrap();
    let planned = plan_of(&folder).unwrap();
    Snapshot::open(&workspace(night).units(), &planned.census).unwrap().unwrap()
}

#[test]
fn records_and_units_show_no_text() {
    let night = night();
    let glob = night.workspace.path("corpus/*.jsonl").to_str().unwrap().to_owned();
    let corpus = CorpusSettings {
        sources: vec![SourceSettings { paths: vec![glob], ..SourceSettings::default() }],
        unit: UnitKind::Turn,
        sample_by: UnitKind::Turn,
        group_by: Vec::new(),
        cluster_by: None,
        channels: Channel::ALL.into(),
        filter: String::new(),
        max_line_bytes: 1 << 20,
        strict: false,
        root: std::path::PathBuf::new(),
    };
    let filter = Filter::new("").unwrap();
    for file in files(&corpus).unwrap() {
        keeps_secrets(&Parser::new(&file, &corpus, &filter));
        for record in read(&file, &corpus, &filter).unwrap() {
            keeps_secrets(&record.unwrap());
        }
    }
    let snapshot = snapshot(&night);
    keeps_secrets(&snapshot);
    let unit = snapshot.get(Ordinal(0)).unwrap();
    keeps_secrets(&unit);
    keeps_secrets(&unit.conversation);
    keeps_secrets(&unit.conversation.messages);
    keeps_secrets(&Truth::open(&night.workspace.path("truth.jsonl")).unwrap());
    let note = format!(r#"{{"unit": "a#1", "decision": "yes", "seat": "ana", "note": "{TRANSCRIPT}"}}"#);
    keeps_secrets(&serde_json::from_str::<Label>(&note).map_err(|_| "a note is not part of a label"));
}

#[test]
fn what_goes_over_the_wire_shows_no_text() {
    let sending = Sending {
        ordinal: Ordinal(0),
        stage: Stage::Screen,
        key: Digest::of(TRANSCRIPT.as_bytes()),
        bound: NanoUsd::ZERO,
        again: false,
    };
    let price = Price::flat(1, 1, 1);
    let body = Bytes::from(format!("{PROMPT} {TRANSCRIPT}")).into();
    keeps_secrets(&Shot { sending, body, nonce: String::new(), price, output_limit: 1, lane: Lane::Fresh });
    let body = TRANSCRIPT.to_owned();
    keeps_secrets(&Answer {
        status: 200,
        body,
        retry_after: None,
        quota: None,
        request_id: None,
        latency: Duration::ZERO,
    });
}

#[test]
fn events_replies_and_verdicts_show_no_text() {
    let night = night();
    let workspace = workspace(&night);
    let settings = CacheSettings { replies: workspace.replies(), index: workspace.index(), access: Access::ReadOnly };
    let (cache, _) = ReplyCache::open(&settings).unwrap();
    keeps_secrets(&cache);
    let files = Library::open(&workspace.prompts()).unwrap().behaviour("metagaming").unwrap();
    let unit = snapshot(&night).get(Ordinal(0)).unwrap();
    let folder = RunFolder::find(&workspace.runs(), None).unwrap();
    let mut quoted = 0;
    for event in folder.events().map(Result::unwrap) {
        keeps_secrets(&event);
        let Event::Judged(judged) = event else { continue };
        let reply = cache.get(&judged.key.unwrap()).unwrap().unwrap();
        keeps_secrets(&reply);
        keeps_secrets(&Body::parse(&reply.body));
        let context = Context {
            behaviour: &files.behaviour,
            conversation: &unit.conversation,
            seen: &judged.seen,
            unit: unit.id.kind(),
        };
        let reading = parse(reply.status, &reply.body, &context);
        keeps_secrets(&reading);
        quoted += u64::from(judged.stage == Stage::Screen && reply.body.contains(TRANSCRIPT));
    }
    assert_eq!(quoted, 1, "the reply quotes the transcript, so that there is something to hide");
}
