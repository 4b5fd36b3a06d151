//! What a defect of ours says: where it is, and not the words of the panic, which may quote a transcript.

use std::panic::{self, PanicHookInfo};

use crate::caught;
use crate::config::Environment;

use super::printer::Printer;

/// Takes over what panics print, for the whole process. Whoever sets `RUST_BACKTRACE` gets the words as well.
pub(super) fn report_without_words(environment: &Environment, printer: Printer) {
    let wants_words = environment.real("RUST_BACKTRACE").is_some_and(|value| value != "0");
    let as_usual = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        if caught::is_expected() {
            return;
        }
        if wants_words {
            as_usual(panicked);
        }
        printer.failure(&defect(panicked), Some(HINT));
    }));
}

const HINT: &str = "please report it with this line; what was paid for is kept, and `assize status` says how to go on. \
                    `RUST_BACKTRACE=1` shows more, which may quote a transcript";

fn defect(panicked: &PanicHookInfo<'_>) -> anyhow::Error {
    let place = panicked.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    anyhow::anyhow!("assize {} has a defect at {place}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::thread;

    use super::*;

    #[test]
    fn a_defect_is_told_by_its_place_and_not_by_its_words() {
        let (told, heard) = sync_channel(100);
        let as_usual = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| drop(told.try_send(defect(panicked).to_string()))));
        let transcript = "a transcript";
        drop(thread::spawn(move || panic!("{transcript}")).join());
        panic::set_hook(as_usual);
        let told = heard.iter().find(|message| message.contains("panics.rs")).unwrap();
        assert!(told.starts_with("assize 0.") && told.contains(" has a defect at src/cli/panics.rs:"), "{told}");
        assert!(!told.contains(transcript), "{told}");
    }
}
