//! The live lines on a terminal, plain lines elsewhere, JSON lines for programs. All on standard error. Whatever is shown,
//! the run's folder gets a snapshot every second, for `assize status`.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::clock::{self, UnixMs};
use crate::grade::desk::Stopping;
use crate::model::event::{Event, StopReason};
use crate::report::progress::{Phase, Progress, Standing};
use crate::run::assemble::Assembly;
use crate::run::disks::DiskNotice;
use crate::run::folder::RunFolder;
use crate::run::live::{Ending, Live, journal_bytes};
use crate::run::pipeline::Notice;
use crate::run::settings::{CacheMode, Workspace};

use super::args::ProgressArg;
use super::printer::Printer;

/// Between two plain or JSON lines.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Between two drawings of the live lines: quick enough to look alive, slow enough to be read.
const DRAW_EVERY: Duration = Duration::from_millis(250);
/// Columns that stay free at the right: a terminal echoes `^C` there, which must not wrap.
const MARGIN: u16 = 3;
/// Columns of a terminal that does not say.
const COLUMNS: u16 = 80;

/// Shows a run while it goes on.
pub(super) struct Display {
    progress: Progress,
    standing: Standing,
    form: Form,
    printer: Printer,
    shown: UnixMs,
    workspace: Workspace,
    is_locked: bool,
    folder: Option<RunFolder>,
}

enum Form {
    Bar(ProgressBar),
    Plain,
    Json,
    Silent,
}

impl Display {
    /// A display in the form that was asked for; `auto` is a bar on a terminal and plain lines elsewhere.
    pub(super) fn new(how: ProgressArg, assembly: &Assembly, printer: Printer) -> Self {
        let form = match how {
            ProgressArg::None => Form::Silent,
            ProgressArg::Json => Form::Json,
            ProgressArg::Auto if std::io::stderr().is_terminal() => Form::Bar(bar()),
            ProgressArg::Auto | ProgressArg::Plain => Form::Plain,
        };
        let now = clock::now();
        Self {
            progress: Progress::new(assembly.definitions.clone(), now),
            standing: Standing::default(),
            form,
            printer,
            shown: now,
            workspace: assembly.audit.workspace.clone(),
            is_locked: assembly.audit.cache != CacheMode::ReadOnly,
            folder: None,
        }
    }

    /// Takes note of what happened and shows it if it is time.
    pub(super) fn notice(&mut self, notice: &Notice<'_>) {
        let now = clock::now();
        match notice {
            Notice::Event(Event::Warned { message }) => self.above(|printer| printer.warning(message)),
            Notice::Event(event) => {
                if let Event::Opened(opened) = event {
                    let path = self.workspace.runs().join(&opened.run);
                    self.folder = Some(RunFolder { id: opened.run.clone(), path });
                }
                self.progress.event(event, now);
            }
            Notice::Tick { waits_for_money } => {
                self.standing.waits_for_money = *waits_for_money;
                self.publish(now, None);
            }
            Notice::Disk(DiskNotice::Low { folder, free, needed }) => self.above(|printer| {
                printer.warning(&format!(
                    "paused before the disk is full: `{}` has {} MiB left; the run goes on by itself when {} MiB are \
                     free, and ends after an hour without them",
                    folder.display(),
                    free >> 20,
                    (needed >> 20) + 1
                ));
            }),
            Notice::Disk(DiskNotice::Enough) => {
                self.above(|printer| printer.note("there is room on the disk again: the run goes on"));
            }
            Notice::Stopping(Stopping::Draining) => {
                self.standing.phase = Phase::Draining;
                self.above(|printer| {
                    printer
                        .note("stopping: what is on the wire is finished and kept; press Ctrl-C again to give it up");
                });
            }
            Notice::Stopping(Stopping::Abandoning | Stopping::No) => {
                self.standing.phase = Phase::Abandoning;
                self.above(|printer| printer.note("giving up what is on the wire"));
            }
        }
        let every = if matches!(self.form, Form::Bar(_)) { DRAW_EVERY } else { LINE_EVERY };
        if now.since(self.shown) >= every {
            self.shown = now;
            self.show(now);
        }
    }

    /// Tells other terminals.
    fn publish(&self, now: UnixMs, ended: Option<Ending>) {
        if let Some(folder) = &self.folder {
            let progress = self.progress.snapshot(now, self.standing);
            Live { pid: std::process::id(), is_locked: self.is_locked, progress, ended }.write(folder);
        }
    }

    fn show(&self, now: UnixMs) {
        let snapshot = || self.progress.snapshot(now, self.standing);
        match &self.form {
            Form::Bar(bar) => {
                let columns = columns().saturating_sub(MARGIN);
                bar.set_message(snapshot().terminal_lines(usize::from(columns)).join("\n"));
            }
            Form::Plain => self.printer.line(&snapshot().plain_line()),
            Form::Json => self.printer.line(&snapshot().json_line()),
            Form::Silent => {}
        }
    }

    /// Prints something without tearing the live lines.
    fn above(&self, print: impl FnOnce(Printer)) {
        match &self.form {
            Form::Bar(bar) => bar.suspend(|| print(self.printer)),
            Form::Plain | Form::Json | Form::Silent => print(self.printer),
        }
    }

    /// The last line, once the run has ended: for this reason, or with an error.
    pub(super) fn finish(mut self, reason: Option<&StopReason>) {
        self.standing = Standing::default();
        match (reason, &self.folder) {
            (Some(reason), Some(folder)) => {
                let ending =
                    journal_bytes(folder).map(|journal_bytes| Ending { reason: reason.clone(), journal_bytes });
                self.publish(clock::now(), ending);
            }
            (None, Some(folder)) => Live::remove(folder),
            (Some(_) | None, None) => {}
        }
        match &self.form {
            Form::Bar(bar) => bar.finish_and_clear(),
            // A session that never opened has nothing to show.
            Form::Plain | Form::Json if self.folder.is_some() => self.show(clock::now()),
            Form::Plain | Form::Json | Form::Silent => {}
        }
    }
}

/// Columns of the terminal now: it may be resized.
fn columns() -> u16 {
    rustix::termios::tcgetwinsize(std::io::stderr())
        .map_or(COLUMNS, |size| if size.ws_col == 0 { COLUMNS } else { size.ws_col })
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}").expect("the template is well-formed");
    let target = ProgressDrawTarget::term_like(Box::new(Screen::default()));
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// Standard error as a terminal. A frame leaves in one piece, so that nothing flickers. Lines end where their text ends and
/// not in blanks up to the right edge: a terminal echoes `^C` at the cursor, and from the edge that wraps onto a line of
/// which nobody knows, so that clearing leaves a torn line behind.
#[derive(Debug, Default)]
struct Screen {
    frame: Mutex<Frame>,
}

#[derive(Debug, Default)]
struct Frame {
    text: String,
    /// Whether blanks were left out, so that the next line does not begin by itself.
    is_at_edge: bool,
}

impl Screen {
    fn add(&self, text: &str) {
        let mut frame = self.frame.lock().unwrap_or_else(PoisonError::into_inner);
        frame.text.push_str(text);
        frame.is_at_edge = false;
    }

    /// Moves the cursor; a terminal takes 0 for 1.
    fn step(&self, count: usize, direction: char) {
        if count > 0 {
            self.add(&format!("\u{1b}[{count}{direction}"));
        }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        columns()
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        self.step(count, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        self.step(count, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        self.step(count, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        self.step(count, 'D');
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(line)?;
        self.add("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut frame = self.frame.lock().unwrap_or_else(PoisonError::into_inner);
        let is_blank = text.chars().all(|c| c == ' ');
        if !is_blank {
            let line_end = if frame.is_at_edge { "\n" } else { "" };
            frame.text.push_str(line_end);
            frame.text.push_str(text);
        }
        frame.is_at_edge = is_blank;
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\u{1b}[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let frame = std::mem::take(&mut *self.frame.lock().unwrap_or_else(PoisonError::into_inner));
        io::stderr().lock().write_all(frame.text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_ends_where_its_text_ends() {
        let screen = Screen::default();
        for line in ["one", "two"] {
            screen.write_str(line).unwrap();
            screen.write_str(&" ".repeat(20)).unwrap();
        }
        assert_eq!(screen.frame.lock().unwrap().text, "one\ntwo");
    }
}
