//! The binary as a child process.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;

use assize::report::Report;
use rustix::process::{Pid, Signal, kill_process};

/// A process that may still be at work; it is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    /// Both streams are read as they come, so that a full pipe never stops the process.
    streams: Option<[thread::JoinHandle<String>; 2]>,
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

    pub(crate) fn wait(mut self) -> Finished {
        self.finish()
    }

    fn finish(&mut self) -> Finished {
        let status = self.child.wait().expect("it is our child");
        let [stdout, stderr] = self.streams.take().expect("a process finishes once");
        Finished { code: status.code(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has ended already needs neither.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("a pipe can be read");
        String::from_utf8(text).expect("all output is UTF-8")
    })
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
