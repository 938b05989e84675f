//! What a run cost at the repository: requests and bytes, for people who pay for both.

use schemars::JsonSchema;
use serde::Serialize;
use tresor_backend::count::Counters;
use tresor_backend::operation::Operation;

use crate::units::bytes;

/// What was asked of a repository; the last words of `-v`, not under the name `restic`.
///
/// Every attempt counts. A listing counts once, however many pages the server needs for it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Traffic {
    message_type: &'static str,
    repository: String,
    requests: u64,
    lists: u64,
    loads: u64,
    saves: u64,
    stats: u64,
    removes: u64,
    failed: u64,
    uploaded_bytes: u64,
    downloaded_bytes: u64,
}

impl Traffic {
    /// The counters of one repository.
    pub(crate) fn of(repository: &str, counters: &Counters) -> Self {
        let sum = |of: &dyn Fn(Operation) -> u64| Operation::ALL.into_iter().map(of).sum();
        Traffic {
            message_type: "traffic",
            repository: repository.to_owned(),
            requests: sum(&|operation| counters.requests(operation)),
            lists: counters.requests(Operation::List),
            loads: counters.requests(Operation::Load),
            saves: counters.requests(Operation::Save),
            stats: counters.requests(Operation::Stat),
            removes: counters.requests(Operation::Remove),
            failed: sum(&|operation| counters.failures(operation)),
            uploaded_bytes: counters.uploaded_bytes(),
            downloaded_bytes: counters.downloaded_bytes(),
        }
    }

    /// Whether nothing was asked.
    pub(crate) fn is_none(&self) -> bool {
        self.requests == 0
    }

    /// The same for people.
    pub(crate) fn text(&self) -> String {
        format!(
            "{}: {} requests ({} lists, {} loads, {} saves, {} removals, {} failed), {} uploaded, {} downloaded",
            self.repository,
            self.requests,
            self.lists,
            self.loads,
            self.saves,
            self.removes,
            self.failed,
            bytes(self.uploaded_bytes),
            bytes(self.downloaded_bytes),
        )
    }
}
