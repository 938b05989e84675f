//! Talking to servers: what all network backends share.
//!
//! Callers block; inside, one small runtime drives the connections ([`http`]). What is sent is fed from the
//! caller's own thread piece by piece, what comes is read piece by piece, and whoever makes no progress for too
//! long is given up. Nothing here retries.

pub(crate) mod download;
pub(crate) mod failure;
pub(crate) mod http;
mod inspect;
mod options;
pub(crate) mod pin;
pub(crate) mod pipe;
pub(crate) mod plain;
mod site;
pub(crate) mod tls;
pub(crate) mod upload;
pub(crate) mod xml;

pub use inspect::{Certificate, Shown, inspect};
pub(crate) use options::STUCK_AFTER;
pub use options::{Options, Proxies};
pub use pin::{NotAPin, Pin};
pub use plain::{NotEncrypted, Plaintext};
pub use site::Login;
pub(crate) use site::Site;
pub use tls::{Identity, PemError, Revoked, Roots};
