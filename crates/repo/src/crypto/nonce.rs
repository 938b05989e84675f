//! A nonce for one sealing: random, and hedged against random numbers that repeat.
//!
//! The kernel's bytes alone would do. Should they come twice (a generator that is stuck, a virtual machine that was
//! copied while it ran), nonces still differ where texts, processes or the number of sealings before do: a nonce is a
//! keyed function of all these. Nobody who reads can tell how a nonce was chosen, so the format does not change.

use super::seal::{finish, is_zero};
use crate::error::{Error, Result};
use crate::random;
use hkdf::Hkdf;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit;
use sha2::{Digest, Sha256};
use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tresor_secmem::SecretBox;

pub(super) const NONCE: usize = 16;
pub(super) type Nonce = [u8; NONCE];

/// Bytes of the key: r and s of a Poly1305 that hashes the text, then the key of the function.
pub(super) const HEDGE_BYTES: usize = 64;

/// By this the key is derived from the one that seals.
pub(super) const LABEL: &str = "tresor/iv-hedge/v1";

/// A text about to be sealed, as far as its nonce is concerned.
pub(crate) enum Text<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// Bytes that follow from what has this SHA-256, and from their length.
    Hashed(&'a [u8; 32]),
}

/// What else goes into a nonce.
struct Moment {
    random: [u8; 32],
    counter: u64,
    process: [u8; 32],
}

impl Moment {
    fn now() -> Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let random = random::bytes()?;
        if is_zero(&random) {
            return Err(Error::Random { source: "the generator gave nothing but zeros".into() });
        }
        Ok(Moment { random, counter: COUNTER.fetch_add(1, Ordering::Relaxed), process: *process() })
    }
}

/// A nonce for sealing `length` bytes of `text`; within work whose stack is wiped.
///
/// # Errors
/// When the kernel gives no random bytes.
pub(super) fn fresh(key: &[u8; HEDGE_BYTES], text: &Text<'_>, length: usize) -> Result<Nonce> {
    let nonce = hedged(key, text, length as u64, &Moment::now()?);
    match is_zero(&nonce) {
        true => Err(Error::Random { source: "the nonce is nothing but zeros".into() }),
        false => Ok(nonce),
    }
}

/// The first bytes of HMAC-SHA256 over a hash of the text and the moment.
///
/// A text of bytes is hashed by Poly1305 with a key of this purpose alone, whose results never show: two texts have one
/// hash by a chance of less than 2^-70, and it costs less than a SHA-256 would.
fn hedged(key: &[u8; HEDGE_BYTES], text: &Text<'_>, length: u64, moment: &Moment) -> Nonce {
    let (hash_key, prf_key) = key.split_at(32);
    let (mut kind, mut hash) = ([1], [0; 32]);
    match text {
        Text::Bytes(bytes) => {
            let begin = || Poly1305::new_from_slice(hash_key).expect("32 bytes are a key of Poly1305");
            let mac = SecretBox::new_unwiped(begin);
            hash[..16].copy_from_slice(&finish(mac, bytes));
        }
        Text::Hashed(sha256) => (kind, hash) = ([2], **sha256),
    }
    let mut nonce = [0; NONCE];
    // The second half of HKDF is HMAC-SHA256 over these and a byte 1.
    let prf = Hkdf::<Sha256>::from_prk(prf_key).expect("32 bytes are a key of HKDF");
    let (length, counter) = (length.to_le_bytes(), moment.counter.to_le_bytes());
    let input: [&[u8]; 6] = [&kind, &hash, &length, &moment.random, &counter, &moment.process];
    prf.expand_multi_info(&input, &mut nonce).expect("HKDF gives up to 255 hashes");
    nonce
}

/// What tells this process from all others: the machine's start, our number, and when we were started.
///
/// What the system does not say is left out. We never fork without starting another program.
fn process() -> &'static [u8; 32] {
    static PROCESS: OnceLock<[u8; 32]> = OnceLock::new();
    PROCESS.get_or_init(|| {
        let boot = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let stat = fs::read("/proc/self/stat").unwrap_or_default();
        let pid = std::process::id().to_le_bytes();
        Sha256::new().chain_update(boot).chain_update(pid).chain_update(started(&stat)).finalize().into()
    })
}

/// The 22nd field of `/proc/self/stat`: when the process started. The second one may hold anything, in brackets.
fn started(stat: &[u8]) -> &[u8] {
    let behind_name = stat.iter().rposition(|&byte| byte == b')').map_or(0, |at| at + 1);
    stat[behind_name..].split(|&byte| byte == b' ').nth(20).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::faults::{Fault, with_fault};
    use std::collections::HashSet;

    fn key() -> [u8; HEDGE_BYTES] {
        std::array::from_fn(|i| i as u8)
    }

    fn moment() -> Moment {
        Moment { random: [0xaa; 32], counter: 7, process: [0x55; 32] }
    }

    #[test]
    fn the_vectors_of_another_implementation() {
        // By hmac and hashlib of Python, and Poly1305 as two lines of its integers.
        let text: Vec<u8> = (0..100).collect();
        let nonce = hedged(&key(), &Text::Bytes(&text), 100, &moment());
        assert_eq!(u128::from_be_bytes(nonce), 0xf8be0b29f8532c364e4c2765952a3375);
        let nonce = hedged(&key(), &Text::Hashed(&[0x33; 32]), 100, &moment());
        assert_eq!(u128::from_be_bytes(nonce), 0x45b26f45a943265bd55e29b764f52e72);
    }

    #[test]
    fn whatever_changes_changes_the_nonce() {
        let text = [7; 50];
        let mut seen = HashSet::new();
        let mut other_key = key();
        other_key[63] ^= 1;
        assert!(seen.insert(hedged(&key(), &Text::Bytes(&text), 50, &moment())));
        assert!(seen.insert(hedged(&other_key, &Text::Bytes(&text), 50, &moment())));
        assert!(seen.insert(hedged(&key(), &Text::Bytes(&text[..49]), 50, &moment())));
        assert!(seen.insert(hedged(&key(), &Text::Bytes(&text), 51, &moment())));
        assert!(seen.insert(hedged(&key(), &Text::Hashed(&[7; 32]), 50, &moment())));
        assert!(seen.insert(hedged(
            &key(),
            &Text::Bytes(&text),
            50,
            &Moment { random: [1; 32], ..moment() }
        )));
        assert!(seen.insert(hedged(&key(), &Text::Bytes(&text), 50, &Moment { counter: 8, ..moment() })));
        assert!(seen.insert(hedged(
            &key(),
            &Text::Bytes(&text),
            50,
            &Moment { process: [1; 32], ..moment() }
        )));
    }

    /// A copied machine: the same random bytes, counter and process, and another text.
    #[test]
    fn texts_alone_keep_nonces_apart() {
        let mut seen = HashSet::new();
        for number in 0..10_000_u32 {
            let text = number.to_le_bytes();
            assert!(seen.insert(hedged(&key(), &Text::Bytes(&text), 4, &moment())), "{number}");
        }
    }

    #[test]
    fn rng_stuck() {
        let mut seen = HashSet::new();
        with_fault(Fault::Constant(9), || {
            for number in 0..10_000_u32 {
                let text = (number / 2).to_le_bytes();
                assert!(seen.insert(fresh(&key(), &Text::Bytes(&text), 4).unwrap()), "{number}");
            }
        });
    }

    #[test]
    fn rng_fail() {
        for fault in [Fault::Fails, Fault::Constant(0)] {
            let failed = with_fault(fault, || fresh(&key(), &Text::Bytes(b""), 0));
            assert!(matches!(failed, Err(Error::Random { .. })));
        }
    }

    #[test]
    fn a_process_knows_when_it_was_started() {
        let stat = b"7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
        assert_eq!(started(stat), b"4711");
        assert_eq!(started(b""), b"");
        let own = fs::read("/proc/self/stat").unwrap();
        assert!(started(&own).iter().all(u8::is_ascii_digit) && !started(&own).is_empty());
    }
}
