//! Which files a corpus consists of.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::error::SourceError;
use super::settings::CorpusSettings;

/// The path that means standard input.
pub const STDIN: &str = "-";

/// What a folder is searched for; a glob or a plain path takes any file.
const EXTENSIONS: [&str; 3] = ["jsonl", "ndjson", "json"];
const COMPRESSED: [&str; 3] = ["zst", "gz", "zstd"];

/// One file of the corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it is opened; [`STDIN`] for standard input.
    pub path: PathBuf,
    /// Its path as seen from the corpus root, with `/`: the same on every machine. Messages, ids of records without
    /// one, and the identity of the corpus use it.
    pub name: String,
    /// Index into [`CorpusSettings::sources`].
    pub source: usize,
    /// Its size as stored, in bytes; 0 for standard input.
    pub bytes: u64,
}

impl SourceFile {
    /// Whether this is standard input, which can be read only once.
    #[must_use]
    pub fn is_stdin(&self) -> bool {
        self.path.as_os_str() == STDIN
    }

    /// The name without its extensions of data and compression.
    #[must_use]
    pub fn stem(&self) -> &str {
        let strip = |name, extensions: &[&str]| {
            let mut pairs = extensions.iter().filter_map(|extension| strip_extension(name, extension));
            pairs.next().unwrap_or(name)
        };
        if self.name == STDIN { "stdin" } else { strip(strip(&self.name, &COMPRESSED), &EXTENSIONS) }
    }
}

fn strip_extension<'a>(name: &'a str, extension: &str) -> Option<&'a str> {
    let stem = name.strip_suffix(extension)?.strip_suffix('.')?;
    (!stem.is_empty() && !stem.ends_with('/')).then_some(stem)
}

/// All files of the corpus: sources in order, their paths in order, matches of one path sorted by name. A file that
/// two paths of the same source match is listed once; another source may list it again, under other metadata.
///
/// # Errors
///
/// A path that matches nothing, a glob that is not well formed, a folder that cannot be listed.
pub fn files(settings: &CorpusSettings) -> Result<Vec<SourceFile>, SourceError> {
    let mut found = Vec::new();
    for (source, section) in settings.sources.iter().enumerate() {
        let mut seen = BTreeSet::new();
        for pattern in &section.paths {
            let paths = matches(pattern)?;
            if paths.is_empty() {
                return Err(SourceError::NoMatch { pattern: pattern.clone() });
            }
            for path in paths {
                if seen.insert(path.clone()) {
                    found.push(describe(path, source, &settings.root)?);
                }
            }
        }
    }
    Ok(found)
}

fn describe(path: PathBuf, source: usize, root: &Path) -> Result<SourceFile, SourceError> {
    if path.as_os_str() == STDIN {
        return Ok(SourceFile { path, name: STDIN.to_owned(), source, bytes: 0 });
    }
    let bytes = path.metadata().map_err(|error| SourceError::Open { path: path.clone(), source: error })?.len();
    Ok(SourceFile { name: relative(&path, root), path, source, bytes })
}

/// `path` as seen from `root`, by name alone (symbolic links are not followed).
fn relative(path: &Path, root: &Path) -> String {
    let mut rest = path.components().peekable();
    let mut base = root.components().peekable();
    while rest.peek().is_some() && rest.peek() == base.peek() {
        rest.next();
        base.next();
    }
    let up = base.map(|_| "..".into());
    let down = rest.filter(|part| *part != Component::RootDir).map(|part| part.as_os_str().to_string_lossy());
    up.chain(down).collect::<Vec<_>>().join("/")
}

fn matches(pattern: &str) -> Result<Vec<PathBuf>, SourceError> {
    let literal = Path::new(pattern);
    if pattern == STDIN {
        return Ok(vec![literal.to_owned()]);
    }
    let mut found = Vec::new();
    if literal.exists() {
        add(literal.to_owned(), &mut found)?;
    } else {
        let globbed = glob::glob(pattern)
            .map_err(|error| SourceError::Pattern { pattern: pattern.to_owned(), message: error.msg })?;
        for path in globbed {
            let path =
                path.map_err(|error| SourceError::Open { path: error.path().to_owned(), source: error.into() })?;
            add(path, &mut found)?;
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Adds a file, or every transcript file in a folder and its folders.
fn add(path: PathBuf, found: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    if !path.is_dir() {
        found.push(path);
        return Ok(());
    }
    let mut folders = vec![path];
    while let Some(folder) = folders.pop() {
        let failed = |source| SourceError::Open { path: folder.clone(), source };
        for entry in folder.read_dir().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // The entry's own type: a link to a folder is not followed, so that a loop of links ends.
            let is_folder = entry.file_type().map_err(failed)?.is_dir();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            if is_folder {
                folders.push(entry.path());
            } else if is_transcript(&name) && entry.path().is_file() {
                found.push(entry.path());
            }
        }
    }
    Ok(())
}

fn is_transcript(name: &str) -> bool {
    let plain = COMPRESSED.iter().find_map(|extension| strip_extension(name, extension)).unwrap_or(name);
    EXTENSIONS.iter().any(|extension| strip_extension(plain, extension).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::settings::SourceSettings;

    fn corpus(root: &Path, paths: &[&str]) -> CorpusSettings {
        let absolute =
            |path: &&str| if *path == STDIN { STDIN.to_owned() } else { format!("{}/{path}", root.display()) };
        let source = SourceSettings { paths: paths.iter().map(absolute).collect(), ..SourceSettings::default() };
        CorpusSettings { sources: vec![source], root: root.to_owned(), ..crate::source::parse::tests::corpus() }
    }

    fn names(settings: &CorpusSettings) -> Vec<String> {
        files(settings).unwrap().into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn globs_folders_and_files_are_sorted_and_listed_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b/2.jsonl", "b/1.jsonl.zst", "b/deep/3.json", "b/note.txt", "b/.hidden.jsonl", "a[1].jsonl"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let all = ["b/1.jsonl.zst", "b/2.jsonl", "b/deep/3.json"];
        assert_eq!(names(&corpus(dir.path(), &["b"])), all);
        assert_eq!(names(&corpus(dir.path(), &["b/2*", "b"])), ["b/2.jsonl", "b/1.jsonl.zst", "b/deep/3.json"]);
        assert_eq!(names(&corpus(dir.path(), &["a[1].jsonl", "-"])), ["a[1].jsonl", "-"]);
        assert_eq!(names(&corpus(dir.path(), &["**/*.txt"])), ["b/note.txt"]);
    }

    #[test]
    fn a_path_without_a_match_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = files(&corpus(dir.path(), &["nothing/*.jsonl"])).unwrap_err();
        assert!(error.to_string().ends_with("nothing/*.jsonl`"), "{error}");
    }

    #[test]
    fn names_do_not_depend_on_where_the_root_lies() {
        assert_eq!(relative(Path::new("/w/root/x/y.jsonl"), Path::new("/w/root")), "x/y.jsonl");
        assert_eq!(relative(Path::new("/w/data/y.jsonl"), Path::new("/w/root/sub")), "../../data/y.jsonl");
        let file = |name: &str| SourceFile { path: name.into(), name: name.into(), source: 0, bytes: 0 };
        assert_eq!(file("x/a.b.jsonl.zst").stem(), "x/a.b");
        assert_eq!(file("-").stem(), "stdin");
    }
}
