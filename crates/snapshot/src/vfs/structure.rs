//! The folders above the snapshots: which names they have, and where `latest` leads.

use super::template::{fixed_prefix, places};
use super::{Options, names};
use crate::Snapshot;
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use tresor_repo::SnapshotId;

/// A snapshot with its id, shared by all its places.
pub(super) type Shared = Arc<(SnapshotId, Snapshot)>;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A folder of ours.
    Folder,
    /// A snapshot's root.
    Snapshot(Shared),
    /// A symbolic link to the newest snapshot beside it.
    Latest {
        /// Where it leads.
        target: String,
        /// What it leads to.
        snapshot: Shared,
    },
}

/// All folders above the snapshots; the root's path is empty, others begin with a slash.
#[derive(Debug, Default)]
pub(super) struct Structure {
    at: HashMap<String, Stand>,
}

#[derive(Debug, Default)]
struct Stand {
    /// If anything else than a folder stands here.
    what: Option<What>,
    children: BTreeSet<String>,
}

impl Structure {
    /// Builds the folders for these snapshots: in order of their times, which decides who of two of one name keeps it.
    pub(super) fn new(options: &Options, snapshots: &[Shared]) -> Structure {
        let mut ordered: Vec<&Shared> = snapshots.iter().collect();
        ordered.sort_by_key(|one| (one.1.time.seconds(), one.1.time.nanoseconds(), one.0));
        let mut structure = Structure::default();
        structure.put("", None);
        for template in &options.path_templates {
            structure.put(&clean(fixed_prefix(template)), None);
        }
        let mut used: HashMap<String, u64> = HashMap::new();
        for shared in ordered {
            for template in &options.path_templates {
                for place in places(template, options, &shared.0, &shared.1) {
                    let name = structure.unused(&place.prefix, &place.time, &mut used);
                    structure.put(
                        &clean(&format!("{}{name}", place.prefix)),
                        Some(What::Snapshot(shared.clone())),
                    );
                    if !place.time.is_empty() {
                        let what = What::Latest { target: name, snapshot: shared.clone() };
                        structure.put(&clean(&format!("{}/latest", place.prefix)), Some(what));
                    }
                }
            }
        }
        structure
    }

    /// What stands at the path.
    pub(super) fn get(&self, path: &str) -> Option<What> {
        self.at.get(path).map(|stand| stand.what.clone().unwrap_or(What::Folder))
    }

    /// The names in the folder at the path.
    pub(super) fn children(&self, path: &str) -> impl Iterator<Item = &str> {
        self.at.get(path).into_iter().flat_map(|stand| &stand.children).map(String::as_str)
    }

    /// The name, or the first of `name-1`, `name-2`, … that is free below the prefix.
    fn unused(&self, prefix: &str, name: &str, used: &mut HashMap<String, u64>) -> String {
        let is_free = |name: &str| !self.at.contains_key(&clean(&format!("{prefix}{name}")));
        if is_free(name) {
            return name.to_owned();
        }
        let next = used.entry(format!("{prefix}{name}")).or_insert(0);
        loop {
            *next += 1;
            let name = format!("{name}-{next}");
            if is_free(&name) {
                return name;
            }
        }
    }

    /// Puts something at a clean path, and the folders above it where they are missing.
    fn put(&mut self, path: &str, what: Option<What>) {
        let stand = self.at.entry(path.to_owned()).or_default();
        if what.is_some() {
            stand.what = what;
        }
        let mut below = path;
        while let Some((above, name)) = below.rsplit_once('/') {
            if !names::fits(name.as_bytes()) {
                return;
            }
            let known = self.at.contains_key(above);
            let stand = self.at.entry(above.to_owned()).or_default();
            stand.children.insert(name.to_owned());
            if known {
                return;
            }
            below = above;
        }
    }
}

/// A path without empty parts, `.` and `..`: empty, or beginning with a slash.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.iter().map(|part| format!("/{part}")).collect()
}
