//! The same cuts by every way over so many positions that each lane and state is met often.

use tresor_chunker::{Chunker, Polynomial, reference};

use crate::{next_random, random_polynomial};

/// Bytes that are compared at once.
const PIECE: usize = 32 << 20;

/// Compares all cuts in `pieces` times 32 MiB, each piece with a polynomial of its own, and counts
/// the positions at which one was possible.
fn compare(pieces: usize) -> usize {
    let mut state = 5;
    let mut positions = 0;
    for _ in 0..pieces {
        let polynomial: Polynomial = random_polynomial(next_random(&mut state));
        let mut data: Vec<u8> = std::iter::repeat_with(|| next_random(&mut state).to_le_bytes())
            .take(PIECE / 8)
            .flatten()
            .collect();
        // Zeros here and there, which are candidates from the 64th on, and as many of another byte.
        for _ in 0..4 {
            let start = next_random(&mut state) as usize % (PIECE - 300_000);
            let length = next_random(&mut state) as usize % 300_000;
            let byte =
                if next_random(&mut state).is_multiple_of(2) { 0 } else { next_random(&mut state) as u8 };
            data[start..start + length].fill(byte);
        }
        let ways = Chunker::every_way(polynomial).expect("irreducible");
        let mut rest = &data[..];
        while !rest.is_empty() {
            let expected = reference(polynomial, rest);
            for (name, chunker) in &ways {
                assert_eq!(
                    chunker.cut(rest),
                    expected,
                    "{name}, {polynomial}, {} before the end",
                    rest.len()
                );
            }
            let length = expected.unwrap_or(rest.len());
            positions += length.saturating_sub(Chunker::MIN - 1);
            rest = &rest[length..];
        }
    }
    positions
}

#[test]
fn over_fifty_million_positions() {
    assert!(compare(3) > 50_000_000);
}

/// `cargo nextest run -p tresor-chunker --run-ignored only`; half a minute.
#[test]
#[ignore = "long: the slice of it above runs always"]
fn over_a_billion_positions() {
    assert!(compare(50) > 1_000_000_000);
}
