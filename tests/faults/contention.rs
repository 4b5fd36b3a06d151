//! Several processes, several signals, and equal questions at the same time.

use std::fs;

use assize::journal::Lock;
use assize::model::event::StopReason;
use rustix::process::Signal;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, SLOTS, Workspace};

#[test]
fn a_second_process_names_the_first_and_changes_nothing() {
    let workspace = Workspace::new(60);
    let grader = Grader::start(&workspace, "seed = 8\nlatency_ms = 20");
    workspace.audit(&AuditSettings::of(&grader));
    let first = workspace.start(&[]);
    grader.received(1);
    let second = workspace.run(&[]);
    let said = second.refusal(2);
    assert!(said.contains("cache/lock") && said.contains(&format!("(process {} on `", first.id())), "{said}");
    let run = fs::read_link(workspace.path("runs/latest")).unwrap();
    assert!(said.contains(&format!("held by run `{}`", run.display())), "{said}");
    assert!(said.contains("`assize status` shows how far it is"), "{said}");

    let status = workspace.assize(&["status"]);
    assert_eq!(status.code, Some(0), "the advice works: {status:?}");
    let report = first.wait().expect(0);
    assert_eq!((report.requests.sent, grader.repeated()), (grader.stats().requests, 0));
}

#[test]
fn of_two_that_start_together_one_does_all_the_work() {
    let workspace = Workspace::new(40);
    let grader = Grader::start(&workspace, "seed = 8\nlatency_ms = 30");
    workspace.audit(&AuditSettings::of(&grader));
    let both = [workspace.start(&[]), workspace.start(&[])];
    let mut codes: Vec<_> = both.map(|running| running.wait().code).into();
    codes.sort();
    assert!(matches!(codes[..], [Some(0), Some(0 | 2)]), "{codes:?}");
    assert_eq!(grader.repeated(), 0);
    assert_eq!(workspace.run(&[]).expect(0).requests.sent, 0);
}

#[test]
fn a_lock_that_somebody_else_holds_is_respected_and_an_abandoned_one_is_not() {
    let workspace = Workspace::new(20);
    let grader = Grader::start(&workspace, "seed = 8");
    workspace.audit(&AuditSettings::of(&grader));
    let lock = Lock::take(&workspace.path("cache/lock"), "a-night-before").unwrap();
    let refused = workspace.run(&[]);
    assert!(refused.refusal(2).contains("held by run `a-night-before`"), "{}", refused.stderr);
    assert_eq!(grader.stats().requests, 0);
    drop(lock);
    assert!(workspace.path("cache/lock").exists(), "what is left of a dead holder is its file");
    workspace.run(&[]).expect(0);
}

#[test]
fn a_first_signal_drains_and_the_next_run_goes_on() {
    let workspace = Workspace::new(120);
    let grader = Grader::start(&workspace, "seed = 9\nlatency_ms = 10");
    workspace.audit(&AuditSettings::of(&grader));
    let running = workspace.start(&[]);
    grader.received(100);
    running.signal(Signal::TERM);
    let finished = running.wait();
    let partial = finished.expect(130);
    assert_eq!(partial.sessions.stop, Some(StopReason::Interrupted));
    assert!(!partial.complete && partial.funnel.admitted < partial.funnel.planned);
    assert!(finished.stderr.contains("run the same command again to resume"), "{}", finished.stderr);
    let stats = grader.stats();
    assert_eq!((stats.in_flight, stats.replies_200), (0, stats.requests), "nothing on the wire was given up");

    let report = workspace.run(&[]).expect(0);
    assert_eq!((report.requests.repeated, grader.repeated()), (0, 0));
    let unharmed = Workspace::new(120);
    unharmed.audit(&AuditSettings::of(&grader));
    assert_eq!(unharmed.run(&[]).expect(0).digest, report.digest);
}

#[test]
fn a_second_signal_gives_up_what_hangs_and_says_what_it_may_cost() {
    let workspace = Workspace::new(40);
    let grader = Grader::start(&workspace, "seed = 9\n[faults]\nhang = 1.0");
    workspace.audit(&AuditSettings::of(&grader));
    let running = workspace.start(&[]);
    grader.received(SLOTS);
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    let finished = running.wait();
    let partial = finished.expect(130);
    assert_eq!(partial.requests.sent, SLOTS);
    assert!(partial.spend.presumed_usd >= grader.billed().usd(), "{:?}", partial.spend);
    let page = workspace.assize(&["report"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("is presumed: nobody knows if it was billed"), "{page}");
    // What still waited for a slot is told of the first signal, if there is time to tell it.
    assert_eq!(partial.funnel.unfinished + partial.funnel.ungraded, partial.funnel.admitted, "{:?}", partial.funnel);

    let stats = grader.stats();
    grader.die();
    let healthy = Grader::start(&workspace, "seed = 9");
    workspace.audit(&AuditSettings::of(&healthy));
    let report = workspace.run(&[]).expect(0);
    assert_eq!(report.requests.repeated, stats.requests, "all that was given up may be paid for twice");
    assert_eq!(report.requests.sent, stats.requests + healthy.stats().requests);
}

#[test]
fn equal_questions_at_the_same_time_are_asked_once() {
    let copies = 12;
    let workspace = Workspace::new(30);
    // The same text under other ids, so that copies differ in nothing that a grader sees.
    for file in fs::read_dir(workspace.corpus()).unwrap().map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap();
        let copy = |number: u32| {
            text.lines().map(move |line| {
                let mut conversation: serde_json::Value = serde_json::from_str(line).unwrap();
                let id = format!("{}-{number}", conversation["id"].as_str().unwrap());
                conversation["id"] = id.into();
                format!("{conversation}\n")
            })
        };
        let all: String = (0..copies).flat_map(copy).collect();
        fs::write(&file, all).unwrap();
    }
    let grader = Grader::start(&workspace, "seed = 10\nspecificity = 0.9\nlatency_ms = 15");
    workspace.audit(&AuditSettings { slots: 64, ..AuditSettings::of(&grader) });
    let report = workspace.run(&[]).expect(0);
    let stats = grader.stats();
    assert_eq!(stats.requests, stats.distinct_bodies, "each question was asked once");
    assert!(report.funnel.units >= stats.requests * 10, "{} units, {} requests", report.funnel.units, stats.requests);
    assert_eq!(report.requests.sent, stats.requests);
    assert_eq!(report.funnel.admitted % u64::from(copies), 0, "every copy counts");
    assert_eq!(report.funnel.flagged % u64::from(copies), 0, "every copy has the same verdict");
}

#[test]
fn who_only_reads_works_beside_a_run_and_leaves_the_pointer_to_it() {
    let workspace = Workspace::new(80);
    let grader = Grader::start(&workspace, "seed = 11\nspecificity = 0.9\nlatency_ms = 30");
    workspace.audit(&AuditSettings { slots: 4, ..AuditSettings::of(&grader) });
    let running = workspace.start(&[]);
    grader.received(20);
    let run = fs::read_link(workspace.path("runs/latest")).unwrap();

    let status = workspace.assize(&["status", "--format", "json"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    let part = workspace.assize(&["report", "--format", "json"]).expect(0);
    assert_eq!((part.run.as_deref(), part.complete, part.sessions.stop), (run.to_str(), false, None));
    assert!(part.funnel.admitted > 0 && part.funnel.admitted < part.funnel.planned, "{:?}", part.funnel);
    // The address of the first unit of the corpus, from the truth that lies beside it.
    let first = fs::read_to_string(workspace.last_file("corpus", "early.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    let roles = first["messages"].as_array().unwrap();
    let turn = roles.iter().position(|message| message["role"] == "assistant").unwrap();
    let unit = format!("{}#{turn}", first["id"].as_str().unwrap());
    let shown = workspace.assize(&["show", &unit]);
    assert_eq!(shown.code, Some(0), "{shown:?}");

    // A replay beside it holds no lock: it misses most replies, and does not move the pointer.
    let replay = workspace.run(&["--cache", "read-only"]);
    assert_eq!(replay.code, Some(5), "{}", replay.stderr);
    assert_eq!(fs::read_link(workspace.path("runs/latest")).unwrap(), run);
    let whole = running.wait().expect(0);
    assert_eq!(whole.run.as_deref(), run.to_str());
    assert_eq!((whole.requests.sent, grader.repeated()), (grader.stats().requests, 0));

    // With nobody at work the newest run is the replay.
    let replayed = workspace.run(&["--cache", "read-only"]).expect(0);
    assert_eq!(replayed.digest, whole.digest);
    assert_eq!(fs::read_link(workspace.path("runs/latest")).unwrap().to_str(), replayed.run.as_deref());
}
