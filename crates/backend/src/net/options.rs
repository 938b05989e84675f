//! How to talk to servers, whatever they store.

use super::pin::Pin;
use super::plain::Plaintext;
use super::tls::{Identity, Revoked, Roots};
use std::sync::Arc;
use std::time::Duration;

/// What makes no progress for so long has failed, unless told otherwise.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(5 * 60);

/// What holds for every request to a server.
#[derive(Clone)]
pub struct Options {
    /// The authorities to trust instead of the system's.
    pub roots: Option<Roots>,
    /// The certificate to show to servers that want one.
    pub identity: Option<Arc<Identity>>,
    /// Certificates that their authorities have taken back; with it, nobody is believed whose authority does not say.
    pub revoked: Option<Revoked>,
    /// The keys of the servers we mean, if any is named: a certificate of another key is refused, whoever signed it.
    pub pins: Vec<Pin>,
    /// Believe any certificate, as far as the pins do.
    pub insecure_tls: bool,
    /// What becomes of servers that are spoken to without encryption.
    pub plaintext: Plaintext,
    /// What we call ourselves.
    pub user_agent: String,
    /// A request that makes no progress for so long has failed.
    pub stuck_after: Duration,
    /// Through whom to talk.
    pub proxies: Proxies,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            roots: None,
            identity: None,
            revoked: None,
            pins: Vec::new(),
            insecure_tls: false,
            plaintext: Plaintext::default(),
            user_agent: concat!("tresor/", env!("CARGO_PKG_VERSION")).to_owned(),
            stuck_after: STUCK_AFTER,
            proxies: Proxies::default(),
        }
    }
}

/// The proxies to use; this machine itself is always spoken to directly.
#[derive(Clone, Default)]
pub struct Proxies {
    /// For `http` URLs.
    pub http: Option<String>,
    /// For `https` URLs.
    pub https: Option<String>,
    /// Hosts and networks to speak to directly, separated by commas; `*` is all.
    pub none_for: String,
}
