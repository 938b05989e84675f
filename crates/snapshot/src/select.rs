//! Choosing snapshots: by id, by prefix, as the latest, by what was asked of them.
//!
//! Pure functions over snapshots that the caller has loaded.

mod filter;
mod group;
mod name;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use tresor_repo::SnapshotId;
use tresor_repo::time::Time;

use crate::error::{Error, Result};
use crate::snapshot::Snapshot;

pub use filter::{Filter, TagList, flatten_tags, has_tags, parse_tag_list};
pub use group::{GroupBy, GroupKey, group};
pub use name::{Name, Names};

/// A snapshot with the id of its file.
pub type Listed = (SnapshotId, Snapshot);

/// The word for the newest snapshot.
pub const LATEST: &str = "latest";

/// Which snapshot somebody asked for, perhaps only a folder of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What names the snapshot.
    pub name: Name,
    /// The names to walk from the root tree, if a folder was given.
    pub subfolder: Option<Vec<String>>,
}

impl Request {
    /// Reads `NAME` or `NAME:path/to/folder`.
    ///
    /// The path is cleaned: `.` and empty parts vanish, `..` takes a part away. A
    /// `..` that would lead above a relative path stays, and no folder has that name.
    pub fn parse(text: &str, names: Names<'_>) -> Request {
        let (name, folder) = Name::split(text, names);
        Request { name, subfolder: folder.map(clean) }
    }

    /// The name in a request for a whole snapshot.
    ///
    /// # Errors
    /// [`Error::SubfolderNotAllowed`] if only a folder was asked for.
    pub fn whole(text: &str, names: Names<'_>) -> Result<Name> {
        match Request::parse(text, names) {
            Request { name, subfolder: None } => Ok(name),
            _ => Err(Error::SubfolderNotAllowed),
        }
    }
}

fn clean(path: &str) -> Vec<String> {
    let absolute = path.starts_with('/');
    let mut parts: Vec<String> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

/// Finds the one id that begins with `prefix`.
pub fn resolve(prefix: &str, ids: impl IntoIterator<Item = SnapshotId>) -> Result<SnapshotId> {
    let mut fitting = ids.into_iter().filter(|id| id.hex().starts_with(prefix));
    match (fitting.next(), fitting.next()) {
        (Some(_), Some(_)) => Err(Error::AmbiguousId { prefix: prefix.to_owned() }),
        (Some(id), None) => Ok(id),
        (None, _) => Err(match SnapshotId::from_hex(prefix.as_bytes()) {
            Some(id) => Error::NoSuchSnapshot { id },
            None => Error::UnknownId { prefix: prefix.to_owned() },
        }),
    }
}

/// The newest snapshot that passes the filter and is not later than `not_after`.
///
/// Among equals the last of the list is taken.
pub fn latest<'a>(snapshots: &'a [Listed], filter: &Filter, not_after: Option<Time>) -> Option<&'a Listed> {
    let is_later = |time: &Time, limit: &Time| time > limit && !time.same_instant(limit);
    snapshots
        .iter()
        .filter(|(_, snapshot)| !not_after.is_some_and(|limit| is_later(&snapshot.time, &limit)))
        .filter(|(_, snapshot)| filter.matches(snapshot))
        .max_by_key(|(_, snapshot)| (snapshot.time.seconds(), snapshot.time.nanoseconds()))
}

/// Finds the snapshot of a name among those not later than `not_after`; an id is found whatever the filter says.
///
/// # Errors
/// [`Error::NoLatest`], [`Error::NoneNamed`], [`Error::UnknownId`], [`Error::AmbiguousId`] or
/// [`Error::NoSuchSnapshot`].
pub fn find<'a>(
    snapshots: &'a [Listed],
    filter: &Filter,
    not_after: Option<Time>,
    name: &Name,
) -> Result<&'a Listed> {
    let found = match name {
        Name::Id(prefix) => {
            let id = resolve(prefix, snapshots.iter().map(|listed| listed.0))?;
            return snapshots.iter().find(|listed| listed.0 == id).ok_or(Error::NoSuchSnapshot { id });
        }
        Name::Latest(0) => {
            return latest(snapshots, filter, not_after)
                .ok_or_else(|| Error::NoLatest { filter: filter.to_string() });
        }
        Name::Latest(before) => nth_latest(snapshots, filter, not_after, *before),
        Name::AsOf { until, .. } => {
            let until = not_after.map_or(*until, |limit| limit.min(*until));
            latest(snapshots, filter, Some(until))
        }
    };
    found.ok_or_else(|| Error::NoneNamed { name: name.to_string(), filter: filter.to_string() })
}

/// The snapshot that is `before` places older than the [`latest`].
fn nth_latest<'a>(
    snapshots: &'a [Listed],
    filter: &Filter,
    not_after: Option<Time>,
    before: usize,
) -> Option<&'a Listed> {
    let passes = |listed: &&Listed| latest(std::slice::from_ref(*listed), filter, not_after).is_some();
    let mut passing: Vec<&Listed> = snapshots.iter().filter(passes).rev().collect();
    passing.sort_by_key(|(_, snapshot)| {
        std::cmp::Reverse((snapshot.time.seconds(), snapshot.time.nanoseconds()))
    });
    passing.get(before).copied()
}

/// The filter that a parent must pass: the new backup's own host, paths and tags, as grouped by.
pub fn parent_filter(by: GroupBy, hostname: &str, paths: &[String], tags: &[String]) -> Filter {
    Filter {
        hosts: if by.host { vec![hostname.to_owned()] } else { Vec::new() },
        paths: if by.paths { paths.to_vec() } else { Vec::new() },
        tags: if by.tags { vec![tags.to_vec()] } else { Vec::new() },
    }
}

/// Puts the newest first; equal times keep their order.
pub fn sort_newest_first(snapshots: &mut [Listed]) {
    snapshots.sort_by_key(|(_, snapshot)| {
        std::cmp::Reverse((snapshot.time.seconds(), snapshot.time.nanoseconds()))
    });
}

/// Keeps the newest `count` snapshots of each host and set of paths, newest first.
pub fn keep_newest_of_each(snapshots: &mut Vec<Listed>, count: usize) {
    sort_newest_first(snapshots);
    let mut seen: HashMap<GroupKey, usize> = HashMap::new();
    let by = GroupBy { host: true, paths: true, tags: false };
    snapshots.retain(|(_, snapshot)| {
        let seen = seen.entry(GroupKey::of(snapshot, by)).or_default();
        *seen += 1;
        *seen <= count
    });
}
