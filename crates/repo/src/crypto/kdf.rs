//! From a password to a key: scrypt, its lanes on several cores (format: "Key files").

use super::KEY_BYTES;
pub(crate) use super::romix::Stopped;
use super::romix::{Lane, kept};
use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tresor_backend::Cancel;
use tresor_secmem::{SecretBox, wiped};
use zeroize::Zeroizing;

/// What a derivation costs: memory 128·N·r bytes a lane, time N·r·p.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    n: u32,
    r: u32,
    p: u32,
}

/// Why parameters are no cost we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadCost {
    /// Not what scrypt allows.
    #[error("N, r and p are outside of what scrypt allows")]
    Invalid,
    /// Too much memory, or minutes of work: nobody made this key to use it.
    #[error("N, r and p ask for more than anybody's key does")]
    Excessive,
}

/// The most that a key file may ask for, each number for itself, and a lane's memory in bytes.
///
/// What restic calibrates has r = 8, less than 60 MiB and half a second of one core: p is far from 64 there.
const MOST_ENTRIES: u64 = 1 << 20;
const MOST_STEPS: u64 = 32;
const MOST_LANES: u64 = 64;
const MOST_MEMORY: u64 = 1 << 30;

/// The most work a key file may ask for: half a minute or so of a single core, and 40 times what restic's calibration
/// comes to. An absolute figure: what one machine opens every other machine opens.
const MOST_WORK: u64 = 1 << 26;

/// Memory for all lanes at once: two of restic's usual keys, which is less than its program needs for one with what
/// else it holds. One lane is worked on however large it is.
const MEMORY_AT_ONCE: u64 = 48 << 20;

impl Cost {
    /// Accepts what scrypt can do with a memory of 1 GiB and in bearable time.
    pub(crate) fn new(n: u64, r: u64, p: u64) -> Result<Self, BadCost> {
        if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
            return Err(BadCost::Invalid);
        }
        if n > MOST_ENTRIES || r > MOST_STEPS || p > MOST_LANES {
            return Err(BadCost::Excessive);
        }
        let cost = Cost { n: n as u32, r: r as u32, p: p as u32 };
        let bearable = 128 * n * r <= MOST_MEMORY && cost.work() <= MOST_WORK;
        if bearable { Ok(cost) } else { Err(BadCost::Excessive) }
    }

    /// N: entries of a lane's table.
    pub(crate) const fn n(&self) -> u32 {
        self.n
    }

    /// r: size of an entry in steps of 128 bytes.
    pub(crate) const fn r(&self) -> u32 {
        self.r
    }

    /// p: number of lanes.
    pub(crate) const fn p(&self) -> u32 {
        self.p
    }

    /// By this keys are compared: a unit is one block mix of 128 bytes, twice.
    pub(crate) const fn work(&self) -> u64 {
        (self.n as u64).saturating_mul(self.r as u64).saturating_mul(self.p as u64)
    }

    const fn lane_memory(&self) -> u64 {
        128 * kept(self.n as usize) as u64 * self.r as u64
    }
}

/// Derives a key's bytes: scrypt of `password` and `salt`, its lanes spread over `threads`.
///
/// One lane a thread, and 48 MiB in all.
pub(crate) fn derive(
    password: &[u8],
    salt: &[u8],
    cost: Cost,
    threads: usize,
    cancel: &Cancel,
) -> Result<SecretBox<[u8; KEY_BYTES]>, Stopped> {
    let lane_bytes = 128 * cost.r as usize;
    let mut blocks = Zeroizing::new(vec![0; lane_bytes * cost.p as usize]);
    wiped(|| pbkdf2_hmac::<Sha256>(password, salt, 1, &mut blocks));
    mix_all(&mut blocks, cost, threads, cancel)?;
    let mut key = SecretBox::new(|| [0; KEY_BYTES]);
    wiped(|| pbkdf2_hmac::<Sha256>(password, &blocks, 1, &mut *key));
    Ok(key)
}

fn mix_all(blocks: &mut [u8], cost: Cost, threads: usize, cancel: &Cancel) -> Result<(), Stopped> {
    let at_once = usize::try_from(MEMORY_AT_ONCE / cost.lane_memory()).unwrap_or(1).max(1);
    let threads = threads.clamp(1, at_once.min(cost.p as usize));
    let lanes = Mutex::new(blocks.chunks_exact_mut(128 * cost.r as usize));
    let take = || lanes.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut lane = Lane::new(cost.n as usize, cost.r as usize);
        while let Some(bytes) = take() {
            lane.mix(bytes, cancel)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        others.into_iter().map(|other| other.join().expect("mixing does not panic")).fold(mine, Result::and)
    })
}

/// Chooses the cost of new keys for this machine, as restic does: r = 8, N as large as `memory` allows but
/// a run takes at most half a second, then p so that all lanes in turn take half a second.
///
/// `time` takes the time of a derivation on one thread.
pub(crate) fn calibrate(memory: u64, mut time: impl FnMut(Cost) -> Duration) -> Cost {
    const R: u32 = 8;
    const TARGET: Duration = Duration::from_millis(500);
    let entries = (memory.saturating_sub(1) / (128 * u64::from(R))).clamp(2, MOST_ENTRIES);
    let mut cost = Cost { n: 1 << entries.ilog2(), r: R, p: 1 };
    let mut run = time(cost);
    while run > TARGET && cost.n > 2 {
        cost.n /= 2;
        run = time(cost);
    }
    let most = MOST_LANES.min(MOST_WORK / cost.work()) as u32;
    cost.p = u32::try_from(TARGET.as_nanos() / run.as_nanos().max(1)).unwrap_or(most).clamp(1, most);
    while cost.p > 1 && time(cost) > TARGET {
        cost.p -= 1;
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64, r: u64, p: u64, threads: usize) -> [u8; KEY_BYTES] {
        *derive(b"pleaseletmein", b"SodiumChloride", Cost::new(n, r, p).unwrap(), threads, &Cancel::new())
            .unwrap()
    }

    fn oracle(n: u64, r: u64, p: u64) -> [u8; KEY_BYTES] {
        let params = scrypt::Params::new(n.ilog2() as u8, r as u32, p as u32).unwrap();
        let mut key = [0; KEY_BYTES];
        scrypt::scrypt(b"pleaseletmein", b"SodiumChloride", &params, &mut key).unwrap();
        key
    }

    #[test]
    fn equals_the_scrypt_crate_on_any_number_of_threads() {
        for (n, r, p) in [(2, 1, 1), (16, 1, 3), (64, 3, 2), (128, 8, 5), (1024, 8, 6), (4, 32, 7)] {
            for threads in [1, 2, 3, 64] {
                assert_eq!(key(n, r, p, threads), oracle(n, r, p), "{n} {r} {p} on {threads}");
            }
        }
    }

    #[test]
    fn equals_the_vector_of_rfc_7914() {
        assert_eq!(key(16384, 8, 1, 1)[..8], [0x70, 0x23, 0xbd, 0xcb, 0x3a, 0xfd, 0x73, 0x48]);
    }

    #[test]
    fn takes_what_restic_calibrates_and_nothing_absurd() {
        // restic: N below 60 MiB, and with a smaller one a single lane.
        let calibrated = (1..16).map(|log| (1 << log, 8, 1)).chain((1..=64).map(|p| (1 << 15, 8, p)));
        for (n, r, p) in calibrated.chain([(2, 1, 1), (1 << 20, 8, 8), (1 << 18, 32, 8), (16, 1, 64)]) {
            assert!(Cost::new(n, r, p).is_ok(), "{n} {r} {p}");
        }
        let max = u64::MAX;
        for (n, r, p) in [(0, 8, 1), (1, 8, 1), (3, 8, 1), (6, 8, 1), (16, 0, 1), (16, 8, 0), (max, 1, 1)] {
            assert_eq!(Cost::new(n, r, p), Err(BadCost::Invalid), "{n} {r} {p}");
        }
        let single = [(1 << 21, 1, 1), (1 << 63, 1, 1), (2, 33, 1), (2, max, 1), (2, 1, 65), (2, 1, max)];
        let together = [(2, max, max), (1 << 20, 9, 1), (1 << 19, 32, 1), (1 << 20, 8, 9), (1 << 15, 33, 64)];
        for (n, r, p) in single.into_iter().chain(together) {
            assert_eq!(Cost::new(n, r, p), Err(BadCost::Excessive), "{n} {r} {p}");
        }
    }

    #[test]
    fn a_derivation_can_be_stopped() {
        let cancel = Cancel::new();
        cancel.set(tresor_backend::cancel::Reason::Interrupted);
        assert_eq!(derive(b"", b"", Cost::new(2, 1, 1).unwrap(), 2, &cancel).err(), Some(Stopped));
    }

    /// To its end it would take minutes on several cores of this profile.
    #[test]
    fn a_derivation_under_way_can_be_stopped() {
        let cancel = Cancel::new();
        let started = std::sync::Barrier::new(2);
        let ended = thread::scope(|scope| {
            let deriving = scope.spawn(|| {
                started.wait();
                derive(b"", b"", Cost::new(1 << 20, 8, 8).unwrap(), 1, &cancel).err()
            });
            started.wait();
            thread::sleep(Duration::from_millis(50));
            cancel.set(tresor_backend::cancel::Reason::Interrupted);
            deriving.join().unwrap()
        });
        assert_eq!(ended, Some(Stopped));
    }

    /// A machine that needs `nanoseconds` for a unit of work.
    fn calibrated(memory: u64, nanoseconds: u64) -> (u32, u32, u32) {
        let cost = calibrate(memory, |cost| Duration::from_nanos(cost.work() * nanoseconds));
        (cost.n, cost.r, cost.p)
    }

    #[test]
    fn calibrates_as_restic_does() {
        const MIB: u64 = 1 << 20;
        assert_eq!(calibrated(60 * MIB, 300), (32768, 8, 6));
        assert_eq!(calibrated(60 * MIB, 1900), (32768, 8, 1), "one run is just short enough");
        assert_eq!(calibrated(60 * MIB, 2000), (16384, 8, 1));
        assert_eq!(calibrated(60 * MIB, 1 << 40), (2, 8, 1), "hopeless, but it ends");
        assert_eq!(calibrated(60 * MIB, 0), (32768, 8, 64), "a clock that stands still");
        assert_eq!(calibrated(64 * MIB, 300).0, 32768, "less than the limit, not equal");
        assert_eq!(calibrated(64 * MIB + 1, 300), (65536, 8, 3));
        assert_eq!(calibrated(u64::MAX, 1).0, MOST_ENTRIES as u32);
        assert_eq!(calibrated(0, 300).0, 2);
    }

    #[test]
    fn lanes_are_dropped_while_they_take_too_long_together() {
        let cost = calibrate(60 << 20, |cost| {
            Duration::from_millis(90 * u64::from(cost.p) + 10 * u64::from(cost.p > 1))
        });
        assert_eq!(cost.p, 5);
        let cost = calibrate(60 << 20, |cost| Duration::from_millis(100 + 150 * u64::from(cost.p - 1)));
        assert_eq!(cost.p, 3);
    }
}
