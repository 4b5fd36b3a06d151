//! A workspace in a temporary folder, and the real binary in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use assize::rehearse::CorpusPlan;
use tempfile::TempDir;

use super::{Ended, Grader};

/// The shortest audit of the canonical files under `corpus`: everything is graded, twice if it is flagged.
const AUDIT: &str = r#"name = "night"
seed = 11

[[corpus.source]]
paths = ["corpus/*.jsonl*"]

[corpus]
group_by = ["checkpoint"]

[behaviour]
name = "metagaming"

[prefilter]
classes = ["core", "generic_near_self"]

[sample]
core = "all"
generic_near_self = "all"
none = "all"

[endpoint.main]
base_url = "@MAIN@"
max_concurrency = 8

[endpoint.second]
base_url = "@SECOND@"

[grader.screen]
endpoint = "main"
model = "gpt-5-mini"

[grader.confirm]
endpoint = "second"
model = "gpt-5"

[budget]
max_cost = 20.00
"#;

/// An audit of the same that the program rehearses by itself, by the profile `grader.toml`: screened, and no more.
const REHEARSED: &str = r#"name = "night"
seed = 11
[[corpus.source]]
paths = ["corpus/*.jsonl"]
[corpus]
group_by = ["checkpoint"]
[behaviour]
name = "metagaming"
[prefilter]
classes = ["core", "generic_near_self"]
[sample]
none = "all"
[endpoint.main]
api = "rehearsal"
rehearsal = "grader.toml"
max_concurrency = 8
[grader.screen]
endpoint = "main"
model = "rehearsal"
"#;

/// A workspace. Its folder is gone when this is dropped.
pub(crate) struct Workspace {
    home: TempDir,
    name: String,
}

impl Workspace {
    /// A folder with nothing in it.
    pub(crate) fn empty() -> Self {
        let home = tempfile::Builder::new().prefix("assize-test-").tempdir().unwrap();
        let workspace = Self { home, name: "audits".to_owned() };
        fs::create_dir(workspace.root()).unwrap();
        workspace
    }

    /// A workspace with a planted corpus, and no audit file yet.
    pub(crate) fn planted(plan: &CorpusPlan) -> Self {
        let workspace = Self::empty();
        plan.write(&workspace.path("corpus"), &workspace.path("truth.jsonl")).unwrap();
        workspace
    }

    /// Writes the usual audit file: screened by one server, confirmed by another, so that each counts its stage.
    pub(crate) fn audit(&self, screen: &Grader, confirm: &Grader) {
        let text = AUDIT.replace("@MAIN@", &screen.url()).replace("@SECOND@", &confirm.url());
        self.write("audit.toml", &text);
    }

    /// Writes the audit file of a rehearsal, with these lines behind it.
    pub(crate) fn rehearsed_audit(&self, more: &str) {
        self.write("audit.toml", format!("{REHEARSED}{more}"));
    }

    /// The folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.home.path().join(&self.name)
    }

    /// A file of the workspace.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Moves the workspace to another folder.
    pub(crate) fn move_to(&mut self, name: &str) {
        fs::rename(self.root(), self.home.path().join(name)).unwrap();
        name.clone_into(&mut self.name);
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Reads a text file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces words of a text file, all of them.
    #[track_caller]
    pub(crate) fn edit(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "`{old}` is not in `{name}`:\n{text}");
        self.write(name, text.replace(old, new));
    }

    /// The repository's own behaviour, as a folder of this workspace that can be edited.
    pub(crate) fn copy_behaviour(&self, name: &str) {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts").join(name);
        for file in fs::read_dir(shipped).unwrap().map(Result::unwrap) {
            let name = format!("prompts/{name}/{}", file.file_name().to_str().unwrap());
            self.write(&name, fs::read(file.path()).unwrap());
        }
    }

    /// The program with these words, in this folder, with an environment that holds nothing of the developer's.
    pub(crate) fn assize(&self, words: &[&str]) -> Assize {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assize"));
        command.args(words).current_dir(self.root()).env_clear().env("HOME", self.home.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Assize { command, home: self.home.path().to_str().unwrap().to_owned() }
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        self.assize(words).run()
    }

    /// `assize run --format json`, which must succeed.
    #[track_caller]
    pub(crate) fn report(&self) -> Ended {
        self.run(&["run", "--format", "json"]).expect(0)
    }
}

/// The program, about to be started.
pub(crate) struct Assize {
    command: Command,
    home: String,
}

impl Assize {
    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it in another folder.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Ended {
        Ended::new(self.command.output().unwrap(), self.home)
    }

    /// Starts it, to be interrupted by `meanwhile`, and waits for its end.
    pub(crate) fn run_while(mut self, meanwhile: impl FnOnce(&mut Child)) -> Ended {
        let mut child = self.command.spawn().unwrap();
        meanwhile(&mut child);
        Ended::new(child.wait_with_output().unwrap(), self.home)
    }
}
