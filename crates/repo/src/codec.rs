//! Compression of blobs and files: zstd frames as restic reads them (format: "zstd conventions").

/// How hard to compress new blobs (repository version 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// zstd's default level.
    #[default]
    Auto,
    /// Data blobs are stored raw; trees and files are compressed all the same.
    Off,
    /// Faster than default, larger.
    Fastest,
    /// Slower than default, smaller.
    Better,
    /// Slowest, smallest.
    Max,
}

/// A worker's own compressor; made once, reused for every blob.
pub struct Encoder {}

impl Encoder {
    /// A compressor for `level` ([`Compression::Off`] compresses like `Auto` when it is used at all).
    pub fn new(level: Compression) -> Self {
        let _ = level;
        unimplemented!()
    }
    /// Appends one frame holding `plain` to `out`.
    pub fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let _ = (plain, out);
        unimplemented!()
    }
}

/// The bytes are no zstd data, or hold more than was allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot decompress: {0}")]
pub struct BadFrame(pub String);

/// A worker's own decompressor; made once, reused for every blob.
pub struct Decoder {}

impl Decoder {
    /// A decompressor that takes what restic takes: several frames, skippable frames, windows up to 512 MiB.
    pub fn new() -> Self {
        unimplemented!()
    }
    /// Appends the content of all frames in `packed` to `out`: at most `at_most` bytes, grown as they come.
    ///
    /// # Errors
    /// Anything but complete frames, or more content than `at_most`.
    pub fn decode(&mut self, packed: &[u8], at_most: u64, out: &mut Vec<u8>) -> Result<(), BadFrame> {
        let _ = (packed, at_most, out);
        unimplemented!()
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}
