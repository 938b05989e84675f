//! The chunker cuts as the reference does, whatever the data, the polynomial and the buffers.

use proptest::prelude::*;
use tresor_chunker::{Chunker, reference};

use crate::{POLYNOMIALS, chunker, lengths, next_random, random_polynomial};

/// `length` bytes in which stretches of noise, of one byte and of a short period alternate.
fn mixed_data(mut seed: u64, length: usize, stretch: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(length);
    while data.len() < length {
        let choice = next_random(&mut seed);
        let run = (choice >> 8) as usize % stretch + 1;
        let run = run.min(length - data.len());
        let pattern = next_random(&mut seed).to_le_bytes();
        match choice % 4 {
            0 => data.extend(std::iter::repeat_n(pattern[0], run)),
            1 => data.extend(std::iter::repeat_n(0, run)),
            2 => data.extend(pattern.iter().cycle().take(run)),
            _ => data.extend((0..run).map(|_| next_random(&mut seed) as u8)),
        }
    }
    data
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn on_noise_with_any_polynomial(seed: u64, length in 0..6_usize << 20) {
        let mut state = seed;
        let data: Vec<u8> = (0..length).map(|_| next_random(&mut state) as u8).collect();
        let polynomial = random_polynomial(seed);
        let expected = lengths(&data, |data| reference(polynomial, data));
        for (name, chunker) in Chunker::every_way(polynomial).unwrap() {
            prop_assert_eq!(&lengths(&data, |data| chunker.cut(data)), &expected, "{}", name);
        }
    }

    #[test]
    fn on_data_of_low_entropy(seed: u64, length in 0..3_usize << 20, stretch in 1..1_usize << 19) {
        let data = mixed_data(seed, length, stretch);
        let polynomial = random_polynomial(seed);
        let expected = lengths(&data, |data| reference(polynomial, data));
        for (name, chunker) in Chunker::every_way(polynomial).unwrap() {
            prop_assert_eq!(&lengths(&data, |data| chunker.cut(data)), &expected, "{}", name);
        }
    }

    #[test]
    fn however_the_buffer_grows(seed: u64, length in 0..5_usize << 20, largest in 1..1_usize << 20) {
        let data = mixed_data(seed, length, 1 << 20);
        let expected = lengths(&data, |data| chunker(POLYNOMIALS[0]).cut(data));
        for (name, chunker) in Chunker::every_way(POLYNOMIALS[0].parse().unwrap()).unwrap() {
            let mut sizes = seed;
            let mut growing = Vec::new();
            let (mut start, mut end) = (0, 0);
            let mut scanned = 0;
            while end < data.len() {
                end = data.len().min(end + next_random(&mut sizes) as usize % largest + 1);
                while let Some(length) = chunker.cut_from(&data[start..end], scanned) {
                    growing.push(length);
                    start += length;
                    scanned = 0;
                }
                scanned = end - start;
            }
            growing.extend((start < end).then_some(end - start));
            prop_assert_eq!(&growing, &expected, "{}", name);
        }
    }
}
