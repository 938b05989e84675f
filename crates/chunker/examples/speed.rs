//! Prints the speed of the chunker and of the reference: `cargo run --release --example speed`.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::time::Instant;

use tresor_chunker::{Chunker, Polynomial, reference};

fn main() {
    let polynomial = Polynomial::from(0x3da3358b4dc173);
    let chunker = Chunker::new(polynomial).expect("a known polynomial");
    let random = random_bytes(256 << 20);
    let repeated = vec![0xff; 256 << 20];
    measure("random data, cut", &random, |data| chunker.cut(data));
    measure("random data, reference", &random[..64 << 20], |data| reference(polynomial, data));
    measure("0xff (every byte of a chunk hashed but the first 512 KiB), cut", &repeated, |data| {
        chunker.cut(data)
    });
}

/// Chunks `data` three times and prints the best rate.
fn measure(what: &str, data: &[u8], cut: impl Fn(&[u8]) -> Option<usize>) {
    let mut best = f64::INFINITY;
    let mut chunks = 0;
    for _ in 0..3 {
        let start = Instant::now();
        let mut rest = data;
        chunks = 0;
        while !rest.is_empty() {
            rest = &rest[cut(rest).unwrap_or(rest.len())..];
            chunks += 1;
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{:6.0} MB/s  {chunks:4} chunks  {what}", data.len() as f64 / best / 1e6);
}

/// Bytes without structure, the same in every run (xorshift).
fn random_bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(length / 8).flatten().collect()
}
