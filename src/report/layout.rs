//! A page of text, 80 columns wide. Colour repeats what the words say and can be left out.

use std::fmt::Write;

/// Columns of a page.
pub(super) const WIDTH: usize = 80;

/// Whether a page may use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Characters only.
    #[default]
    Plain,
    /// With ANSI escape codes.
    Colour,
}

/// What a reader has to know before any figure, as the line above a text; nothing if there is nothing.
#[must_use]
pub fn watermark_line(mark: Option<&str>) -> String {
    mark.map(|mark| format!("*** {mark} ***\n")).unwrap_or_default()
}

/// What a colour stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ink {
    Heading,
    Alarm,
    Figure,
}

impl Ink {
    const fn code(self) -> &'static str {
        match self {
            Self::Heading => "1",
            Self::Alarm => "1;33",
            Self::Figure => "1;36",
        }
    }
}

/// A page being written. Text that comes from outside must be escaped before it gets here.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    style: Style,
}

impl Page {
    pub(super) const fn new(style: Style) -> Self {
        Self { text: String::new(), style }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    pub(super) fn ink(&self, ink: Ink, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("\u{1b}[{}m{text}\u{1b}[0m", ink.code()),
        }
    }

    /// What a reader has to know before any figure, if there is something.
    pub(super) fn watermark(&mut self, mark: Option<&str>) {
        if let Some(mark) = mark {
            let alarm = self.ink(Ink::Alarm, &format!("*** {mark} ***"));
            self.line(&alarm);
        }
    }

    /// A heading with a blank line before it.
    pub(super) fn heading(&mut self, text: &str) {
        let heading = self.ink(Ink::Heading, text);
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.line(&format!("{gap}{heading}"));
    }

    pub(super) fn line(&mut self, text: &str) {
        writeln!(self.text, "{}", text.trim_end()).expect("a string can be written to");
    }

    /// Words after a lead, wrapped; later lines are indented as far as the lead reaches.
    pub(super) fn wrapped(&mut self, lead: &str, words: &str) {
        let indent = lead.chars().count();
        let mut line = lead.to_owned();
        let mut column = indent;
        for word in words.split(' ') {
            let width = columns(word);
            if column > indent && column + 1 + width > WIDTH {
                self.line(&line);
                line = " ".repeat(indent);
                column = indent;
            }
            if column > indent {
                line.push(' ');
                column += 1;
            }
            line.push_str(word);
            column += width;
        }
        self.line(&line);
    }

    /// What stands in a row's name column. A name that is wider gets a line of its own above the row, so that names
    /// with one beginning stay apart, and the column is empty.
    pub(super) fn row_name(&mut self, name: &str, width: usize) -> String {
        if name.chars().count() <= width {
            return name.to_owned();
        }
        self.line(&format!("  {}", fitted(name, WIDTH - 2)));
        String::new()
    }
}

/// Columns that a word takes: colour takes none.
fn columns(word: &str) -> usize {
    let mut is_code = false;
    let is_shown = |c| {
        let was_code = is_code || c == '\u{1b}';
        is_code = was_code && c != 'm';
        !was_code
    };
    word.chars().map(is_shown).filter(|shown| *shown).count()
}

/// `text` in at most `width` columns, with an ellipsis where it was cut.
pub(super) fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_under_their_lead() {
        let mut page = Page::new(Style::Plain);
        page.wrapped("  note  ", &"word ".repeat(30));
        let text = page.finish();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("        word")), "{text}");
        assert_eq!(fitted("abcdef", 4), "abc…");
        assert_eq!((columns("word"), columns("\u{1b}[1;33mmum\u{1b}[0m:")), (4, 4));
    }

    #[test]
    fn long_names_with_one_beginning_stay_apart() {
        let mut page = Page::new(Style::Plain);
        for name in ["vendor-model-0613-70B", "vendor-model-0613-8B", "short"] {
            let name = page.row_name(name, 12);
            page.line(&format!("  {name:<12}{:>4}", 1));
        }
        let text = page.finish();
        let lines: Vec<_> = text.lines().collect();
        let row = "                 1";
        assert_eq!(lines, ["  vendor-model-0613-70B", row, "  vendor-model-0613-8B", row, "  short          1"]);
    }
}
