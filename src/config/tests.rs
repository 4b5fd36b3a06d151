use std::fmt::Write;
use std::fs;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;
use crate::grade::provider::Provider;
use crate::grade::settings::{Concurrency, KeySetting, OnModelChange, PriceSetting};
use crate::model::grading::ApiKind;
use crate::model::money::{NanoUsd, Price};
use crate::model::repeats::{RepeatRule, Repeats};
use crate::model::unit::UnitKind;
use crate::plan::settings::SampleSize;
use crate::run::expect::ExpectSettings;

/// 2026-11-23T17:40:12Z.
const NOW: UnixMs = UnixMs(1_795_455_612_000);
const FIXTURES: &str = "tests/fixtures/configs";

fn request(audit: impl Into<PathBuf>) -> LoadRequest {
    LoadRequest::new(audit, Environment::of([("OPENAI_API_KEY", "sk-of-the-environment")]), NOW)
}

fn fixture(name: &str) -> LoadRequest {
    request(format!("{FIXTURES}/{name}.toml"))
}

/// A folder with an audit file of the shortest kind, after `before`, with `after` at its end.
fn minimal(before: &str, after: &str) -> (tempfile::TempDir, LoadRequest) {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(format!("{FIXTURES}/good/minimal.toml")).unwrap();
    fs::write(folder.path().join(AUDIT_FILE), format!("{before}\n{text}\n{after}")).unwrap();
    let mut request = request(folder.path());
    request.environment = Environment::of([
        ("OPENAI_API_KEY", "sk-of-the-environment"),
        ("XDG_CONFIG_HOME", folder.path().join("home").to_str().unwrap()),
    ]);
    (folder, request)
}

fn with_endpoint(keys: &str) -> (tempfile::TempDir, LoadRequest) {
    let (folder, request) = minimal("", "");
    let file = folder.path().join(AUDIT_FILE);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("[endpoint.main]", &format!("[endpoint.main]\n{keys}"))).unwrap();
    (folder, request)
}

#[expect(clippy::unnecessary_wraps, reason = "the fields of overrides are optional")]
fn flag<T>(name: &str, value: T) -> Option<Override<T>> {
    Some(Override { value, origin: Origin::Flag { name: name.to_owned() } })
}

fn messages_of(folder: &str) -> String {
    let mut files: Vec<_> =
        fs::read_dir(format!("{FIXTURES}/{folder}")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut messages = String::new();
    for file in files {
        let error = load(&request(&file)).expect_err(&format!("{} must be refused", file.display()));
        writeln!(messages, "{error}\n").unwrap();
    }
    messages.replace(&format!("{FIXTURES}/{folder}/"), "")
}

#[test]
fn every_message_about_a_bad_file() {
    let messages = messages_of("bad");
    assert!(!messages.contains("hush"), "{messages}");
    insta::assert_snapshot!(messages);
}

#[test]
fn every_key_of_a_later_version_is_refused_by_name() {
    insta::assert_snapshot!(messages_of("later"));
}

#[test]
fn the_whole_schema_is_read() {
    let loaded = load(&fixture("good/full")).unwrap();
    let audit = &loaded.audit;
    assert_eq!((audit.name.as_str(), audit.sample.seed, audit.level), ("chat-traffic-2026-11", 20_261_123, 0.95));
    let source = &audit.corpus.sources[0];
    assert!(
        source.paths[0].ends_with("/tests/fixtures/configs/good/traffic/rl-late/*.jsonl.zst"),
        "{}",
        source.paths[0]
    );
    assert!(Path::new(&source.paths[0]).is_absolute());
    assert_eq!(source.fields["id"], ["conv_id"]);
    assert_eq!(audit.corpus.max_line_bytes, 64 << 20);
    let sizes = &audit.sample.sizes;
    assert_eq!((sizes["core"], sizes["none"]), (SampleSize::All, SampleSize::Count(50_000)));
    let endpoint = &audit.endpoints["main"];
    assert_eq!((endpoint.request_timeout, endpoint.item_deadline), (Duration::from_secs(90), Duration::from_mins(15)));
    assert_eq!(audit.screen.prompt.to_string(), "screen@2");
    assert_eq!(audit.screen.params["max_completion_tokens"], 2_000);
    let repeats = Repeats { rule: RepeatRule::Majority, flagged: 3, near_threshold: 3, near: 10, random: 0.01 };
    assert_eq!((audit.screen.repeats, audit.confirm.as_ref().unwrap().repeats), (Some(repeats), None));
    assert_eq!(audit.confirm.as_ref().unwrap().model, "o4");
    assert_eq!(audit.confirm.as_ref().unwrap().on_model_change, OnModelChange::Split);
    let expected = ExpectSettings {
        min_conversations: 1_000,
        min_turns: 5_000,
        max_unreadable: Some(0.001),
        min_reasoning_share: 0.5,
        groups: vec!["rl-late / chat".to_owned()],
    };
    assert_eq!(audit.expect, expected);
    assert_eq!((audit.review.confirm_no, audit.review.cleared), (SampleSize::Count(200), SampleSize::Rate(0.001)));
    let gold = audit.gold.as_ref().unwrap();
    assert_eq!((gold.items.positive, gold.items.near_miss, gold.seats.join(" ")), (50, 100, "ana bo".to_owned()));
    assert_eq!(audit.compare.contrasts[0].to_string(), "rl-late / rl-early");
    assert_eq!(audit.budget.max_cost_total, NanoUsd::from_usd(500.0));
    assert_eq!(audit.budget.max_cost, NanoUsd::from_usd(200.0));
    assert_eq!(audit.budget.deadline.unwrap().to_string(), "2026-11-24T06:00:00Z");
    assert_eq!(loaded.warnings, [""; 0]);
}

#[test]
fn the_shortest_file_gets_every_default() {
    let loaded = load(&fixture("good/minimal")).unwrap();
    let mut table = String::new();
    for Setting { key, value, origin } in &loaded.settings {
        writeln!(table, "{key} = {value} ({origin})").unwrap();
    }
    let here = std::path::absolute(FIXTURES).unwrap();
    insta::assert_snapshot!(table.replace(here.to_str().unwrap(), "FIXTURES"));
}

#[test]
fn a_table_of_repeats_has_defaults_and_may_switch_all_of_them_off() {
    let repeats = |table: &str| {
        let (folder, request) = minimal("", "");
        let file = folder.path().join(AUDIT_FILE);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("[grader.screen]", &format!("[grader.screen]\nrepeats = {table}"))).unwrap();
        load(&request).unwrap().audit.screen.repeats
    };
    let default = Repeats { rule: RepeatRule::Majority, flagged: 3, near_threshold: 3, near: 10, random: 0.01 };
    assert_eq!(repeats("{}"), Some(default));
    let changed = Repeats { rule: RepeatRule::Any, flagged: 2, random: 0.0, ..default };
    assert_eq!(repeats(r#"{ rule = "any", flagged = 2, random = 0 }"#), Some(changed));
    assert_eq!(repeats("{ flagged = 1, near_threshold = 1, random = 0.0 }"), None);
}

#[test]
fn flags_win_over_the_file_and_say_so() {
    let mut request = fixture("good/full");
    request.overrides = Overrides {
        max_cost: flag("--max-cost", 5.0),
        max_concurrency: flag("--max-concurrency", Concurrency::Fixed(3)),
        limit: flag("--limit", 7),
        deadline: flag("--deadline", "07:00 Europe/Zurich".to_owned()),
        strict: flag("--strict", true),
        cache: flag("--cache", CacheMode::ReadOnly),
        ..Overrides::default()
    };
    let Loaded { audit, settings, .. } = load(&request).unwrap();
    assert_eq!(audit.budget.max_cost, NanoUsd::from_usd(5.0));
    assert_eq!(audit.endpoints["main"].max_concurrency, Concurrency::Fixed(3));
    assert_eq!((audit.sample.limit, audit.corpus.strict, audit.cache), (Some(7), true, CacheMode::ReadOnly));
    let origin = settings.iter().find(|setting| setting.key == "budget.max_cost").unwrap().origin.to_string();
    assert_eq!(origin, "flag --max-cost");
    request.overrides.max_concurrency = flag("-j", Concurrency::Auto);
    let Loaded { audit, settings, .. } = load(&request).unwrap();
    assert_eq!(audit.endpoints["main"].max_concurrency, Concurrency::Auto);
    let shown = settings.iter().find(|setting| setting.key == "endpoint.main.max_concurrency").unwrap();
    assert_eq!((shown.value.as_str(), shown.origin.to_string()), (Some("auto"), "flag -j".to_owned()));
    request.overrides.max_concurrency = flag("-j", Concurrency::Fixed(0));
    assert!(load(&request).is_err());
}

#[test]
fn a_wrong_flag_is_named_as_a_flag() {
    let mut request = fixture("good/full");
    request.overrides.max_cost = flag("--max-cost", -1.0);
    request.overrides.date = flag("--date", "yesterday".to_owned());
    let error = load(&request).unwrap_err().to_string();
    assert!(error.contains("--max-cost: `max_cost` must lie between"), "{error}");
    assert!(error.contains("--date: `date` must be a day"), "{error}");
}

#[test]
fn conversations_can_be_drawn_and_fields_be_clusters() {
    let corpus = |keys: &str| {
        let (_folder, request) = minimal("", &format!("[corpus]\n{keys}"));
        let corpus = load(&request).unwrap().audit.corpus;
        (corpus.sample_by, corpus.cluster_by)
    };
    assert_eq!(corpus(""), (UnitKind::Turn, None));
    assert_eq!(corpus("sample_by = \"conversation\""), (UnitKind::Conversation, None));
    assert_eq!(corpus("cluster_by = \"conversation\""), (UnitKind::Turn, None));
    assert_eq!(corpus("cluster_by = \"user\""), (UnitKind::Turn, Some("user".to_owned())));
}

#[test]
fn a_conversation_that_is_the_unit_is_drawn_by_itself() {
    let corpus = |keys: &str| {
        let (_folder, request) = minimal("", &format!("[corpus]\nunit = \"conversation\"\n{keys}"));
        load(&request).map(|loaded| loaded.audit.corpus)
    };
    for keys in ["", "sample_by = \"conversation\""] {
        let corpus = corpus(keys).unwrap();
        assert_eq!(
            (corpus.unit, corpus.sample_by, corpus.draws_several()),
            (UnitKind::Conversation, UnitKind::Conversation, false)
        );
    }
    let error = corpus("sample_by = \"turn\"").unwrap_err().to_string();
    assert!(error.contains("`sample_by` cannot be `turn` where `unit` is `conversation`"), "{error}");
}

#[test]
fn dates_fill_paths() {
    let (folder, mut request) = minimal("", "");
    let file = folder.path().join(AUDIT_FILE);
    let text = fs::read_to_string(&file).unwrap().replace("\"traffic\"", "\"traffic/{date}/*.jsonl\", \"-\"");
    fs::write(&file, text).unwrap();
    request.overrides.date = flag("--date", "2026-11-23".to_owned());
    let paths = &load(&request).unwrap().audit.corpus.sources[0].paths;
    assert_eq!(*paths, [folder.path().join("traffic/2026-11-23/*.jsonl").to_str().unwrap(), "-"]);
}

#[test]
fn the_key_is_a_secret_wherever_it_comes_from() {
    let (folder, request) = with_endpoint("api_key_env = \"OTHER_KEY\"");
    let key = |request: &LoadRequest| load(request).unwrap().audit.endpoints["main"].key.clone();
    assert!(matches!(key(&request), KeySetting::Missing { variable } if variable == "OTHER_KEY"));
    fs::write(folder.path().join(".env"), "OTHER_KEY=sk-of-the-file\nOPENAI_API_KEY=no").unwrap();
    let KeySetting::Value(value) = key(&request) else { panic!("no key") };
    assert_eq!(value.expose_secret(), "sk-of-the-file");
    let loaded = load(&request).unwrap();
    let shown = format!("{loaded:?} {request:?}");
    assert!(!shown.contains("sk-of"), "{shown}");

    let (_folder, mut request) = with_endpoint("");
    let KeySetting::Value(value) = key(&request) else { panic!("no key") };
    assert_eq!(value.expose_secret(), "sk-of-the-environment");
    request.environment = Environment::default();
    assert!(matches!(key(&request), KeySetting::Missing { .. }));
    request.environment = Environment::of([("OPENAI_API_KEY", "")]);
    assert!(matches!(key(&request), KeySetting::NoKey));

    let (_folder, mut request) = with_endpoint("base_url = \"http://127.0.0.1:8080/v1/\"");
    request.environment = Environment::default();
    assert!(matches!(key(&request), KeySetting::NoKey));
    assert_eq!(load(&request).unwrap().audit.endpoints["main"].base_url, "http://127.0.0.1:8080/v1");
}

#[test]
fn the_environment_fills_only_a_missing_base_url() {
    let (folder, mut request) = with_endpoint("");
    let url = |request: &LoadRequest| load(request).map(|loaded| loaded.audit.endpoints["main"].base_url.clone());
    assert_eq!(url(&request).unwrap(), "https://api.openai.com/v1");
    request.environment =
        Environment::of([("OPENAI_BASE_URL", "https://gateway.example/v1"), ("OPENAI_ORG_ID", "org")]);
    assert_eq!(url(&request).unwrap(), "https://gateway.example/v1");
    let headers = load(&request).unwrap().audit.endpoints["main"].headers.clone();
    assert_eq!(headers["OpenAI-Organization"].expose_secret(), "org");

    request.environment = Environment::default();
    fs::write(folder.path().join(".env"), "OPENAI_BASE_URL=https://evil.example/v1").unwrap();
    let error = url(&request).unwrap_err().to_string();
    assert!(error.contains("from a `.env` file"), "{error}");

    let (_folder, mut request) = with_endpoint("base_url = \"http://localhost:1/v1\"");
    request.environment =
        Environment::of([("OPENAI_BASE_URL", "https://gateway.example/v1"), ("OPENAI_ORG_ID", "org")]);
    let endpoint = load(&request).unwrap().audit.endpoints["main"].clone();
    assert_eq!((endpoint.base_url.as_str(), endpoint.headers.len()), ("http://localhost:1/v1", 0));
}

#[test]
fn what_needs_trust_is_refused_until_trusted_and_again_after_a_change() {
    for keys in ["base_url = \"https://gateway.example/v1\"", "api_key_command = [\"pass\", \"show\", \"key\"]"] {
        let (folder, request) = with_endpoint(keys);
        let error = load(&request).unwrap_err();
        assert!(matches!(error, ConfigError::Untrusted { .. }), "{error}");
        assert!(error.hint().unwrap().contains("assize trust "), "{error}");
        let trusted = trust(&request).unwrap();
        assert_eq!(trusted.grants.len(), 1);
        load(&request).unwrap();
        let file = folder.path().join(AUDIT_FILE);
        fs::write(&file, fs::read_to_string(&file).unwrap() + "# changed\n").unwrap();
        assert!(matches!(load(&request), Err(ConfigError::Untrusted { .. })));
    }
}

#[test]
fn privacy_binds_the_environment_too() {
    let (_folder, mut request) = minimal("", "[privacy]\nendpoints = [\"https://gateway.example/v1/\"]");
    assert!(load(&request).unwrap_err().to_string().contains("is not among the endpoints"));
    request.environment = Environment::of([("OPENAI_BASE_URL", "https://gateway.example/v1")]);
    assert_eq!(load(&request).unwrap().audit.allowed_endpoints, ["https://gateway.example/v1"]);
}

#[test]
fn a_rehearsal_needs_neither_address_nor_key_nor_model() {
    let (folder, mut request) = with_endpoint("api = \"rehearsal\"\nrehearsal = \"rehearsal.toml\"");
    request.environment = Environment::default();
    let file = folder.path().join(AUDIT_FILE);
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("model = \"gpt-5-mini\"", "")).unwrap();
    let audit = load(&request).unwrap().audit;
    let endpoint = &audit.endpoints["main"];
    assert_eq!(
        (endpoint.api, endpoint.price, endpoint.base_url.as_str()),
        (ApiKind::Rehearsal, PriceSetting::Table(Some(Provider::Rehearsal)), "")
    );
    assert_eq!(endpoint.rehearsal.as_deref(), Some(folder.path().join("rehearsal.toml").as_path()));
    assert!(matches!(endpoint.key, KeySetting::NoKey));
    assert_eq!(audit.screen.model, "rehearsal");
}

#[test]
fn prices_are_exact() {
    let (_folder, request) = with_endpoint("price = { input = 0.25, cached = 0.025, output = 2 }");
    let price = load(&request).unwrap().audit.endpoints["main"].price;
    assert_eq!(price, PriceSetting::Fixed(Price::flat(250, 25, 2_000)));
    let (_folder, request) = with_endpoint("price = { input = 0.25, output = 2 }");
    let price = load(&request).unwrap().audit.endpoints["main"].price;
    assert_eq!(price, PriceSetting::Fixed(Price::flat(250, 250, 2_000)));
}

#[test]
fn the_workspace_is_the_nearest_marked_folder() {
    let top = tempfile::tempdir().unwrap();
    let audits = top.path().join("a/b");
    fs::create_dir_all(&audits).unwrap();
    assert_eq!(workspace_of(&audits).root, audits);
    fs::write(top.path().join(WORKSPACE_MARKER), "").unwrap();
    assert_eq!(workspace_of(&audits).root, top.path());
    fs::write(top.path().join("a").join(WORKSPACE_MARKER), "").unwrap();
    assert_eq!(workspace_of(&audits).root, top.path().join("a"));
}

#[test]
fn a_missing_file_is_named_with_a_hint() {
    let error = load(&request("nowhere/audit.toml")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `nowhere/audit.toml`");
    assert!(error.hint().unwrap().contains("assize init"));
}

#[test]
fn a_deadline_that_has_passed_is_a_warning() {
    let (_folder, request) = minimal("", "[budget]\ndeadline = \"2026-11-23T07:00Z\"");
    assert_eq!(load(&request).unwrap().warnings, ["the deadline `2026-11-23T07:00Z` has passed: nothing will be sent"]);
}
