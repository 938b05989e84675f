//! What is remembered of one repository.

use super::names::{Name, Names};
use crate::config::Config;
use crate::id::RepoId;
use serde::{Deserialize, Serialize};
use tresor_backend::FileKind;

/// Names of a kind that are kept as being there; a listing that goes on beyond that is not remembered further.
pub(super) const MOST_SEEN: usize = 1 << 17;
/// Names of a kind that are kept as being gone, the latest.
pub(super) const MOST_GONE: usize = 1 << 14;

/// What makes a repository this one and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The id in its config.
    pub id: RepoId,
    /// The polynomial in its config, in hexadecimal digits.
    pub polynomial: String,
}

impl From<&Config> for Identity {
    fn from(config: &Config) -> Self {
        Identity { id: config.id, polynomial: config.polynomial.to_string() }
    }
}

/// One repository as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Which one it is.
    pub identity: Identity,
    /// When it was last seen, in seconds since 1970.
    pub time: i64,
    /// How often it was looked at.
    pub(super) looks: u32,
    pub(super) snapshots: Files,
    pub(super) indexes: Files,
    pub(super) keys: Files,
    /// What told that it went back in time, until that is accepted or undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) went_back: Option<Evidence>,
}

/// The files of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    /// Those that were there, by the look that first met them.
    pub(super) seen: Names,
    /// Those that were there and are gone, by the look that missed them.
    pub(super) gone: Names,
}

/// What is there and was gone, and what is gone with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Evidence {
    pub(super) returned: [Names; 3],
    pub(super) lost: [Names; 3],
}

/// The kinds that are remembered, in the order of [`Evidence`].
pub(super) const KINDS: [FileKind; 3] = [FileKind::Snapshot, FileKind::Index, FileKind::Key];

/// The place of a kind among [`KINDS`]; none if it is not remembered.
pub(super) fn place(kind: FileKind) -> Option<usize> {
    KINDS.iter().position(|known| *known == kind)
}

impl Known {
    /// A repository nothing of which was seen.
    pub fn new(identity: Identity) -> Self {
        let files = Files::default;
        Known {
            identity,
            time: 0,
            looks: 0,
            snapshots: files(),
            indexes: files(),
            keys: files(),
            went_back: None,
        }
    }

    /// How many snapshots it had.
    pub fn snapshots(&self) -> usize {
        self.snapshots.seen.len()
    }

    /// How many index files it had.
    pub fn indexes(&self) -> usize {
        self.indexes.seen.len()
    }

    /// How many files were seen to go and are remembered.
    pub fn gone(&self) -> usize {
        self.files().iter().map(|files| files.gone.len()).sum()
    }

    /// Whether it was found to have gone back in time, and nobody accepted that.
    pub fn is_alarmed(&self) -> bool {
        self.went_back.is_some()
    }

    pub(super) fn files(&self) -> [&Files; 3] {
        [&self.snapshots, &self.indexes, &self.keys]
    }

    pub(super) fn files_mut(&mut self) -> [&mut Files; 3] {
        [&mut self.snapshots, &mut self.indexes, &mut self.keys]
    }
}

impl Files {
    /// A file was met.
    pub(super) fn meet(&mut self, name: Name, look: u32) {
        if !self.gone.contains(&name) {
            self.seen.add(name, look, MOST_SEEN);
        }
    }

    /// A file is gone, for good.
    pub(super) fn miss(&mut self, name: Name, look: u32) {
        self.seen.remove(&name);
        self.gone.add(name, look, usize::MAX);
    }
}
