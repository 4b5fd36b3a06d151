//! Every turn ends in one bucket, and the same replies give the same report at any concurrency.

use assize::report::Report;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, Workspace};

const CONVERSATIONS: u64 = 90;
/// Everything that the simulated grader can do wrong, at once; not the quota, which rightly ends a run.
const EVERY_FAULT: &str = "
seed = 6
specificity = 0.9
suspected_share = 0.2
[faults]
rate_limited = 0.03
server_error = 0.03
unavailable = 0.03
reset = 0.03
hang = 0.01
truncated_body = 0.03
malformed_body = 0.03
error_in_200 = 0.03
refusal = 0.03
empty_choices = 0.03
length = 0.03
content_filter = 0.03
malformed_content = 0.03
unverified_quote = 0.03
cannot_judge = 0.03
";

/// Every line of the funnel, of each stratum and of each grader sums to the one above.
fn check_sums(report: &Report) {
    let funnel = &report.funnel;
    assert_eq!(funnel.units, funnel.not_planned + funnel.planned);
    assert_eq!(funnel.units, funnel.by_class.values().sum::<u64>());
    assert_eq!(funnel.planned, funnel.not_admitted + funnel.admitted);
    assert_eq!(funnel.admitted, funnel.unfinished + funnel.ungraded + funnel.cleared + funnel.flagged);
    assert_eq!(funnel.admitted, funnel.unfinished + funnel.outcomes.values().sum::<u64>());
    assert_eq!(funnel.flagged, funnel.pending + funnel.disputed + funnel.rejected + funnel.confirmed);
    let strata = || report.strata.iter();
    assert_eq!(funnel.units, strata().map(|row| row.units).sum::<u64>());
    assert_eq!(funnel.admitted, strata().map(|row| row.admitted).sum::<u64>());
    assert_eq!(funnel.ungraded, strata().map(|row| row.ungraded).sum::<u64>());
    assert_eq!(funnel.confirmed, strata().map(|row| row.confirmed).sum::<u64>());
    for row in &report.strata {
        assert_eq!(row.admitted, row.unfinished + row.ungraded + row.cleared + row.flagged, "{row:?}");
        assert_eq!(row.flagged, row.pending + row.disputed + row.rejected + row.confirmed, "{row:?}");
    }
    for grader in &report.graders {
        assert_eq!(grader.reached, grader.unfinished + grader.outcomes.values().sum::<u64>(), "{grader:?}");
    }
    assert_eq!(report.graders[0].reached, funnel.admitted);
}

#[test]
fn everything_at_once_leaves_no_turn_out_and_gives_one_report_at_any_concurrency() {
    let run = |slots| {
        let workspace = Workspace::new(CONVERSATIONS);
        let grader = Grader::start(&workspace, EVERY_FAULT);
        let settings =
            AuditSettings { slots, request_timeout: "400ms", max_ungraded: 1.0, ..AuditSettings::of(&grader) };
        workspace.audit(&settings);
        let finished = workspace.run(&[]);
        let report = finished.expect(0);
        check_sums(&report);
        let stats = grader.stats();
        let faults: u64 = stats.faults.values().sum();
        assert!(faults > 50 && stats.faults.len() >= 13, "{:?}", stats.faults);
        assert!(stats.max_in_flight <= slots + stats.faults["hang"], "{stats:?}");
        assert_eq!(report.requests.sent, stats.requests);
        // A truncated answer is asked for once more with a longer limit only where the audit says so.
        assert_eq!(report.requests.retried, grader.repeated());
        assert!(grader.billed().usd() <= report.spend.usd);
        report
    };
    let reports: Vec<_> = std::thread::scope(|scope| {
        let runs = [1, 8, 64].map(|slots| scope.spawn(move || run(slots)));
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let funnel = &reports[0].funnel;
    assert!(funnel.ungraded > 20 && funnel.outcomes.len() >= 7, "{:?}", funnel.outcomes);
    assert_eq!([reports[0].digest; 2], [reports[1].digest, reports[2].digest]);
    assert_eq!(reports[0].funnel, reports[1].funnel);
}
