//! Lends the terminal to a program that may have to ask there.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use std::os::fd::OwnedFd;

/// The terminal in the hands of another process group; taken back when dropped.
///
/// While it is lent, the keys that interrupt reach that group alone; afterwards ours alone.
pub(super) struct Lent {
    terminal: OwnedFd,
    ours: Pid,
}

impl Lent {
    /// Lends the terminal to `group`, if we have one and are in its foreground.
    pub(super) fn to(group: Pid) -> Option<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
        let terminal = rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()?;
        let ours = rustix::process::getpgrp();
        if tcgetpgrp(&terminal).ok()? != ours {
            return None;
        }
        tcsetpgrp(&terminal, group).ok()?;
        // It may have asked before it was allowed to, and been stopped for that.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::CONT);
        Some(Lent { terminal, ours })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Who takes the terminal from the background is stopped by a signal, unless it is blocked.
        let blocked = SigSet::from(Signal::SIGTTOU);
        let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK);
        // Where it fails, there is no terminal any more.
        let _ = tcsetpgrp(&self.terminal, self.ours);
        if let Ok(before) = before {
            let _ = before.thread_set_mask();
        }
    }
}
