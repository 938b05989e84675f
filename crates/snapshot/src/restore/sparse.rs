//! Writes what is not zero, and leaves holes where it is.

use std::fs::File;
use std::io::Result;
use std::os::unix::fs::FileExt;

/// A hole begins and ends at multiples of this.
const PAGE: u64 = 4096;
const ZEROS: [u8; PAGE as usize] = [0; PAGE as usize];

/// Writes `bytes` at `offset` of a file that has nothing there yet, except for pages of zeros.
pub(crate) fn write_around_zeros(file: &File, offset: u64, bytes: &[u8]) -> Result<()> {
    stretches(offset, bytes, |start, stretch| file.write_all_at(stretch, offset + start as u64))
}

/// Hands over the stretches of `bytes` between zero pages, each with where it starts.
fn stretches(offset: u64, bytes: &[u8], mut each: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
    let (mut start, mut at) = (0, 0);
    while at < bytes.len() {
        let to_page_end = (PAGE - (offset + at as u64) % PAGE) as usize;
        let end = bytes.len().min(at + to_page_end);
        let page = &bytes[at..end];
        if *page == ZEROS[..page.len()] {
            if start < at {
                each(start, &bytes[start..at])?;
            }
            start = end;
        }
        at = end;
    }
    if start < at { each(start, &bytes[start..at]) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offset: u64, bytes: &[u8], expected: &[(usize, usize)]) {
        let mut found = Vec::new();
        stretches(offset, bytes, |start, stretch| {
            found.push((start, stretch.len()));
            Ok(())
        })
        .unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn pages_of_zeros_are_left_out_where_they_lie_in_the_file() {
        let mut bytes = vec![0; 5 * 4096];
        check(0, &bytes, &[]);
        check(7, &bytes, &[]);
        bytes[4096] = 1;
        check(0, &bytes, &[(4096, 4096)]);
        check(4095, &bytes, &[(1, 4096)]);
        bytes[0] = 1;
        check(0, &bytes, &[(0, 8192)]);
        bytes[5 * 4096 - 1] = 1;
        check(0, &bytes, &[(0, 8192), (4 * 4096, 4096)]);
        check(0, b"", &[]);
        check(0, b"ab", &[(0, 2)]);
    }
}
