//! The hub over HTTP: what the vendor's description says (`api`), what an answer means (`response`), and the connection
//! (`client`). The daemon's sender and one-shot commands call `client`; nobody else speaks HTTP to the hub.

pub mod api;
pub mod client;
pub mod response;
