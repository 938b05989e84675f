//! Pages for secrets: hidden from everybody but this process, or at least never swapped or dumped.
#![allow(unsafe_code, reason = "maps memory by hand")]

use rustix::fd::{FromRawFd, OwnedFd};
use rustix::mm::{Advice, MapFlags, ProtFlags};
use std::ffi::c_void;
use std::io;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// How secrets are protected. The first one is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// In secret memory (`memfd_secret`): not even root reads it through `/proc` or a debugger; never swapped.
    Hidden,
    /// In locked pages: never swapped, and in no core file.
    Locked,
    /// In pages that could not be locked: they may get into the swap, which should be encrypted.
    Unlocked,
}

static PREFER_LOCKED: AtomicBool = AtomicBool::new(false);
static WORST: AtomicU8 = AtomicU8::new(Protection::Hidden as u8);

/// Has what is taken from now on locked and not hidden: for what runs for days, since a machine does not hibernate while
/// any process has secret memory.
pub fn prefer_locked() {
    PREFER_LOCKED.store(true, Ordering::Relaxed);
}

/// The worst protection that any secret of this process has, so far.
pub fn protection() -> Protection {
    match WORST.load(Ordering::Relaxed) {
        0 => Protection::Hidden,
        1 => Protection::Locked,
        _ => Protection::Unlocked,
    }
}

/// Pages between two that nobody may touch. They are wiped by whoever used them, and unmapped on drop.
pub(crate) struct Pages {
    whole: NonNull<c_void>,
    length: usize,
}

// SAFETY: it is memory of the process, bound to no thread; whoever hands out parts of it sees to their use.
unsafe impl Send for Pages {}

impl Pages {
    /// Takes at least so many bytes; they are zero.
    ///
    /// # Errors
    /// There is no memory, or no room for it in the process.
    pub(crate) fn take(bytes: usize) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let length = bytes.div_ceil(page).max(1) * page;
        // SAFETY: a new mapping at a place of the kernel's choice touches nothing that is there.
        let whole = unsafe {
            rustix::mm::mmap_anonymous(null_mut(), length + 2 * page, ProtFlags::empty(), MapFlags::PRIVATE)?
        };
        let whole = NonNull::new(whole).ok_or(io::ErrorKind::OutOfMemory)?;
        let pages = Pages { whole, length };
        let hidden = !PREFER_LOCKED.load(Ordering::Relaxed) && !can_hibernate();
        let protection = match hidden && pages.hide().is_ok() {
            true => Protection::Hidden,
            false => pages.lock()?,
        };
        WORST.fetch_max(protection as u8, Ordering::Relaxed);
        Ok(pages)
    }

    /// Where the bytes begin.
    pub(crate) fn start(&self) -> NonNull<u8> {
        // SAFETY: the mapping has a page before the first byte, and another behind the last one.
        unsafe { self.whole.byte_add(rustix::param::page_size()).cast() }
    }

    /// How many bytes there are.
    #[cfg(test)]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    fn middle(&self) -> *mut c_void {
        self.start().cast().as_ptr()
    }

    /// Puts secret memory into the middle.
    fn hide(&self) -> io::Result<()> {
        let secret = memfd_secret()?;
        rustix::fs::ftruncate(&secret, self.length as u64)?;
        let (access, how) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED | MapFlags::FIXED);
        // SAFETY: what is replaced is the middle of our own mapping, which nobody was given yet.
        unsafe {
            rustix::mm::mmap(self.middle(), self.length, access, how, &secret, 0)?;
            // A process forked from this one would see the same memory.
            rustix::mm::madvise(self.middle(), self.length, Advice::LinuxDontFork)?;
        }
        Ok(())
    }

    /// Makes the middle usable, and locks it if the system lets us.
    fn lock(&self) -> io::Result<Protection> {
        let (access, how) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::FIXED);
        // SAFETY: as in `hide`; neither advice changes what the memory holds in this process.
        unsafe {
            rustix::mm::mmap_anonymous(self.middle(), self.length, access, how)?;
            let locked = rustix::mm::mlock(self.middle(), self.length).is_ok();
            let undumped = rustix::mm::madvise(self.middle(), self.length, Advice::LinuxDontDump).is_ok();
            let _ = rustix::mm::madvise(self.middle(), self.length, Advice::LinuxWipeOnFork);
            Ok(if locked && undumped { Protection::Locked } else { Protection::Unlocked })
        }
    }

    /// Forbids every access, for tests of what is behind it.
    #[cfg(test)]
    pub(crate) fn close(&self) {
        // SAFETY: the test does not touch the memory afterwards.
        unsafe {
            rustix::mm::mprotect(self.middle(), self.length, rustix::mm::MprotectFlags::empty())
                .expect("closed")
        };
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let whole = self.length + 2 * rustix::param::page_size();
        // SAFETY: the mapping is ours, and whoever was given a part of it is gone before it is dropped.
        let _ = unsafe { rustix::mm::munmap(self.whole.as_ptr(), whole) }; // it cannot be given back then
    }
}

/// A descriptor of secret memory.
fn memfd_secret() -> io::Result<OwnedFd> {
    // SAFETY: the call takes a flag and touches no memory; what it answers is a descriptor or an error.
    let got = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
    let descriptor = i32::try_from(got).ok().filter(|got| *got >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just made it for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Whether this machine may be sent to sleep on its disk, which secret memory would prevent.
fn can_hibernate() -> bool {
    let text = |path| std::fs::read_to_string(path).unwrap_or_default();
    hibernates(&text("/sys/power/state"), &text("/sys/power/disk"))
}

fn hibernates(states: &str, modes: &str) -> bool {
    states.split_whitespace().any(|state| state == "disk") && !modes.contains("[disabled]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_hibernates_is_known() {
        assert!(hibernates("freeze mem disk\n", "[platform] shutdown reboot\n"));
        assert!(!hibernates("freeze mem disk\n", "[disabled]\n"));
        assert!(!hibernates("freeze mem\n", "[platform]\n"));
        assert!(!hibernates("", ""));
    }

    #[test]
    fn pages_are_empty_and_lie_between_two_closed_ones() {
        let pages = Pages::take(5000).unwrap();
        assert_eq!(pages.length() % rustix::param::page_size(), 0);
        assert!(pages.length() >= 5000);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let start = pages.start().as_ptr() as usize;
        let around = [format!("-{start:x} ---p"), format!("{:x}-", start + pages.length())];
        let [before, after] =
            around.map(|what| maps.lines().find(|line| line.contains(&what)).map(str::to_owned));
        assert!(before.is_some(), "{maps}");
        assert!(after.is_some_and(|line| line.contains("---p")), "{maps}");
        pages.close();
    }

    #[test]
    fn hidden_pages_are_not_in_the_memory_that_others_read() {
        let pages = Pages::take(4096).unwrap();
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        let mut seen = [1; 16];
        let read = std::os::unix::fs::FileExt::read_at(&memory, &mut seen, pages.start().as_ptr() as u64);
        assert_eq!(read.is_err(), !can_hibernate() && memfd_secret().is_ok(), "{read:?}");
    }

    #[test]
    fn locked_pages_are_locked_and_not_dumped() {
        let pages = Pages::take(4096).unwrap();
        let other = Pages { whole: pages.whole, length: pages.length };
        assert_eq!(other.lock().unwrap(), Protection::Locked);
        std::mem::forget(other);
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let start = format!("{:x}-", pages.start().as_ptr() as usize);
        let flags = maps.split("VmFlags:").find(|area| area.contains(&start));
        assert!(flags.is_some());
        let behind = maps.split(&start).nth(1).unwrap().split("VmFlags:").nth(1).unwrap();
        let flags: Vec<&str> = behind.lines().next().unwrap().split_whitespace().collect();
        for flag in ["lo", "dd", "wf"] {
            assert!(flags.contains(&flag), "{flag}: {flags:?}");
        }
    }
}
