//! Vectors made by restic 0.19.1 itself; see `tests/golden/README.md`.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use tresor_chunker::{Chunker, reference};

use crate::{POLYNOMIALS, lengths};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn chunks_are_those_of_restic() {
    let data: Vec<u8> =
        (0..16_u64 << 20 >> 5).flat_map(|counter| Sha256::digest(counter.to_le_bytes())).collect();
    assert_eq!(
        hex(&Sha256::digest(&data)),
        "01c65c8d6d336a8f1e9acf8bbfe807f7c1d0ec666ff41bc2db9f679849f03c03",
        "the test's own data"
    );
    let golden = include_str!("../golden/chunks.json");
    let golden: BTreeMap<String, Vec<(usize, String)>> = serde_json::from_str(golden).unwrap();
    assert!(golden.keys().eq(["3406130b99a249", "3da3358b4dc173"]));
    for (polynomial, expected) in golden {
        for (name, chunker) in Chunker::every_way(polynomial.parse().unwrap()).unwrap() {
            let mut rest = &data[..];
            let mut chunks = Vec::new();
            for length in lengths(&data, |data| chunker.cut(data)) {
                let (chunk, after) = rest.split_at(length);
                chunks.push((length, hex(&Sha256::digest(chunk))));
                rest = after;
            }
            assert_eq!(chunks, expected, "{name}, {polynomial}");
        }
        let slow = lengths(&data, |data| reference(polynomial.parse().unwrap(), data));
        assert!(slow.iter().eq(expected.iter().map(|(length, _)| length)), "reference, {polynomial}");
    }
}

#[test]
fn edges_are_those_of_restic() {
    const MIN: usize = Chunker::MIN;
    const MAX: usize = Chunker::MAX;
    let cases = [
        ("nothing", vec![], vec![]),
        ("zeros", vec![0; (3 << 20) + 5], vec![MIN, MIN, MIN, MIN, MIN, MIN, 5]),
        ("0xff", vec![0xff; 9 << 20], vec![MAX, 1 << 20]),
        ("abc", b"abc".repeat(3_495_253), vec![MAX, 2_097_151]),
        ("zeros, one less than the minimum", vec![0; MIN - 1], vec![MIN - 1]),
        ("zeros, the minimum", vec![0; MIN], vec![MIN]),
        ("zeros, one more than the minimum", vec![0; MIN + 1], vec![MIN, 1]),
        ("ones, one less than the minimum", vec![1; MIN - 1], vec![MIN - 1]),
        ("ones, the minimum", vec![1; MIN], vec![MIN]),
        ("ones, one more than the minimum", vec![1; MIN + 1], vec![MIN + 1]),
    ];
    for polynomial in POLYNOMIALS {
        let ways = Chunker::every_way(polynomial.parse().unwrap()).unwrap();
        for (name, data, expected) in &cases {
            for (way, chunker) in &ways {
                assert_eq!(&lengths(data, |data| chunker.cut(data)), expected, "{name}, {way}, {polynomial}");
            }
            let slow = lengths(data, |data| reference(polynomial.parse().unwrap(), data));
            assert_eq!(&slow, expected, "reference, {name}, {polynomial}");
        }
    }
}
