//! How findings about the repository as a whole are told.

use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;
use tresor_repo::RepoId;
use tresor_repo::trust::Findings;

use super::Ui;
use super::schema::{Id, Moment};

/// What was found.
#[derive(Clone, Copy, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finding {
    /// Another repository is at the address.
    OtherRepository,
    /// Snapshots are gone.
    Vanished,
    /// The repository is as it was at an earlier time.
    WentBack,
}

/// A finding as `--json` tells it, on stderr.
#[derive(JsonSchema, Serialize)]
pub(crate) struct FindingMessage<'a> {
    message_type: &'static str,
    finding: Finding,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshots_before: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshots_now: Option<usize>,
    /// The beginnings of the ids of snapshots that are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vanished: Vec<String>,
}

impl Ui {
    /// A finding: stderr, always.
    pub(crate) fn finding(&self, finding: Finding, message: &str, findings: &Findings) {
        if self.is_json_only() {
            return self.error_json(&FindingMessage {
                message_type: "trust",
                finding,
                message,
                snapshots_before: findings.snapshots.map(|(before, _)| before),
                snapshots_now: findings.snapshots.map(|(_, now)| now),
                vanished: findings.vanished.iter().map(ToString::to_string).collect(),
            });
        }
        let word = if matches!(finding, Finding::Vanished) { "note" } else { "warning" };
        self.error(&format!("{word}: {message}"));
    }
}

/// An address that is remembered, as `trust show --json` tells it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct AddressMessage<'a> {
    pub(crate) message_type: &'static str,
    pub(crate) address: &'a str,
    pub(crate) file: &'a Path,
    /// Whether plain HTTP is allowed.
    pub(crate) plaintext: bool,
    pub(crate) tls_pins: Vec<String>,
    pub(crate) repositories: Vec<Repository>,
}

/// A repository that is expected at an address.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Repository {
    #[schemars(with = "Id")]
    pub(crate) id: RepoId,
    pub(crate) chunker_polynomial: String,
    #[schemars(with = "Moment")]
    pub(crate) last_seen: String,
    pub(crate) snapshots: usize,
    pub(crate) index_files: usize,
    /// Files that were seen to go, and must not return.
    pub(crate) gone: usize,
    /// Whether it went back in time, which nobody accepted yet.
    pub(crate) went_back: bool,
}

/// A repository was accepted.
#[derive(JsonSchema, Serialize)]
pub(crate) struct AcceptedMessage<'a> {
    pub(crate) message_type: &'static str,
    pub(crate) address: &'a str,
    #[schemars(with = "Id")]
    pub(crate) id: RepoId,
}

/// An address was forgotten.
#[derive(JsonSchema, Serialize)]
pub(crate) struct ForgottenMessage<'a> {
    pub(crate) message_type: &'static str,
    pub(crate) address: &'a str,
    /// Whether anything was remembered of it.
    pub(crate) was_known: bool,
}
