//! `prompts.lock`: the hash of every prompt version that has ever produced a verdict. A changed text under an old
//! label would make two different questions look like one, so it is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::located::{TomlProblem, parse_toml};
use super::version::{Prompt, file_name};
use crate::model::grading::PromptLabel;
use crate::model::hash::Digest;

const FORMAT: u32 = 1;
const HEADER: &str =
    "# Every prompt version that has produced a verdict. Written by assize; keep it under version control.\n";

/// The content of `prompts.lock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    format: u32,
    /// Behaviour, label, hash.
    #[serde(default)]
    prompts: BTreeMap<String, BTreeMap<PromptLabel, Digest>>,
}

/// Why a text is not a lock that this build may use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Not TOML, or not of our form.
    #[error("{0}")]
    Toml(TomlProblem),
    /// Written by a newer version: never overwritten.
    #[error("it has format {0}, and this version of assize writes format {FORMAT}")]
    Newer(u32),
}

/// What a lock says about a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// Never used; it may be locked.
    New,
    /// A draft, which is never locked: editing it is what it is for.
    Draft,
    /// Used with this very text.
    Same,
    /// Used with another text.
    Changed(ChangedPrompt),
}

/// A prompt that was changed under a label that has produced verdicts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "prompt `{label}` of behaviour `{behaviour}` has changed since it produced verdicts: it was `{}` and is `{}`",
    .locked_hash.short(), .hash.short()
)]
pub struct ChangedPrompt {
    /// The behaviour.
    pub behaviour: String,
    /// The label.
    pub label: PromptLabel,
    /// The hash of the text that produced verdicts.
    pub locked_hash: Digest,
    /// The hash of the text as it is.
    pub hash: Digest,
    /// The first label above every locked one.
    pub next_label: PromptLabel,
}

impl ChangedPrompt {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let Self { behaviour, label, next_label, .. } = self;
        let next_file = file_name(next_label);
        format!(
            "save the new text as `prompts/{behaviour}/{next_file}` with `version = {}` and use `{next_label}`, \
             or restore `{label}` (behaviour.toml counts too: labels, exclusions and fields are part of a prompt)",
            next_label.version
        )
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self { format: FORMAT, prompts: BTreeMap::new() }
    }
}

impl Lock {
    /// Parses a lock file.
    ///
    /// # Errors
    ///
    /// A text that is not of our form, or of a newer one.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let Versioned { format } = parse_toml(text, 0).map_err(LockError::Toml)?;
        if format > FORMAT {
            return Err(LockError::Newer(format));
        }
        parse_toml(text, 0).map_err(LockError::Toml)
    }

    /// The text of the file, the same for equal locks.
    pub(super) fn to_text(&self) -> String {
        format!("{HEADER}{}", toml::to_string(self).expect("maps of strings are TOML"))
    }

    /// The highest version of a role that is locked; 0 without one.
    #[must_use]
    pub fn highest(&self, behaviour: &str, role: &str) -> u32 {
        let locked = self.prompts.get(behaviour).into_iter().flat_map(BTreeMap::keys);
        locked.filter(|label| label.role == role).map(|label| label.version).max().unwrap_or_default()
    }

    /// Compares a prompt with the version that produced verdicts.
    #[must_use]
    pub fn check(&self, behaviour: &str, prompt: &Prompt) -> LockState {
        if prompt.label.is_draft() {
            return LockState::Draft;
        }
        let Some(locked) = self.prompts.get(behaviour) else { return LockState::New };
        let Some(&locked_hash) = locked.get(&prompt.label) else { return LockState::New };
        if locked_hash == prompt.hash {
            return LockState::Same;
        }
        let role = &prompt.label.role;
        let versions = locked.keys().filter(|label| label.role == *role).map(|label| label.version);
        // Nor may the new text take the place of a version that lies beside it and was not used yet.
        let highest = versions.max().unwrap_or(prompt.label.version).max(prompt.newest);
        LockState::Changed(ChangedPrompt {
            behaviour: behaviour.to_owned(),
            label: prompt.label.clone(),
            locked_hash,
            hash: prompt.hash,
            next_label: PromptLabel { role: role.clone(), version: highest.saturating_add(1) },
        })
    }

    /// Records a version that is [`LockState::New`]. Returns whether the lock changed; a locked hash never does, and a draft
    /// is never recorded.
    pub fn insert(&mut self, behaviour: &str, prompt: &Prompt) -> bool {
        if prompt.label.is_draft() {
            return false;
        }
        let locked = self.prompts.entry(behaviour.to_owned()).or_default();
        let known = locked.contains_key(&prompt.label);
        if !known {
            locked.insert(prompt.label.clone(), prompt.hash);
        }
        !known
    }

    /// All locked versions as behaviour, label and hash, in order.
    pub fn versions(&self) -> impl Iterator<Item = (&str, &PromptLabel, Digest)> {
        let behaviours = self.prompts.iter();
        behaviours.flat_map(|(name, locked)| locked.iter().map(move |(label, hash)| (name.as_str(), label, *hash)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::version::tests::{PROMPT, label, sample};

    #[test]
    fn a_changed_text_under_a_used_label_is_noticed() {
        let prompt = sample(PROMPT).unwrap();
        let mut lock = Lock::default();
        assert_eq!(lock.check("haste", &prompt), LockState::New);
        assert!(lock.insert("haste", &prompt));
        assert_eq!(lock.check("haste", &prompt), LockState::Same);
        assert_eq!(lock.check("other", &prompt), LockState::New);

        let changed = sample(&PROMPT.replace("look", "search")).unwrap();
        assert!(!lock.insert("haste", &changed), "a locked hash never changes");
        let LockState::Changed(change) = lock.check("haste", &changed) else { panic!("the change was missed") };
        assert_eq!(change.next_label, label("screen@2"));
        assert!(change.to_string().contains("`screen@1` of behaviour `haste`"), "{change}");
        assert!(change.hint().contains("prompts/haste/screen.v2.md"), "{}", change.hint());
    }

    #[test]
    fn a_lock_round_trips() {
        let mut lock = Lock::default();
        lock.insert("haste", &sample(PROMPT).unwrap());
        assert_eq!(Lock::parse(&lock.to_text()), Ok(lock.clone()));
        assert_eq!(lock.versions().count(), 1);
    }

    #[test]
    fn a_newer_lock_is_refused() {
        assert_eq!(Lock::parse("format = 2\nsomething = 1\n"), Err(LockError::Newer(2)));
        assert!(Lock::parse("format = 1\n[prompt]\n").unwrap_err().to_string().contains("did you mean `prompts`?"));
    }
}
