//! Where the content of a file comes from: a file of the source, or a stream.

use std::fs::File;
use std::io::{self, Read};

use tresor_repo::error::Cause;

use crate::error::{Error, Result};

/// Bytes of a file asked for at once, at least, unless it is shorter.
pub(super) const STEP: usize = 1 << 20;
/// Bytes read at once of a stream, which may come slowly.
const STREAM_STEP: usize = 1 << 16;

/// Where the content of a file comes from.
pub(super) enum Content<'a> {
    /// An open file of about `size` bytes.
    File { file: &'a File, size: u64 },
    /// A stream of unknown length, and what tells at its end whether it was good.
    Stream { reader: &'a mut dyn Read, finish: Option<Box<dyn FnOnce() -> Result<(), Cause> + Send + 'a>> },
}

impl Content<'_> {
    /// Appends the next bytes, of which `before` have been read; says whether they were the last.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>, before: u64) -> io::Result<bool> {
        match self {
            Content::File { file, size } => read_file(file, *size, buffer, before),
            Content::Stream { reader, .. } => read_stream(*reader, buffer),
        }
    }

    /// What there is to say at the end, after `size` bytes: a problem, or an error that stops everything.
    pub(super) fn end(&mut self, size: u64) -> Result<io::Result<()>> {
        let Content::Stream { finish, .. } = self else { return Ok(Ok(())) };
        if let Some(finish) = finish.take() {
            finish().map_err(|source| Error::Stream { source })?;
        }
        Ok(if size == 0 { Err(io::Error::other("no data read")) } else { Ok(()) })
    }
}

/// As much as there is room for is asked for, and one more byte than there should be: a short answer is the
/// end, without asking again.
fn read_file(file: &File, size: u64, buffer: &mut Vec<u8>, before: u64) -> io::Result<bool> {
    let rest = usize::try_from(size.saturating_sub(before)).unwrap_or(STEP);
    buffer.reserve_exact(rest.saturating_add(1).min(STEP));
    let room = buffer.capacity() - buffer.len();
    let read = rustix::io::retry_on_intr(|| rustix::io::read(file, rustix::buffer::spare_capacity(buffer)))?;
    Ok(read == 0 || (read < room && before + read as u64 == size))
}

fn read_stream(reader: &mut dyn Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let before = buffer.len();
    buffer.resize(before + STREAM_STEP, 0);
    let read = loop {
        match reader.read(&mut buffer[before..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => break outcome,
        }
    };
    buffer.truncate(before + *read.as_ref().unwrap_or(&0));
    Ok(read? == 0)
}
