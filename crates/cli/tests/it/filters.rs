//! Patterns: random ones on a tree of provoking names, beside the real restic.

use crate::pair::TRESOR;
use std::path::Path;
use tresor_testkit::Random;
use tresor_testkit::filters::Forest;

#[test]
fn random_patterns_choose_what_restic_chooses() {
    // `cargo xtask campaign filters` does the same with twenty thousand pairs and more.
    let mut random = Random::new(7);
    let forest = Forest::plant(&mut random);
    let mut decided = 0;
    for _ in 0..8 {
        decided += forest.compare(Path::new(TRESOR), &mut random).unwrap();
    }
    assert!(decided > 2_000);
}
