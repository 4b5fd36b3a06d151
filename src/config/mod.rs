//! File, environment and flags merged into checked settings.
