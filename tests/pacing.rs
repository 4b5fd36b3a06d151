//! Requests and tokens per minute, as a server counts them, under paused time. `cargo bench --bench pacing` shows the
//! same in real time.

use std::time::Duration;

#[path = "support/pacing.rs"]
mod pacing;

use pacing::{Sizes, measure};

#[test]
fn limits_are_used_and_not_exceeded() {
    for (tokens, time) in [([200.0, 8_000.0], Duration::from_mins(10)), ([50.0, 800.0], Duration::from_mins(3))] {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let measured = runtime.block_on(measure(Sizes { tokens }, time));
        println!("{measured:?}");
        measured.check();
        assert!(measured.fullest_window <= 1.0, "{measured:?}");
    }
}
