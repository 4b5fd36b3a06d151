//! `assize doctor`: what would stop a run, and what it says to do.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use serde_json::{Value, json};

use crate::support::{Ended, Night, Workspace};

/// One check of a JSON report.
#[track_caller]
fn check(report: &Value, about: &str) -> (String, String, String) {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["about"] == about);
    let found = found.unwrap_or_else(|| panic!("no check of `{about}`: {report:#}"));
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("health"), text("says"), text("fix"))
}

fn examined(workspace: &Workspace, code: i32) -> Value {
    workspace.run(&["doctor", "--format", "json"]).expect(code).json()
}

#[test]
fn a_night_that_can_begin() {
    let night = Night::with(5, "requests_per_minute = 500\ntokens_per_minute = 1_000_000", "");
    night.workspace.edit("audit.toml", "max_concurrency = 8", "max_requests_per_minute = 5_000");
    insta::assert_snapshot!(night.workspace.run(&["doctor"]).expect(0).shown());
    let chats = night.requests();
    assert_eq!(chats, (1, 1), "one question per grader");
    let offline = night.workspace.run(&["doctor", "--offline"]).expect(0);
    assert!(offline.stdout.contains("nothing was sent") && offline.stderr.is_empty(), "{offline:?}");
    assert_eq!(night.requests(), chats);
    assert!(
        !night.workspace.path("cache").exists() && !night.workspace.path("runs").exists(),
        "it leaves nothing behind"
    );
}

#[test]
fn what_it_may_cost_is_said_first_and_held_to() {
    let night = Night::new(5);
    let ended = night.workspace.run(&["doctor", "--max-cost", "0.001"]).expect(2);
    assert!(ended.stdout.contains("nothing was sent: the test requests could cost $0.0"), "{ended:?}");
    let unpriced = Night::new(5);
    unpriced.workspace.edit("audit.toml", "model = \"gpt-5-mini\"", "model = \"somebodys-model\"");
    unpriced.workspace.edit("audit.toml", "max_cost = 20.00", "");
    let ended = unpriced.workspace.run(&["doctor"]).expect(2);
    assert!(ended.stdout.contains("no known price"), "{ended:?}");
    assert_eq!((night.requests(), unpriced.requests()), ((0, 0), (0, 0)));
}

#[test]
fn a_missing_and_a_wrong_key() {
    let night = Night::with(5, "api_key = \"sk-right\"", "");
    night.workspace.edit("audit.toml", "max_concurrency = 8", "api_key_env = \"GRADER_KEY\"");
    let missing = examined(&night.workspace, 6);
    assert_eq!(check(&missing, "main key").0, "unusable");
    assert!(check(&missing, "main key").2.starts_with("export GRADER_KEY="));
    assert_eq!(night.requests().0, 0);
    let doctor = |key: &str| night.workspace.assize(&["doctor", "--format", "json"]).env("GRADER_KEY", key).run();
    let wrong: Ended = doctor("sk-wrong").expect(6);
    assert!(!wrong.stdout.contains("sk-wrong") && !wrong.stderr.contains("sk-wrong"), "{wrong:?}");
    assert!(check(&wrong.json(), "screen reply").1.contains("401"), "{wrong:?}");
    assert_eq!(check(&doctor("sk-right").expect(0).json(), "screen reply").0, "ok");
}

#[test]
fn a_model_that_is_not_served_and_a_quota_that_is_gone() {
    let night = Night::with(5, "models = [\"another\"]", "[faults]\ninsufficient_quota = 1.0");
    let report = examined(&night.workspace, 6);
    let (_, says, _) = check(&report, "screen model");
    assert!(says.contains("`gpt-5-mini` is not among the 1 models"), "{says}");
    assert!(check(&report, "screen reply").1.contains("404"));
    let (health, _, fix) = check(&report, "confirm reply");
    assert_eq!((health.as_str(), fix.as_str()), ("unusable", "top up the quota, or raise the limit of the account"));
}

#[test]
fn how_far_one_gets() {
    let night = Night::new(5);
    let audit = night.workspace.read("audit.toml");
    let at = |url: &str| {
        night.workspace.write("audit.toml", audit.replace(&night.screen.url(), url));
        check(&examined(&night.workspace, 6), "main endpoint").1
    };
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let refused = at(&format!("http://{nobody}/v1"));
    assert!(refused.contains("no connection to `127.0.0.1`") && refused.ends_with("(TCP)"), "{refused}");
    let plain = at(&night.screen.url().replace("http://", "https://"));
    assert!(plain.ends_with("(TLS)"), "{plain}");
}

/// A server that answers everything with one body, on a clock of its own, until the test ends.
fn canned(body: String) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = vec![0; 1 << 16];
            // The head and the beginning of the body are enough to know that somebody asks.
            let _read = stream.read(&mut request).unwrap_or_default();
            let head = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n";
            let _sent = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

#[test]
fn a_server_that_keeps_to_nothing() {
    let night = Night::new(5);
    let body = json!({"model": "other-model", "choices": [{"finish_reason": "stop", "message": {"content": "Sure!"}}]});
    let url = format!("http://{}/v1", canned(body.to_string()));
    night.workspace.edit("audit.toml", &night.screen.url(), &url);
    let report = examined(&night.workspace, 6);
    let health = |about: &str| check(&report, about).0;
    assert_eq!(health("main clock"), "warning");
    assert!(check(&report, "main clock").1.contains("ahead of the server's"));
    assert!(check(&report, "screen model").1.contains("lists no models"));
    assert_eq!(
        (health("screen reply"), health("screen usage"), health("screen served")),
        ("unusable".to_owned(), "warning".to_owned(), "warning".to_owned())
    );
    assert!(report["spent_usd"].as_f64().unwrap() > 0.001, "without usage a reply counts at its bound");
}

#[test]
fn what_is_wrong_here_ends_with_2() {
    let night = Night::new(5);
    night.workspace.copy_behaviour("metagaming");
    night.workspace.run(&["prompts", "lock", "metagaming"]).expect(0);
    night.workspace.edit("prompts/metagaming/screen.v1.md", "## The behaviour", "## A behaviour");
    let report = examined(&night.workspace, 2);
    let (health, says, fix) = check(&report, "screen prompt");
    assert_eq!((health.as_str(), says.as_str()), ("failed", "`screen@1` was changed under its label"));
    assert!(fix.contains("screen.v3.md") && fix.contains("screen@3"), "{fix}");
    assert_eq!(report["exit"], json!(2));
}
