use std::fs;

use crate::clock::UnixMs;
use crate::config::{self, Environment, LoadRequest};
use crate::source::settings::Format;

use super::super::args::{Cli, Command};
use super::*;

fn init(folder: &Path, more: &[&str]) -> Result<Exit, Failure> {
    let args = ["assize", "init", folder.to_str().unwrap()].into_iter().chain(more.iter().copied());
    let cli = <Cli as clap::Parser>::parse_from(args);
    let Command::Init(args) = cli.command else { panic!("another command") };
    run(&args, Printer::new(&cli.global, &Environment::default()))
}

fn load(folder: &Path) -> config::Loaded {
    config::load(&LoadRequest::new(folder, Environment::default(), UnixMs(0))).unwrap()
}

fn message(failure: Failure) -> String {
    match failure {
        Failure::ClosedPipe => String::new(),
        Failure::Error { error, .. } => format!("{error:#}"),
    }
}

#[test]
fn a_new_workspace_loads_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path(), &[]).unwrap();
    let loaded = load(folder.path());
    assert_eq!(loaded.warnings, [""; 0]);
    assert_eq!(loaded.audit.workspace.root, folder.path());
    assert_eq!(loaded.audit.behaviour, "metagaming");
    assert!(loaded.audit.confirm.is_some(), "without a confirmer the first floor says nothing");
    let profile = crate::rehearse::RehearsalSettings::open(&folder.path().join("rehearsal.toml")).unwrap();
    assert!(!crate::rehearse::Truth::open(&profile.truth.unwrap()).unwrap().is_empty());
    let files = crate::source::files(&loaded.audit.corpus).unwrap();
    assert_eq!(files.len(), 4);
    for file in [".assize", ".gitignore", "rehearsal.toml", "cache/README.md", "labels/README.md"] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
}

#[test]
fn the_one_edit_asks_a_real_grader() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path(), &[]).unwrap();
    let file = folder.path().join(AUDIT_FILE);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("api = \"rehearsal\"", "api = \"chat\"")).unwrap();
    assert_eq!(load(folder.path()).audit.endpoints["main"].base_url, "https://api.openai.com/v1");
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".gitignore"), "mine").unwrap();
    init(folder.path(), &[]).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join(".gitignore")).unwrap(), "mine");
    let before = fs::read_to_string(folder.path().join(AUDIT_FILE)).unwrap();
    let refused = message(init(folder.path(), &[]).unwrap_err());
    assert!(refused.ends_with("audit.toml` exists, and is never overwritten"), "{refused}");
    assert_eq!(fs::read_to_string(folder.path().join(AUDIT_FILE)).unwrap(), before);
}

#[test]
fn a_corpus_is_looked_into() {
    let top = tempfile::tempdir().unwrap();
    let traffic = top.path().join("traffic");
    fs::create_dir(&traffic).unwrap();
    for checkpoint in ["early", "late"] {
        let record = |number: u32| {
            serde_json::json!({
                "id": format!("{checkpoint}-{number}"),
                "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
                "metadata": {
                    "checkpoint": checkpoint,
                    "user": format!("u{number}"),
                    "task": format!("t{}", number % 3),
                    "day": "one",
                },
            })
        };
        let lines: Vec<String> = (0..40).map(|number| record(number).to_string()).collect();
        fs::write(traffic.join(format!("{checkpoint}.jsonl")), lines.join("\n")).unwrap();
    }
    let folder = top.path().join("audit");
    init(&folder, &["--corpus", traffic.join("*.jsonl").to_str().unwrap()]).unwrap();
    let corpus = load(&folder).audit.corpus;
    assert_eq!(corpus.group_by, ["checkpoint", "task"]);
    assert_eq!(corpus.sources[0].format, Format::Canonical);
    let text = fs::read_to_string(folder.join(AUDIT_FILE)).unwrap();
    assert!(text.contains("paths = [\"../traffic/*.jsonl\"]"), "{text}");
}

#[test]
fn a_corpus_that_cannot_be_read_is_refused_before_anything_is_written() {
    let top = tempfile::tempdir().unwrap();
    fs::write(top.path().join("notes.jsonl"), "{\"text\": \"private words\"}\n").unwrap();
    let folder = top.path().join("audit");
    let glob = top.path().join("*.jsonl");
    let refused = message(init(&folder, &["--corpus", glob.to_str().unwrap()]).unwrap_err());
    assert!(refused.contains("no conversation can be read from"), "{refused}");
    assert!(!refused.contains("private words"), "{refused}");
    assert!(!folder.exists());
    let nothing = message(init(&folder, &["--corpus", "nowhere/*.jsonl"]).unwrap_err());
    assert!(nothing.contains("nowhere"), "{nothing}");
}

#[test]
fn a_behaviour_is_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path(), &["--behaviour", "sandbagging"]).unwrap();
    let audit = load(folder.path()).audit;
    assert_eq!(
        (audit.behaviour.as_str(), audit.classes.unwrap().as_slice()),
        ("sandbagging", &["core".to_owned()][..])
    );
    init(folder.path(), &["--behaviour", "flattery"]).unwrap();
    for file in ["behaviour.toml", "cues.toml", "screen.v1.md", "confirm.v1.md", "gold.jsonl"] {
        let text = fs::read_to_string(folder.path().join("prompts/flattery").join(file)).unwrap();
        assert!(!text.contains("@NAME@"), "{file}");
    }
    let behaviour = fs::read_to_string(folder.path().join("prompts/flattery/behaviour.toml")).unwrap();
    let behaviour: crate::model::behaviour::Behaviour = toml::from_str(&behaviour).unwrap();
    assert!(behaviour.definitions.contains_key("flattery"));
    assert!(message(init(folder.path(), &["--behaviour", "flattery"]).unwrap_err()).contains("exists"));
    for wrong in ["../x", "A", "", "a b"] {
        let refused = message(init(folder.path(), &["--behaviour", wrong]).unwrap_err());
        assert!(refused.contains("is not a behaviour's name"), "{refused}");
    }
}
