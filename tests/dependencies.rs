//! Licences, sources and bans of the dependencies, offline, by the lists of `deny.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn parsed(name: &str) -> toml::Table {
    let text = fs::read_to_string(root().join(name)).expect("the file lies beside Cargo.toml");
    text.parse().expect("the file is TOML")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output().expect("the toolchain runs");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the toolchain writes UTF-8")
}

/// The packages that are built on this machine.
fn packages() -> Vec<Value> {
    let version = output("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&output(env!("CARGO"), &arguments)).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("metadata lists packages").clone()
}

/// Whether an SPDX expression can be satisfied by allowed licences. `/` is an old spelling of `OR`.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words, allowed)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut holds = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        holds |= all(words, allowed);
    }
    holds
}

fn all(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut holds = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        holds &= one(words, allowed);
    }
    holds
}

fn one(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let Some(word) = words.next() else { return false };
    if word == "(" {
        let holds = any(words, allowed);
        return words.next() == Some(")") && holds;
    }
    match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
        Some(exception) => allowed.contains(&format!("{word} WITH {exception}").as_str()),
        None => allowed.contains(&word),
    }
}

#[test]
fn licences_are_allowed() {
    let deny = parsed("deny.toml");
    let names = |list: &toml::Value| -> Vec<String> { list.clone().try_into().expect("a list of licences") };
    let licences = &deny["licenses"];
    let exceptions: BTreeMap<_, _> = licences["exceptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|exception| (exception["crate"].as_str().unwrap(), names(&exception["allow"])))
        .collect();
    let is_wrong = |package: &Value| {
        let mut allowed = names(&licences["allow"]);
        allowed.extend(exceptions.get(package["name"].as_str().unwrap()).cloned().unwrap_or_default());
        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        !package["license"].as_str().is_some_and(|license| is_allowed(license, &allowed))
    };
    let wrong: Vec<_> = packages()
        .into_iter()
        .filter(is_wrong)
        .map(|package| format!("{} ({})", package["name"], package["license"]))
        .collect();
    assert!(wrong.is_empty(), "licences that deny.toml does not allow: {wrong:#?}");
}

#[test]
fn sources_and_bans_hold() {
    let deny = parsed("deny.toml");
    let banned: Vec<_> =
        deny["bans"]["deny"].as_array().unwrap().iter().map(|ban| ban["name"].as_str().unwrap()).collect();
    for package in parsed("Cargo.lock")["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        assert!(!banned.contains(&name), "`{name}` is banned");
        let source = package.get("source").map(|source| source.as_str().unwrap());
        assert!(name == "assize" || source == Some(REGISTRY), "`{name}` comes from {source:?}");
    }
}

#[test]
fn the_minimum_rust_version_is_stated_and_told() {
    let manifest = parsed("Cargo.toml");
    let version = manifest["package"]["rust-version"].as_str().unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("Rust {version}")), "README.md does not name Rust {version}");
}

#[test]
fn expressions_are_read() {
    let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"];
    for good in ["MIT", "MIT/GPL-3.0", "(MIT OR GPL-3.0) AND Unicode-3.0", "Apache-2.0 WITH LLVM-exception OR GPL-3.0"]
    {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 WITH LLVM-exception", "(MIT OR GPL-3.0) AND GPL-3.0", "(MIT"]
    {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}
