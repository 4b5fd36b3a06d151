//! Two gradings of the same units: where they agree, where they flip, and what only one of them decided.
//!
//! A unit is the same in both if its address, its group and its text are. What one of the two did not decide is in no
//! cell of the table and is counted apart, by how it stands in either run: missing is neither yes nor no.

mod cluster;
mod pairing;
mod side;

pub use pairing::{Cross, Direction, Flip, Net, Pairing, StagePairing, pair};
pub use side::{Side, SideRules, Standing};

#[cfg(test)]
mod tests;
