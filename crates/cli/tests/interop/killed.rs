//! A backup killed at any moment harms nothing (the long run is `cargo xtask campaign kill`).

use crate::scene::Scene;
use std::time::{Duration, Instant};
use tresor_testkit::{Random, Spec, TestTree, generate};

#[test]
fn a_backup_is_killed_at_eight_moments() {
    let scene = Scene::new();
    let spec = Spec { files: 60, directories: 6, largest: 1 << 16 };
    let _first = generate(scene.join("first/source"), 2, &spec);
    let mut source = generate(scene.join("source"), 2, &spec);
    scene.tresor.ok(["backup", "source"]);
    let first = scene.tresor.ok(["snapshots", "--json"]).json()[0]["id"].as_str().unwrap().to_owned();
    let mut random = Random::new(8);
    source = with_noise(source, &mut random);
    let start = Instant::now();
    scene.tresor.ok(["backup", "source"]);
    let whole = start.elapsed();
    for eighth in 0..8 {
        source = with_noise(source, &mut random);
        let moment = whole.mul_f64(f64::from(eighth) / 8.0) + Duration::from_millis(random.below(20));
        let mut child = scene.tresor.start(["backup", "source", "--pack-size", "4"]);
        std::thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        scene.restores(&scene.tresor, &first, &scene.join("first/source"));
        scene.restic.ok(["unlock"]);
        scene.restic.ok(["check"]);
    }
    scene.tresor.ok(["backup", "source"]);
    scene.is_whole();
    scene.restores(&scene.restic, "latest", source.path());
}

/// New contents enough for several packs.
fn with_noise(tree: TestTree, random: &mut Random) -> TestTree {
    let noise = random.bytes(12 << 20);
    tree.file("noise", noise)
}
