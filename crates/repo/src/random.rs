//! The one place where random bytes are drawn: the kernel's generator, nothing else.

use crate::error::{Error, Result};

/// Fills `bytes` from the kernel's generator.
///
/// # Errors
/// When the kernel gives none; the caller must stop, never go on with what is there.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    #[cfg(test)]
    if let Some(instead) = faults::instead(bytes) {
        return instead;
    }
    getrandom::fill(bytes).map_err(|source| Error::Random { source: source.into() })
}

/// `N` random bytes.
///
/// # Errors
/// As [`fill`].
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// A generator out of order, for this crate's own tests.
#[cfg(test)]
pub(crate) mod faults {
    use super::{Error, Result};
    use std::cell::Cell;

    thread_local! {
        static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// What is wrong with it.
    #[derive(Clone, Copy)]
    pub(crate) enum Fault {
        /// It gives this byte, again and again.
        Constant(u8),
        /// It gives nothing.
        Fails,
    }

    /// Does `work` with such a generator, on this thread.
    pub(crate) fn with_fault<T>(fault: Fault, work: impl FnOnce() -> T) -> T {
        FAULT.set(Some(fault));
        let done = work();
        FAULT.set(None);
        done
    }

    pub(super) fn instead(bytes: &mut [u8]) -> Option<Result<()>> {
        FAULT.get().map(|fault| match fault {
            Fault::Constant(byte) => {
                bytes.fill(byte);
                Ok(())
            }
            Fault::Fails => Err(Error::Random { source: "no entropy".into() }),
        })
    }
}
