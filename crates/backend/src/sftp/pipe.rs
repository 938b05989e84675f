//! A pipe into which nothing is written for ever: where nobody takes anything, writing fails.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::OFlags;
use std::io::{self, IoSlice, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// The writing end of a pipe or socket, and how long it may stand still.
pub(super) struct Patient<W> {
    inner: W,
    patience: Duration,
}

impl<W: Write + AsFd> Patient<W> {
    pub(super) fn new(inner: W, patience: Duration) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&inner)?;
        rustix::fs::fcntl_setfl(&inner, flags | OFlags::NONBLOCK)?;
        Ok(Patient { inner, patience })
    }

    fn when_ready(&mut self, mut write: impl FnMut(&mut W) -> io::Result<usize>) -> io::Result<usize> {
        loop {
            match write(&mut self.inner) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            let mut ends = [PollFd::new(self.inner.as_fd(), PollFlags::POLLOUT)];
            let patience = PollTimeout::try_from(self.patience).unwrap_or(PollTimeout::MAX);
            match poll(&mut ends, patience) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<W: Write + AsFd> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.when_ready(|inner| inner.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.when_ready(|inner| inner.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_nobody_takes_is_given_up_and_what_somebody_takes_arrives() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut writer = Patient::new(writer, Duration::from_millis(20)).unwrap();
        let error = writer.write_all(&vec![1; 1 << 22]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        writer.patience = Duration::from_secs(600);
        let taken = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        writer.write_all(&vec![2; 1 << 22]).unwrap();
        drop(writer);
        assert_eq!(taken.join().unwrap().into_iter().filter(|byte| *byte == 2).count(), 1 << 22);
    }
}
