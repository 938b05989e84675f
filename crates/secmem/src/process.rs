//! What of a process protects its secrets: closed memory, no core file, a clean environment.
#![allow(unsafe_code, reason = "writes to the environment block")]

use crate::bytes::SecretBytes;
use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit};
use std::ffi::{CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

/// The limit of core files that this process was started with.
static CORE: OnceLock<Rlimit> = OnceLock::new();

/// Closes this process's memory to other processes of the same user: to `/proc`, debuggers and core files.
///
/// Programs started later are not affected. Our own `/proc/self/fd` stays open to ourselves.
///
/// # Errors
/// Those of the system; none is known.
pub fn close_memory() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Has this process leave no core file, for the case that its memory is opened again.
///
/// Programs started later inherit it, unless [`restore_limits`] is called for them.
///
/// # Errors
/// Those of the system; none is known.
pub fn forbid_core_files() -> io::Result<()> {
    let before = CORE.get_or_init(|| rustix::process::getrlimit(Resource::Core));
    let none = Rlimit { current: Some(0), maximum: before.maximum };
    Ok(rustix::process::setrlimit(Resource::Core, none)?)
}

/// Gives a program that we have started the limits that we were started with.
pub fn restore_limits(child: u32) {
    let pid = i32::try_from(child).ok().and_then(Pid::from_raw);
    if let (Some(pid), Some(before)) = (pid, CORE.get()) {
        let before = Rlimit { current: before.current, maximum: before.maximum };
        let _ = rustix::process::prlimit(Some(pid), Resource::Core, before); // it may have ended
    }
}

/// Gives up, for this thread and those that it starts, to get more rights by starting a program (`sudo`, `fusermount3`).
///
/// # Errors
/// Those of the system; none is known.
pub fn forgo_new_rights() -> io::Result<()> {
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Takes a variable out of the environment, and overwrites its value where the kernel has put it: `/proc/PID/environ`
/// shows zeros there. Programs started later do not get it.
///
/// Nothing if there is no such variable, or if this process has a second thread already, which might be reading it.
pub fn take_variable(name: &str) -> Option<SecretBytes> {
    if threads() != Some(1) {
        return None;
    }
    // SAFETY: there is one thread, so nobody else reads or changes the environment meanwhile.
    let taken = unsafe { erase(name) }?;
    // SAFETY: as above.
    unsafe { std::env::remove_var(OsStr::from_bytes(name.as_bytes())) };
    Some(taken)
}

/// Copies a variable's value and overwrites it where it stands; if it stands there more than once, all of them, and the
/// first one counts.
///
/// # Safety
/// No other thread uses the environment.
unsafe fn erase(name: &str) -> Option<SecretBytes> {
    unsafe extern "C" {
        static mut environ: *mut *mut libc::c_char;
    }
    // SAFETY: `environ` is the C library's list of strings, ended by a null pointer, and nobody changes it now.
    let mut entry = unsafe { environ };
    let mut first = None;
    loop {
        // SAFETY: not yet behind the end of the list, which may be missing as a whole.
        let variable = if entry.is_null() { entry.cast() } else { unsafe { *entry } };
        if variable.is_null() {
            return first;
        }
        // SAFETY: each entry of the list is a string ended by a zero.
        let text = unsafe { CStr::from_ptr(variable) }.to_bytes();
        let value = text.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        if let Some(value) = value {
            first.get_or_insert_with(|| SecretBytes::copied(value));
            let (start, end) = (text.len() - value.len(), text.len());
            for at in start..end {
                // SAFETY: within the string, which belongs to this process; `text` is not used any more.
                unsafe { variable.add(at).write_volatile(0) };
            }
        }
        // SAFETY: this entry was not the last one.
        entry = unsafe { entry.add(1) };
    }
}

/// How many threads this process has, by the system.
fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_while_another_thread_may_read() {
        assert!(threads().is_some_and(|threads| threads > 1), "a test has a thread of its own");
        assert!(take_variable("PATH").is_none());
        assert!(std::env::var_os("PATH").is_some());
    }
}
