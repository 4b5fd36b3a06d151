//! Kill, resume, corrupt, throttle: money and counts still add up.
//!
//! Every test drives the real binary as a child process against a simulated grader in this process, whose own counts
//! are the other side of the books. Nothing here measures time: a test waits for a request to arrive or a process to
//! end, never for a clock.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]
#![expect(clippy::print_stdout, reason = "tests print observed figures and why they skip")]

mod budget;
mod contention;
mod conversations;
mod damaged_cache;
mod damaged_journal;
mod damaged_units;
mod disk;
mod draw;
mod enough;
mod exchange;
mod funnel;
mod grader;
mod kill;
mod known;
mod matrix;
mod money;
mod newer;
mod nights;
mod outage;
mod process;
mod repeats;
mod small_disk;
mod whole;
mod workspace;
