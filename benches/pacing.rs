//! Whether the pacer uses its limits without exceeding them: 2,000 items of mixed size wait for 600 requests and 300,000
//! tokens a minute at a server that counts in sliding windows.
//!
//! ```text
//! cargo bench --bench pacing                     four minutes, in real time
//! cargo bench --bench pacing -- --minutes 10     any other time
//! ```

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails there")]
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::fs;
use std::time::{Duration, Instant};

#[path = "../tests/support/pacing.rs"]
mod pacing;

use pacing::{REQUESTS_PER_MINUTE, Sizes, TOKENS_PER_MINUTE, measure};

fn main() {
    // cargo adds `--bench` to what the user says.
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let minutes = words.iter().position(|word| word == "--minutes").map(|at| words[at + 1].parse().unwrap());
    let time = Duration::from_mins(minutes.unwrap_or(4));
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    let (started, before) = (Instant::now(), processor_time());
    let measured = runtime.block_on(measure(Sizes { tokens: [200.0, 8_000.0] }, time));
    let core = processor_time().saturating_sub(before).as_secs_f64() / started.elapsed().as_secs_f64();
    println!("{REQUESTS_PER_MINUTE} requests and {TOKENS_PER_MINUTE} tokens a minute, for {} s", time.as_secs());
    println!("binding limit used           {:>8.2}%  (at least 95%)", 100.0 * measured.used());
    println!("  requests                   {:>8.2}%", 100.0 * measured.of_requests);
    println!("  tokens                     {:>8.2}%", 100.0 * measured.of_tokens);
    println!("fullest minute               {:>8.2}%  of the limit", 100.0 * measured.fullest_window);
    println!("requests sent                {:>8}", measured.sent);
    println!("answered 429                 {:>8.2}%  (at most 0.5%)", 100.0 * measured.refused_share());
    println!("mean wait, shortest third    {:>8.1} s", measured.short_wait_s);
    println!("mean wait, longest third     {:>8.1} s", measured.long_wait_s);
    println!("processor, of one core       {:>8.2}%  (under 5%, items and server included)", 100.0 * core);
    measured.check();
    assert!(core < 0.05, "{core}");
}

/// User and system time of this process.
fn processor_time() -> Duration {
    /// Of the kernel's interface, whatever the kernel's own tick is.
    const TICKS_PER_SECOND: u64 = 100;
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // The name, which may hold anything, ends with the last parenthesis; the times are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
}
