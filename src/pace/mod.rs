//! How fast things may go, with time as an argument: no clock inside. Pure; any room above may call it.

pub mod quota;
