//! The live line on a terminal, plain lines elsewhere, JSON lines for programs. All on standard error.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::{self, UnixMs};
use crate::grade::desk::Stopping;
use crate::model::event::Event;
use crate::reconcile::Definitions;
use crate::report::progress::Progress;
use crate::run::disks::DiskNotice;
use crate::run::pipeline::Notice;

use super::args::ProgressArg;
use super::printer::Printer;

/// Between two plain or JSON lines.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Between two drawings of the live line.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Shows a run while it goes on.
pub(super) struct Display {
    progress: Progress,
    form: Form,
    printer: Printer,
    shown: UnixMs,
}

enum Form {
    Bar(ProgressBar),
    Plain,
    Json,
    Silent,
}

impl Display {
    /// A display in the form that was asked for; `auto` is a bar on a terminal and plain lines elsewhere.
    pub(super) fn new(how: ProgressArg, definitions: Definitions, printer: Printer) -> Self {
        let form = match how {
            ProgressArg::None => Form::Silent,
            ProgressArg::Json => Form::Json,
            ProgressArg::Auto if std::io::stderr().is_terminal() => Form::Bar(bar()),
            ProgressArg::Auto | ProgressArg::Plain => Form::Plain,
        };
        let now = clock::now();
        Self { progress: Progress::new(definitions, now), form, printer, shown: now }
    }

    /// Takes note of what happened and shows it if it is time.
    pub(super) fn notice(&mut self, notice: &Notice<'_>) {
        let now = clock::now();
        match notice {
            Notice::Event(Event::Warned { message }) => self.above(|printer| printer.warning(message)),
            Notice::Event(event) => self.progress.event(event, now),
            Notice::Tick => {}
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
            Notice::Stopping(Stopping::Draining) => self.above(|printer| {
                printer.note("stopping: what is on the wire is finished and kept; press Ctrl-C again to give it up");
            }),
            Notice::Stopping(Stopping::Abandoning | Stopping::No) => {
                self.above(|printer| printer.note("giving up what is on the wire"));
            }
        }
        let every = if matches!(self.form, Form::Bar(_)) { DRAW_EVERY } else { LINE_EVERY };
        if now.since(self.shown) >= every {
            self.shown = now;
            self.show(now);
        }
    }

    fn show(&self, now: UnixMs) {
        let snapshot = self.progress.snapshot(now);
        match &self.form {
            Form::Bar(bar) => {
                bar.set_length(snapshot.planned);
                bar.set_position(snapshot.finished);
                bar.set_message(snapshot.terminal_line());
            }
            Form::Plain => self.printer.line(&snapshot.plain_line()),
            Form::Json => self.printer.line(&snapshot.json_line()),
            Form::Silent => {}
        }
    }

    /// Prints something without tearing the live line.
    fn above(&self, print: impl FnOnce(Printer)) {
        match &self.form {
            Form::Bar(bar) => bar.suspend(|| print(self.printer)),
            Form::Plain | Form::Json | Form::Silent => print(self.printer),
        }
    }

    /// The last line, once the run has ended.
    pub(super) fn finish(self) {
        match &self.form {
            Form::Bar(bar) => bar.finish_and_clear(),
            Form::Plain | Form::Json => self.show(clock::now()),
            Form::Silent => {}
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24} {msg}").expect("the template is well-formed");
    ProgressBar::no_length().with_style(style)
}
