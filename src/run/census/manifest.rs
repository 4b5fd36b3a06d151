//! The files of a census with the digest of their content: what says later which of them changed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::CensusError;
use crate::model::hash::Digest;
use crate::source::{Fingerprint, SourceFile};

const FORMAT: u32 = 1;

/// `cache/census/<census>.files.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    files: BTreeMap<String, Digest>,
}

fn path(folder: &Path, census: &Digest) -> PathBuf {
    folder.join(format!("{census}.files.json"))
}

/// Stores which files a census read.
pub(super) fn save(
    folder: &Path,
    census: &Digest,
    files: &[SourceFile],
    fingerprints: &[Fingerprint],
) -> Result<(), CensusError> {
    let path = path(folder, census);
    let digests = files.iter().zip(fingerprints).map(|(file, fingerprint)| (file.name.clone(), fingerprint.digest));
    let manifest = Manifest { format: FORMAT, files: digests.collect() };
    let written = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, &manifest)?;
        file.flush()?;
        file.persist(&path)?;
        Ok(())
    };
    written().map_err(|source| CensusError::Disk { source, path: path.clone() })
}

fn load(folder: &Path, census: &Digest) -> Option<Manifest> {
    let manifest: Manifest = serde_json::from_slice(&fs::read(path(folder, census)).ok()?).ok()?;
    (manifest.format <= FORMAT).then_some(manifest)
}

/// What happened to the files between two censuses, in words; empty if their content is the same, and `None` if one of
/// the censuses left no list.
#[must_use]
pub fn changed_files(folder: &Path, before: &Digest, after: &Digest) -> Option<Vec<String>> {
    let (before, after) = (load(folder, before)?.files, load(folder, after)?.files);
    let mut changes = Vec::new();
    for (name, digest) in &after {
        match before.get(name) {
            None => changes.push(format!("`{name}` is new")),
            Some(old) if old != digest => changes.push(format!("`{name}` changed")),
            Some(_) => {}
        }
    }
    changes.extend(before.keys().filter(|name| !after.contains_key(*name)).map(|name| format!("`{name}` is gone")));
    Some(changes)
}
