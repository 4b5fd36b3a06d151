//! What is paid for can be replayed, whatever the cap says by then.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assize::clock;
use assize::config::{self, Environment, LoadRequest, Origin, Override};
use assize::rehearse::{CorpusPlan, GroupPlan, Probability};
use assize::report::Report;
use assize::run::{assemble, session};

const AUDIT: &str = r#"
[[corpus.source]]
paths = ["corpus/*.jsonl"]
[behaviour]
name = "metagaming"
[sample]
none = 40
[endpoint.main]
api = "rehearsal"
rehearsal = "grader.toml"
[grader.screen]
endpoint = "main"
model = "rehearsal"
[grader.confirm]
endpoint = "main"
model = "rehearsal-confirm"
prompt = "confirm@1"
"#;

async fn run(folder: &Path, max_cost: f64) -> Report {
    let mut request = LoadRequest::new(folder, Environment::default(), clock::now());
    let origin = Origin::Flag { name: "--max-cost".to_owned() };
    request.overrides.max_cost = Some(Override { value: max_cost, origin });
    let loaded = config::load(&request).expect("the audit is right");
    let assembly = assemble::assemble(loaded.audit).expect("the corpus can be read");
    Box::pin(session::run(assembly, |_| {})).await.expect("the grader answers").report
}

/// A cap below what is spent leaves room for nothing that costs, and for everything that costs nothing: turns that were
/// cleared have no second grading to reserve for.
#[tokio::test]
async fn a_cap_that_is_used_up_does_not_keep_stored_replies_out() {
    let folder = tempfile::tempdir().unwrap();
    let values = BTreeMap::from([("checkpoint".to_owned(), "late".to_owned())]);
    let group = GroupPlan { values, conversations: 60, prevalence: Probability::new(0.05).unwrap() };
    let plan = CorpusPlan::new(7, vec![group]);
    plan.write(&folder.path().join("corpus"), &folder.path().join("truth.jsonl")).unwrap();
    fs::write(folder.path().join("audit.toml"), AUDIT).unwrap();
    fs::write(folder.path().join("grader.toml"), "truth = \"truth.jsonl\"").unwrap();

    let first = run(folder.path(), 5.0).await;
    assert!(first.complete && first.funnel.cleared > 0 && first.funnel.flagged > 0, "{:?}", first.funnel);
    let again = run(folder.path(), first.spend.usd / 2.0).await;
    assert_eq!((again.requests.sent, again.complete), (0, true));
    assert_eq!(again.funnel, first.funnel);
}
