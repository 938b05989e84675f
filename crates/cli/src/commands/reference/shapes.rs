//! The shapes of the JSON that is written member by member, as Go writes it: here only described.

use schemars::JsonSchema;

use crate::ui::schema::{Id, Moment};

/// A snapshot as `snapshots`, `forget` and `ls` show it.
#[derive(JsonSchema)]
pub(super) struct Snapshot {
    #[schemars(flatten)]
    stored: StoredSnapshot,
    id: Id,
    /// The first 8 digits of the id.
    short_id: String,
}

/// A snapshot as it is stored.
#[derive(JsonSchema)]
pub(super) struct StoredSnapshot {
    time: Moment,
    #[schemars(skip_serializing_if = "x")]
    parent: Option<Id>,
    tree: Id,
    paths: Vec<String>,
    #[schemars(skip_serializing_if = "x")]
    hostname: String,
    #[schemars(skip_serializing_if = "x")]
    username: String,
    #[schemars(skip_serializing_if = "x")]
    uid: u32,
    #[schemars(skip_serializing_if = "x")]
    gid: u32,
    #[schemars(skip_serializing_if = "x")]
    excludes: Vec<String>,
    #[schemars(skip_serializing_if = "x")]
    tags: Vec<String>,
    /// The snapshot that this one was made of.
    #[schemars(skip_serializing_if = "x")]
    original: Option<Id>,
    #[schemars(skip_serializing_if = "x")]
    program_version: String,
    #[schemars(skip_serializing_if = "x")]
    summary: Option<Summary>,
}

/// What the backup did; later programs may have stored more.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = true))]
struct Summary {
    backup_start: Moment,
    backup_end: Moment,
    files_new: u64,
    files_changed: u64,
    files_unmodified: u64,
    dirs_new: u64,
    dirs_changed: u64,
    dirs_unmodified: u64,
    data_blobs: u64,
    tree_blobs: u64,
    data_added: u64,
    data_added_packed: u64,
    total_files_processed: u64,
    total_bytes_processed: u64,
}

/// The snapshots, in one array.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct Snapshots(Vec<Snapshot>);

/// The snapshots in groups, with `--group-by`.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct SnapshotGroups(Vec<SnapshotGroup>);

#[derive(JsonSchema)]
struct SnapshotGroup {
    group_key: GroupKey,
    snapshots: Vec<Snapshot>,
}

#[derive(JsonSchema)]
struct GroupKey {
    hostname: String,
    paths: Option<Vec<String>>,
    tags: Option<Vec<String>>,
}

/// What a policy keeps and removes, group by group.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct ForgetGroups(Vec<ForgetGroup>);

#[derive(JsonSchema)]
struct ForgetGroup {
    tags: Option<Vec<String>>,
    host: String,
    paths: Option<Vec<String>>,
    keep: Option<Vec<Snapshot>>,
    remove: Option<Vec<Snapshot>>,
    reasons: Option<Vec<Reason>>,
}

#[derive(JsonSchema)]
struct Reason {
    snapshot: Snapshot,
    matches: Vec<String>,
}

/// The snapshot that is listed: the first line of `ls`.
#[derive(JsonSchema)]
pub(super) struct LsSnapshot {
    #[schemars(flatten)]
    snapshot: Snapshot,
    message_type: String,
    struct_type: String,
}

/// A file or folder: every other line of `ls`.
#[derive(JsonSchema)]
pub(super) struct LsNode {
    name: String,
    #[schemars(rename = "type")]
    kind: String,
    path: String,
    uid: u32,
    gid: u32,
    #[schemars(skip_serializing_if = "x")]
    size: u64,
    /// In Go's numbering, not that of `stat`.
    #[schemars(skip_serializing_if = "x")]
    mode: u32,
    permissions: String,
    mtime: Moment,
    atime: Moment,
    ctime: Moment,
    #[schemars(skip_serializing_if = "x")]
    inode: u64,
    message_type: String,
    struct_type: String,
}

/// The paths that were found, snapshot by snapshot.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct FoundPaths(Vec<FoundIn>);

#[derive(JsonSchema)]
struct FoundIn {
    matches: Vec<FoundPath>,
    hits: u64,
    snapshot: Id,
}

#[derive(JsonSchema)]
struct FoundPath {
    path: String,
    permissions: String,
    #[schemars(rename = "type")]
    kind: String,
    #[schemars(skip_serializing_if = "x")]
    mode: u32,
    mtime: Moment,
    atime: Moment,
    ctime: Moment,
    uid: u32,
    gid: u32,
    #[schemars(skip_serializing_if = "x")]
    user: String,
    #[schemars(skip_serializing_if = "x")]
    group: String,
    #[schemars(skip_serializing_if = "x")]
    inode: u64,
    #[schemars(skip_serializing_if = "x")]
    device_id: u64,
    #[schemars(skip_serializing_if = "x")]
    size: u64,
    #[schemars(skip_serializing_if = "x")]
    links: u64,
    #[schemars(skip_serializing_if = "x")]
    linktarget: String,
    #[schemars(skip_serializing_if = "x")]
    generic_attributes: std::collections::BTreeMap<String, serde_json::Value>,
}

/// The blobs and trees that were found, place by place.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct FoundObjects(Vec<FoundObject>);

#[derive(JsonSchema)]
struct FoundObject {
    object_type: String,
    id: Id,
    path: String,
    #[schemars(skip_serializing_if = "x")]
    parent_tree: Option<Id>,
    snapshot: Id,
    time: Moment,
}

/// Something of the repository as it is stored: its members are those of the format, not of a message.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct Stored(serde_json::Map<String, serde_json::Value>);
