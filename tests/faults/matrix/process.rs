//! Faults of the process: killed, told to stop, started twice, cut short by money and time.

use std::process::Stdio;

use rustix::process::Signal;

use super::{Fault, KILLED, Play, Played, scene, settings};
use crate::process::Finished;
use crate::workspace::{AuditSettings, COMMIT_GROUP, SLOTS};

/// What may be paid for twice after one kill.
const A_KILL: u64 = SLOTS + COMMIT_GROUP;

/// Killed when the grader has received each of these numbers of requests, and resumed each time.
fn killed(points: &[u64]) -> Played {
    let (workspace, grader) = scene("");
    for point in points {
        let running = workspace.start(&[]);
        grader.received(*point);
        running.kill();
    }
    let hit = Finished { code: None, stdout: String::new(), stderr: String::new() };
    Played::again(workspace, &grader, hit)
}

fn told_to_stop() -> Played {
    let (workspace, grader) = scene("");
    let running = workspace.start(&[]);
    grader.received(40);
    running.signal(Signal::TERM);
    let hit = running.wait();
    Played::again(workspace, &grader, hit)
}

fn told_twice() -> Played {
    let (workspace, grader) = scene("");
    let hanging = crate::grader::Grader::start(&workspace, "seed = 21\n[faults]\nhang = 1.0");
    workspace.audit(&AuditSettings { request_timeout: "1m", ..settings(&hanging) });
    let mut running = workspace.start(&[]);
    hanging.received(SLOTS);
    running.signal(Signal::INT);
    running.says("stopping");
    running.signal(Signal::INT);
    let hit = running.wait();
    let first = hanging.die();
    workspace.audit(&settings(&grader));
    let mended = Some(workspace.run(&[]));
    Played::new(workspace, vec![first, grader.stats()], hit, mended)
}

fn started_twice() -> Played {
    let (workspace, grader) = scene("latency_jitter_ms = 20");
    let first = workspace.start(&[]);
    grader.received(1);
    let hit = workspace.run(&[]);
    let mended = Some(first.wait());
    Played::new(workspace, vec![grader.stats()], hit, mended)
}

fn nobody_reads() -> Played {
    let (workspace, grader) = scene("");
    let mut command = workspace.command(&["run", "--format", "json", "--progress", "none"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let hit = Finished { code: output.status.code(), stdout: String::new(), stderr };
    Played::again(workspace, &grader, hit)
}

fn too_late() -> Played {
    let (workspace, grader) = scene("");
    let hit = workspace.run(&["--deadline", "2020-01-01T00:00Z"]);
    Played::again(workspace, &grader, hit)
}

fn out_of_money() -> Played {
    let (workspace, grader) = scene("");
    let cap = 0.15;
    workspace.audit(&AuditSettings { max_cost: cap, ..settings(&grader) });
    let hit = workspace.run(&[]);
    let capped = Some((grader.billed(), cap));
    workspace.audit(&settings(&grader));
    Played { capped, ..Played::again(workspace, &grader, hit) }
}

fn out_of_money_and_killed() -> Played {
    let (workspace, grader) = scene("[faults]\nreset = 0.05\ntruncated_body = 0.05");
    let cap = 0.2;
    workspace.audit(&AuditSettings { max_cost: cap, ..settings(&grader) });
    let running = workspace.start(&[]);
    grader.received(6);
    running.kill();
    let hit = workspace.run(&[]);
    let capped = Some((grader.billed(), cap));
    workspace.audit(&settings(&grader));
    Played { capped, ..Played::again(workspace, &grader, hit) }
}

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "kill -9 at the first request",
        play: Play::Anywhere(|| killed(&[1])),
        code: KILLED,
        says: "",
        twice: A_KILL,
    },
    Fault { name: "kill -9 half way", play: Play::Anywhere(|| killed(&[60])), code: KILLED, says: "", twice: A_KILL },
    Fault {
        name: "kill -9 near the end",
        play: Play::Anywhere(|| killed(&[100])),
        code: KILLED,
        says: "",
        twice: A_KILL,
    },
    Fault {
        name: "kill -9, and again during the resume",
        play: Play::Anywhere(|| killed(&[40, 41, 80])),
        code: KILLED,
        says: "",
        twice: 3 * A_KILL,
    },
    Fault {
        name: "SIGTERM",
        play: Play::Anywhere(told_to_stop),
        code: 130,
        says: "run the same command again to resume",
        twice: 0,
    },
    Fault {
        name: "two Ctrl-C while the grader hangs",
        play: Play::Anywhere(told_twice),
        code: 130,
        says: "giving up what is on the wire",
        twice: 0,
    },
    Fault { name: "a second process", play: Play::Anywhere(started_twice), code: 2, says: "held by run", twice: 0 },
    Fault { name: "nobody reads the output", play: Play::Anywhere(nobody_reads), code: 0, says: "", twice: 0 },
    Fault {
        name: "the deadline has passed",
        play: Play::Anywhere(too_late),
        code: 3,
        says: "a later --deadline goes on from here",
        twice: 0,
    },
    Fault {
        name: "the cap is reached",
        play: Play::Anywhere(out_of_money),
        code: 3,
        says: "a higher --max-cost goes on from here",
        twice: 0,
    },
    Fault {
        name: "the cap is reached after losses and a kill -9",
        play: Play::Anywhere(out_of_money_and_killed),
        code: 3,
        says: "a higher --max-cost goes on from here",
        twice: A_KILL,
    },
];
