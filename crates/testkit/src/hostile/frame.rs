//! zstd frames made by hand, which say what their maker wants (RFC 8878, 3.1.1).

/// The most content of a block.
const BLOCK: usize = 128 * 1024;

/// Content of a frame.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// One byte, so many times 128 KiB.
    Blocks(u8, u32),
}

/// A frame of these parts, which perhaps says how long its content is; that may be a lie.
pub fn frame(parts: &[Part<'_>], says: Option<u64>) -> Vec<u8> {
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd];
    out.push(if says.is_some() { 0xc0 } else { 0 });
    out.push((BLOCK.ilog2() as u8 - 10) << 3);
    out.extend(says.map(u64::to_le_bytes).into_iter().flatten());
    let mut last = out.len();
    let mut block = |kind: u32, size: usize, content: &[u8]| {
        last = out.len();
        out.extend_from_slice(&((size as u32) << 3 | kind << 1).to_le_bytes()[..3]);
        out.extend_from_slice(content);
    };
    for part in parts {
        match *part {
            Part::Bytes(bytes) => bytes.chunks(BLOCK).for_each(|piece| block(0, piece.len(), piece)),
            Part::Blocks(byte, count) => (0..count).for_each(|_| block(1, BLOCK, &[byte])),
        }
    }
    out[last] |= 1; // the last block, which is not empty: behind an empty one nobody compares lengths
    out
}

/// A frame of so many MiB of spaces between two texts.
pub fn bomb(before: &[u8], mebibytes: u32, after: &[u8], says: Option<u64>) -> Vec<u8> {
    frame(&[Part::Bytes(before), Part::Blocks(b' ', mebibytes * 8), Part::Bytes(after)], says)
}

/// A frame as the plaintext of a file that is no pack.
pub fn packed(frame: &[u8]) -> Vec<u8> {
    [&[2], frame].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_made_by_hand_is_one() {
        for says in [None, Some(2 * BLOCK as u64 + 5)] {
            let made = frame(&[Part::Bytes(b"abc"), Part::Blocks(b'x', 2), Part::Bytes(b"de")], says);
            let mut content = vec![0; 2 * BLOCK + 10];
            let length = zstd_safe::decompress(&mut content[..], &made).unwrap();
            assert_eq!(length, 2 * BLOCK + 5);
            assert!(content.starts_with(b"abcxxx") && content[..length].ends_with(b"xde"));
        }
    }
}
