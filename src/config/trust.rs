//! The user's list of trusted audit files: by content, so that a changed file must be trusted again.
//!
//! It lies in the user's own configuration folder, never in a workspace: a workspace may come from somebody else.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::model::hash::Digest;

use super::environment::Environment;
use super::error::ConfigError;

const VERSION_LINE: &str = "assize-trusted 1";

/// The list of trusted files.
pub(super) struct TrustList {
    file: PathBuf,
    digests: BTreeSet<Digest>,
}

impl TrustList {
    /// Opens the list; one that does not exist yet is empty.
    pub(super) fn open(environment: &Environment) -> Result<Self, ConfigError> {
        let file = place(environment).ok_or(ConfigError::NoHome)?;
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::TrustList { file, source }),
        };
        let Some(digests) = parse(&text) else {
            let source = io::Error::new(io::ErrorKind::InvalidData, "damaged, or written by a newer version");
            return Err(ConfigError::TrustList { file, source });
        };
        Ok(Self { file, digests })
    }

    /// Whether a file of this content is trusted.
    pub(super) fn contains(&self, digest: &Digest) -> bool {
        self.digests.contains(digest)
    }

    /// Adds a file's content and stores the list, readable by its owner only.
    pub(super) fn add(mut self, digest: Digest) -> Result<PathBuf, ConfigError> {
        self.digests.insert(digest);
        match self.store() {
            Ok(()) => Ok(self.file),
            Err(source) => Err(ConfigError::TrustList { file: self.file, source }),
        }
    }

    fn store(&self) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        create_private(folder)?;
        // A temporary file is created readable by its owner only.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{VERSION_LINE}")?;
        for digest in &self.digests {
            writeln!(file, "{digest}")?;
        }
        file.as_file().sync_all()?;
        file.persist(&self.file)?;
        Ok(())
    }
}

fn place(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name| environment.real(name).map(Path::new).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").map(Path::to_owned);
    let folder = folder.or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("assize/trusted"))
}

fn parse(text: &str) -> Option<BTreeSet<Digest>> {
    let mut lines = text.lines();
    match lines.next() {
        None => Some(BTreeSet::new()),
        Some(VERSION_LINE) => lines.map(|line| line.parse().ok()).collect(),
        Some(_) => None,
    }
}

fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_stays_trusted_and_only_that_content() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of([("HOME", home.path().to_str().unwrap())]);
        let (first, second) = (Digest::of(b"a = 1"), Digest::of(b"a = 2"));
        let file = TrustList::open(&environment).unwrap().add(first).unwrap();
        assert_eq!(file, home.path().join(".config/assize/trusted"));
        TrustList::open(&environment).unwrap().add(second).unwrap();
        let list = TrustList::open(&environment).unwrap();
        assert!(list.contains(&first) && list.contains(&second) && !list.contains(&Digest::of(b"a = 3")));
    }

    #[cfg(unix)]
    #[test]
    fn the_list_belongs_to_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of([("XDG_CONFIG_HOME", home.path().to_str().unwrap())]);
        let file = TrustList::open(&environment).unwrap().add(Digest::of(b"")).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_damaged_or_newer_list_trusts_nothing_and_is_not_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of([("XDG_CONFIG_HOME", home.path().to_str().unwrap())]);
        fs::create_dir(home.path().join("assize")).unwrap();
        for wrong in ["assize-trusted 2\n", "assize-trusted 1\nxyz\n"] {
            fs::write(home.path().join("assize/trusted"), wrong).unwrap();
            assert!(TrustList::open(&environment).is_err(), "{wrong}");
        }
    }
}
