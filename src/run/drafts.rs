//! The way of a draft: it begins as a copy of a version, is edited as often as one likes, and becomes the next version.
//! A version that exists is never written to.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::model::grading::PromptLabel;
use crate::prompt::library::{LibraryError, cannot_access, shipped_files};
use crate::prompt::version::{file_name, numbered};
use crate::prompt::{BehaviourFiles, Origin};

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promoted {
    /// It is this version now; the draft is still there.
    New(PromptLabel),
    /// This version has its text already.
    Already(PromptLabel),
}

/// The version whose text, `version` apart, is that of the draft.
fn version_of(files: &BehaviourFiles, draft: &PromptLabel) -> Option<PromptLabel> {
    let text = files.text(draft)?;
    let is_same = |label: &PromptLabel| {
        let other = files.text(label).and_then(|other| numbered(other, label.version));
        other.is_some() && other == numbered(text, label.version)
    };
    files.labels(&draft.role).into_iter().rfind(|label| !label.is_draft() && is_same(label))
}

/// Writes a draft as the next version: the first above every version at hand and above `highest`, the highest that is
/// locked. Check it before: what is written is what the file says.
///
/// # Errors
/// There is no such draft, or the file cannot be written.
///
/// # Panics
/// Never: a prompt that was parsed has front matter.
pub fn promote(files: &BehaviourFiles, draft: &PromptLabel, highest: u32) -> Result<Promoted, LibraryError> {
    if let Some(label) = version_of(files, draft) {
        return Ok(Promoted::Already(label));
    }
    let parsed = files.prompt(draft)?;
    let version = parsed.newest.max(highest).saturating_add(1);
    let label = PromptLabel { role: draft.role.clone(), version };
    let text = numbered(&parsed.text, version).expect("a prompt that was parsed has front matter");
    let Origin::Workspace(folder) = &files.origin else { return Err(files.unknown(draft)) };
    write_new(&folder.join(file_name(&label)), &text)?;
    Ok(Promoted::New(label))
}

/// Begins a draft as a copy of a version. A behaviour of the binary is copied to `prompts` as a whole first, because files
/// are never mixed from both places. Returns where the draft is.
///
/// # Errors
/// There is no such version, there is a draft already, or a file cannot be written.
pub fn begin(files: &BehaviourFiles, prompts: &Path, from: &PromptLabel) -> Result<PathBuf, LibraryError> {
    let text = files.text(from).ok_or_else(|| files.unknown(from))?;
    let folder = match &files.origin {
        Origin::Workspace(folder) => folder.clone(),
        Origin::Shipped => {
            let folder = prompts.join(&files.behaviour.name);
            fs::create_dir_all(prompts).map_err(cannot_access(prompts))?;
            copy_shipped(&folder, &files.behaviour.name)?;
            folder
        }
    };
    let path = folder.join(file_name(&PromptLabel::draft(&from.role)));
    write_new(&path, text)?;
    Ok(path)
}

/// Copies a behaviour of the binary, as a whole or not at all.
fn copy_shipped(folder: &Path, behaviour: &str) -> Result<(), LibraryError> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    let copy = || -> io::Result<()> {
        let temporary = tempfile::Builder::new().prefix(".new-").tempdir_in(parent)?;
        let new = temporary.path().join("new");
        fs::create_dir(&new)?;
        for (file, text) in shipped_files(behaviour) {
            fs::write(new.join(file), text)?;
        }
        fs::rename(&new, folder)
    };
    copy().map_err(cannot_access(folder))
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> Result<(), LibraryError> {
    let write = || -> io::Result<()> {
        let mut file = File::create_new(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return LibraryError::Exists { path: path.to_owned() };
        }
        cannot_access(path)(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Library;

    fn label(text: &str) -> PromptLabel {
        text.parse().unwrap()
    }

    fn files(folder: &Path, behaviour: &str) -> BehaviourFiles {
        Library::open(folder).unwrap().behaviour(behaviour).unwrap()
    }

    #[test]
    fn a_draft_becomes_the_next_version_once() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = || files(folder.path(), "refusal");
        assert_eq!(refusal().drafts(), []);
        let draft = begin(&refusal(), folder.path(), &label("screen@1")).unwrap();
        assert_eq!(refusal().drafts(), [label("screen@draft")]);
        let again = begin(&refusal(), folder.path(), &label("screen@1")).unwrap_err();
        assert!(matches!(again, LibraryError::Exists { .. }), "nobody's draft is written over: {again}");
        let promoted = |highest| promote(&refusal(), &label("screen@draft"), highest).unwrap();
        assert_eq!(promoted(2), Promoted::Already(label("screen@1")), "an unchanged copy is no version");
        let text = fs::read_to_string(&draft).unwrap();
        fs::write(&draft, text.replace("# User\n", "# User\nLook twice.\n")).unwrap();
        assert_eq!(promoted(4), Promoted::New(label("screen@5")), "4 is locked and its file gone");
        assert_eq!(promoted(5), Promoted::Already(label("screen@5")));
        assert!(refusal().prompt(&label("screen@5")).unwrap().text.contains("version = 5\n"));
        assert_eq!(refusal().prompt(&label("screen@draft")).unwrap().newest, 5);
    }

    #[test]
    fn a_shipped_behaviour_is_copied_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let prompts = folder.path().join("prompts");
        let shipped = files(&prompts, "metagaming");
        begin(&shipped, &prompts, &label("screen@2")).unwrap();
        let copied = files(&prompts, "metagaming");
        assert_eq!(copied.origin, Origin::Workspace(prompts.join("metagaming")));
        let drafted = [vec![label("screen@draft")], shipped.all_labels()].concat();
        assert_eq!(copied.all_labels().len(), drafted.len());
        assert_eq!((copied.cues_text, copied.gold_text), (shipped.cues_text.clone(), shipped.gold_text.clone()));
        let missing = begin(&shipped, &prompts, &label("screen@9")).unwrap_err();
        assert!(matches!(missing, LibraryError::UnknownPrompt { .. }), "{missing}");
    }
}
