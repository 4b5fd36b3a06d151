//! A grader that is not there, or goes away.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, SLOTS, Workspace};

const CONVERSATIONS: u64 = 100;

#[test]
fn a_grader_that_is_down_ends_the_run_and_loses_nothing() {
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, "seed = 11");
    // A port that is taken and not listened on: nobody else can answer there.
    let port = TcpSocket::new_v4().unwrap();
    port.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let base_url = format!("http://{}/v1", port.local_addr().unwrap());
    let settings = AuditSettings { request_timeout: "1s", item_deadline: "1s", ..AuditSettings::of(&grader) };
    workspace.audit(&AuditSettings { base_url, ..settings });
    let finished = workspace.run(&[]);
    let partial = finished.expect(6);
    assert!(finished.stderr.contains("20 units in a row failed for good"), "{}", finished.stderr);
    assert_eq!((partial.spend.usd.to_bits(), partial.complete), (0.0_f64.to_bits(), false));

    workspace.audit(&AuditSettings::of(&grader));
    let report = workspace.run(&[]).expect(0);
    assert_eq!((report.requests.repeated, grader.repeated()), (0, 0));
    let unharmed = Workspace::new(CONVERSATIONS);
    unharmed.audit(&AuditSettings::of(&grader));
    assert_eq!(unharmed.run(&[]).expect(0).digest, report.digest);
}

#[test]
fn a_grader_that_dies_on_the_way_ends_the_run_and_loses_nothing() {
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, "seed = 11\nlatency_ms = 5");
    workspace.audit(&AuditSettings { request_timeout: "1s", item_deadline: "1s", ..AuditSettings::of(&grader) });
    let running = workspace.start(&[]);
    grader.received(100);
    let first = grader.die();
    let finished = running.wait();
    let partial = finished.expect(6);
    assert!(partial.funnel.cleared > 0, "what was graded is in the report: {:?}", partial.funnel);

    let grader = Grader::start(&workspace, "seed = 11");
    workspace.audit(&AuditSettings::of(&grader));
    let report = workspace.run(&[]).expect(0);
    let asked_twice = first.requests + grader.stats().requests - report.funnel.admitted - report.graders[1].reached;
    assert!(asked_twice <= SLOTS, "only what was on the wire is asked again: {asked_twice}");
    let unharmed = Workspace::new(CONVERSATIONS);
    unharmed.audit(&AuditSettings::of(&grader));
    assert_eq!(unharmed.run(&[]).expect(0).digest, report.digest);
}
