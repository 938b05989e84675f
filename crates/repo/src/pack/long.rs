//! Open a blob too long for memory: decrypt and decompress what is authentic as it is read.

use crate::codec::StreamDecoder;
use crate::crypto::{Key, NONCE_BYTES, OVERHEAD, Verified};
use crate::hash::Hash;
use crate::id::BlobId;
use std::io::{self, Read};
use std::ops::Deref;

/// How much is decrypted at once.
const PIECE: usize = 64 * 1024;

/// Reads the plaintext of sealed bytes.
pub(crate) struct Opening<K, S> {
    key: K,
    verified: Verified,
    sealed: S,
    /// How far the ciphertext was read, and how long it is; the nonce is skipped first.
    offset: Option<u64>,
    length: u64,
    /// `None` if it is not compressed.
    decoder: Option<StreamDecoder>,
    /// What was decrypted, and how much of it was used.
    piece: Vec<u8>,
    used: usize,
    /// How much plaintext may still come.
    left: u64,
}

impl<K: Deref<Target = Key>, S: Read> Opening<K, S> {
    /// Opens what `sealed` has from the start on, `length` bytes with nonce and tag; at most `most` bytes are in it.
    pub(crate) fn new(
        key: K,
        verified: Verified,
        (sealed, length): (S, u64),
        compressed: bool,
        most: u64,
    ) -> Self {
        Opening {
            key,
            verified,
            sealed,
            offset: None,
            length: length.saturating_sub(OVERHEAD as u64),
            decoder: compressed.then(StreamDecoder::new),
            piece: Vec::new(),
            used: 0,
            left: most,
        }
    }

    /// Reads all of it; answers with its hash and its length.
    pub(crate) fn hash(mut self) -> io::Result<(BlobId, u64)> {
        let (mut hash, mut buffer) = (Hash::new(), vec![0; PIECE]);
        loop {
            match self.read(&mut buffer)? {
                0 => {
                    let length = hash.length();
                    return Ok((BlobId::from_bytes(hash.finish()), length));
                }
                read => hash.update(&buffer[..read]),
            }
        }
    }

    /// Decrypts the next piece; nothing is left of it at the end.
    fn next_piece(&mut self) -> io::Result<()> {
        let offset = match self.offset {
            Some(offset) => offset,
            None => {
                self.sealed.read_exact(&mut [0; NONCE_BYTES])?;
                0
            }
        };
        let length = (self.length - offset).min(PIECE as u64);
        self.piece.resize(length as usize, 0);
        self.sealed.read_exact(&mut self.piece)?;
        self.key.decrypt_at(&self.verified, offset, &mut self.piece);
        (self.offset, self.used) = (Some(offset + length), 0);
        Ok(())
    }
}

impl<K: Deref<Target = Key>, S: Read> Read for Opening<K, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.used == self.piece.len() {
                self.next_piece()?;
            }
            let (rest, at_end) = (&self.piece[self.used..], self.piece.is_empty());
            let (read, written) = match &mut self.decoder {
                Some(decoder) => decoder.step(rest, buffer).map_err(io::Error::other)?,
                None => {
                    let length = rest.len().min(buffer.len());
                    buffer[..length].copy_from_slice(&rest[..length]);
                    (length, length)
                }
            };
            self.used += read;
            let too_long = || io::Error::other("more content than allowed");
            self.left = self.left.checked_sub(written as u64).ok_or_else(too_long)?;
            if written > 0 {
                return Ok(written);
            }
            if at_end {
                let is_whole = self.decoder.as_ref().is_none_or(StreamDecoder::is_whole);
                return if is_whole { Ok(0) } else { Err(io::Error::other("the data end within a frame")) };
            }
        }
    }
}
