//! What a reply says: tolerant parsing, quote verification, definitions.
