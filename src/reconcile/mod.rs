//! A pure fold over events and labels into a tally.
