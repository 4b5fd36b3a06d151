//! Whole conversations as what is drawn: a run that was killed or cut short holds whole ones, and the rest comes later.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use assize::model::event::{Event, Ordinal, Part};
use assize::report::Report;
use assize::run::folder::RunFolder;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, Workspace};

const CONVERSATIONS: u64 = 160;
const PROFILE: &str = "seed = 5\nspecificity = 0.95\nlatency_ms = 4\nlatency_jitter_ms = 12";

/// A workspace whose audit draws whole conversations, and its grader.
fn drawing_conversations() -> (Workspace, Grader) {
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, PROFILE);
    workspace.audit(&AuditSettings::of(&grader));
    let file = workspace.path("audit.toml");
    let audit = fs::read_to_string(&file).unwrap();
    let audit = audit.replace("[behaviour]", "sample_by = \"conversation\"\n[behaviour]");
    fs::write(&file, audit.replace("none = \"all\"", "none = 50")).unwrap();
    (workspace, grader)
}

fn report(workspace: &Workspace) -> Report {
    let finished = workspace.assize(&["report", "--format", "json"]);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.stderr))
}

/// What the newest run has admitted, in order: group, conversation, and which of its turns.
fn admitted(workspace: &Workspace) -> BTreeMap<Ordinal, (String, Part)> {
    let folder = RunFolder::list(&workspace.path("runs")).unwrap().pop().unwrap();
    let mut admitted = BTreeMap::new();
    for event in folder.events() {
        // A kill can leave a torn line behind.
        if let Ok(Event::Admitted(unit)) = event {
            let name = format!("{} {}", unit.unit.group, unit.unit.conversation);
            admitted.insert(unit.ordinal, (name, unit.part.expect("a conversation was drawn")));
        }
    }
    admitted
}

/// That turns follow each other, conversation by conversation, and that the report counts the whole ones.
fn holds_whole_conversations(workspace: &Workspace) -> Report {
    let admitted = admitted(workspace);
    let (mut open, mut seen, mut whole) = (None, BTreeSet::new(), 0);
    for (at, (ordinal, (name, part))) in (0..).zip(&admitted) {
        assert_eq!(ordinal.0, at, "a prefix of the order of admission");
        assert!(open.is_none_or(|(last, number, of)| (last, number + 1, of) == (name, part.number, part.of)), "{name}");
        assert!(open.is_some() || (part.number == 1 && seen.insert(name)), "{name} comes once, from its first turn");
        open = Some((name, part.number, part.of)).filter(|_| !part.is_last());
        whole += u64::from(part.is_last());
    }
    let in_part = open.map_or(0, |(_, number, _)| u64::from(number));
    let report = report(workspace);
    let funnel = &report.funnel;
    assert_eq!((funnel.set_back, funnel.admitted), (in_part, admitted.len() as u64 - in_part), "{funnel:?}");
    assert_eq!(funnel.drawn_conversations.unwrap().admitted, whole);
    assert_eq!(funnel.units, funnel.not_planned + funnel.not_admitted + funnel.admitted);
    report
}

#[test]
fn a_run_that_draws_conversations_and_is_killed_resumes_to_the_same_report() {
    let (workspace, grader) = drawing_conversations();
    let reference = workspace.run(&[]).expect(0);
    let asked = grader.stats().requests;
    let drawn = reference.funnel.drawn_conversations.unwrap();
    assert_eq!((drawn.planned, drawn.usable, reference.funnel.set_back), (drawn.admitted, drawn.admitted, 0));
    assert!(drawn.planned < drawn.frame && drawn.frame == CONVERSATIONS, "{drawn:?}");
    assert!(reference.funnel.admitted > drawn.admitted && drawn.flagged > 5, "{:?}", reference.funnel);
    holds_whole_conversations(&workspace);

    let (workspace, grader) = drawing_conversations();
    for point in [1, asked / 4, asked / 2, asked * 4 / 5] {
        let running = workspace.start(&[]);
        grader.received(point);
        running.kill();
        holds_whole_conversations(&workspace);
    }
    let finished = workspace.run(&["-j", "3"]);
    assert_eq!(finished.expect(0).digest, reference.digest, "{}", finished.stderr);
    assert_eq!(grader.stats().distinct_bodies, asked);
}

#[test]
fn a_cap_counts_whole_conversations_and_a_higher_one_goes_on_from_there() {
    let (workspace, _grader) = drawing_conversations();
    let reference = workspace.run(&[]).expect(0);
    let whole = admitted(&workspace);

    let (workspace, grader) = drawing_conversations();
    let mut cut_within = 0;
    for share in [0.2, 0.35, 0.5, 0.6, 0.7] {
        let cap = format!("{:.9}", reference.spend.usd * share);
        workspace.run(&["--max-cost", &cap]).expect(3);
        let report = holds_whole_conversations(&workspace);
        cut_within += u64::from(report.funnel.set_back > 0);
        let warned =
            report.warnings.iter().any(|warning| warning.starts_with("admission closed within a conversation"));
        assert_eq!(warned, report.funnel.set_back > 0);
        assert!(admitted(&workspace).iter().eq(whole.iter().take(admitted(&workspace).len())), "the same order");
    }
    // Where the money ends depends on when replies come: how a cut within a conversation counts, the fold's tests say.
    println!("{cut_within} of 5 caps closed admission within a conversation");
    let finished = workspace.run(&["--max-cost", "1000"]);
    assert_eq!(finished.expect(0).digest, reference.digest, "{}", finished.stderr);
    assert_eq!(grader.stats().distinct_bodies, grader.stats().requests, "nothing was asked twice");
}
