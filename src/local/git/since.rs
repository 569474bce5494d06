//! Base of `sync --since`.
