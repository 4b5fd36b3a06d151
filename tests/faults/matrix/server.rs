//! Faults of the grader, and of the way to it.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

use super::{Fault, HEALTHY, Play, Played, Reference, scene, settings};
use crate::grader::Grader;
use crate::workspace::{AuditSettings, SLOTS};

/// A grader that answers wrongly at times: the run comes through by itself.
fn at_times(faults: &str) -> Played {
    let (workspace, grader) = scene(&format!("[faults]\n{faults}"));
    let hit = workspace.run(&[]);
    assert!(grader.stats().faults.values().sum::<u64>() > 0, "the fault never struck: {faults}");
    Played::through(workspace, &grader, hit)
}

/// A grader that cannot be used, and then one that can.
fn unusable(profile: &str, change: impl Fn(AuditSettings) -> AuditSettings) -> Played {
    let (workspace, grader) = scene(profile);
    workspace.audit(&change(settings(&grader)));
    let hit = workspace.run(&[]);
    let first = grader.die();
    let healthy = Grader::start(&workspace, HEALTHY);
    workspace.audit(&settings(&healthy));
    let mended = Some(workspace.run(&[]));
    Played::new(workspace, vec![first, healthy.stats()], hit, mended)
}

const SHORT: fn(AuditSettings) -> AuditSettings =
    |settings| AuditSettings { request_timeout: "1s", item_deadline: "1s", ..settings };

fn refused() -> Played {
    // A port that is taken and not listened on: nobody else can answer there.
    let port = TcpSocket::new_v4().unwrap();
    port.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let base_url = format!("http://{}/v1", port.local_addr().unwrap());
    unusable("", |settings| AuditSettings { base_url: base_url.clone(), ..SHORT(settings) })
}

fn dies(comes_back: bool) -> Played {
    let (workspace, grader) = scene("");
    if !comes_back {
        workspace.audit(&SHORT(settings(&grader)));
    }
    let running = workspace.start(&[]);
    grader.received(50);
    let address = grader.address();
    let first = grader.die();
    if comes_back {
        let second = Grader::start_at(address, &workspace, HEALTHY);
        let hit = running.wait();
        return Played::new(workspace, vec![first, second.stats()], hit, None);
    }
    let hit = running.wait();
    let second = Grader::start(&workspace, HEALTHY);
    workspace.audit(&settings(&second));
    let mended = Some(workspace.run(&[]));
    Played::new(workspace, vec![first, second.stats()], hit, mended)
}

fn limits_change() -> Played {
    let (workspace, grader) = scene("");
    let running = workspace.start(&[]);
    grader.received(20);
    grader.limit(Some(10));
    grader.refused(3);
    grader.limit(None);
    let hit = running.wait();
    Played::through(workspace, &grader, hit)
}

/// Replies that are no verdicts are replies: they are kept, stand in buckets of their own, and replay as what they are,
/// at any concurrency and after a kill.
fn odd_replies() -> Played {
    let faults =
        "[faults]\nrefusal = 0.1\nempty_choices = 0.1\nlength = 0.1\ncontent_filter = 0.1\nmalformed_content = 0.1";
    let odd = |slots| {
        let (workspace, grader) = scene(faults);
        workspace.audit(&AuditSettings { slots, max_ungraded: 1.0, ..settings(&grader) });
        (workspace, grader)
    };
    let (unharmed, unharmed_grader) = odd(1);
    let reference = Some(Reference::of(&unharmed, &unharmed_grader));
    let (workspace, grader) = odd(SLOTS);
    let hit = workspace.run(&[]);
    assert!(hit.report().funnel.outcomes.len() >= 5, "{:?}", hit.report().funnel);
    Played { reference, ..Played::again(workspace, &grader, hit) }
}

pub(super) static FAULTS: &[Fault] = &[
    Fault { name: "429", play: Play::Anywhere(|| at_times("rate_limited = 0.3")), code: 0, says: "", twice: 0 },
    Fault { name: "500", play: Play::Anywhere(|| at_times("server_error = 0.3")), code: 0, says: "", twice: 0 },
    Fault { name: "503", play: Play::Anywhere(|| at_times("unavailable = 0.3")), code: 0, says: "", twice: 0 },
    Fault {
        name: "the connection is reset after the work",
        play: Play::Anywhere(|| at_times("reset = 0.2")),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault { name: "the grader hangs", play: Play::Anywhere(|| at_times("hang = 0.05")), code: 0, says: "", twice: 0 },
    Fault {
        name: "a reply is cut off half way",
        play: Play::Anywhere(|| at_times("truncated_body = 0.2")),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault {
        name: "a page of HTML with status 200",
        play: Play::Anywhere(|| at_times("malformed_body = 0.2")),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault {
        name: "an error with status 200",
        play: Play::Anywhere(|| at_times("error_in_200 = 0.2")),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault {
        name: "all of these at once",
        play: Play::Anywhere(|| {
            at_times(
                "rate_limited = 0.1\nserver_error = 0.05\nunavailable = 0.05\nreset = 0.05\nhang = 0.02\n\
                 truncated_body = 0.05\nmalformed_body = 0.05\nerror_in_200 = 0.05",
            )
        }),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault {
        name: "limits are lowered and raised again",
        play: Play::Anywhere(limits_change),
        code: 0,
        says: "",
        twice: 0,
    },
    Fault {
        name: "nobody listens",
        play: Play::Anywhere(refused),
        code: 6,
        says: "20 units in a row failed for good",
        twice: 0,
    },
    Fault {
        name: "the grader dies and stays away",
        play: Play::Anywhere(|| dies(false)),
        code: 6,
        says: "20 units in a row failed for good",
        twice: SLOTS,
    },
    Fault {
        name: "the grader dies and comes back",
        play: Play::Anywhere(|| dies(true)),
        code: 0,
        says: "",
        twice: SLOTS,
    },
    Fault {
        name: "wrong key",
        play: Play::Anywhere(|| unusable("api_key = \"another\"", |settings| settings)),
        code: 6,
        says: "Incorrect API key",
        twice: 0,
    },
    Fault {
        name: "unknown model",
        play: Play::Anywhere(|| unusable("models = [\"another\"]", |settings| settings)),
        code: 6,
        says: "does not exist",
        twice: 0,
    },
    Fault {
        name: "the quota is gone",
        play: Play::Anywhere(|| unusable("[faults]\ninsufficient_quota = 1.0", |settings| settings)),
        code: 6,
        says: "quota",
        twice: 0,
    },
    Fault {
        name: "every request fails",
        play: Play::Anywhere(|| unusable("[faults]\nserver_error = 1.0", SHORT)),
        code: 6,
        says: "20 units in a row failed for good",
        twice: 0,
    },
    Fault {
        name: "refusals, empty, cut, filtered and unreadable replies",
        play: Play::Anywhere(odd_replies),
        code: 0,
        says: "",
        twice: 0,
    },
];
