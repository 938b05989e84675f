//! How to talk to servers, whatever they store.

use super::tls::{Identity, Roots};
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
    /// Believe any certificate.
    pub insecure_tls: bool,
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
            insecure_tls: false,
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
