//! Open one sealed blob: authenticate, decompress, compare with its id.

use crate::codec::{BadFrame, Decoder};
use crate::crypto::{Key, NotAuthentic};
use crate::id::BlobId;
use crate::pack::Entry;

/// What a blob may decompress to, whatever the index says: a wrong length there does no harm to the blob.
const TOLERATED: u64 = 64 * 1024 * 1024;

/// Why sealed bytes are not the blob they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBlob {
    #[error(transparent)]
    NotAuthentic(#[from] NotAuthentic),
    #[error(transparent)]
    BadFrame(#[from] BadFrame),
    #[error("hash does not match, it is {0}")]
    OtherId(BlobId),
}

/// Opens the blob of `entry` in place; what is compressed goes to `unpacked` (cleared first).
///
/// The answer is the plaintext, whose id is right; it may be longer or shorter than the entry says.
pub(crate) fn open_blob<'b>(
    key: &Key,
    decoder: &mut Decoder,
    entry: &Entry,
    sealed: &'b mut [u8],
    unpacked: &'b mut Vec<u8>,
) -> Result<&'b [u8], BadBlob> {
    let opened: &[u8] = key.open_in_place(sealed)?;
    let plain = match entry.uncompressed_length {
        0 => opened,
        length => {
            unpacked.clear();
            decoder.decode(opened, u64::from(length).max(TOLERATED), unpacked)?;
            unpacked
        }
    };
    match BlobId::of(plain) {
        id if id == entry.blob.id => Ok(plain),
        other => Err(BadBlob::OtherId(other)),
    }
}
