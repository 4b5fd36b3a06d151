//! The behaviours at hand: those of the workspace, and those embedded in the binary. The only file of the judgement
//! that opens files. A workspace's folder takes precedence as a whole: files are never mixed from both places.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use super::behaviour::{BehaviourError, parse_behaviour};
use super::located::{did_you_mean, nearest};
use super::lock::{Lock, LockError};
use super::shipped::{SHIPPED, ShippedBehaviour};
use super::version::{Prompt, PromptError, label_of_file, parse_prompt};
use crate::model::behaviour::Behaviour;
use crate::model::grading::PromptLabel;

const BEHAVIOUR_FILE: &str = "behaviour.toml";
const CUES_FILE: &str = "cues.toml";
const GOLD_FILE: &str = "gold.jsonl";

/// Where a behaviour comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The binary.
    Shipped,
    /// This folder of the workspace.
    Workspace(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str("shipped"),
            Self::Workspace(folder) => write!(f, "{}", folder.display()),
        }
    }
}

/// Why a behaviour or prompt is not at hand.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file or folder could not be read or written.
    #[error("`{}` cannot be accessed: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No behaviour has this name.
    #[error("there is no behaviour `{name}`{}", did_you_mean(.nearest.as_deref()))]
    UnknownBehaviour {
        /// The name.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// The behaviour has no prompt with this label.
    #[error("behaviour `{behaviour}` has no prompt `{label}`{}", did_you_mean(.nearest.as_deref()))]
    UnknownPrompt {
        /// The behaviour.
        behaviour: String,
        /// The label.
        label: PromptLabel,
        /// The label that was probably meant.
        nearest: Option<String>,
    },
    /// A file that is to be written is there already.
    #[error("`{}` is there already", .path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// A `behaviour.toml` is wrong.
    #[error("`{file}`: {source}")]
    Behaviour {
        /// The file.
        file: String,
        /// What is wrong.
        source: BehaviourError,
    },
    /// A `behaviour.toml` names another behaviour than its folder.
    #[error("`{file}` is named `{written}` inside, and its folder says `{folder}`")]
    OtherName {
        /// The file.
        file: String,
        /// The name in the file.
        written: String,
        /// The name of the folder.
        folder: String,
    },
    /// A prompt file is wrong.
    #[error("`{file}`: {source}")]
    Prompt {
        /// The file.
        file: String,
        /// What is wrong.
        source: PromptError,
    },
    /// `prompts.lock` is wrong.
    #[error("`{}`: {source}", .path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LockError,
    },
}

pub(crate) fn cannot_access(path: &Path) -> impl FnOnce(io::Error) -> LibraryError {
    move |source| LibraryError::Io { path: path.to_owned(), source }
}

/// All behaviours at hand.
#[derive(Debug, Clone)]
pub struct Library {
    behaviours: BTreeMap<String, Origin>,
}

impl Library {
    /// Looks which behaviours there are; `workspace_prompts` need not exist.
    ///
    /// # Errors
    ///
    /// A folder that exists and cannot be listed.
    pub fn open(workspace_prompts: &Path) -> Result<Self, LibraryError> {
        let mut behaviours: BTreeMap<_, _> =
            SHIPPED.iter().map(|shipped| (shipped.name.to_owned(), Origin::Shipped)).collect();
        let entries = match fs::read_dir(workspace_prompts) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { behaviours }),
            Err(error) => return Err(cannot_access(workspace_prompts)(error)),
        };
        for entry in entries {
            let folder = entry.map_err(cannot_access(workspace_prompts))?.path();
            let name = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            if let Some(name) = name.filter(|_| folder.join(BEHAVIOUR_FILE).is_file()) {
                behaviours.insert(name, Origin::Workspace(folder));
            }
        }
        Ok(Self { behaviours })
    }

    /// Names and origins of all behaviours, by name.
    #[must_use]
    pub fn behaviours(&self) -> Vec<(&str, &Origin)> {
        self.behaviours.iter().map(|(name, origin)| (name.as_str(), origin)).collect()
    }

    /// Reads one behaviour with all its files.
    ///
    /// # Errors
    ///
    /// An unknown name, an unreadable file, or a wrong `behaviour.toml`. Prompt files are checked when asked for.
    pub fn behaviour(&self, name: &str) -> Result<BehaviourFiles, LibraryError> {
        // Only listed names are looked up, so a name cannot lead out of the folder.
        let (name, origin) = self.behaviours.get_key_value(name).ok_or_else(|| LibraryError::UnknownBehaviour {
            name: name.to_owned(),
            nearest: nearest(name, self.behaviours.keys().map(String::as_str)).map(str::to_owned),
        })?;
        let mut files = match origin {
            Origin::Shipped => shipped_files(name),
            Origin::Workspace(folder) => folder_files(folder)?,
        };
        let file = file_in(origin, name, BEHAVIOUR_FILE);
        let text = files.remove(BEHAVIOUR_FILE).unwrap_or_default();
        let behaviour =
            parse_behaviour(&text).map_err(|source| LibraryError::Behaviour { file: file.clone(), source })?;
        if behaviour.name != *name {
            return Err(LibraryError::OtherName { file, written: behaviour.name, folder: name.clone() });
        }
        let cues_text = files.remove(CUES_FILE).unwrap_or_default();
        let gold_text = files.remove(GOLD_FILE);
        let prompts = files.into_iter().filter_map(|(file, text)| Some((label_of_file(&file)?, text))).collect();
        Ok(BehaviourFiles { behaviour, cues_text, gold_text, origin: origin.clone(), prompts })
    }
}

pub(crate) fn shipped_files(name: &str) -> BTreeMap<String, String> {
    let behaviour = SHIPPED.iter().find(|shipped| shipped.name == name);
    let files = behaviour.map_or(&[][..], |ShippedBehaviour { files, .. }| files);
    files.iter().map(|&(file, text)| (file.to_owned(), text.to_owned())).collect()
}

fn folder_files(folder: &Path) -> Result<BTreeMap<String, String>, LibraryError> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(cannot_access(folder))? {
        let path = entry.map_err(cannot_access(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if [BEHAVIOUR_FILE, CUES_FILE, GOLD_FILE].contains(&name) || label_of_file(name).is_some() {
            files.insert(name.to_owned(), fs::read_to_string(&path).map_err(cannot_access(&path))?);
        }
    }
    Ok(files)
}

fn file_in(origin: &Origin, behaviour: &str, file: &str) -> String {
    match origin {
        Origin::Shipped => format!("prompts/{behaviour}/{file} (shipped)"),
        Origin::Workspace(folder) => folder.join(file).display().to_string(),
    }
}

/// One behaviour with all its files.
#[derive(Clone)]
pub struct BehaviourFiles {
    /// The behaviour.
    pub behaviour: Behaviour,
    /// `cues.toml`, unparsed; empty if there is none.
    pub cues_text: String,
    /// `gold.jsonl`, unparsed, if there is one.
    pub gold_text: Option<String>,
    /// Where all of it comes from.
    pub origin: Origin,
    prompts: BTreeMap<PromptLabel, String>,
}

impl fmt::Debug for BehaviourFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Prompts are the user's own words, and gold items are transcripts.
        let labels: Vec<_> = self.prompts.keys().map(ToString::to_string).collect();
        write!(f, "BehaviourFiles({}, {labels:?}, {:?})", self.behaviour.name, self.origin)
    }
}

impl BehaviourFiles {
    /// Parses one prompt version.
    ///
    /// # Errors
    ///
    /// An unknown label, or a file that is not a prompt.
    pub fn prompt(&self, label: &PromptLabel) -> Result<Prompt, LibraryError> {
        let text = self.prompts.get(label).ok_or_else(|| self.unknown(label))?;
        let prompt = parse_prompt(label, text, &self.behaviour).map_err(|source| LibraryError::Prompt {
            file: file_in(&self.origin, &self.behaviour.name, &super::version::file_name(label)),
            source,
        })?;
        let newest = self.labels(&label.role).last().map_or(label.version, |newest| newest.version);
        Ok(Prompt { newest, ..prompt })
    }

    /// Labels of all versions for one role, oldest first; the draft, if there is one, before them.
    #[must_use]
    pub fn labels(&self, role: &str) -> Vec<PromptLabel> {
        self.prompts.keys().filter(|label| label.role == role).cloned().collect()
    }

    /// The drafts, by role.
    #[must_use]
    pub fn drafts(&self) -> Vec<PromptLabel> {
        self.prompts.keys().filter(|label| label.is_draft()).cloned().collect()
    }

    /// Labels of all prompt versions, by role.
    #[must_use]
    pub fn all_labels(&self) -> Vec<PromptLabel> {
        self.prompts.keys().cloned().collect()
    }

    /// The text of a prompt, as it lies there.
    pub(crate) fn text(&self, label: &PromptLabel) -> Option<&str> {
        self.prompts.get(label).map(String::as_str)
    }

    pub(crate) fn unknown(&self, label: &PromptLabel) -> LibraryError {
        let known: Vec<_> = self.prompts.keys().map(PromptLabel::to_string).collect();
        LibraryError::UnknownPrompt {
            behaviour: self.behaviour.name.clone(),
            label: label.clone(),
            nearest: nearest(&label.to_string(), known.iter().map(String::as_str)).map(str::to_owned),
        }
    }
}

/// Reads `prompts.lock`; a missing file is an empty lock.
///
/// # Errors
///
/// A file that cannot be read, is not a lock, or was written by a newer version.
pub fn read_lock(path: &Path) -> Result<Lock, LibraryError> {
    match fs::read_to_string(path) {
        Ok(text) => Lock::parse(&text).map_err(|source| LibraryError::Lock { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
        Err(error) => Err(cannot_access(path)(error)),
    }
}

/// Writes `prompts.lock` as a whole or not at all: a temporary file beside it, synced, then renamed.
///
/// # Errors
///
/// The file cannot be written; the old one is untouched.
pub fn write_lock(path: &Path, lock: &Lock) -> Result<(), LibraryError> {
    let write = || -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(lock.to_text().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(cannot_access(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::lint::lint;
    use crate::prompt::version::tests::{BEHAVIOUR, PROMPT, label, sample};

    fn workspace() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("haste")).unwrap();
        fs::write(folder.path().join("haste/behaviour.toml"), BEHAVIOUR).unwrap();
        fs::write(folder.path().join("haste/screen.v1.md"), PROMPT).unwrap();
        fs::write(folder.path().join("README.md"), "").unwrap();
        folder
    }

    #[test]
    fn every_shipped_prompt_renders_without_advice() {
        let library = Library::open(Path::new("/nonexistent")).unwrap();
        assert_eq!(library.behaviours(), [("metagaming", &Origin::Shipped), ("refusal", &Origin::Shipped)]);
        for (name, _) in library.behaviours() {
            let files = library.behaviour(name).unwrap();
            assert!(!files.labels("screen").is_empty(), "{name}");
            for label in files.all_labels() {
                let prompt = files.prompt(&label).unwrap();
                let advice = lint(&prompt, &files.behaviour).unwrap_or_else(|error| panic!("{name} {label}: {error}"));
                assert_eq!(advice, [], "{name} {label}");
            }
        }
    }

    #[test]
    fn a_workspace_adds_and_overrides_whole_folders() {
        let folder = workspace();
        fs::create_dir(folder.path().join("refusal")).unwrap();
        let other = BEHAVIOUR.replace("\"haste\"", "\"refusal\"");
        fs::write(folder.path().join("refusal/behaviour.toml"), other).unwrap();
        let library = Library::open(folder.path()).unwrap();
        let names: Vec<_> = library.behaviours().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["haste", "metagaming", "refusal"]);
        let refusal = library.behaviour("refusal").unwrap();
        assert!(refusal.all_labels().is_empty(), "shipped prompts do not mix with a workspace's folder");
        assert_eq!(library.behaviour("haste").unwrap().prompt(&label("screen@1")).unwrap().label, label("screen@1"));
    }

    #[test]
    fn unknown_names_say_what_was_meant() {
        let folder = workspace();
        let library = Library::open(folder.path()).unwrap();
        let error = library.behaviour("metagamin").unwrap_err();
        assert_eq!(error.to_string(), "there is no behaviour `metagamin`; did you mean `metagaming`?");
        assert!(library.behaviour("../haste").is_err());
        let error = library.behaviour("haste").unwrap().prompt(&label("screen@2")).unwrap_err();
        assert_eq!(error.to_string(), "behaviour `haste` has no prompt `screen@2`; did you mean `screen@1`?");
    }

    #[test]
    fn a_folder_of_another_name_is_an_error() {
        let folder = workspace();
        fs::rename(folder.path().join("haste"), folder.path().join("hurry")).unwrap();
        let error = Library::open(folder.path()).unwrap().behaviour("hurry").unwrap_err();
        assert!(matches!(error, LibraryError::OtherName { .. }), "{error}");
    }

    #[test]
    fn the_lock_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prompts.lock");
        let mut lock = read_lock(&path).unwrap();
        assert_eq!(lock, Lock::default());
        lock.insert("haste", &sample(PROMPT).unwrap());
        write_lock(&path, &lock).unwrap();
        assert_eq!(read_lock(&path).unwrap(), lock);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
