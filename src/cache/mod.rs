//! The reply cache: the log is the truth, sled is a rebuildable index.

pub mod units;
