//! The hub over HTTP: what the vendor's description says (`api`), what an answer means (`response`), and the connection
//! (`client`); `history` tells people who published what; `reach` looks at the way there, layer by layer. The daemon's sender and one-shot commands call `client`; nobody else speaks HTTP to the hub.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell room: it reads the CA file and its tests the clock"
)]

pub mod api;
pub mod client;
pub mod history;
pub mod reach;
pub mod response;
mod veil;
