//! `assize rehearse`: serving, and generating a corpus.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;

use assize::rehearse::Stats;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Night, Workspace, http_get};

#[test]
fn a_corpus_is_generated_and_equal_seeds_give_equal_bytes() {
    let workspace = Workspace::empty();
    let generate = |out: &str, seed: &str| {
        workspace.run(&["rehearse", "corpus", "--out", out, "--conversations", "30", "--seed", seed]).expect(0)
    };
    insta::assert_snapshot!(generate("one", "4").shown());
    generate("two", "4");
    generate("three", "5");
    for file in ["truth.jsonl", "corpus/rl-early.jsonl", "corpus/rl-late.jsonl", "corpus/production.jsonl"] {
        assert_eq!(workspace.read(&format!("one/{file}")), workspace.read(&format!("two/{file}")));
        assert_ne!(workspace.read(&format!("one/{file}")), workspace.read(&format!("three/{file}")));
    }
    let words = ["rehearse", "corpus", "--out", "four", "--conversations", "9", "--compress", "--format", "json"];
    let json = workspace.run(&words).expect(0).json();
    let conversations = json["groups"].as_array().unwrap().iter().map(|group| group["conversations"].as_u64().unwrap());
    assert_eq!(conversations.sum::<u64>(), 9);
    assert!(workspace.path("four/corpus/rl-late.jsonl.zst").is_file());
}

#[test]
fn the_server_serves_until_it_is_interrupted_and_counts() {
    let night = Night::new(10);
    night.workspace.write("profile.toml", "seed = 3\ntruth = \"truth.jsonl\"\n");
    let words = ["rehearse", "--listen", "127.0.0.1:0", "--profile", "profile.toml"];
    let mut counted = Stats::default();
    let ended = night.workspace.assize(&words).run_while(|child| {
        let mut line = String::new();
        // Unbuffered beyond this line: what the server says at its end is read by whoever waits for it.
        BufReader::with_capacity(1, child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
        let address: SocketAddr = address.parse().unwrap();
        assert!(http_get(address, "/health").contains("ok"));
        night.workspace.edit("audit.toml", &night.screen.address().to_string(), &address.to_string());
        night.workspace.report();
        counted = serde_json::from_str(&http_get(address, "/stats")).unwrap();
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
    });
    let ended = ended.expect(0);
    assert!(counted.requests > 0);
    assert_eq!(night.screen.requests(), 0);
    assert!(ended.stdout.starts_with(&format!("{} requests", counted.requests)), "{}", ended.stdout);
}

#[test]
fn what_it_cannot_serve_is_named() {
    let workspace = Workspace::empty();
    workspace.write("typo.toml", "seed = 1\nsensitivty = 0.5\n");
    workspace.write("truthless.toml", "truth = \"missing.jsonl\"\n");
    let words: [&[&str]; 4] = [
        &["rehearse", "--listen", "0.0.0.0:0"],
        &["rehearse", "--listen", "127.0.0.1:0", "--profile", "typo.toml"],
        &["rehearse", "--listen", "127.0.0.1:0", "--profile", "truthless.toml"],
        &["rehearse", "corpus", "--out", "x", "--prevalence", "2"],
    ];
    insta::assert_snapshot!(words.map(|words| workspace.run(words).expect(2).shown()).join("\n"));
}
