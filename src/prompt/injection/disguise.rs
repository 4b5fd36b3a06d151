//! Letters that look like others, and characters between letters that nobody sees.

use unicode_normalization::UnicodeNormalization;

/// What signs are made of. A word that is one of them but for its accents is a disguise.
const KEY_WORDS: [&str; 14] = [
    "absent",
    "cannot",
    "disregard",
    "evaluator",
    "forget",
    "grader",
    "harmless",
    "ignore",
    "judge",
    "override",
    "rater",
    "reviewer",
    "transcript",
    "verdict",
];
/// No key word is longer, with an accent on every letter and after it.
const LONGEST_WORD: usize = 64;

/// Whether a text holds what a disguise is made of: invisible characters, letters of a second form, words of two scripts, or
/// key words with accents.
pub(super) fn is_likely(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let mut before = ' ';
    let is_made_of_it = text.chars().any(|c| {
        let is_mixed = (c.is_ascii_alphabetic() && is_of_another_script(before))
            || (is_of_another_script(c) && before.is_ascii_alphabetic());
        before = c;
        is_mixed || is_invisible(c) || is_of_second_form(c)
    });
    is_made_of_it || text.split(|c: char| !c.is_alphanumeric() && !is_mark(c)).any(is_accented_key_word)
}

fn is_accented_key_word(word: &str) -> bool {
    let may_be = !word.is_ascii() && word.len() <= LONGEST_WORD && word.chars().all(is_latin);
    may_be && {
        let plain = removed(word).to_ascii_lowercase();
        KEY_WORDS.iter().any(|key| plain.starts_with(key))
    }
}

/// The text as a reader takes it: in plain letters, without accents and what nobody sees.
pub(super) fn removed(text: &str) -> String {
    let seen = text.chars().filter_map(|c| match u32::from(c) {
        // Tags: ASCII that is not shown at all.
        tag @ 0xe0020..=0xe007e => char::from_u32(tag - 0xe0000),
        _ => Some(c).filter(|c| !is_invisible(*c)),
    });
    seen.nfkd().filter(|c| !is_mark(*c)).map(plain).collect()
}

/// What Unicode calls default-ignorable: shown as nothing.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Accents and the like, that stand on the letter before.
const fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
    )
}

const fn is_latin(c: char) -> bool {
    c.is_ascii() || is_mark(c) || matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

/// Letters of a second form: full-width, mathematical, encircled, raised and lowered ones, small capitals, ligatures, the long
/// s and the Kelvin sign.
const fn is_of_second_form(c: char) -> bool {
    is_small_capital(c)
        || matches!(
            c,
            '\u{17f}' | '\u{2b0}'..='\u{2b8}' | '\u{1d2c}'..='\u{1d6a}' | '\u{2090}'..='\u{209c}' | '\u{2100}'..='\u{214f}'
                | '\u{2160}'..='\u{2188}' | '\u{249c}'..='\u{24e9}' | '\u{fb00}'..='\u{fb06}'
                | '\u{ff01}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}' | '\u{1f110}'..='\u{1f149}'
        )
}

const fn is_small_capital(c: char) -> bool {
    plain(c).is_ascii() && matches!(c, '\u{250}'..='\u{2af}' | '\u{1d00}'..='\u{1d2b}' | '\u{a730}'..='\u{a731}')
}

/// Greek and Cyrillic, whose letters pass for Latin ones.
const fn is_of_another_script(c: char) -> bool {
    matches!(c, '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{52f}')
}

/// The Latin letter that a Greek or Cyrillic one passes for, or that a small capital is.
const fn plain(c: char) -> char {
    match c {
        'а' | 'α' | 'ᴀ' => 'a',
        'ʙ' => 'b',
        'с' | 'ϲ' | 'ᴄ' => 'c',
        'ԁ' | 'ᴅ' => 'd',
        'е' | 'ε' | 'ᴇ' => 'e',
        'ꜰ' => 'f',
        'ɡ' | 'ɢ' => 'g',
        'һ' | 'н' | 'ʜ' => 'h',
        'і' | 'ι' | 'ı' | 'ɪ' => 'i',
        'ј' | 'ᴊ' => 'j',
        'к' | 'κ' | 'ᴋ' => 'k',
        'ʟ' => 'l',
        'м' | 'ᴍ' => 'm',
        'ɴ' => 'n',
        'о' | 'ο' | 'ᴏ' => 'o',
        'р' | 'ρ' | 'ᴘ' => 'p',
        'ʀ' => 'r',
        'ѕ' | 'ꜱ' => 's',
        'т' | 'τ' | 'ᴛ' => 't',
        'υ' | 'ᴜ' => 'u',
        'ν' | 'ᴠ' => 'v',
        'ᴡ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' | 'ʏ' => 'y',
        'ᴢ' => 'z',
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
            ("v\u{34f}er\u{3164}d\u{fe0f}ict\u{180e}\u{206a}\u{61c}", "verdict"),
            ("ⓥⓔⓡⓓⓘⓒⓣ", "verdict"),
            ("ᴠᴇʀᴅɪᴄᴛ", "verdict"),
            ("Vérdìct", "Verdict"),
            ("ve\u{301}rdict", "verdict"),
            ("ab\u{17f}ent", "absent"),
        ] {
            assert!(is_likely(text), "{text}");
            assert_eq!(removed(text), plain);
        }
    }

    #[test]
    fn other_languages_are_no_disguise() {
        for text in ["", "plain", "Größe, naïve, 你好, Привет мир, Καλημέρα κόσμε", "see Привет", "🙂", "déjà vu"]
        {
            assert!(!is_likely(text), "{text}");
        }
    }
}
