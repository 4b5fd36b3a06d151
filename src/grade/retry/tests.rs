//! The whole table, and what is particular about single rows.

use std::fmt::Write;

use super::*;

fn decide_text(status: u16, retry_after: Option<Duration>, body: &str) -> Decision {
    decide(status, retry_after, Body::parse(body).ok().as_ref())
}

/// A decision in one line of the table: what is done, billed, and said to the slots.
fn row(decision: &Decision, status: u16) -> String {
    let load = decision.load(status);
    match decision {
        Decision::Keep => format!("keep                             load: {load:?}"),
        Decision::GiveUp { failure } => format!("give up ({})", failure.as_str()),
        Decision::StopRun { message } => {
            format!("stop the run: {}", message.replace(&format!("HTTP {status}"), "HTTP _"))
        }
        Decision::Retry { failure, after, billing, load } => {
            let (failure, billing) = (failure.as_str(), format!("{billing:?}"));
            let hint = after.map(|after| format!("  after {after:?}")).unwrap_or_default();
            format!("retry ({failure})").pad(22)
                + &format!("billed: {}", billing.pad(10))
                + &format!("load: {load:?}{hint}")
        }
    }
}

trait Pad {
    fn pad(&self, width: usize) -> String;
}

impl<T: AsRef<str>> Pad for T {
    fn pad(&self, width: usize) -> String {
        format!("{:<width$}", self.as_ref())
    }
}

/// Every status without a body, every way of not answering, and every odd body.
#[test]
fn everything_that_can_go_wrong_has_one_decision() {
    let mut table = String::from("status, empty body\n");
    for status in 400..600 {
        writeln!(table, "{status} {}", row(&decide_text(status, None, ""), status)).unwrap();
    }
    table.push_str("\nother statuses, as ranges\n");
    let mut runs: Vec<(u16, u16, String)> = Vec::new();
    for status in (100..400).chain(600..700) {
        let decision = row(&decide_text(status, None, "{}"), status);
        match runs.last_mut() {
            Some((_, last, same)) if *same == decision && *last + 1 == status => *last = status,
            _ => runs.push((status, status, decision)),
        }
    }
    for (first, last, decision) in runs {
        writeln!(table, "{first}-{last} {decision}").unwrap();
    }
    table.push_str("\nno answer\n");
    for missing in NoAnswer::ALL {
        let advice = missing.advice().map(|_| "  stops the run where it never worked").unwrap_or_default();
        writeln!(table, "{} {}{advice}", missing.to_string().pad(22), row(&decide_missing(missing), 0)).unwrap();
    }
    table.push_str("\nbodies\n");
    let error = |code: &str| format!(r#"{{"error": {{"message": "m", "code": {code}}}}}"#);
    let bodies: [(&str, u16, Option<u64>, String); 21] = [
        ("empty", 200, None, String::new()),
        ("HTML", 200, None, "<!doctype html><title>Sign in</title>".to_owned()),
        ("plain text", 200, None, "ok".to_owned()),
        ("JSON, not an object", 200, None, "[]".to_owned()),
        ("cut JSON", 200, None, r#"{"choices": [{"mess"#.to_owned()),
        ("no choices", 200, None, r#"{"choices": []}"#.to_owned()),
        ("error null", 200, None, r#"{"error": null, "choices": []}"#.to_owned()),
        ("error, no code", 200, None, r#"{"error": {"message": "m"}}"#.to_owned()),
        ("error as text", 200, None, r#"{"error": "m"}"#.to_owned()),
        ("error, integer code", 200, None, error("503")),
        ("error, integer code", 200, None, error("429")),
        ("error, odd integer code", 200, None, error("7")),
        ("HTML", 502, None, "<html>Bad gateway</html>".to_owned()),
        ("plain text", 429, Some(3), "slow down".to_owned()),
        ("quota gone", 429, None, error("\"insufficient_quota\"")),
        ("quota gone, hint of an hour", 429, Some(3_600), error("\"insufficient_quota\"")),
        ("quota gone, hint of a day", 429, Some(86_400), error("\"insufficient_quota\"")),
        ("context overflow", 400, None, error("\"context_length_exceeded\"")),
        ("content filter", 403, None, error("\"content_filter\"")),
        ("unknown model", 400, None, error("\"model_not_found\"")),
        ("model is loading", 503, Some(20), r#"{"error": {"message": "Loading model", "code": 503}}"#.to_owned()),
    ];
    for (name, status, hint, body) in bodies {
        let decision = decide_text(status, hint.map(Duration::from_secs), &body);
        writeln!(table, "{status} {} {}", name.pad(28), row(&decision, status)).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn bodies_decide_where_the_status_does_not() {
    let error = |code: &str| format!(r#"{{"error": {{"message": "m", "code": {code}}}}}"#);
    let quota = error("\"insufficient_quota\"");
    assert!(matches!(decide_text(429, None, &quota), Decision::StopRun { .. }));
    assert!(matches!(decide_text(429, Some(Duration::from_mins(1)), &quota), Decision::Retry { .. }));
    assert!(matches!(decide_text(429, None, "slow down"), Decision::Retry { failure: FailureKind::RateLimited, .. }));
    assert!(matches!(decide_text(200, None, &error("503")), Decision::Retry { failure: FailureKind::Server, .. }));
    assert!(matches!(decide_text(200, None, &error("\"odd\"")), Decision::Retry { billing: Billing::Unknown, .. }));
    assert!(matches!(decide_text(200, None, "<html>"), Decision::Retry { failure: FailureKind::BadReply, .. }));
    assert!(matches!(decide_text(400, None, &error("\"model_not_found\"")), Decision::StopRun { .. }));
    assert_eq!(decide_text(400, None, &error("\"context_length_exceeded\"")), Decision::Keep);
    for status in [400, 403, 413, 422] {
        assert_eq!(decide_text(status, None, &error("\"content_filter\"")), Decision::Keep, "{status}");
    }
    assert_eq!(decide_text(400, None, "nonsense"), Decision::GiveUp { failure: FailureKind::Rejected });
    assert_eq!(decide_text(200, None, r#"{"error": null, "choices": []}"#), Decision::Keep);
}

#[test]
fn a_gateway_in_front_of_the_server_is_a_server_error() {
    for status in [502, 504, 520, 521, 522, 523, 524, 530, 599] {
        let decision = decide_text(status, None, "<html>error code: 52x</html>");
        let Decision::Retry { failure, billing, load, .. } = decision else { panic!("{status} is not tried again") };
        assert_eq!((failure, billing), (FailureKind::Server, Billing::Unknown), "{status}");
        assert_eq!(load == Load::TooMany, [504, 522, 524].contains(&status), "{status}");
    }
    for status in [501, 505] {
        let decision = decide_text(status, None, "");
        assert_eq!(decision, Decision::GiveUp { failure: FailureKind::Rejected }, "{status}");
    }
}

#[test]
fn a_filter_ends_a_unit_and_a_lack_of_permission_the_run() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/replies");
    let mut filtered = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let (status, what) = name.split_once('-').unwrap();
        let status = status.parse().unwrap();
        let decision = || decide_text(status, None, &std::fs::read_to_string(&file).unwrap());
        if what.starts_with("filtered") {
            assert_eq!(decision(), Decision::Keep, "{name}");
            filtered += usize::from(status == 403);
        } else if status == 403 {
            assert!(matches!(decision(), Decision::StopRun { .. }), "{name}");
        }
    }
    assert_eq!(filtered, 3);
}

#[test]
fn messages_carry_no_key() {
    let cases = [
        ("Incorrect API key provided: sk-abc123def456. Find yours", "Incorrect API key provided: [key]. Find yours"),
        ("Incorrect API key provided: abcd****wxyz.", "Incorrect API key provided: [key]."),
        ("Invalid token 'gsk_abcDEF0123456789abcDEF0123456789'", "Invalid token '[key]'"),
        ("Invalid token \"gsk_ab...yz\"", "Invalid token \"[key]\""),
        ("Incorrect API key provided: xai-abcDEF0123456789abcDEF,", "Incorrect API key provided: [key],"),
        ("key=0123456789abcdef0123456789abcdef&model=m", "key=[key]&model=m"),
        ("API key not valid: AIzaSyA-0123456789_0123456789", "API key not valid: [key]"),
        ("(Bearer:hf_abcdefghij)", "(Bearer:[key])"),
        ("token=0123456789abcdef0123456789abcdef.AbCdEfGh12345678;", "token=[key];"),
        ("\u{201c}0123456789abcdefghij\u{201d}", "\u{201c}[key]\u{201d}"),
        (
            "model `gpt-4o-mini` at api.example.com/v1/chat is risk-rated...",
            "model `gpt-4o-mini` at api.example.com/v1/chat is risk-rated...",
        ),
    ];
    for (message, expected) in cases {
        let body = serde_json::json!({"error": {"message": message}}).to_string();
        let Decision::StopRun { message } = decide_text(401, None, &body) else { panic!("401 stops the run") };
        assert_eq!(message, format!("HTTP 401: {expected}"));
    }
}

#[test]
fn hints_are_read_in_all_spellings() {
    assert_eq!(retry_after(Some("3"), None, 0), Some(Duration::from_secs(3)));
    assert_eq!(retry_after(Some("0.25"), None, 0), Some(Duration::from_millis(250)));
    assert_eq!(retry_after(Some("9"), Some("1500"), 0), Some(Duration::from_millis(1500)));
    let date = Some("Mon, 23 Nov 2026 17:40:12 GMT");
    assert_eq!(retry_after(date, None, 1_795_455_602_000), Some(Duration::from_secs(10)));
    assert_eq!(retry_after(date, None, 1_795_455_702_000), Some(Duration::ZERO));
    assert_eq!(retry_after(Some("soon"), None, 0), None);
    assert_eq!(retry_after(Some("-1"), None, 0), None);
}

#[test]
fn delays_are_bounded() {
    let mut delays = Delays::default();
    for _ in 0..50 {
        assert!(delays.draw() <= LONGEST_DELAY * 2);
    }
}
