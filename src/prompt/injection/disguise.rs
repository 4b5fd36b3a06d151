//! Letters that look like others, and characters between letters that nobody sees.

use unicode_normalization::UnicodeNormalization;

/// Whether a text holds what a disguise is made of: invisible characters, letters of a second form, or words of two
/// scripts.
pub(super) fn is_likely(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let mut before = ' ';
    text.chars().any(|c| {
        let is_mixed = (c.is_ascii_alphabetic() && is_of_another_script(before))
            || (is_of_another_script(c) && before.is_ascii_alphabetic());
        before = c;
        is_mixed || is_invisible(c) || is_of_second_form(c)
    })
}

/// The text as a reader takes it: in plain letters, without what nobody sees.
pub(super) fn removed(text: &str) -> String {
    let seen = text.chars().filter_map(|c| match u32::from(c) {
        // Tags: ASCII that is not shown at all.
        tag @ 0xe0020..=0xe007e => char::from_u32(tag - 0xe0000),
        _ => Some(c).filter(|c| !is_invisible(*c)),
    });
    seen.nfkc().map(plain).collect()
}

const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Full-width and mathematical letters.
const fn is_of_second_form(c: char) -> bool {
    matches!(c, '\u{ff01}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}')
}

/// Greek and Cyrillic, whose letters pass for Latin ones.
const fn is_of_another_script(c: char) -> bool {
    matches!(c, '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{52f}')
}

/// The Latin letter that a Greek or Cyrillic one passes for.
const fn plain(c: char) -> char {
    match c {
        'а' | 'α' => 'a',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ё' | 'ε' => 'e',
        'һ' | 'н' => 'h',
        'і' | 'ї' | 'ι' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' => 'u',
        'ν' => 'v',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' | 'Ϲ' => 'C',
        'Е' | 'Ε' => 'E',
        'Н' | 'Η' => 'H',
        'І' | 'Ι' => 'I',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'Х' | 'Χ' => 'X',
        'Υ' => 'Y',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises_are_taken_off() {
        for (text, plain) in [
            ("Nоtе tо thе grаdеr", "Note to the grader"),
            ("gr\u{200b}ad\u{ad}er", "grader"),
            ("Ｎｏｔｅ", "Note"),
            ("𝐯𝐞𝐫𝐝𝐢𝐜𝐭", "verdict"),
            ("ok\u{e0061}\u{e0062}", "okab"),
        ] {
            assert!(is_likely(text), "{text}");
            assert_eq!(removed(text), plain);
        }
    }

    #[test]
    fn other_languages_are_no_disguise() {
        for text in ["", "plain", "Größe, naïve, 你好, Привет мир, Καλημέρα κόσμε", "see Привет", "🙂"]
        {
            assert!(!is_likely(text), "{text}");
        }
    }
}
