//! Compression and decompression of what is too long for memory, piece by piece.

use super::{BadFrame, Compression, SHORTEST_MATCH, WINDOW_LOG_MAX, bad_frame};
use zstd_safe::zstd_sys::ZSTD_EndDirective::{self, ZSTD_e_continue, ZSTD_e_end};
use zstd_safe::{CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer};

/// Higher levels would keep hundreds of MiB of what went by, which they never do of a single short blob.
const HIGHEST_LEVEL: i32 = 17;

/// How much room is made for what comes out.
const ROOM: usize = 128 * 1024;

/// Makes one frame of what comes in pieces.
pub(crate) struct StreamEncoder {
    context: CCtx<'static>,
}

impl StreamEncoder {
    /// A frame is begun, at `level` or a lower one.
    pub(crate) fn new(level: Compression) -> Self {
        let mut context = CCtx::create();
        let mut set =
            |parameter| context.set_parameter(parameter).expect("every level named is one of zstd's");
        set(CParameter::CompressionLevel(level.number().min(HIGHEST_LEVEL)));
        if level.is_default() {
            set(CParameter::MinMatch(SHORTEST_MATCH));
        }
        StreamEncoder { context }
    }

    /// Takes the next piece; appends what is ready to `out`.
    pub(crate) fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        self.go_on(plain, ZSTD_e_continue, out);
    }

    /// Ends the frame.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) {
        self.go_on(&[], ZSTD_e_end, out);
    }

    fn go_on(&mut self, plain: &[u8], how: ZSTD_EndDirective, out: &mut Vec<u8>) {
        let mut input = InBuffer::around(plain);
        loop {
            out.reserve(ROOM);
            let start = out.len();
            let left = self
                .context
                .compress_stream2(&mut OutBuffer::around_pos(out, start), &mut input, how)
                .expect("compression fails only where memory is exhausted");
            let is_done = match how {
                ZSTD_e_end => left == 0,
                _ => input.pos() == plain.len(),
            };
            if is_done {
                return;
            }
        }
    }
}

/// Gives the content of all frames, as [`super::Decoder`], but in pieces.
pub(crate) struct StreamDecoder {
    context: DCtx<'static>,
    whole: bool,
}

impl StreamDecoder {
    /// Nothing was read yet.
    pub(crate) fn new() -> Self {
        let mut context = DCtx::create();
        context
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
            .expect("zstd takes windows up to 2³¹");
        StreamDecoder { context, whole: true }
    }

    /// Reads some of `packed`, fills some of `out`; says how much of both.
    ///
    /// # Errors
    /// What is no frame.
    pub(crate) fn step(&mut self, packed: &[u8], out: &mut [u8]) -> Result<(usize, usize), BadFrame> {
        let mut input = InBuffer::around(packed);
        let mut output = OutBuffer::around(out);
        let hint = self.context.decompress_stream(&mut output, &mut input).map_err(bad_frame)?;
        if input.pos() > 0 || output.pos() > 0 {
            self.whole = hint == 0;
        }
        Ok((input.pos(), output.pos()))
    }

    /// Whether the last frame is complete.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }
}

/// Hands the content of all frames in `packed` to `each`, piece by piece; answers with its length.
///
/// # Errors
/// Anything but complete frames, or more content than `at_most`.
pub(crate) fn in_pieces(packed: &[u8], at_most: u64, mut each: impl FnMut(&[u8])) -> Result<u64, BadFrame> {
    let (mut decoder, mut out, mut rest, mut length) = (StreamDecoder::new(), vec![0; ROOM], packed, 0);
    loop {
        let (read, written) = decoder.step(rest, &mut out)?;
        each(&out[..written]);
        (rest, length) = (&rest[read..], length + written as u64);
        if length > at_most {
            return Err(BadFrame(format!("more than {at_most} bytes of content")));
        }
        if written == 0 && (rest.is_empty() || read == 0) {
            break;
        }
    }
    match decoder.is_whole() && rest.is_empty() {
        true => Ok(length),
        false => Err(BadFrame("the data end within a frame".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Decoder;
    use super::*;

    #[test]
    fn what_comes_in_pieces_is_one_content() {
        let plain: Vec<u8> = (0..700_000_u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        for level in ["auto", "fastest", "max", "zstd:22"] {
            for size in [1000, 300_000, plain.len()] {
                let (mut encoder, mut packed) = (StreamEncoder::new(level.parse().unwrap()), Vec::new());
                plain.chunks(size).for_each(|piece| encoder.write(piece, &mut packed));
                encoder.finish(&mut packed);
                let mut whole = Vec::new();
                Decoder::new().decode(&packed, plain.len() as u64, &mut whole).unwrap();
                assert!(whole == plain && packed.len() < plain.len() / 2, "{level}, {size}");
                assert!(decoded(&packed, size).unwrap() == plain);
                assert!(decoded(&packed[..packed.len() - 1], size).is_none());
                assert!(decoded(&[&packed[..], &packed].concat(), size).unwrap().len() == 2 * plain.len());
                let mut all = Vec::new();
                let length = in_pieces(&packed, plain.len() as u64, |piece| all.extend_from_slice(piece));
                assert!(length == Ok(plain.len() as u64) && all == plain);
                assert!(in_pieces(&packed, plain.len() as u64 - 1, |_| ()).is_err());
                assert!(in_pieces(&packed[..packed.len() - 1], u64::MAX, |_| ()).is_err());
            }
        }
        assert!(decoded(b"this is no frame", 3).is_none());
    }

    fn decoded(packed: &[u8], size: usize) -> Option<Vec<u8>> {
        let (mut decoder, mut all, mut out) = (StreamDecoder::new(), Vec::new(), vec![0; size]);
        for mut piece in packed.chunks(size) {
            loop {
                let (read, written) = decoder.step(piece, &mut out).ok()?;
                all.extend_from_slice(&out[..written]);
                piece = &piece[read..];
                if piece.is_empty() && written < out.len() {
                    break;
                }
            }
        }
        decoder.is_whole().then_some(all)
    }
}
