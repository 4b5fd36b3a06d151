//! Programs that a shell can be: one that replies, one that ends, one that hangs.

use super::*;
use crate::grade::http::Endpoint;
use crate::grade::settings::{EndpointSettings, KeySetting};
use crate::model::hash::Digest;

/// Takes the number out of a line and replies to it.
const REPLY: &str = r#"id=${line#*:}; id=${id%%,*}; printf '{"id":%s,"reply":"%s"}\n' "$id" "$1""#;

struct Program {
    folder: tempfile::TempDir,
    script: String,
}

impl Program {
    fn new(script: impl Into<String>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), script: script.into() }
    }

    fn settings(&self) -> CommandSettings {
        let script = format!("reply() {{ {REPLY}; }}\n{}", self.script);
        let words = ["sh", "-c", &script].map(str::to_owned).to_vec();
        CommandSettings { words, folder: self.folder.path().to_owned(), withheld: Vec::new() }
    }

    /// The keeper of the program, and where it takes calls.
    fn kept(&self) -> (mpsc::Sender<Call>, JoinSet<()>) {
        let (calls, called) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        tasks.spawn(keep(self.settings(), called));
        (calls, tasks)
    }

    fn starts(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("starts")).map_or(0, |starts| starts.lines().count())
    }
}

async fn call(calls: &mpsc::Sender<Call>) -> oneshot::Receiver<Reply> {
    let (answer, answered) = oneshot::channel();
    let request = RequestLine::new(br#"{"model":"m"}"#).unwrap();
    calls.send(Call { request, answer }).await.unwrap_or_else(|_| panic!("the keeper has gone"));
    answered
}

async fn status(answered: oneshot::Receiver<Reply>) -> u16 {
    answered.await.unwrap().into_http("m").0
}

fn written(text: &str) -> Reply {
    Reply::Written { text: text.to_owned(), model: None, usage: None, finish_reason: None }
}

#[tokio::test]
async fn replies_go_to_who_asked_in_any_order() {
    // It takes two requests before it replies to the second and then to the first.
    let program =
        Program::new("echo Loading; read -r first; read -r line; reply two; line=$first; reply one; read -r line");
    let (calls, _tasks) = program.kept();
    let (first, second) = (call(&calls).await, call(&calls).await);
    assert_eq!((first.await, second.await), (Ok(written("one")), Ok(written("two"))));
}

#[tokio::test]
async fn one_that_ends_is_started_again_and_loses_nothing_silently() {
    let program = Program::new("echo x >> starts; read -r line; reply yes; read -r line; exit 3");
    let (calls, _tasks) = program.kept();
    for round in 1..=4 {
        assert_eq!(call(&calls).await.await, Ok(written("yes")));
        assert_eq!(status(call(&calls).await).await, 502, "the second request of a start");
        assert_eq!(program.starts(), round);
    }
}

#[tokio::test]
async fn one_that_never_replied_is_not_started_again() {
    let program = Program::new("echo x >> starts; exit 3");
    let (calls, _tasks) = program.kept();
    assert_eq!(status(call(&calls).await).await, 502, "what the program had counts at its bound");
    let (status, body) = call(&calls).await.await.unwrap().into_http("m");
    assert_eq!((status, program.starts()), (404, 1));
    insta::assert_snapshot!(
        body["error"]["message"].as_str().unwrap(),
        @"the command `sh` ended (exit status: 3) before it replied; run it by hand to see the reason"
    );
}

#[tokio::test]
async fn one_that_replied_before_may_end_twice_and_not_three_times() {
    let program =
        Program::new("echo x >> starts; [ $(wc -l < starts) -gt 1 ] && exit 3; read -r line; reply yes; exit 3");
    let (calls, _tasks) = program.kept();
    assert_eq!(call(&calls).await.await, Ok(written("yes")));
    let mut statuses = Vec::new();
    while statuses.last() != Some(&404) {
        statuses.push(status(call(&calls).await).await);
    }
    statuses.pop();
    assert_eq!(program.starts(), 4);
    assert!(statuses.iter().all(|status| *status == 502), "{statuses:?}");
}

#[tokio::test]
async fn one_that_is_not_there_is_hopeless_at_once() {
    let settings = CommandSettings { words: vec!["./no-such-program".to_owned()], ..Program::new("").settings() };
    let (calls, called) = mpsc::channel(QUEUE);
    let mut tasks = JoinSet::new();
    tasks.spawn(keep(settings, called));
    let reply = call(&calls).await.await.unwrap();
    assert_eq!(reply.into_http("m").0, 404);
}

#[tokio::test]
async fn one_that_hangs_is_started_again() {
    let program = Program::new(
        "if [ -e starts ]; then while read -r line; do reply awake; done; fi
         echo x > starts; read -r line; reply first; while read -r line; do :; done",
    );
    let (calls, _tasks) = program.kept();
    assert_eq!(call(&calls).await.await, Ok(written("first")));
    for _ in 0..3 {
        // Whoever asked gives up.
        drop(call(&calls).await);
    }
    assert_eq!(status(call(&calls).await).await, 502, "it may have been paid for: it counts at its bound");
    assert_eq!(call(&calls).await.await, Ok(written("awake")));
}

#[tokio::test]
async fn only_our_own_client_is_let_in() {
    let program = Program::new("while read -r line; do reply yes; done");
    let server = CommandServer::start(program.settings()).await.unwrap();
    let settings = crate::grade::fixture::endpoint(&server.base_url());
    let ask = async |key| {
        let settings = EndpointSettings { key: KeySetting::Value(key), ..settings.clone() };
        let endpoint = Endpoint::new(&settings).unwrap();
        endpoint.authorise().await.unwrap();
        endpoint.post(Bytes::from_static(b"{\"model\":\"m\"}").into(), &Digest::of(b"")).await.unwrap()
    };
    assert_eq!(ask("guess".to_owned().into()).await.status, 401);
    let answer = ask(server.key()).await;
    insta::assert_snapshot!(
        format!("{} {}", answer.status, answer.body),
        @r#"200 {"object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}]}"#
    );
}
