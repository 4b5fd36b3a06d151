//! Real sockets on loopback for everything that can go wrong on the way.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::grade::fixture;

#[test]
fn loopback_is_recognised() {
    for url in ["http://127.0.0.1:8089/v1", "http://localhost:1/v1", "http://[::1]:9/v1", "http://127.9.9.9"] {
        assert!(is_loopback(url), "{url}");
    }
    for url in ["https://api.openai.com/v1", "http://127.0.0.1.example.org", "http://10.0.0.1", "nonsense"] {
        assert!(!is_loopback(url), "{url}");
    }
}

#[tokio::test]
async fn a_key_command_must_print_a_key() {
    let command = |words: &[&str]| KeySetting::Command(words.iter().map(|word| (*word).to_owned()).collect());
    let value = authorization(&command(&["printf", "abc\nrest"])).await.unwrap().unwrap();
    assert_eq!(value.as_bytes(), b"Bearer abc");
    assert!(value.is_sensitive());
    assert!(authorization(&command(&["false"])).await.is_err());
    assert!(authorization(&command(&["no-such-program-here"])).await.is_err());
}

/// What comes of one request to a server that does `act` with its connection, within a second.
async fn answer_of<F: Future<Output = ()> + Send + 'static>(
    act: impl FnOnce(TcpStream) -> F + Send + 'static,
    scheme: &str,
) -> Result<Answer, NoAnswer> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://{}/v1", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        act(socket).await;
    });
    post(&url).await
}

async fn post(url: &str) -> Result<Answer, NoAnswer> {
    let settings = EndpointSettings { request_timeout: Duration::from_secs(1), ..fixture::endpoint(url) };
    Endpoint::new(&settings).unwrap().post(Bytes::from_static(b"{}").into(), &Digest::of(b"key")).await
}

/// Reads the request's head, then sends `reply` and ends the connection in order.
async fn says(mut socket: TcpStream, reply: Vec<u8>) {
    let mut head = [0; 4_096];
    let _read = socket.read(&mut head).await.unwrap();
    socket.write_all(&reply).await.unwrap();
    socket.shutdown().await.unwrap();
}

fn reply(head: &str, body: &[u8]) -> Vec<u8> {
    let mut reply =
        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len()).into_bytes();
    reply.extend_from_slice(body);
    reply
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_refuses() {
    let free = TcpSocket::new_v4().unwrap();
    free.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/v1", free.local_addr().unwrap());
    assert_eq!(post(&url).await.unwrap_err(), NoAnswer::Refused);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_apart() {
    assert_eq!(post("http://grader.invalid/v1").await.unwrap_err(), NoAnswer::NoSuchHost);
}

#[tokio::test]
async fn plain_text_on_a_tls_port_is_no_tls() {
    let plain = |socket| says(socket, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    assert_eq!(answer_of(plain, "https").await.unwrap_err(), NoAnswer::Tls);
}

#[tokio::test]
async fn connections_break_at_three_places() {
    let reset = |socket: TcpStream| async move {
        socket.readable().await.unwrap();
        // Closing with unread bytes sends a reset.
        drop(socket);
    };
    assert_eq!(answer_of(reset, "http").await.unwrap_err(), NoAnswer::Broken);
    assert_eq!(answer_of(|socket| says(socket, Vec::new()), "http").await.unwrap_err(), NoAnswer::Broken);
    let mut cut = reply("200 OK", b"{\"choices\": []}");
    cut.truncate(cut.len() - 5);
    assert_eq!(answer_of(move |socket| says(socket, cut), "http").await.unwrap_err(), NoAnswer::Cut);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_on() {
    let silent = |socket: TcpStream| async move {
        std::future::pending::<()>().await;
        drop(socket);
    };
    assert_eq!(answer_of(silent, "http").await.unwrap_err(), NoAnswer::TimedOut);
    let half = |mut socket: TcpStream| async move {
        let mut head = [0; 4_096];
        let _read = socket.read(&mut head).await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
        std::future::pending::<()>().await;
    };
    assert_eq!(answer_of(half, "http").await.unwrap_err(), NoAnswer::TimedOut);
}

#[tokio::test]
async fn odd_bodies_arrive_as_they_are() {
    let empty = answer_of(|socket| says(socket, reply("200 OK", b"")), "http").await.unwrap();
    assert_eq!((empty.status, empty.body.as_str()), (200, ""));
    let html = reply("200 OK\r\ncontent-type: text/html", b"<html>");
    assert_eq!(answer_of(move |socket| says(socket, html), "http").await.unwrap().body, "<html>");
    let damaged = |status: &'static str| move |socket| says(socket, reply(status, b"{\"a\": \"\xff\"}"));
    assert_eq!(answer_of(damaged("200 OK"), "http").await.unwrap_err(), NoAnswer::NotText);
    assert_eq!(answer_of(damaged("500 Oops"), "http").await.unwrap().status, 500);
}

#[tokio::test]
async fn limits_and_hints_are_read_from_the_head() {
    let head = "429 Slow down\r\nretry-after: 1.5\r\nx-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 6m0s";
    let answer = answer_of(move |socket| says(socket, reply(head, b"later")), "http").await.unwrap();
    assert_eq!(answer.retry_after, Some(Duration::from_millis(1_500)));
    let tokens = answer.quota.unwrap().tokens;
    assert_eq!((tokens.remaining, tokens.reset), (Some(0), Some(Duration::from_mins(6))));
}

#[tokio::test]
async fn an_error_that_quotes_the_key_is_kept_without_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = fixture::endpoint(&format!("http://{}/v1", listener.local_addr().unwrap()));
    settings.key = KeySetting::Value(SecretString::from("pa+ss/wo rd=9"));
    settings.headers.insert("api-key".to_owned(), SecretString::from("second-secret"));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        says(socket, reply("401 Unauthorized", b"no 'pa+ss/wo rd=9' here, nor second-secret")).await;
    });
    let endpoint = Endpoint::new(&settings).unwrap();
    endpoint.authorise().await.unwrap();
    let answer = endpoint.post(Bytes::from_static(b"{}").into(), &Digest::of(b"key")).await.unwrap();
    assert_eq!(answer.body, "no '[key]' here, nor [key]");
}
