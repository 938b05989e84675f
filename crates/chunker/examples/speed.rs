//! Prints the speed of every search and of the reference: `cargo run --release --example speed`.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::time::Instant;

use tresor_chunker::{Chunker, Polynomial, reference};

fn main() {
    let polynomial = Polynomial::from(0x3da3358b4dc173);
    let random = random_bytes(256 << 20);
    let repeated = vec![0xff; 256 << 20];
    println!("of the bytes that are hashed, so without the first 512 KiB of each chunk:");
    measure("the reference, random data", &random[..64 << 20], |data| reference(polynomial, data));
    for (name, chunker) in Chunker::every_way(polynomial).expect("a known polynomial") {
        measure(&format!("{name}, random data"), &random, |data| chunker.cut(data));
        measure(&format!("{name}, 0xff"), &repeated, |data| chunker.cut(data));
        let recent = &repeated[..2 << 20];
        measure(&format!("{name}, 0xff that is in the cache"), &repeated, |_| {
            chunker.cut(recent).or(Some(recent.len()))
        });
    }
}

/// Chunks `data` three times and prints the best rate.
fn measure(what: &str, data: &[u8], cut: impl Fn(&[u8]) -> Option<usize>) {
    let mut best = f64::INFINITY;
    let mut hashed = 0;
    for _ in 0..3 {
        let start = Instant::now();
        let mut rest = data;
        hashed = 0;
        while !rest.is_empty() {
            let length = cut(rest).unwrap_or(rest.len());
            hashed += length.saturating_sub(Chunker::MIN);
            rest = &rest[length..];
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{:6.0} MB/s  {what}", hashed as f64 / best / 1e6);
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
