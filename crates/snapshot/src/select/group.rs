//! Groups of snapshots that agree in host, paths or tags.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::Listed;
use crate::error::Error;
use crate::gojson::{self, key};
use crate::snapshot::Snapshot;

/// What the snapshots of a group have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct GroupBy {
    pub host: bool,
    pub paths: bool,
    pub tags: bool,
}

impl GroupBy {
    /// What belongs together in time: the same host saving the same paths.
    pub const SOURCE: GroupBy = GroupBy { host: true, paths: true, tags: false };
}

/// Reads a list such as `host,paths`; an empty one groups nothing.
impl FromStr for GroupBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<GroupBy, Error> {
        let mut by = GroupBy::default();
        for option in text.split(',') {
            match option {
                "host" | "hosts" => by.host = true,
                "path" | "paths" => by.paths = true,
                "tag" | "tags" => by.tags = true,
                "" => {}
                _ => return Err(Error::UnknownGrouping { option: option.to_owned() }),
            }
        }
        Ok(by)
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = [(self.host, "host"), (self.paths, "paths"), (self.tags, "tags")];
        let options: Vec<&str> = options.iter().filter(|option| option.0).map(|option| option.1).collect();
        f.write_str(&options.join(","))
    }
}

/// The values that the snapshots of a group share; what is not grouped by is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// The host's name.
    pub hostname: String,
    /// Sorted.
    pub paths: Vec<String>,
    /// Sorted.
    pub tags: Vec<String>,
}

impl GroupKey {
    /// The key of the group that a snapshot belongs to.
    pub fn of(snapshot: &Snapshot, by: GroupBy) -> GroupKey {
        let sorted = |wanted: bool, texts: &[String]| {
            let mut texts = if wanted { texts.to_vec() } else { Vec::new() };
            texts.sort();
            texts
        };
        GroupKey {
            hostname: if by.host { snapshot.hostname.clone() } else { String::new() },
            paths: sorted(by.paths, &snapshot.paths),
            tags: sorted(by.tags, &snapshot.tags),
        }
    }

    /// Appends the object that commands print; empty lists are `null`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"hostname\":");
        gojson::write_string(self.hostname.as_bytes(), out);
        key!(out, "paths");
        write_list(&self.paths, out);
        key!(out, "tags");
        write_list(&self.tags, out);
        out.push(b'}');
    }

    /// Appends the same as members of an object that has more, in the order and by the names of `forget`.
    pub fn write_members(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"tags\":");
        write_list(&self.tags, out);
        key!(out, "host");
        gojson::write_string(self.hostname.as_bytes(), out);
        key!(out, "paths");
        write_list(&self.paths, out);
    }

    /// The line above a group: `snapshots for (host [h1], tags [t1, t2], paths [/a]):`; none if there is no key.
    pub fn header(&self) -> Option<String> {
        let mut parts = Vec::new();
        if !self.hostname.is_empty() {
            parts.push(format!("host [{}]", self.hostname));
        }
        if !self.tags.is_empty() {
            parts.push(format!("tags [{}]", self.tags.join(", ")));
        }
        if !self.paths.is_empty() {
            parts.push(format!("paths [{}]", self.paths.join(", ")));
        }
        (!parts.is_empty()).then(|| format!("snapshots for ({}):", parts.join(", ")))
    }
}

/// In words, as errors show it: `host h1, tags [t1, t2], path [/a /b]`.
impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.hostname.is_empty() {
            parts.push(format!("host {}", self.hostname));
        }
        if !self.paths.is_empty() {
            parts.push(format!("path [{}]", self.paths.join(" ")));
        }
        if !self.tags.is_empty() {
            parts.push(format!("tags [{}]", self.tags.join(" ")));
        }
        f.write_str(&parts.join(", "))
    }
}

fn write_list(texts: &[String], out: &mut Vec<u8>) {
    if texts.is_empty() {
        out.extend_from_slice(b"null");
    } else {
        gojson::write_strings(texts, out);
    }
}

/// Splits snapshots into groups, ordered by their keys; within a group the order stays.
///
/// The paths and tags that are grouped by are sorted in the snapshots too, as commands show them so.
pub fn group(snapshots: Vec<Listed>, by: GroupBy) -> Vec<(GroupKey, Vec<Listed>)> {
    let mut groups: BTreeMap<GroupKey, Vec<Listed>> = BTreeMap::new();
    for (id, mut snapshot) in snapshots {
        let key = GroupKey::of(&snapshot, by);
        if by.paths {
            snapshot.paths.clone_from(&key.paths);
        }
        if by.tags {
            snapshot.tags.clone_from(&key.tags);
        }
        groups.entry(key).or_default().push((id, snapshot));
    }
    groups.into_iter().collect()
}
