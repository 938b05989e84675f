//! Cuts as a caller sees them: restic's golden vectors, and the reference on all other data.

mod against_reference;
mod golden;
mod long;

use std::convert::Infallible;

use tresor_chunker::{Chunker, Polynomial};

/// The two polynomials that have golden vectors.
const POLYNOMIALS: [&str; 2] = ["3da3358b4dc173", "3406130b99a249"];

fn chunker(hex: &str) -> Chunker {
    Chunker::new(hex.parse().expect("hexadecimal")).expect("irreducible")
}

/// A pseudo-random polynomial as `init` would make it.
fn random_polynomial(mut seed: u64) -> Polynomial {
    let Ok::<_, Infallible>(polynomial) = Polynomial::random(|bytes| {
        *bytes = next_random(&mut seed).to_le_bytes();
        Ok(())
    });
    polynomial
}

/// The lengths of all chunks of `data`.
fn lengths(data: &[u8], cut: impl Fn(&[u8]) -> Option<usize>) -> Vec<usize> {
    let mut rest = data;
    let mut lengths = Vec::new();
    while !rest.is_empty() {
        let length = cut(rest).unwrap_or(rest.len());
        lengths.push(length);
        rest = &rest[length..];
    }
    lengths
}

/// Steps a 64-bit generator that is good enough for test data (splitmix64).
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
