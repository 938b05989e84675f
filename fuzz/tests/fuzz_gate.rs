//! Every parser is fed its seeds, kept inputs, and many changes of both that are always the same.

use tresor_fuzz::{Target, kept, targets};

/// How many changes of inputs each parser is fed.
const CHANGES: usize = 3000;
/// What the changes follow from: splitmix64, whatever else changes in the workspace.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % end.max(1) as u64) as usize
    }
}

/// One input made of two: bytes changed, cut out, doubled, or of the other.
fn changed(one: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = one.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let length = numbers.below(bytes.len() - at + 1).min(64);
        match numbers.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            1 if at < bytes.len() => bytes[at] = numbers.below(256) as u8,
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let piece = bytes[at..at + length].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let from = numbers.below(other.len() + 1);
                let piece = other[from..].iter().take(length.max(1)).copied();
                bytes.splice(at..at, piece.collect::<Vec<_>>());
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn feed(target: &Target) -> usize {
    let mut inputs: Vec<Vec<u8>> = target.seeds.iter().map(|seed| seed.to_vec()).collect();
    inputs.extend(kept(target).expect("the kept inputs can be read"));
    inputs.push(Vec::new());
    for input in &inputs {
        (target.feed)(input);
    }
    let mut numbers = Numbers(target.name.len() as u64);
    for _ in 0..CHANGES {
        let (one, other) = (numbers.below(inputs.len()), numbers.below(inputs.len()));
        (target.feed)(&changed(&inputs[one], &inputs[other], &mut numbers));
    }
    inputs.len() + CHANGES
}

#[test]
fn fuzz_gate() {
    let targets = targets();
    assert!(targets.len() >= 24, "{} targets", targets.len());
    assert!(targets.windows(2).all(|pair| pair[0].name < pair[1].name), "each has a name of its own");
    for target in targets {
        assert!(feed(&target) > CHANGES);
    }
}
