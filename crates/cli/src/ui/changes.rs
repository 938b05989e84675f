//! What became of snapshots, keys and objects, as JSON where restic has only text.

use schemars::JsonSchema;
use serde::Serialize;
use tresor_repo::{KeyId, SnapshotId};

use super::Ui;
use super::schema::Id;

/// A message of one of these commands.
#[derive(JsonSchema, Serialize)]
#[serde(tag = "message_type", rename_all = "snake_case")]
pub(crate) enum Told<'a> {
    /// A snapshot took the place of another, or would; nothing took it if there is no new one.
    Changed {
        #[schemars(with = "Id")]
        old_snapshot_id: SnapshotId,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Id>")]
        new_snapshot_id: Option<SnapshotId>,
        /// Whether the old one is gone.
        removed: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        dry_run: bool,
    },
    /// A snapshot was copied.
    Copied {
        #[schemars(with = "Id")]
        source_snapshot_id: SnapshotId,
        #[schemars(with = "Id")]
        snapshot_id: SnapshotId,
    },
    /// A snapshot was there already.
    Skipped {
        #[schemars(with = "Id")]
        source_snapshot_id: SnapshotId,
        #[schemars(with = "Id")]
        snapshot_id: SnapshotId,
    },
    /// A snapshot was removed, or would be.
    Removed {
        #[schemars(with = "Id")]
        snapshot_id: SnapshotId,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        dry_run: bool,
    },
    /// Part of a snapshot was repaired.
    Repaired { item: &'a str, what: &'a str },
    /// A key file is new.
    KeyAdded {
        #[schemars(with = "Id")]
        id: KeyId,
    },
    /// A key file is gone.
    KeyRemoved {
        #[schemars(with = "Id")]
        id: KeyId,
    },
    /// Something in the repository: a blob or a file.
    Object {
        #[serde(rename = "type")]
        kind: &'a str,
        #[schemars(with = "Id")]
        id: String,
    },
    /// The end of it.
    Summary(Counts),
}

/// How many.
#[derive(JsonSchema, Serialize, Default)]
pub(crate) struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changed_snapshots: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) copied_snapshots: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skipped_snapshots: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) removed_locks: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dry_run: bool,
}

impl Ui {
    /// A message that only our own JSON has: under the name `restic` these commands have none.
    pub(crate) fn tell(&self, told: &Told<'_>) {
        if self.is_json_only() {
            self.json(told);
        }
    }
}
