//! Imports point one way, and ARCHITECTURE.md is true. The layers are those of the crate documentation:
//!
//! ```text
//! cli > config > run > grade > { source, cache > journal, report, rehearse }
//!                            > { prefilter, prompt, plan > estimate, reconcile > verdict } > { model, clock, caught }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import. Everything that stands to its right, and inside braces only what is named.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let nouns = ["model", "clock", "caught"];
    let judgement = ["prefilter", "prompt", "plan", "estimate", "reconcile", "verdict"];
    let services = ["source", "cache", "journal", "report", "rehearse"];
    let set = |groups: &[&[&'static str]]| groups.concat().into_iter().collect();
    BTreeMap::from([
        ("model", BTreeSet::new()),
        ("clock", BTreeSet::new()),
        ("caught", BTreeSet::new()),
        ("verdict", set(&[&nouns])),
        ("estimate", set(&[&nouns])),
        ("prefilter", set(&[&nouns])),
        ("prompt", set(&[&nouns])),
        ("plan", set(&[&nouns, &["estimate"]])),
        ("reconcile", set(&[&nouns, &["verdict"]])),
        ("journal", set(&[&nouns, &judgement])),
        ("source", set(&[&nouns, &judgement])),
        ("report", set(&[&nouns, &judgement])),
        ("rehearse", set(&[&nouns, &judgement])),
        ("cache", set(&[&nouns, &judgement, &["journal"]])),
        ("grade", set(&[&nouns, &judgement, &services])),
        ("run", set(&[&nouns, &judgement, &services, &["grade"]])),
        ("config", set(&[&nouns, &judgement, &services, &["grade", "run"]])),
        ("cli", set(&[&nouns, &judgement, &services, &["grade", "run", "config"]])),
    ])
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the source folder is readable") {
        let path = entry.expect("the source folder is readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.retain(|file| !is_test_module(file));
    files.sort();
    files
}

/// Whether the file is a module that its parent declares for tests only.
fn is_test_module(file: &Path) -> bool {
    let folder = file.parent().expect("a file has a folder");
    let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("source files have plain names");
    let parents = [folder.join("mod.rs"), folder.with_extension("rs")];
    let declares = |text: String| {
        let declaration =
            [format!("mod {stem};"), format!("pub(crate) mod {stem};"), format!("pub(super) mod {stem};")];
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        lines.windows(2).any(|pair| pair[0] == "#[cfg(test)]" && declaration.iter().any(|line| line == pair[1]))
    };
    parents.iter().filter_map(|parent| fs::read_to_string(parent).ok()).any(declares)
}

/// The top-level module that a file belongs to.
fn module_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(source()).expect("the file lies under src");
    let first = inside.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib" && name != "main").then(|| name.to_owned())
}

/// Top-level modules named after `crate::`, in `use` lines and in paths, groups such as `crate::{a, b}` included.
/// Comments do not count.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().map(|line| line.split("//").next().unwrap_or_default()) {
        for after in line.split("crate::").skip(1) {
            let group = after.strip_prefix('{').map_or(after, |rest| rest.split('}').next().unwrap_or_default());
            let names = if after.starts_with('{') { group.split(',').collect() } else { vec![group] };
            for name in names {
                let name: String = name.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                found.insert(name);
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn imports_point_one_way() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for file in rust_files(&source()) {
        let Some(module) = module_of(&file) else { continue };
        let may = allowed.get(module.as_str()).unwrap_or_else(|| panic!("module `{module}` has a place in the layers"));
        let text = fs::read_to_string(&file).expect("source files are UTF-8");
        for import in imports(&text) {
            let known = allowed.contains_key(import.as_str());
            if known && import != module && !may.contains(import.as_str()) {
                wrong.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the layers:\n{}", wrong.join("\n"));
}

/// Each faulty or replaceable dependency is seen by one file or folder, or by those that are named here.
#[test]
fn dependencies_have_one_owner() {
    let owners = [
        ("sled::", "cache/index"),
        ("parquet::", "grade/recorded/table"),
        ("async_openai::", "grade/openai.rs"),
        ("reqwest::", "grade/http"),
        ("governor::", "grade/pace/limiter.rs"),
        ("backoff::", "grade/retry.rs"),
        ("axum::", "rehearse/ grade/command.rs"),
        ("indicatif::", "cli/progress.rs"),
        ("anyhow::", "cli/"),
    ];
    for file in rust_files(&source()) {
        let inside = file.strip_prefix(source()).expect("the file lies under src").display().to_string();
        let text = fs::read_to_string(&file).expect("source files are UTF-8");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (dependency, owner) in owners {
            let uses = code.lines().any(|line| line.split("//").next().unwrap_or_default().contains(dependency));
            let is_owner = owner.split(' ').any(|owner| inside.starts_with(owner));
            assert!(!uses || is_owner, "{inside} uses {dependency}, which belongs to {owner}");
        }
    }
}

/// The direct dependencies, `[dev-dependencies]` included, in the order of `Cargo.toml`.
fn direct_dependencies(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().expect("Cargo.toml is TOML");
    let table = |name: &str| manifest.get(name).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let names = ["dependencies", "dev-dependencies"].map(|section| table(section).into_iter().map(|(name, _)| name));
    names.into_iter().flatten().collect()
}

/// First cells of the rows of the table of dependencies.
fn documented_dependencies(architecture: &str) -> BTreeSet<String> {
    let section = architecture.split("\n## Dependencies").nth(1).expect("ARCHITECTURE.md has a table of dependencies");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    rows.flat_map(|cell| cell.split(", ")).map(|name| name.split(' ').next().unwrap_or_default().to_owned()).collect()
}

/// A dependency has an owner and a reason, or it goes; a row without a dependency goes as well.
#[test]
fn every_dependency_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("the file lies beside Cargo.toml");
    let named = documented_dependencies(&read("ARCHITECTURE.md"));
    let direct = direct_dependencies(&read("Cargo.toml"));
    let missing: Vec<_> = direct.iter().filter(|name| !named.contains(*name)).collect();
    assert!(missing.is_empty(), "dependencies without a row in ARCHITECTURE.md: {missing:?}");
    let known: BTreeSet<_> = direct.into_iter().chain(["crate", "---"].map(str::to_owned)).collect();
    let gone: Vec<_> = named.difference(&known).collect();
    assert!(gone.is_empty(), "rows of ARCHITECTURE.md without a dependency: {gone:?}");
}

/// Code paths that ARCHITECTURE.md names exist.
#[test]
fn the_map_names_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the file lies beside Cargo.toml");
    let quoted = text.split('`').skip(1).step_by(2);
    let files = quoted.filter(|word| Path::new(word).extension().is_some_and(|extension| extension == "rs"));
    let missing: Vec<_> = files.filter(|file| !root.join(file).exists() && !source().join(file).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names {missing:?}");
}

/// The judgement reads no clock, no environment and no network, and writes no log; only `prompt/library.rs` opens
/// files. (`governor` and friends have owners of their own, above.)
#[test]
fn the_judgement_is_pure() {
    let banned = [
        "std::fs",
        "std::env",
        "std::net",
        "io::stdout",
        "io::stdin",
        "tokio::",
        "tracing::",
        "SystemTime",
        "Instant::now",
    ];
    for file in rust_files(&source()) {
        let Some(module) = module_of(&file) else { continue };
        let pure = ["prefilter", "prompt", "plan", "estimate", "reconcile", "verdict", "model"];
        if !pure.contains(&module.as_str()) || file.ends_with("prompt/library.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("source files are UTF-8");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            for name in banned {
                assert!(!line.contains(name), "{}:{} uses {name}", file.display(), number + 1);
            }
        }
    }
}

#[test]
fn the_import_reader_reads() {
    let found = imports("use crate::{model::x, grade};\nlet y = crate::plan::z(); // crate::cli\npub(crate) fn a() {}");
    assert_eq!(found, BTreeSet::from(["model", "grade", "plan"].map(str::to_owned)));
}
