//! A window as runs remember it.

use crate::model::asking::Shown;
use crate::prompt::{WindowLimit, WindowSettings};

/// As the plan of a run states it.
pub(super) const fn shown(window: WindowSettings) -> Shown {
    let WindowSettings { neighbours, limit, min_coverage, over_long } = window;
    Shown { neighbours, max_chars: limit.chars(), max_tokens: limit.tokens(), min_coverage, over_long }
}

/// In the words that a run's identity has always had for it, so that older runs go on; what is newer adds to them.
pub(super) fn identity(window: Option<WindowSettings>) -> String {
    let Some(WindowSettings { neighbours, limit, min_coverage, over_long }) = window else { return "None".to_owned() };
    let limit = match limit {
        WindowLimit::Chars(most) => format!("max_chars: {most}"),
        WindowLimit::Tokens(most) => format!("max_tokens: {most}"),
    };
    let over_long = if over_long.is_cut() { String::new() } else { format!(", over_long: {}", over_long.as_str()) };
    format!("Some(WindowSettings {{ neighbours: {neighbours}, {limit}, min_coverage: {min_coverage:?}{over_long} }})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::OverLong;

    #[test]
    fn what_older_versions_could_say_is_said_as_they_said_it() {
        let window = WindowSettings::of_chars(2, 4_000, 1.0);
        assert_eq!(identity(None), "None");
        let old = "Some(WindowSettings { neighbours: 2, max_chars: 4000, min_coverage: 1.0 })";
        assert_eq!(identity(Some(window)), old);
        let newer = WindowSettings { limit: WindowLimit::Tokens(4_000), ..window };
        assert_eq!(identity(Some(newer)), old.replace("max_chars", "max_tokens"));
        let chunked = WindowSettings { over_long: OverLong::Chunk, ..window };
        assert_eq!(identity(Some(chunked)), old.replace(" })", ", over_long: chunk })"));
    }
}
