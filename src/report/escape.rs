//! Foreign text, made harmless for a terminal.

use std::fmt::Write;

/// `text` with every character that could move the cursor, change colours, reorder or hide text written as
/// `\u{...}`: control characters, bidirectional marks and overrides, invisible characters, line separators, tags.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            write!(safe, "\\u{{{:x}}}", u32::from(c)).expect("a string can be written to");
        } else {
            safe.push(c);
        }
    }
    safe
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn harmful_characters_become_visible() {
        assert_eq!(escape("\u{1b}[31mred\u{7}\r\n"), "\\u{1b}[31mred\\u{7}\\u{d}\\u{a}");
        assert_eq!(escape("a\u{202e}b\u{2066}c\u{200f}\u{9b}"), "a\\u{202e}b\\u{2066}c\\u{200f}\\u{9b}");
        assert_eq!(escape("häufig · 稀 · нет"), "häufig · 稀 · нет");
    }
}
