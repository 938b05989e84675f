//! What is hashed beside a blob that is verified: the blob after it, and a pack.
//!
//! Every byte of a new blob is hashed for its id, when it is verified, and for its pack's name; two of these streams
//! at a time, one core hashes faster (see [`crate::hash`]).

use crate::hash::{Hash, update_both};
use crate::pack::body::{Hashing, Unhashed};

/// So many bytes of two streams, in a first cache.
const STEP: usize = 16 * 1024;

/// Streams to go on with whenever another one is hashed.
pub(super) struct Beside<'b> {
    next: Hash,
    /// What of the next blob is to be hashed.
    rest: &'b [u8],
    pack: Option<Hashing<'b>>,
}

impl<'b> Beside<'b> {
    /// The blob after the one that is verified, and what there is to be hashed of a pack.
    pub(super) fn new(next: &'b [u8], pack: Option<&'b Unhashed>) -> Self {
        Beside { next: Hash::new(), rest: next, pack: pack.and_then(Unhashed::begin) }
    }

    /// Goes on with `hash`, and with whichever stream has more to go.
    pub(super) fn hash(&mut self, hash: &mut Hash, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let most = bytes.len().min(STEP);
            let hashed = match &mut self.pack {
                Some(pack) if pack.left() > self.rest.len() => pack.hash_beside(hash, &bytes[..most]),
                _ if !self.rest.is_empty() => {
                    let together = most.min(self.rest.len());
                    let (now, later) = self.rest.split_at(together);
                    update_both([hash, &mut self.next], [&bytes[..together], now]);
                    self.rest = later;
                    together
                }
                _ => {
                    hash.update(bytes);
                    return;
                }
            };
            bytes = &bytes[hashed..];
        }
    }

    /// The hash of the next blob.
    pub(super) fn finish(mut self) -> [u8; 32] {
        while let Some(pack) = self.pack.as_mut().filter(|pack| pack.left() > 0)
            && !self.rest.is_empty()
        {
            let hashed = pack.hash_beside(&mut self.next, &self.rest[..self.rest.len().min(STEP)]);
            self.rest = &self.rest[hashed..];
        }
        self.next.update(self.rest);
        self.next.finish()
    }
}
