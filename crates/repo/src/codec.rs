//! Compression of blobs and files: zstd frames as restic reads them (format: "zstd conventions").

use zstd_safe::zstd_sys::ZSTD_EndDirective::ZSTD_e_end;
use zstd_safe::{CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

mod level;
pub(crate) mod stream;

pub use level::{Compression, NoCompression, ZstdLevel};
pub(crate) use stream::{StreamDecoder, StreamEncoder, in_pieces};

/// Matches of four bytes, which zstd looks for in small blobs at the default level, take an eighth of the time there and
/// save one percent: half a percent of a repository of small files.
const SHORTEST_MATCH: u32 = 5;

/// A worker's own compressor; made once, reused for every blob.
pub struct Encoder {
    context: CCtx<'static>,
}

impl Encoder {
    /// A compressor for `level` ([`Compression::Off`] compresses like `Auto` when it is used at all).
    pub fn new(level: Compression) -> Self {
        let mut context = CCtx::create();
        let mut set =
            |parameter| context.set_parameter(parameter).expect("every level named is one of zstd's");
        set(CParameter::CompressionLevel(level.number()));
        if level.is_default() {
            set(CParameter::MinMatch(SHORTEST_MATCH));
        }
        Encoder { context }
    }

    /// Appends one frame holding `plain` to `out`.
    pub fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        out.reserve(zstd_safe::compress_bound(plain.len()));
        let start = out.len();
        let mut input = InBuffer::around(plain);
        let mut output = OutBuffer::around_pos(out, start);
        // With all input and enough room, one call makes the whole frame and writes the content's size into it.
        let left = self
            .context
            .compress_stream2(&mut output, &mut input, ZSTD_e_end)
            .expect("compression fails only where memory is exhausted");
        assert!(left == 0, "the bound that zstd gives is enough room");
    }
}

/// Blobs shorter than this are compressed without a look at samples.
const LONG: usize = 256 * 1024;
/// Samples of a long blob: groups of four, each compressed for itself.
const GROUPS: usize = 4;
const SAMPLES_OF_GROUP: usize = 4;
const SAMPLE: usize = 4096;

impl Encoder {
    /// Whether samples of a long blob, spread over all of it, say that compressing it would gain nothing.
    ///
    /// Costs a small part of what compressing costs; short blobs are never found incompressible.
    pub fn finds_incompressible(&mut self, plain: &[u8], scratch: &mut Vec<u8>) -> bool {
        if plain.len() < LONG {
            return false;
        }
        let distance = (plain.len() - SAMPLE) / (GROUPS * SAMPLES_OF_GROUP - 1);
        let mut samples = [0; SAMPLES_OF_GROUP * SAMPLE];
        (0..GROUPS).all(|group| {
            for (number, sample) in samples.chunks_exact_mut(SAMPLE).enumerate() {
                let start = (group * SAMPLES_OF_GROUP + number) * distance;
                sample.copy_from_slice(&plain[start..start + SAMPLE]);
            }
            scratch.clear();
            self.encode(&samples, scratch);
            scratch.len() >= samples.len()
        })
    }
}

/// Content of a block: the most that the format allows (RFC 8878, 3.1.1.2.4).
const BLOCK: usize = 128 * 1024;
/// What a block begins with.
const BLOCK_HEADER: usize = 3;
/// What a frame begins with that says how long its content is, in four bytes.
const FRAME_HEADER: usize = 10;
/// The same in eight bytes.
const UNTRIED_HEADER: usize = 14;

/// A frame that holds its content as it is, in parts that follow each other.
///
/// Source: RFC 8878, 3.1.1: magic number, descriptor (content size in four or eight bytes, no checksum), a window of one
/// block, the content's size, then raw blocks.
pub struct RawFrame {
    header: [u8; UNTRIED_HEADER],
    /// How much of it is written.
    header_length: usize,
    length: usize,
    /// Of a full block that is not the last one, then of the last one.
    blocks: [[u8; BLOCK_HEADER]; 2],
}

impl RawFrame {
    /// A frame for content of this length, which is not empty, and cannot be compressed.
    pub fn new(length: u32) -> Self {
        Self::with_header(length, FRAME_HEADER, 0x80)
    }

    /// The same for content that nobody tried to compress: its header is longer, so that it is known by its length
    /// ([`is_untried`]).
    pub fn untried(length: u32) -> Self {
        Self::with_header(length, UNTRIED_HEADER, 0xc0)
    }

    fn with_header(length: u32, header_length: usize, descriptor: u8) -> Self {
        const RAW: u32 = 0 << 1;
        let mut header = [0; UNTRIED_HEADER];
        let start = [0x28, 0xb5, 0x2f, 0xfd, descriptor, (BLOCK.ilog2() as u8 - 10) << 3];
        header[..6].copy_from_slice(&start);
        header[6..10].copy_from_slice(&length.to_le_bytes());
        let block = |length: u32, last: u32| {
            let [a, b, c, _] = (length << 3 | RAW | last).to_le_bytes();
            [a, b, c]
        };
        let full = BLOCK as u32;
        let last = length - (length - 1) / full * full;
        RawFrame { header, header_length, length: length as usize, blocks: [block(full, 0), block(last, 1)] }
    }

    /// How long the frame is in bytes.
    pub fn size(&self) -> usize {
        raw_size(self.header_length, self.length)
    }

    fn header(&self) -> &[u8] {
        &self.header[..self.header_length]
    }

    /// All of it, with `plain`, which has the length it was made for.
    pub fn parts<'a>(&'a self, plain: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let last = plain.len().div_ceil(BLOCK) - 1;
        let blocks = plain.chunks(BLOCK).enumerate();
        let blocks =
            blocks.flat_map(move |(number, block)| [&self.blocks[usize::from(number == last)], block]);
        std::iter::once(self.header()).chain(blocks)
    }
}

const fn raw_size(header: usize, plain: usize) -> usize {
    header + plain.div_ceil(BLOCK) * BLOCK_HEADER + plain
}

/// Whether a frame of this length for content of that length is one that nobody tried to compress.
pub(crate) fn is_untried(frame: u64, plain: u32) -> bool {
    frame == raw_size(UNTRIED_HEADER, plain as usize) as u64
}

/// Goes through a raw frame piece by piece, and knows how it must look.
pub struct RawReader<'a> {
    frame: &'a RawFrame,
    /// Bytes of the frame that were seen.
    seen: usize,
    is_right: bool,
}

impl RawFrame {
    /// A reader of frames that are exactly as this one.
    pub fn reader(&self) -> RawReader<'_> {
        RawReader { frame: self, seen: 0, is_right: true }
    }
}

impl RawReader<'_> {
    /// Takes the next piece of a frame, and hands on what is content in it.
    pub fn take(&mut self, mut piece: &[u8], mut content: impl FnMut(&[u8])) {
        while self.is_right && !piece.is_empty() {
            let (expected, left) = self.next();
            let (now, later) = piece.split_at(piece.len().min(left));
            match expected {
                Some(expected) => self.is_right = now == &expected[..now.len()],
                None => content(now),
            }
            self.is_right &= !now.is_empty(); // nothing may follow the end
            self.seen += now.len();
            piece = later;
        }
    }

    /// Whether that was a whole frame, as it must look.
    pub fn is_whole(&self) -> bool {
        self.is_right && self.seen == self.frame.size()
    }

    /// What has to be next, unless it is content; and for how many bytes.
    fn next(&self) -> (Option<&[u8]>, usize) {
        let frame = self.frame;
        let header = frame.header();
        let Some(behind) = self.seen.checked_sub(header.len()) else {
            return (Some(&header[self.seen..]), header.len() - self.seen);
        };
        let (number, offset) = (behind / (BLOCK_HEADER + BLOCK), behind % (BLOCK_HEADER + BLOCK));
        let left = frame.length.saturating_sub(number * BLOCK);
        if left > 0 && offset < BLOCK_HEADER {
            let header = &frame.blocks[usize::from(left <= BLOCK)];
            return (Some(&header[offset..]), BLOCK_HEADER - offset);
        }
        (None, (left.min(BLOCK) + BLOCK_HEADER).saturating_sub(offset.max(BLOCK_HEADER)))
    }
}

/// The bytes are no zstd data, or hold more than was allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot decompress: {0}")]
pub struct BadFrame(pub String);

/// Windows up to 2²⁹ bytes, as restic's decoder takes them; memory for one is used only as it fills.
const WINDOW_LOG_MAX: u32 = 29;

/// Room for content of unknown length, to begin with.
const FIRST_ROOM: u64 = 64 * 1024;

/// A worker's own decompressor; made once, reused for every blob.
pub struct Decoder {
    context: DCtx<'static>,
}

impl Decoder {
    /// A decompressor that takes what restic takes: several frames, skippable frames, windows up to 512 MiB.
    pub fn new() -> Self {
        let mut context = DCtx::create();
        context
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
            .expect("zstd takes windows up to 2³¹");
        Decoder { context }
    }

    /// Appends the content of all frames in `packed` to `out`: at most `at_most` bytes, grown as they come.
    ///
    /// # Errors
    /// Anything but complete frames, or more content than `at_most`; `out` is then as before.
    pub fn decode(&mut self, packed: &[u8], at_most: u64, out: &mut Vec<u8>) -> Result<(), BadFrame> {
        let start = out.len();
        let decoded = self.decode_frames(packed, at_most, out);
        if decoded.is_err() {
            out.truncate(start);
            // The context is in the middle of a frame; resetting the session cannot fail.
            let _ = self.context.reset(ResetDirective::SessionOnly);
        }
        decoded
    }

    fn decode_frames(&mut self, packed: &[u8], at_most: u64, out: &mut Vec<u8>) -> Result<(), BadFrame> {
        let start = out.len();
        let mut input = InBuffer::around(packed);
        let mut whole = true;
        loop {
            if whole {
                let Some(room) = frame_room(&packed[input.pos()..])? else { return Ok(()) };
                reserve(out, start, room, at_most)?;
            } else if out.len() == out.capacity() {
                let doubled = (out.len() - start) as u64;
                reserve(out, start, doubled.max(FIRST_ROOM), at_most)?;
            }
            let (read, written) = (input.pos(), out.len());
            let hint = self
                .context
                .decompress_stream(&mut OutBuffer::around_pos(out, written), &mut input)
                .map_err(bad_frame)?;
            if (out.len() - start) as u64 > at_most {
                return Err(too_long(at_most));
            }
            whole = hint == 0;
            let stuck = input.pos() == read && out.len() == written;
            if !whole && stuck && out.len() < out.capacity() {
                return Err(BadFrame("the data end within a frame".into()));
            }
        }
    }
}

/// Whether the data are one frame which says that it holds at most so many bytes, as those of ours and restic do.
pub(crate) fn is_short_frame(packed: &[u8], at_most: u64) -> bool {
    let says_so = matches!(zstd_safe::get_frame_content_size(packed), Ok(Some(length)) if length <= at_most);
    says_so && zstd_safe::find_frame_compressed_size(packed) == Ok(packed.len())
}

/// How much room the next frame is known or guessed to need; `None` at the end of the data.
fn frame_room(rest: &[u8]) -> Result<Option<u64>, BadFrame> {
    if rest.is_empty() {
        return Ok(None);
    }
    match zstd_safe::get_frame_content_size(rest) {
        Ok(Some(length)) => Ok(Some(length)),
        Ok(None) => Ok(Some((rest.len() as u64).saturating_mul(4).max(FIRST_ROOM))),
        Err(_) => Err(BadFrame("not a zstd frame".into())),
    }
}

/// Makes room for `more` bytes, unless content of that length is already too long.
///
/// One byte of room is left beyond `at_most`, by which content that is too long shows.
fn reserve(out: &mut Vec<u8>, start: usize, more: u64, at_most: u64) -> Result<(), BadFrame> {
    let present = (out.len() - start) as u64;
    let left = at_most.saturating_sub(present);
    let more = usize::try_from(more.min(left) + 1).map_err(|_| too_long(at_most))?;
    out.try_reserve(more).map_err(|_| BadFrame(format!("no memory for {more} bytes")))
}

fn bad_frame(code: usize) -> BadFrame {
    BadFrame(zstd_safe::get_error_name(code).to_lowercase())
}

fn too_long(at_most: u64) -> BadFrame {
    BadFrame(format!("more than {at_most} bytes of content"))
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(length: usize) -> Vec<u8> {
        (0..length).map(|i| if i % 3 == 0 { (i / 3) as u8 } else { b'x' }).collect()
    }

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Encoder::new(Compression::Auto).encode(plain, &mut out);
        out
    }

    fn decode(packed: &[u8], at_most: u64) -> Result<Vec<u8>, BadFrame> {
        let mut out = b"before".to_vec();
        let result = Decoder::new().decode(packed, at_most, &mut out);
        assert_eq!(&out[..6], b"before");
        assert!(result.is_ok() || out.len() == 6, "a failure leaves nothing behind");
        result.map(|()| out.split_off(6))
    }

    #[test]
    fn every_level_comes_back() {
        for level in ["auto", "off", "fastest", "better", "max", "zstd:2", "zstd:15", "zstd:22"] {
            let mut encoder = Encoder::new(level.parse().unwrap());
            for length in [0, 1, 13, 255, 256, 70_000, 700_000] {
                let mut frame = b"1234567".to_vec();
                encoder.encode(&sample(length), &mut frame);
                assert_eq!(decode(&frame[7..], length as u64).unwrap(), sample(length));
            }
        }
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..length).map(next).collect()
    }

    #[test]
    fn a_raw_frame_comes_back() {
        for length in [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 5] {
            let plain = noise(length);
            for raw in [RawFrame::untried(length as u32), RawFrame::new(length as u32)] {
                let frame = raw.parts(&plain).collect::<Vec<_>>().concat();
                assert_eq!(frame.len(), raw.size());
                assert!(decode(&frame, length as u64).unwrap() == plain, "{length}");
                reads_back(&raw, &frame, &plain);
                let is_untried = is_untried(frame.len() as u64, length as u32);
                assert_eq!(is_untried, raw.header_length == UNTRIED_HEADER);
            }
            let frame = RawFrame::new(length as u32).parts(&plain).collect::<Vec<_>>().concat();
            let packed = packed(&plain).len();
            assert!(length < LONG || frame.len() <= packed + 1, "a window more than zstd writes: {packed}");
        }
    }

    fn reads_back(raw: &RawFrame, frame: &[u8], plain: &[u8]) {
        for size in [1, 2, 5, 4096, BLOCK, BLOCK + 7, frame.len()]
            .into_iter()
            .filter(|size| frame.len() / size < 1000)
        {
            let (mut reader, mut content) = (raw.reader(), Vec::new());
            assert!(!reader.is_whole());
            frame.chunks(size).for_each(|piece| reader.take(piece, |part| content.extend_from_slice(part)));
            assert!(reader.is_whole() && content == plain, "in pieces of {size}");
            reader.take(b"x", |_| ());
            assert!(!reader.is_whole(), "something follows");
        }
    }

    #[test]
    fn a_raw_frame_that_is_wrong_in_one_bit_is_no_frame_or_has_other_content() {
        let plain = noise(BLOCK + 10);
        let raw = RawFrame::new(plain.len() as u32);
        let mut frame = raw.parts(&plain).collect::<Vec<_>>().concat();
        let second = FRAME_HEADER + BLOCK_HEADER + BLOCK;
        for at in (0..FRAME_HEADER + BLOCK_HEADER + 3).chain(second - 3..frame.len()) {
            frame[at] ^= 8;
            let (mut reader, mut content) = (raw.reader(), Vec::new());
            reader.take(&frame, |part| content.extend_from_slice(part));
            assert!(!reader.is_whole() || content != plain, "at {at}");
            frame[at] ^= 8;
        }
        let mut reader = raw.reader();
        reader.take(&frame[..frame.len() - 1], |_| ());
        assert!(!reader.is_whole(), "cut");
    }

    #[test]
    fn samples_tell_noise_from_what_is_worth_compressing() {
        let (mut encoder, mut scratch) = (Encoder::new(Compression::Auto), Vec::new());
        let mut found = |plain: &[u8]| encoder.finds_incompressible(plain, &mut scratch);
        assert!(found(&noise(LONG)) && found(&noise(8 << 20)) && found(&noise(1_234_567)));
        assert!(!found(&noise(LONG - 1)), "short");
        assert!(!found(&sample(1 << 20)));
        for at in 0..16 {
            let mut mixed = noise(1 << 20);
            mixed[at * (1 << 16)..(at + 1) * (1 << 16)].copy_from_slice(&sample(1 << 16));
            assert!(!found(&mixed), "a sixteenth that compresses, at {at}");
        }
    }

    #[test]
    fn content_longer_than_allowed_is_refused() {
        let frame = packed(&sample(70_000));
        assert!(decode(&frame, 69_999).is_err());
        let bomb = packed(&vec![0; 50 << 20]);
        assert!(bomb.len() < 5000);
        assert!(decode(&bomb, 1 << 20).is_err());
    }

    /// A frame that does not say how much it holds.
    fn silent_frame(plain: &[u8]) -> Vec<u8> {
        let mut frame: Vec<u8> = Vec::with_capacity(plain.len() + 1000);
        let mut context = CCtx::create();
        let mut output = OutBuffer::around(&mut frame);
        context.compress_stream(&mut output, &mut InBuffer::around(plain)).unwrap();
        assert_eq!(context.end_stream(&mut output), Ok(0));
        frame
    }

    #[test]
    fn content_of_unknown_length_grows_as_it_comes() {
        let plain = sample(300_000);
        let frame = silent_frame(&plain);
        assert!(matches!(zstd_safe::get_frame_content_size(&frame), Ok(None)));
        assert_eq!(decode(&frame, 300_000).unwrap(), plain);
        for at_most in [0, 1, 63, 65_000, 65_536, 299_999] {
            assert!(decode(&frame, at_most).is_err());
        }
        assert_eq!(decode(&silent_frame(b"short"), 5).unwrap(), b"short");
        assert!(decode(&silent_frame(b"short"), 4).is_err());
        assert!(decode(&silent_frame(&vec![0; 50 << 20]), 1 << 20).is_err());
    }

    #[test]
    fn several_and_skippable_frames_are_one_content() {
        let mut frames = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        frames.extend(packed(b"one, "));
        frames.extend([0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
        frames.extend(packed(b"two"));
        assert_eq!(decode(&frames, 8).unwrap(), b"one, two");
        assert!(decode(&frames, 7).is_err());
        assert_eq!(decode(&[], 8).unwrap(), b"");
    }

    #[test]
    fn truncated_and_foreign_bytes_are_refused_and_the_decoder_goes_on() {
        let frame = packed(&sample(1000));
        let mut decoder = Decoder::new();
        let mut out = Vec::new();
        for end in 1..frame.len() {
            assert!(decoder.decode(&frame[..end], 2000, &mut out).is_err(), "{end}");
        }
        let mut trailing = frame.clone();
        trailing.push(0);
        for bad in [&trailing[..], b"hello world, this is no frame", &[0]] {
            assert!(decoder.decode(bad, 2000, &mut out).is_err());
        }
        decoder.decode(&frame, 1000, &mut out).unwrap();
        assert_eq!(out, sample(1000));
    }
}
