//! Every parser is fed its seeds, kept inputs, and many changes of both that are always the same.

use tresor_fuzz::{Target, kept, targets};
use tresor_testkit::Random;

/// How many changes of inputs each parser is fed.
const CHANGES: usize = 3000;

/// One input made of two: bytes changed, cut out, doubled, or of the other.
fn changed(one: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = one.to_vec();
    let mut below = |end: usize| random.below(end as u64) as usize;
    for _ in 0..=below(4) {
        let at = below(bytes.len() + 1);
        let length = below(bytes.len() - at + 1).min(64);
        match below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << below(8),
            1 if at < bytes.len() => bytes[at] = below(256) as u8,
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let piece = bytes[at..at + length].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let from = below(other.len() + 1);
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
    let mut random = Random::new(target.name.len() as u64);
    for _ in 0..CHANGES {
        let (one, other) = (random.pick(&inputs), random.pick(&inputs));
        (target.feed)(&changed(one, other, &mut random));
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
