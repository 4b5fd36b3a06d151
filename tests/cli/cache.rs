//! `assize cache`.

use std::fs;

use crate::support::{Night, Workspace, shape};

/// The one segment of the reply log.
fn segment(night: &Night) -> std::path::PathBuf {
    let mut segments = fs::read_dir(night.workspace.path("cache/replies")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segments.next().expect("a reply was stored");
    assert_eq!(segments.next(), None);
    segment
}

#[test]
fn an_empty_cache_is_no_error() {
    let workspace = Workspace::empty();
    let words = [["cache", "stats"], ["cache", "verify"], ["cache", "rebuild"]];
    insta::assert_snapshot!(words.map(|words| workspace.run(&words).expect(0).shown()).join("\n"));
}

#[test]
fn replies_are_counted_verified_and_indexed() {
    let night = Night::new(20);
    night.workspace.report();
    let words = [["cache", "stats"], ["cache", "verify"], ["cache", "rebuild"]];
    insta::assert_snapshot!(words.map(|words| night.workspace.run(&words).expect(0).shown()).join("\n"));
    let shapes = words.map(|[cache, command]| {
        let value = night.workspace.run(&[cache, command, "--format", "json"]).expect(0).json();
        format!("{command}\n{}", shape(&value, &[".models"]))
    });
    insta::assert_snapshot!("json", shapes.join("\n"));
    let stats = night.workspace.run(&["cache", "stats", "--format", "json"]).expect(0).json();
    let (screened, confirmed) = night.requests();
    assert_eq!(stats["replies"], screened + confirmed);
}

#[test]
fn damage_is_counted_and_placed_and_costs_one_request() {
    let night = Night::new(20);
    let digest = night.workspace.report().digest();
    let (path, asked) = (segment(&night), night.requests());
    // A line by its number, never by its byte: replies are stored in the order they arrive, and differ in length.
    let mut bytes = fs::read(&path).unwrap();
    let before: usize = bytes.split_inclusive(|byte| *byte == b'\n').take(54).map(<[u8]>::len).sum();
    bytes[before + 100] ^= 1;
    fs::write(&path, bytes).unwrap();
    insta::assert_snapshot!(night.workspace.run(&["cache", "verify"]).expect(1).shown());
    assert_eq!(night.workspace.report().digest(), digest);
    let now = night.requests();
    assert_eq!(now.0 + now.1, asked.0 + asked.1 + 1);
}

#[test]
fn an_index_that_is_gone_is_made_anew_without_a_request() {
    let night = Night::new(20);
    let digest = night.workspace.report().digest();
    let asked = night.requests();
    fs::remove_dir_all(night.workspace.path("cache/index")).unwrap();
    let verified = night.workspace.run(&["cache", "verify"]).expect(0).stdout;
    assert!(verified.contains("there is no index"), "{verified}");
    assert_eq!(night.workspace.report().digest(), digest);
    assert_eq!(night.requests(), asked);
}
