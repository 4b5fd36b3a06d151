//! The one owner of the program: starts it, gives it requests, hands its replies on, and starts it again when it ends.

use std::collections::HashMap;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::CommandSettings;
use super::line::{Reply, RequestLine};

/// Lines between the keeper and the program, each way: the program's own pace is what counts.
const LINES: usize = 16;
/// The longest line that is read; whatever is longer ends the program.
const MAX_LINE_BYTES: u64 = 16 << 20;
/// How often in a row a program that has replied before may end without a reply.
const BARREN_STARTS: u32 = 3;
/// Where so many requests were given up by whoever asked, and none is waited for, the program hangs.
const GIVEN_UP: usize = 3;
/// How long a program may take to end once its output has ended.
const LAST_MOMENT: Duration = Duration::from_secs(5);

/// A request and who waits for its reply.
pub(super) struct Call {
    pub(super) request: RequestLine,
    pub(super) answer: oneshot::Sender<Reply>,
}

/// Requests that the program has, by their number.
type Pending = HashMap<u64, oneshot::Sender<Reply>>;

/// Serves calls until nobody can call any more. The program is killed when this ends or is dropped.
pub(super) async fn keep(settings: CommandSettings, mut calls: mpsc::Receiver<Call>) {
    // One that has never replied is not set up, and no second start changes that.
    let (mut barren, mut hopeless) = (BARREN_STARTS - 1, None);
    let program = settings.program();
    while let Some(first) = calls.recv().await {
        if let Some(message) = &hopeless {
            let message = String::clone(message);
            // Who has stopped waiting needs no answer, here and below.
            first.answer.send(Reply::Hopeless { message }).ok();
            continue;
        }
        let mut running = match Running::start(&settings) {
            Ok(running) => running,
            Err(error) => {
                let message = format!("the command `{program}` cannot be started: {error}");
                first.answer.send(Reply::Hopeless { message: message.clone() }).ok();
                hopeless = Some(message);
                continue;
            }
        };
        let mut pending = Pending::new();
        let replied = running.serve(first, &mut calls, &mut pending).await;
        barren = if replied { 0 } else { barren + 1 };
        let why = running.end().await;
        let message = format!("the command `{program}` {why} before it replied; run it by hand to see the reason");
        for (_, answer) in pending {
            answer.send(Reply::Lost { message: message.clone() }).ok();
        }
        hopeless = (barren >= BARREN_STARTS).then_some(message);
    }
}

/// A program at work.
struct Running {
    child: Child,
    requests: mpsc::Sender<String>,
    lines: mpsc::Receiver<Vec<u8>>,
    tasks: JoinSet<()>,
}

impl Running {
    fn start(settings: &CommandSettings) -> io::Result<Self> {
        let mut command = Command::new(settings.program());
        command.args(settings.words.iter().skip(1)).current_dir(&settings.folder);
        for variable in &settings.withheld {
            command.env_remove(variable);
        }
        // A Ctrl-C at the terminal is for us: what is under way is finished first.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let missing = || io::Error::other("it has no standard input or output");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let (requests, to_write) = mpsc::channel(LINES);
        let (read, lines) = mpsc::channel(LINES);
        let mut tasks = JoinSet::new();
        // Two tasks, so that a program that does not read while it writes holds up nobody.
        tasks.spawn(write(stdin, to_write));
        tasks.spawn(read_lines(stdout, read));
        Ok(Self { child, requests, lines, tasks })
    }

    /// Goes on until the program's output ends or it hangs. Returns whether it replied at all.
    async fn serve(&mut self, first: Call, calls: &mut mpsc::Receiver<Call>, pending: &mut Pending) -> bool {
        let (mut next, mut replied) = (0, false);
        let mut waiting = Some(first);
        loop {
            let requests = self.requests.clone();
            let give = async {
                // A place first: a call that was taken must not be lost when a line comes in between.
                let place = requests.reserve_owned().await.ok()?;
                let call = match waiting.take() {
                    Some(call) => call,
                    None => calls.recv().await?,
                };
                Some((place, call))
            };
            tokio::select! {
                biased;
                line = self.lines.recv() => {
                    let Some(line) = line else { break };
                    let Some((id, reply)) = Reply::from_line(&line) else { continue };
                    if let Some(answer) = pending.remove(&id) {
                        replied = true;
                        answer.send(reply).ok();
                    }
                }
                given = give => {
                    let Some((place, Call { request, answer })) = given else { break };
                    let given_up = pending.values().filter(|answer| answer.is_closed()).count();
                    // One that has not replied yet may still be loading its model.
                    if replied && given_up >= GIVEN_UP && given_up == pending.len() {
                        pending.insert(next, answer);
                        break;
                    }
                    place.send(request.with_id(next));
                    pending.insert(next, answer);
                    next += 1;
                }
            }
        }
        if let Some(call) = waiting {
            pending.insert(next, call.answer);
        }
        replied
    }

    /// Ends the program and says how it ended.
    async fn end(mut self) -> String {
        // Without its input it has nothing left to do.
        self.tasks.shutdown().await;
        let ended = if let Ok(ended) = tokio::time::timeout(LAST_MOMENT, self.child.wait()).await {
            ended
        } else {
            self.kill();
            self.child.wait().await
        };
        let how = |status: ExitStatus| format!("ended ({status})");
        ended.map_or_else(|error| format!("is lost: {error}"), how)
    }

    /// Kills the program and what it started.
    fn kill(&self) {
        // One that has ended in this very moment, and was waited for, has no number any more.
        let group = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        group.map(|group| kill_process_group(group, Signal::KILL).ok());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn write(mut stdin: ChildStdin, mut lines: mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        let written = async {
            stdin.write_all(line.as_bytes()).await?;
            stdin.flush().await
        };
        // A program that reads no more is about to end, which its output tells.
        if written.await.is_err() {
            return;
        }
    }
}

async fn read_lines(stdout: ChildStdout, lines: mpsc::Sender<Vec<u8>>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let read = (&mut stdout).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(1..)) || line.last() != Some(&b'\n') {
            return;
        }
        if lines.send(line).await.is_err() {
            return;
        }
    }
}
