//! The one place that writes to the terminal: results to standard output, everything else to standard error.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::config::Environment;
use crate::report::rate::count;
use crate::report::table::Style;

use super::args::{ColorChoice, GlobalArgs, OutputFormat};
use super::exit::Failure;

/// Writes results and messages as the global flags ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    format: OutputFormat,
    color: bool,
}

impl Printer {
    /// A printer for these flags.
    pub(super) fn new(args: &GlobalArgs, environment: &Environment) -> Self {
        let color = match args.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => io::stderr().is_terminal() && environment.real("NO_COLOR").is_none(),
        };
        Self { format: args.format, color }
    }

    /// How result pages are coloured: as messages are, and never where standard output is not a terminal.
    #[must_use]
    pub(super) fn style(self) -> Style {
        if self.color && io::stdout().is_terminal() { Style::Colour } else { Style::Plain }
    }

    /// One line on standard error, without a word before it: progress.
    #[expect(clippy::unused_self, reason = "output goes through the one printer")]
    pub(super) fn line(self, line: &str) {
        // Nobody is left to tell that standard error is closed.
        drop(io::stderr().lock().write_all(format!("{}\n", plain(line)).as_bytes()));
    }

    /// Whether messages are coloured.
    pub(super) fn is_colored(self) -> bool {
        self.color
    }

    /// Writes a result: `value` as JSON if that is asked for, otherwise the text.
    ///
    /// # Errors
    /// If standard output cannot be written; a closed pipe is [`Failure::ClosedPipe`].
    pub(super) fn result(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Text => self.text(&text()),
            OutputFormat::Json => {
                let json = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
                self.text(&json)
            }
        }
    }

    /// Standard output, for a result that is too long to be held.
    #[expect(clippy::unused_self, reason = "output goes through the one printer")]
    pub(super) fn out(self) -> impl Write {
        io::BufWriter::new(io::stdout().lock())
    }

    /// Writes text to standard output as it is, with a line end.
    ///
    /// # Errors
    /// As [`Printer::result`].
    #[expect(clippy::unused_self, reason = "output goes through the one printer")]
    pub(super) fn text(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let written =
            out.write_all(text.as_bytes()).and_then(|()| out.write_all(end.as_bytes())).and_then(|()| out.flush());
        written.map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                return Failure::ClosedPipe;
            }
            anyhow::Error::from(error).context("cannot write to standard output").into()
        })
    }

    /// A remark on standard error.
    pub(super) fn note(self, message: &str) {
        self.message("note", "\u{1b}[1m", message);
    }

    /// Something odd that does not stop the command.
    pub(super) fn warning(self, message: &str) {
        self.message("warning", "\u{1b}[1;33m", message);
    }

    /// What stopped the command, one line per problem, and what to do about it.
    pub(super) fn failure(self, error: &anyhow::Error, hint: Option<&str>) {
        self.message("error", "\u{1b}[1;31m", &sentence(error));
        if let Some(hint) = hint {
            self.message("hint", "\u{1b}[1;36m", hint);
        }
    }

    fn message(self, word: &str, color: &str, message: &str) {
        let mut lines = String::new();
        for line in message.lines() {
            let line = plain(line);
            let line =
                if self.color { format!("{color}{word}:\u{1b}[0m {line}\n") } else { format!("{word}: {line}\n") };
            lines.push_str(&line);
        }
        // Nobody is left to tell that standard error is closed.
        drop(io::stderr().lock().write_all(lines.as_bytes()));
    }
}

/// An error and its causes in one sentence. A cause that the error above it has quoted already is not said twice.
fn sentence(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if !said.last().is_some_and(|above| above.contains(&cause)) {
            said.push(cause);
        }
    }
    said.join(": ")
}

/// A count with its words: `1 line is`, `2,000 lines are`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A line without control characters: file names and values come from outside and must not steer the terminal.
fn plain(line: &str) -> Cow<'_, str> {
    if !line.contains(char::is_control) {
        return Cow::Borrowed(line);
    }
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_once() {
        let quoted = anyhow::anyhow!("no such file").context("cannot read `a`: no such file").context("failed to plan");
        assert_eq!(sentence(&quoted), "failed to plan: cannot read `a`: no such file");
        assert_eq!(sentence(&anyhow::anyhow!("inner").context("outer")), "outer: inner");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\u{7}"), "a\u{fffd}[2Jb\u{fffd}");
        assert!(matches!(plain("Zürich · 東京"), Cow::Borrowed(_)));
    }
}
