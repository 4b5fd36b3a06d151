//! Which prompt versions the verdicts of this workspace's runs were given by.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::folder::{FolderError, RunFolder};
use crate::model::event::{Event, Ordinal, Planned};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::produced::{Produced, Version};

/// What every prompt version of a behaviour produced. Reads all journals; memory grows with the distinct replies.
///
/// # Errors
/// A journal that cannot be read.
pub fn produced(runs: &Path, behaviour: &str) -> Result<BTreeMap<Version, Produced>, FolderError> {
    let mut versions: BTreeMap<Version, Produced> = BTreeMap::new();
    let mut replies: BTreeMap<Version, HashSet<Digest>> = BTreeMap::new();
    for folder in RunFolder::list(runs)? {
        let mut plan: Option<Planned> = None;
        let mut judged: BTreeMap<Version, HashSet<(Ordinal, Stage)>> = BTreeMap::new();
        for event in folder.events() {
            match event? {
                Event::Planned(planned) => plan = Some(*planned).filter(|plan| plan.behaviour == behaviour),
                Event::Judged(one) => {
                    let graders = plan.as_ref().map(|plan| plan.graders.as_slice()).unwrap_or_default();
                    let grader = graders.iter().find(|grader| grader.stage == one.stage);
                    let version = grader.and_then(|grader| grader.prompt.clone().zip(grader.prompt_hash));
                    let mut keys = one.keys().peekable();
                    if let Some(version) = version.filter(|_| keys.peek().is_some()) {
                        judged.entry(version.clone()).or_default().insert((one.ordinal, one.stage));
                        replies.entry(version).or_default().extend(keys);
                    }
                }
                Event::Opened(_)
                | Event::Admitted(_)
                | Event::Granted(_)
                | Event::Sent(_)
                | Event::Settled(_)
                | Event::Warned { .. }
                | Event::Closed(_) => {}
            }
        }
        for (version, units) in judged {
            let produced = versions.entry(version).or_default();
            produced.runs += 1;
            produced.verdicts += units.len() as u64;
        }
    }
    for (version, replies) in replies {
        versions.entry(version).or_default().replies = replies.len() as u64;
    }
    Ok(versions)
}
