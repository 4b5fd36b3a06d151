//! The command of `[notify]`: told how a run ended, with the report on its standard input.
//!
//! It runs in the audit's folder. Environment: `ASSIZE_NOTIFY_AUDIT`, `ASSIZE_NOTIFY_RUN` (empty where there is none),
//! `ASSIZE_NOTIFY_EXIT_CODE`, and `ASSIZE_NOTIFY_REASON`, which is what `sessions.stop.reason` says in `report.json`, or
//! `error` where the run broke off without a report: then standard input is empty. What it prints is not part of the
//! run's result. It never changes how a run ends. The variables that hold graders' keys are not passed on to it.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// How long the command may take.
pub const TIME_LIMIT: Duration = Duration::from_mins(1);

/// The command.
#[derive(Debug, Clone, Copy)]
pub struct Hook<'a> {
    /// The program and its arguments; empty for none.
    pub command: &'a [String],
    /// Where it runs.
    pub folder: &'a Path,
    /// Environment variables that it does not get.
    pub withheld: &'a [String],
}

/// How a run ended, as the command is told.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// The audit's name.
    pub audit: &'a str,
    /// The run's id; empty where there is none.
    pub run: &'a str,
    /// The exit code of the run.
    pub exit_code: u8,
    /// Why it ended.
    pub reason: &'a str,
    /// `report.json`; empty where there is none.
    pub report: &'a str,
}

/// Why the command did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// It cannot be started.
    #[error("the notify command `{program}` cannot be started: {source}")]
    NotStarted {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It failed.
    #[error("the notify command `{program}` failed ({status})")]
    Failed {
        /// The program.
        program: String,
        /// How.
        status: ExitStatus,
    },
    /// It took too long and was ended.
    #[error("the notify command `{program}` took longer than {} s and was ended", limit.as_secs())]
    TooLong {
        /// The program.
        program: String,
        /// The time it had.
        limit: Duration,
    },
}

/// Runs the command and waits for it, for `limit` at most. Without a command nothing happens.
///
/// # Errors
/// If it cannot be started, fails or takes too long.
pub fn notify(hook: Hook<'_>, ending: Ending<'_>, limit: Duration) -> Result<(), NotifyError> {
    let Some((program, arguments)) = hook.command.split_first() else { return Ok(()) };
    let program = program.clone();
    let mut command = Command::new(&program);
    for variable in hook.withheld {
        command.env_remove(variable);
    }
    let started = command
        .args(arguments)
        .current_dir(hook.folder)
        .env("ASSIZE_NOTIFY_AUDIT", ending.audit)
        .env("ASSIZE_NOTIFY_RUN", ending.run)
        .env("ASSIZE_NOTIFY_EXIT_CODE", ending.exit_code.to_string())
        .env("ASSIZE_NOTIFY_REASON", ending.reason)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(source) => return Err(NotifyError::NotStarted { program, source }),
    };
    let group = Pid::from_child(&child);
    let (done, ended) = sync_channel(1);
    let (stdin, report) = (child.stdin.take(), ending.report.to_owned());
    // Threads of their own: a command that reads nothing or never ends must not hold up anybody.
    thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(report.as_bytes())));
    thread::spawn(move || done.send(child.wait()));
    match ended.recv_timeout(limit) {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(NotifyError::Failed { program, status }),
        Ok(Err(source)) => Err(NotifyError::NotStarted { program, source }),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            // What has ended in this very moment needs no signal.
            kill_process_group(group, Signal::KILL).ok();
            Err(NotifyError::TooLong { program, limit })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDING: Ending<'_> =
        Ending { audit: "nightly", run: "r1", exit_code: 3, reason: "budget", report: "{\"schema\": 1}" };

    fn here(command: &[String]) -> Hook<'_> {
        Hook { command, folder: Path::new("."), withheld: &[] }
    }

    fn run(script: &str, limit: Duration) -> (Result<(), NotifyError>, String) {
        let folder = tempfile::tempdir().unwrap();
        let command = ["sh", "-c", script].map(str::to_owned);
        let ended = notify(Hook { folder: folder.path(), ..here(&command) }, ENDING, limit);
        (ended, std::fs::read_to_string(folder.path().join("said")).unwrap_or_default())
    }

    #[test]
    fn it_gets_the_report_and_how_it_ended() {
        let script = "{ cat; env | grep ASSIZE_NOTIFY_ | sort; } > said";
        let (ended, said) = run(script, TIME_LIMIT);
        ended.unwrap();
        insta::assert_snapshot!(said, @r#"
        {"schema": 1}ASSIZE_NOTIFY_AUDIT=nightly
        ASSIZE_NOTIFY_EXIT_CODE=3
        ASSIZE_NOTIFY_REASON=budget
        ASSIZE_NOTIFY_RUN=r1
        "#);
    }

    #[test]
    fn failing_absent_and_slow_commands_are_errors_that_name_them() {
        assert!(
            matches!(run("exit 3", TIME_LIMIT).0, Err(NotifyError::Failed { status, .. }) if status.code() == Some(3))
        );
        let absent = ["no-such-program-here".to_owned()];
        assert!(matches!(notify(here(&absent), ENDING, TIME_LIMIT), Err(NotifyError::NotStarted { .. })));
        let slow = run("sleep 600 & wait", Duration::from_millis(1)).0.unwrap_err();
        assert_eq!(slow.to_string(), "the notify command `sh` took longer than 0 s and was ended");
        notify(here(&[]), ENDING, TIME_LIMIT).unwrap();
    }

    #[test]
    fn a_command_that_reads_nothing_is_fine() {
        let report = "x".repeat(1 << 20);
        let ending = Ending { report: &report, ..ENDING };
        notify(here(&["true".to_owned()]), ending, TIME_LIMIT).unwrap();
    }
}
