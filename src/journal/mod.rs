//! Append-only checksummed lines: the form of every durable record.
