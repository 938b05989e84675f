//! Open one sealed blob: authenticate, decompress, compare with its id.

use crate::blob::BlobKind;
use crate::codec::{BadFrame, Decoder};
use crate::crypto::{Key, NotAuthentic};
use crate::hash::{Hash, update_both};
use crate::id::BlobId;
use crate::pack::Entry;

/// What a blob may decompress to, whatever the index says: a wrong length there does no harm to the blob.
pub(crate) const TOLERATED: u64 = 64 * 1024 * 1024;

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

/// A blob whose id is right.
pub(crate) struct Opened<'b> {
    /// What was sealed: a zstd frame if the blob is compressed, else the plaintext.
    pub(crate) frame: &'b [u8],
    /// The plaintext, which may be longer or shorter than the entry says.
    pub(crate) plain: &'b [u8],
}

/// Opens the blob of `entry` in place; what is compressed goes to `unpacked` (cleared first).
pub(crate) fn open_blob<'b>(
    key: &Key,
    decoder: &mut Decoder,
    entry: &Entry,
    sealed: &'b mut [u8],
    unpacked: &'b mut Vec<u8>,
) -> Result<Opened<'b>, BadBlob> {
    let opened = decode(key, decoder, entry, sealed, unpacked)?;
    compare(entry, BlobId::of(opened.plain)).map(|()| opened)
}

/// The same, while the hash of the blob's pack goes on with `bytes`, whatever becomes of the blob.
pub(crate) fn open_blob_beside<'b>(
    key: &Key,
    decoder: &mut Decoder,
    entry: &Entry,
    (sealed, unpacked): (&'b mut [u8], &'b mut Vec<u8>),
    (pack, bytes): (&mut Hash, &[u8]),
) -> Result<Opened<'b>, BadBlob> {
    let decoded = decode(key, decoder, entry, sealed, unpacked);
    let (mut hash, plain) = (Hash::new(), decoded.as_ref().map_or(&[][..], |opened| opened.plain));
    update_both([pack, &mut hash], [bytes, plain]);
    let opened = decoded?;
    compare(entry, BlobId::from_bytes(hash.finish())).map(|()| opened)
}

/// Authenticates, decrypts and decompresses; what the plaintext hashes to is still to be compared.
fn decode<'b>(
    key: &Key,
    decoder: &mut Decoder,
    entry: &Entry,
    sealed: &'b mut [u8],
    unpacked: &'b mut Vec<u8>,
) -> Result<Opened<'b>, BadBlob> {
    let frame: &[u8] = key.open_in_place(sealed)?;
    let plain = match entry.uncompressed_length {
        0 => frame,
        length => {
            unpacked.clear();
            // Chunks end far below that; only trees may be long, and those are read in another way if they say so.
            let at_most = match entry.blob.kind {
                BlobKind::Data => TOLERATED,
                BlobKind::Tree => u64::from(length).max(TOLERATED),
            };
            decoder.decode(frame, at_most, unpacked)?;
            unpacked
        }
    };
    Ok(Opened { frame, plain })
}

fn compare(entry: &Entry, found: BlobId) -> Result<(), BadBlob> {
    if found == entry.blob.id { Ok(()) } else { Err(BadBlob::OtherId(found)) }
}
