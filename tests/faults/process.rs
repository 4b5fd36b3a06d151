//! The binary as a child process.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use assize::report::Report;
use rustix::process::{Pid, Signal, kill_process};

use crate::grader::PATIENCE;

/// A process that may still be at work; it is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    /// Both streams are read as they come, so that a full pipe never stops the process.
    streams: Option<[Stream; 2]>,
}

/// What is left of a process.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let streams = Some([collect(stdout), collect(stderr)]);
        Self { child, streams }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is still there");
    }

    /// `kill -9`: no handler runs, nothing is flushed.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the process is still there");
        let finished = self.finish();
        assert_eq!(finished.code, None, "it ended before it was killed: {finished:?}");
    }

    /// The same for a process that may have ended; whether it had not.
    pub(crate) fn try_kill(mut self) -> bool {
        self.child.kill().ok();
        self.finish().code.is_none()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    pub(crate) fn wait(mut self) -> Finished {
        self.finish()
    }

    fn finish(&mut self) -> Finished {
        let status = self.child.wait().expect("it is our child");
        let [stdout, stderr] = self.streams.take().expect("a process finishes once");
        Finished { code: status.code(), stdout: stdout.text(), stderr: stderr.text() }
    }

    /// Waits until the process has said this on standard error, after what it was waited for to say before.
    pub(crate) fn says(&mut self, words: &str) {
        let [_, stderr] = self.streams.as_mut().expect("it has not finished");
        stderr.wait_for(words);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has ended already needs neither.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a process has written to a stream so far.
struct Stream {
    written: Arc<(Mutex<Vec<u8>>, Condvar)>,
    reader: thread::JoinHandle<()>,
    /// Bytes up to the end of what was waited for.
    heard: usize,
}

fn collect(mut stream: impl Read + Send + 'static) -> Stream {
    let written = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
    let shared = Arc::clone(&written);
    let reader = thread::spawn(move || {
        let mut part = [0; 16 << 10];
        loop {
            let read = stream.read(&mut part).expect("a pipe can be read");
            if read == 0 {
                break;
            }
            shared.0.lock().unwrap().extend_from_slice(&part[..read]);
            shared.1.notify_all();
        }
    });
    Stream { written, reader, heard: 0 }
}

impl Stream {
    fn text(self) -> String {
        self.reader.join().unwrap();
        String::from_utf8(std::mem::take(&mut self.written.0.lock().unwrap())).expect("all output is UTF-8")
    }

    fn wait_for(&mut self, words: &str) {
        let heard = self.heard;
        let find = |text: &[u8]| text[heard..].windows(words.len()).position(|part| part == words.as_bytes());
        let is_missing = |text: &mut Vec<u8>| find(text).is_none();
        let (text, more) = &*self.written;
        let (text, waited) = more.wait_timeout_while(text.lock().unwrap(), PATIENCE, is_missing).unwrap();
        assert!(!waited.timed_out(), "it never said `{words}`: {}", String::from_utf8_lossy(&text));
        self.heard += find(&text).expect("it was just found") + words.len();
    }
}

impl Finished {
    /// The report on standard output.
    pub(crate) fn report(&self) -> Report {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no report ({error}): {self:?}"))
    }

    /// The report of a run that must have ended with this exit code.
    pub(crate) fn expect(&self, code: i32) -> Report {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        self.report()
    }

    /// The message of a command that must have failed with this exit code, without a report.
    pub(crate) fn refusal(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "a command that fails prints no figures");
        &self.stderr
    }
}
