//! The tally as tables and JSON.
