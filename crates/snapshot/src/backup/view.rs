//! Views: what a directory looks like, as one digest that says whether anything in it has changed.

use sha2::{Digest, Sha256};

use crate::fs::{Metadata, Stamp};
use crate::node::NodeKind;

/// A digest of all that a directory's tree depends on, as far as the system tells it without reading.
pub(super) type Digested = [u8; 32];

/// Collects what a directory looks like, entry by entry in the order of the names.
pub(super) struct View {
    hash: Sha256,
    buffer: Vec<u8>,
    /// The newest of all instants, in seconds.
    newest: i64,
}

impl View {
    /// Begins with the directory itself.
    pub(super) fn of(directory: &Metadata) -> View {
        let mut view = View { hash: Sha256::new(), buffer: Vec::new(), newest: i64::MIN };
        view.common(directory);
        view.digest_buffer();
        view
    }

    /// Adds an entry. Of a directory only the name: it has a view of its own.
    pub(super) fn entry(&mut self, name: &[u8], metadata: &Metadata) {
        let kind = metadata.kind();
        self.buffer.extend_from_slice(&(name.len() as u64).to_le_bytes());
        self.buffer.extend_from_slice(name);
        self.buffer.push(u8::from(kind == NodeKind::Dir));
        if kind != NodeKind::Dir {
            self.common(metadata);
            for number in [metadata.links, metadata.size, metadata.stands_for] {
                self.buffer.extend_from_slice(&number.to_le_bytes());
            }
        }
        self.digest_buffer();
    }

    /// The digest, if nothing in it could change unseen after `settled`, in seconds since 1970.
    ///
    /// What was changed just then may be changed again within the same tick of the file system's clock.
    pub(super) fn digest_before(self, settled: i64) -> Option<Digested> {
        (self.newest < settled).then(|| self.hash.finalize().into())
    }

    fn common(&mut self, metadata: &Metadata) {
        for number in [metadata.st_mode, metadata.uid, metadata.gid] {
            self.buffer.extend_from_slice(&number.to_le_bytes());
        }
        for number in [metadata.inode, metadata.device] {
            self.buffer.extend_from_slice(&number.to_le_bytes());
        }
        for Stamp { seconds, nanoseconds } in [metadata.mtime, metadata.ctime] {
            self.buffer.extend_from_slice(&seconds.to_le_bytes());
            self.buffer.extend_from_slice(&nanoseconds.to_le_bytes());
            self.newest = self.newest.max(seconds);
        }
    }

    fn digest_buffer(&mut self) {
        self.hash.update(&self.buffer);
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        let stamp = Stamp { seconds: 5, nanoseconds: 6 };
        Metadata {
            st_mode: 0o100_644,
            uid: 1,
            gid: 2,
            inode: 3,
            device: 4,
            stands_for: 0,
            links: 1,
            size: 7,
            atime: stamp,
            mtime: stamp,
            ctime: stamp,
        }
    }

    fn of(entries: &[(&[u8], Metadata)]) -> Digested {
        let mut view = View::of(&Metadata { st_mode: 0o040_755, ..metadata() });
        for (name, metadata) in entries {
            view.entry(name, metadata);
        }
        view.digest_before(6).unwrap()
    }

    #[test]
    fn whatever_a_node_holds_changes_the_view() {
        let usual = of(&[(b"a", metadata())]);
        let later = Stamp { seconds: 5, nanoseconds: 7 };
        let changes: [fn(&mut Metadata); 8] = [
            |m| m.st_mode = 0o100_600,
            |m| m.uid = 9,
            |m| m.gid = 9,
            |m| m.inode = 9,
            |m| m.device = 9,
            |m| m.stands_for = 9,
            |m| m.links = 9,
            |m| m.size = 9,
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = metadata();
            change(&mut changed);
            assert!(of(&[(b"a", changed)]) != usual, "change {number}");
        }
        assert!(of(&[(b"a", Metadata { mtime: later, ..metadata() })]) != usual);
        assert!(of(&[(b"a", Metadata { ctime: later, ..metadata() })]) != usual);
        assert!(of(&[(b"a", Metadata { atime: later, ..metadata() })]) == usual, "it is not stored");
        assert!(of(&[(b"b", metadata())]) != usual && of(&[]) != usual);
    }

    #[test]
    fn a_directory_in_it_counts_by_its_name_alone() {
        let folder = Metadata { st_mode: 0o040_755, ..metadata() };
        let touched = Metadata { size: 4096, links: 3, inode: 77, ..folder };
        assert!(of(&[(b"a", folder)]) == of(&[(b"a", touched)]));
        assert!(of(&[(b"a", folder)]) != of(&[(b"b", folder)]));
        assert!(of(&[(b"a", folder)]) != of(&[(b"a", metadata())]), "it is no file");
    }

    #[test]
    fn what_was_changed_just_now_is_not_settled() {
        let with = |mtime, ctime| {
            let stamp = |seconds| Stamp { seconds, nanoseconds: 0 };
            let mut view = View::of(&Metadata { st_mode: 0o040_755, ..metadata() });
            view.entry(b"a", &Metadata { mtime: stamp(mtime), ctime: stamp(ctime), ..metadata() });
            view.digest_before(100).is_some()
        };
        assert!(with(99, 99));
        assert!(!with(100, 5) && !with(5, 100) && !with(5, i64::MAX));
    }
}
