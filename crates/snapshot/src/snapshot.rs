//! Snapshots: which tree was saved when, where, by whom and why.
//!
//! The stored form is a JSON object in a fixed order, most members left out when
//! empty, without a newline. Members that we do not know follow those that we do.

mod decode;

#[cfg(test)]
mod tests;

use tresor_repo::time::{Time, Zone};
use tresor_repo::{BlobId, SnapshotId};

use crate::error::{Error, Result};
use crate::gojson::{self, Unknown, key};

/// A root tree with its circumstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// When the backup began, or what was given instead.
    pub time: Time,
    /// The snapshot that changes were looked for against; it may be gone.
    pub parent: Option<SnapshotId>,
    /// The root tree.
    pub tree: BlobId,
    /// The absolute paths that were backed up, as given on the command line.
    pub paths: Vec<String>,
    /// The machine's name.
    pub hostname: String,
    /// The user's name.
    pub username: String,
    /// The user's number.
    pub uid: u32,
    /// The number of the user's group.
    pub gid: u32,
    /// Patterns that were left out.
    pub excludes: Vec<String>,
    /// In given order; the same tag may come twice.
    pub tags: Vec<String>,
    /// The snapshot that this one was made from by changing it.
    pub original: Option<SnapshotId>,
    /// The program that made the backup.
    pub program_version: String,
    /// What the backup found.
    pub summary: Option<SnapshotSummary>,
    /// Members that we do not know.
    pub unknown: Unknown,
}

/// What a backup found, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the format and say what is counted")]
pub struct SnapshotSummary {
    pub backup_start: Time,
    pub backup_end: Time,
    pub files_new: u64,
    pub files_changed: u64,
    pub files_unmodified: u64,
    pub dirs_new: u64,
    pub dirs_changed: u64,
    pub dirs_unmodified: u64,
    pub data_blobs: u64,
    pub tree_blobs: u64,
    /// Plain bytes of the new blobs.
    pub data_added: u64,
    /// Stored bytes of the new blobs.
    pub data_added_packed: u64,
    pub total_files_processed: u64,
    pub total_bytes_processed: u64,
    /// Members that we do not know.
    pub unknown: Unknown,
}

impl Snapshot {
    /// Makes a snapshot of which nothing is known but tree, time and paths.
    pub fn new(tree: BlobId, time: Time, paths: Vec<String>) -> Snapshot {
        Snapshot {
            time,
            parent: None,
            tree,
            paths,
            hostname: String::new(),
            username: String::new(),
            uid: 0,
            gid: 0,
            excludes: Vec::new(),
            tags: Vec::new(),
            original: None,
            program_version: String::new(),
            summary: None,
            unknown: Unknown::new(),
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// Also when there is no tree: with nothing to restore it is no snapshot.
    pub fn decode(bytes: &[u8]) -> Result<Snapshot> {
        decode::snapshot(bytes).map_err(|source| Error::DecodeSnapshot { source })
    }

    /// Writes the stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        self.write_known(&mut out);
        gojson::write_unknown(&self.unknown, &mut out);
        out.push(b'}');
        out
    }

    /// Appends the object that commands print: what is known, then the id in full and in short.
    pub fn write_with_id(&self, id: &SnapshotId, out: &mut Vec<u8>) {
        self.write_known(out);
        key!(out, "id");
        gojson::write_id(id.as_bytes(), out);
        key!(out, "short_id");
        gojson::write_string(id.short().as_bytes(), out);
        out.push(b'}');
    }

    /// Appends the object without members that we do not know.
    pub fn write_without_unknown(&self, out: &mut Vec<u8>) {
        self.write_known(out);
        out.push(b'}');
    }

    /// The snapshot in a line: `snapshot 96b15fba of [/home] at 2024-02-03 10:00:00 +0000 UTC by me@here`.
    pub fn describe(&self, id: &SnapshotId, zone: &Zone) -> String {
        format!(
            "snapshot {id} of [{paths}] at {time} by {user}@{host}",
            id = id.short(),
            paths = self.paths.join(" "),
            time = self.time.long_text(zone),
            user = self.username,
            host = self.hostname,
        )
    }

    /// Appends all known members, leaving the object open.
    fn write_known(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":");
        gojson::write_time(&self.time, out);
        if let Some(parent) = &self.parent {
            key!(out, "parent");
            gojson::write_id(parent.as_bytes(), out);
        }
        key!(out, "tree");
        gojson::write_id(self.tree.as_bytes(), out);
        key!(out, "paths");
        gojson::write_strings(&self.paths, out);
        self.write_origin(out);
        if !self.excludes.is_empty() {
            key!(out, "excludes");
            gojson::write_strings(&self.excludes, out);
        }
        if !self.tags.is_empty() {
            key!(out, "tags");
            gojson::write_strings(&self.tags, out);
        }
        if let Some(original) = &self.original {
            key!(out, "original");
            gojson::write_id(original.as_bytes(), out);
        }
        if !self.program_version.is_empty() {
            key!(out, "program_version");
            gojson::write_string(self.program_version.as_bytes(), out);
        }
        if let Some(summary) = &self.summary {
            key!(out, "summary");
            summary.write(out);
        }
    }

    fn write_origin(&self, out: &mut Vec<u8>) {
        if !self.hostname.is_empty() {
            key!(out, "hostname");
            gojson::write_string(self.hostname.as_bytes(), out);
        }
        if !self.username.is_empty() {
            key!(out, "username");
            gojson::write_string(self.username.as_bytes(), out);
        }
        if self.uid != 0 {
            key!(out, "uid");
            gojson::write_number(self.uid.into(), out);
        }
        if self.gid != 0 {
            key!(out, "gid");
            gojson::write_number(self.gid.into(), out);
        }
    }
}

impl SnapshotSummary {
    /// A summary of nothing, between two times.
    pub fn new(backup_start: Time, backup_end: Time) -> SnapshotSummary {
        SnapshotSummary {
            backup_start,
            backup_end,
            files_new: 0,
            files_changed: 0,
            files_unmodified: 0,
            dirs_new: 0,
            dirs_changed: 0,
            dirs_unmodified: 0,
            data_blobs: 0,
            tree_blobs: 0,
            data_added: 0,
            data_added_packed: 0,
            total_files_processed: 0,
            total_bytes_processed: 0,
            unknown: Unknown::new(),
        }
    }

    /// Appends the stored form.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"backup_start\":");
        gojson::write_time(&self.backup_start, out);
        key!(out, "backup_end");
        gojson::write_time(&self.backup_end, out);
        for (name, number) in [
            ("files_new", self.files_new),
            ("files_changed", self.files_changed),
            ("files_unmodified", self.files_unmodified),
            ("dirs_new", self.dirs_new),
            ("dirs_changed", self.dirs_changed),
            ("dirs_unmodified", self.dirs_unmodified),
            ("data_blobs", self.data_blobs),
            ("tree_blobs", self.tree_blobs),
            ("data_added", self.data_added),
            ("data_added_packed", self.data_added_packed),
            ("total_files_processed", self.total_files_processed),
            ("total_bytes_processed", self.total_bytes_processed),
        ] {
            out.push(b',');
            gojson::write_string(name.as_bytes(), out);
            out.push(b':');
            gojson::write_number(number, out);
        }
        gojson::write_unknown(&self.unknown, out);
        out.push(b'}');
    }
}
