//! A run that stops because it knows enough: what it asked, what it says, and how it goes on.

use std::fs;

use assize::model::event::StopReason;
use assize::model::rate::{Method, RateName};
use assize::model::stop::Look;
use assize::report::Report;
use assize::report::json::RateRow;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, Workspace};

/// Conversations: about 4,000 turns, of which a quarter or a half will do.
const CONVERSATIONS: u64 = 1_600;

/// An audit that stops when the limits are at most so wide, or never.
fn audit(workspace: &Workspace, settings: &AuditSettings, relative_width: Option<f64>) {
    workspace.audit(settings);
    let Some(width) = relative_width else { return };
    let text = fs::read_to_string(workspace.path("audit.toml")).unwrap();
    let text = text.replace("max_ungraded", &format!("stop_when = {{ relative_width = {width:?} }}\nmax_ungraded"));
    fs::write(workspace.path("audit.toml"), text).unwrap();
}

fn look(report: &Report) -> &Look {
    match &report.sessions.stop {
        Some(StopReason::NarrowEnough(look)) => look,
        other => panic!("stopped for another reason: {other:?}"),
    }
}

fn sequence(report: &Report) -> Vec<&RateRow> {
    report.rates.iter().filter(|rate| rate.method == Some(Method::ConfidenceSequence)).collect()
}

#[test]
fn a_run_stops_when_it_knows_enough_and_goes_on_when_asked_to() {
    const WIDTH: f64 = 3.0;
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, "seed = 3");
    let settings = AuditSettings::of(&grader);
    audit(&workspace, &settings, Some(WIDTH));
    let first = workspace.run(&[]).expect(0);
    let stop = look(&first).clone();
    let sent = grader.stats().replies_200;
    println!("look {} of {} planned, {sent} replies, {:.2} wide", stop.number, first.funnel.planned, stop.width.get());
    assert!(first.complete && stop.satisfies(stop.rule), "{stop:?}");
    assert!(first.funnel.admitted >= stop.units && sent < first.funnel.planned * 3 / 4, "{:?}", first.funnel);
    assert_eq!(first.funnel.unfinished, 0, "what was admitted finished");
    let rungs = [RateName::Catchable, RateName::Corrected, RateName::Ceiling];
    assert!(first.rates.iter().filter(|rate| rungs.contains(&rate.name)).all(|rate| rate.upper.is_none()));
    assert_eq!(sequence(&first).len(), 3, "all groups and each");

    // The same again asks nothing, and so does a replay; both stop at the same look.
    for arguments in [&[][..], &["--cache", "read-only"]] {
        let again = workspace.run(arguments).expect(0);
        assert_eq!(grader.stats().replies_200, sent);
        assert_eq!((look(&again), sequence(&again)), (&stop, sequence(&first)));
        assert_ne!(again.run, first.run, "a run that knew enough does not go on");
    }

    // Without the rule the run goes on, in the same run and with what is paid for.
    let last = workspace.run(&[]).expect(0);
    audit(&workspace, &settings, None);
    let whole = workspace.run(&[]).expect(0);
    assert_eq!(whole.run, last.run);
    assert_eq!((whole.sessions.stop.as_ref(), whole.funnel.not_admitted), (Some(&StopReason::Finished), 0));
    assert!(sequence(&whole).is_empty());
    assert_eq!(grader.repeated(), 0, "what was paid for is kept");
    assert_eq!(workspace.run(&["--cache", "read-only"]).expect(0).digest, whole.digest);

    // A stricter rule than the one it stopped by goes on as well.
    let other = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&other, "seed = 3");
    let settings = AuditSettings { slots: 3, ..AuditSettings::of(&grader) };
    audit(&other, &settings, Some(WIDTH));
    let narrow = other.run(&[]).expect(0);
    assert_eq!((look(&narrow), sequence(&narrow)), (&stop, sequence(&first)), "at any concurrency");
    audit(&other, &settings, Some(stop.width.get() / 1.5));
    let stricter = other.run(&[]).expect(0);
    assert_eq!(stricter.run, narrow.run);
    assert!(stricter.funnel.admitted > narrow.funnel.admitted, "{:?}", stricter.funnel);
    assert_eq!(grader.repeated(), 0, "what was paid for is kept");
}
