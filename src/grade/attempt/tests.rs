//! Waiting, giving up, and what the run is told.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::*;
use crate::grade::desk::Stopping;
use crate::grade::fixture;
use crate::grade::settings::Concurrency;
use crate::model::event::Ordinal;
use crate::model::grading::Stage;
use crate::model::hash::Digest;

fn shot() -> Shot {
    let (stage, key) = (Stage::Screen, Digest::of(b"key"));
    let sending = Sending { ordinal: Ordinal(0), stage, key, bound: NanoUsd(1), again: false };
    Shot {
        sending,
        body: RequestBody::default(),
        nonce: String::new(),
        price: Price::FREE,
        output_limit: 1,
        lane: Lane::Fresh,
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_is_heard_in_the_queues() {
    let mut tasks = JoinSet::new();
    let (pacer, task) = Pacer::new(None, None);
    tasks.spawn(task);
    pacer.pause(Duration::from_mins(30)).await;
    let line = fixture::line(pacer);
    let (queue, _messages) = mpsc::channel(1);
    let (stop, stopping) = watch::channel(Stopping::No);
    let desk = Desk::new(queue, stopping);
    let start = Instant::now();
    let interrupt = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.send(Stopping::Draining).unwrap();
    };
    let shot = shot();
    let (passed, ()) = tokio::join!(line.admission(&shot, Lane::Fresh, &desk), interrupt);
    assert!(passed.is_none(), "what has not left does not leave");
    assert_eq!(start.elapsed(), Duration::from_secs(1), "in paused time");
}

/// A model that the server holds for an hour, and another one on the same endpoint, which has two slots.
#[tokio::test(start_paused = true)]
async fn a_model_that_is_held_leaves_the_slots_to_others() {
    let mut tasks = JoinSet::new();
    let settings = fixture::endpoint("http://127.0.0.1:9/v1");
    let slots = Slots::new(Concurrency::Fixed(2));
    let mut line = |requests| {
        let (pacer, task) = Pacer::new(requests, None);
        tasks.spawn(task);
        let endpoint = Endpoint::new(&settings).unwrap();
        (Arc::new(Line::new(endpoint, slots.clone(), pacer.clone(), settings.item_deadline)), pacer)
    };
    let ((screen, held), (confirm, _)) = (line(Some(1)), line(None));
    let (queue, _messages) = mpsc::channel(1);
    let (_stop, stopping) = watch::channel(Stopping::No);
    let desk = Desk::new(queue, stopping);
    let start = Instant::now();
    // The first one has its place; the second one waits for a minute with a slot; the third one for a slot.
    let (gone, mut passed) = mpsc::channel(3);
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let (screen, desk, gone) = (Arc::clone(&screen), desk.clone(), gone.clone());
        waiting.spawn(async move {
            let passed = screen.admission(&shot(), Lane::Fresh, &desk).await.unwrap();
            gone.send((start.elapsed(), passed)).await.unwrap();
        });
    }
    let (_, first) = passed.recv().await.unwrap();
    held.pause(Duration::from_hours(1)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let confirmed = confirm.admission(&shot(), Lane::Urgent, &desk).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(1), "in paused time");
    // Both slots are taken; the probe waits for one, and nobody else goes.
    tokio::time::sleep(Duration::from_mins(6)).await;
    drop((first, confirmed));
    let (at, _probe) = passed.recv().await.unwrap();
    assert_eq!(at, Duration::from_secs(361));
    let second = confirm.admission(&shot(), Lane::Urgent, &desk).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(361), "the slot is free although somebody waits for the pacer");
    drop(second);
    let (at, _third) = passed.recv().await.unwrap();
    assert_eq!(at, Duration::from_mins(10), "five minutes after the first probe was let go");
}

/// Answers for the coordinator: everything may go. Returns what was said that needs no answer.
async fn agree(mut messages: mpsc::Receiver<Message>) -> Vec<Message> {
    let mut said = Vec::new();
    let mut next = 0;
    while let Some(message) = messages.recv().await {
        match message {
            Message::Reserve { answer, .. } => answer.send(Go::Yes).unwrap(),
            Message::Sending { answer, .. } => {
                answer.send(Leave::Recorded(AttemptId(next))).unwrap();
                next += 1;
            }
            other @ (Message::Admit { .. }
            | Message::Release { .. }
            | Message::Settled { .. }
            | Message::Anchored { .. }
            | Message::Decided { .. }
            | Message::Judged { .. }
            | Message::Warn(_)
            | Message::Stop(_)) => said.push(other),
        }
    }
    said
}

/// Shoots once at `url`, with the item deadline of a minute, under paused time.
async fn shoot(url: &str, pacer: Pacer) -> (Outcome, Vec<Message>, Duration) {
    let settings = fixture::endpoint(url);
    let slots = Slots::new(settings.max_concurrency);
    let line = Line::new(Endpoint::new(&settings).unwrap(), slots, pacer, settings.item_deadline);
    let (queue, messages) = mpsc::channel(8);
    let (_stop, stopping) = watch::channel(Stopping::No);
    let desk = Desk::new(queue, stopping);
    let start = Instant::now();
    let shot = shot();
    let shooting = async {
        let ended = line.shoot(&shot, &desk).await.unwrap();
        drop(desk);
        ended
    };
    let (ended, said) = tokio::join!(shooting, agree(messages));
    let Ended::Without(outcome) = ended else { panic!("nobody answers there") };
    (outcome, said, start.elapsed())
}

/// A port that is taken and not listened on.
fn closed_port() -> (tokio::net::TcpSocket, String) {
    let port = tokio::net::TcpSocket::new_v4().unwrap();
    port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/v1", port.local_addr().unwrap());
    (port, url)
}

const CONNECTION: Outcome = Outcome::Failed { failure: FailureKind::Connection };

#[tokio::test(start_paused = true)]
async fn waiting_at_the_gates_does_not_count_against_the_deadline() {
    let mut tasks = JoinSet::new();
    let (pacer, task) = Pacer::new(None, None);
    tasks.spawn(task);
    // Four minutes are long over the deadline of one: the unit is sent all the same, and then tried for a minute.
    let hint = Duration::from_mins(4);
    pacer.pause(hint).await;
    let (_port, url) = closed_port();
    let (outcome, said, took) = shoot(&url, pacer).await;
    assert_eq!(outcome, CONNECTION);
    let attempts = said.iter().filter(|message| matches!(message, Message::Settled { .. })).count();
    assert!(attempts > 2, "{attempts}");
    assert!(hint < took && took <= hint + Duration::from_mins(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_exist_stops_the_run_and_says_what_to_do() {
    let (pacer, _task) = Pacer::new(None, None);
    let (outcome, said, took) = shoot("http://grader.invalid/v1", pacer).await;
    assert_eq!(outcome, CONNECTION);
    let mut reasons = Vec::new();
    for message in &said {
        if let Message::Stop(StopReason::Unusable { message }) = message {
            reasons.push(message.as_str());
        }
    }
    let expected =
        "the endpoint never answered: its host name is not known; check `base_url` and the network, then run again";
    assert_eq!(reasons, [expected]);
    assert!(took < Duration::from_secs(10), "{took:?}");
}
