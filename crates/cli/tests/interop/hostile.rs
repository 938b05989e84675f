//! Repositories in which an attacker has planted something: what is sound comes back.

use crate::interrupted::signal;
use crate::scene::Scene;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tresor_testkit::hostile::{Attacker, Blob, Junk, Kind, Part, Place, bomb, frame, packed};
use tresor_testkit::{Client, Random, Run, TestTree, asked, fixtures};

/// The most memory that any command may take: in KiB, as the kernel counts it.
const MOST_MEMORY: i64 = 512 << 10;

/// A repository with a snapshot of `source`.
fn scene() -> (Scene, TestTree) {
    let scene = Scene::new();
    let source = TestTree::at(scene.join("source"))
        .file("folder/one", "one".repeat(10_000))
        .file("folder/two", "two")
        .file("three", fixtures::noise(3, 50_000));
    scene.tresor.ok(["backup", "source"]);
    (scene, source)
}

/// Demands that no command of this test took much memory.
#[track_caller]
fn memory_is_bounded() {
    let most = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    assert!(most <= MOST_MEMORY, "{most} KiB");
}

/// Demands an exit code, no panic, and that the file's name is told.
#[track_caller]
fn tells(run: Run, code: i32, file: &Path) {
    let id = file.file_name().unwrap().to_str().unwrap();
    assert!(run.errors().contains(&id[..8]), "{} is not named: {run}", &id[..8]);
    assert!(!run.errors().contains("panicked"), "{run}");
    run.exits(code);
}

/// Every file of the repository but locks.
fn stored(scene: &Scene) -> BTreeMap<PathBuf, Vec<u8>> {
    let kinds = ["data", "index", "keys", "snapshots"];
    kinds
        .iter()
        .flat_map(|kind| scene.files(kind))
        .map(|file| (file.clone(), fs::read(file).unwrap()))
        .collect()
}

/// As if the lock had been listed for half an hour.
fn has_stayed(client: &Client, lock: &Path) {
    let name = lock.file_name().unwrap().to_str().unwrap();
    let mut record: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&name[at..at + 2], 16).unwrap()).collect();
    record.extend((tresor_repo::clock::now().0 - 30 * 60).to_le_bytes());
    let repository = fixtures::open(client.repository()).unwrap();
    let repository = repository.with_cache(&client.home().join("cache"), &tresor_repo::monitor::Silent);
    repository.local_file("locks", b"unreadable").unwrap().save(&record).unwrap();
}

/// What removal comes to beside junk at this place: the command, and its code under both names.
fn removal(place: Place, key: &str) -> Option<(Vec<String>, i32, i32)> {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    match place {
        Place::Index | Place::Snapshot => Some((words(&["prune"]), 20, 1)),
        Place::Key => Some((words(&["key", "remove", key]), 20, 0)),
        // Half a minute of patience each, and the matrix of locks themselves is a storey below.
        Place::Lock => None,
        // An end of an upload that nobody names: prune is what removes it.
        Place::Pack | Place::Unknown => Some((words(&["prune"]), 0, 0)),
    }
}

#[test]
fn junk_matrix() {
    for place in Place::ALL {
        for junk in Junk::ALL {
            let (scene, source) = scene();
            let second = fixtures::open(&scene.repository()).unwrap();
            let key =
                second.add_key(&tresor_repo::keyfile::Password::new(b"two".to_vec()), &new_key()).unwrap();
            let planted = Attacker::on(&scene.repository(), 7).plant_junk(place, junk);
            let told = matches!(place, Place::Index | Place::Key | Place::Lock);
            if told {
                tells(scene.tresor.run(["ls", "latest"]), 0, &planted);
            }
            if place == Place::Snapshot {
                tells(scene.tresor.run(["snapshots"]), 0, &planted);
            }
            scene.restores(&scene.tresor, "latest", source.path());
            if place == Place::Lock {
                has_stayed(&scene.tresor, &planted);
            }
            scene.tresor.ok(["backup", "source"]);
            scene.tresor.clone().called("restic").ok(["backup", "source"]);
            scene.restores(&scene.tresor, "latest", source.path());
            let before = stored(&scene);
            if place == Place::Snapshot {
                tells(scene.tresor.run(["forget", "--keep-last", "1"]), 20, &planted);
            }
            if let Some((words, code, as_restic)) = removal(place, &key.hex()) {
                let run = scene.tresor.run(&words).exits(code);
                if code == 20 {
                    assert!(run.errors().contains("hint: "), "{run}");
                    assert_eq!(stored(&scene), before, "{place:?} {junk:?}: something was removed");
                }
                scene.tresor.clone().called("restic").run(&words).exits(as_restic);
            }
            assert_eq!(planted.exists(), place != Place::Pack, "{place:?} {junk:?}");
            scene.restores(&scene.tresor, "latest", source.path());
        }
    }
    memory_is_bounded();
}

fn new_key() -> tresor_repo::keyfile::NewKey {
    let cost = tresor_repo::keyfile::KeyCost::Exact { n: 2, r: 1, p: 1 };
    tresor_repo::keyfile::NewKey {
        username: "u".into(),
        hostname: "h".into(),
        created: tresor_repo::time::Time::utc(0, 0),
        cost,
    }
}

/// The way out of each state, as the hints name it.
#[test]
fn junk_is_removed_by_what_the_hints_name() {
    let (scene, source) = scene();
    let mut attacker = Attacker::on(&scene.repository(), 8);
    let mut plant = |place| attacker.plant_junk(place, Junk::Random);
    let [index, snapshot, key, lock] =
        [Place::Index, Place::Snapshot, Place::Key, Place::Lock].map(&mut plant);
    scene.tresor.ok(["unlock", "--remove-all"]);
    scene.tresor.ok(["key", "remove", key.file_name().unwrap().to_str().unwrap()]);
    scene.tresor.ok(["repair", "index"]);
    scene.tresor.ok(["repair", "snapshots", "--forget", snapshot.file_name().unwrap().to_str().unwrap()]);
    for planted in [index, snapshot, key, lock] {
        assert!(!planted.exists(), "{}", planted.display());
    }
    scene.tresor.ok(["forget", "--keep-last", "1", "--prune"]);
    scene.restores(&scene.tresor, "latest", source.path());
    scene.is_whole();
}

/// Plaintexts of files that are too much, or lie.
fn bombs(list: &str) -> Vec<(&'static str, Vec<u8>)> {
    let open = format!("{{\"{list}\":[");
    let open = open.as_bytes();
    let fields: String = (0..1_000_000).map(|number| format!(",\"f{number}\":{number}")).collect();
    let fields = format!("{{\"x\":0{fields}}}");
    let nested = frame(&[Part::Bytes(open), Part::Blocks(b'[', 80)], None);
    let deep = frame(&[Part::Bytes(b"{\"x\":"), Part::Blocks(b'[', 8)], None);
    vec![
        ("1 GiB of spaces", packed(&bomb(open, 1024, b"]}", None))),
        ("1 GiB, and it says so", packed(&bomb(open, 1024, b"]}", Some((1 << 30) + open.len() as u64 + 2)))),
        ("as much as can be said", packed(&bomb(open, 1, b"]}", Some(u64::MAX - 2)))),
        ("more than it says", packed(&bomb(open, 200, b"]}", Some(100)))),
        ("less than it says", packed(&bomb(open, 1, b"]}", Some(100 << 20)))),
        ("many frames", packed(&bomb(b" ", 100, b" ", None).repeat(10))),
        ("nested lists", packed(&nested)),
        ("nested lists in an unknown member", packed(&deep)),
        ("a million unknown members", packed(&frame(&[Part::Bytes(fields.as_bytes())], None))),
        ("no end", packed(&frame(&[Part::Bytes(open), Part::Blocks(b' ', 8)], None)[..20])),
    ]
}

#[test]
fn bomb_matrix() {
    let (scene, source) = scene();
    let repository = scene.repository();
    let mut attacker = Attacker::on(&repository, 9);
    for (place, list) in [(Place::Index, "packs"), (Place::Snapshot, "paths"), (Place::Lock, "x")] {
        for (_, plain) in bombs(list) {
            let planted = attacker.plant_sealed(place, &plain);
            let words: &[&str] = if place == Place::Snapshot { &["snapshots"] } else { &["ls", "latest"] };
            tells(scene.tresor.run(words), 0, &planted);
            scene.restores(&scene.tresor, "latest", source.path());
            fs::remove_file(planted).unwrap();
            memory_is_bounded();
        }
    }
    let key = fs::read(&scene.files("keys")[0]).unwrap();
    for bytes in [[&key[..], &vec![b' '; 1 << 20]].concat(), b"[".repeat(60_000), b"{\"a\":".repeat(10_000)] {
        let planted = attacker.plant(Place::Key, &bytes);
        tells(scene.tresor.run(["ls", "latest"]), 0, &planted);
        fs::remove_file(planted).unwrap();
    }
    let config = fs::read(repository.join("config")).unwrap();
    for plain in [vec![b' '; 1 << 20], b"[".repeat(60_000), packed(&bomb(b"{", 1024, b"}", None))] {
        let sealed = attacker.sealed(&plain);
        fs::remove_file(repository.join("config")).unwrap();
        fs::write(repository.join("config"), sealed).unwrap();
        scene.tresor.run(["ls", "latest"]).exits(1);
    }
    fs::remove_file(repository.join("config")).unwrap();
    fs::write(repository.join("config"), config).unwrap();
    scene.restores(&scene.tresor, "latest", source.path());
    memory_is_bounded();
}

/// Blobs that are too much, or lie; and pack headers that do.
#[test]
fn bomb_matrix_of_blobs() {
    let (scene, source) = scene();
    let mut attacker = Attacker::on(&scene.repository(), 10);
    let id = |number: u8| format!("{number:02x}").repeat(32);
    let lies = [
        (1, bomb(b"{\"nodes\":[", 2048, b"]}", None), 1 << 30),
        (2, bomb(b"{\"nodes\":[", 2048, b"]}", None), 100),
        (3, bomb(b"{\"nodes\":[", 1, b"]}", Some(u64::MAX - 2)), u32::MAX),
        (4, frame(&[Part::Bytes(b"{\"nodes\":["), Part::Blocks(b'[', 800)], None), 100 << 20),
    ];
    for (number, plain, length) in lies {
        for kind in [Kind::Tree, Kind::Data] {
            let blob = Blob { kind, id: id(number), plain: plain.clone(), length };
            let tree = match kind {
                Kind::Tree => vec![blob],
                Kind::Data => {
                    let node = r#"{"nodes":[{"name":"f","type":"file","content":["ID"]}]}"#;
                    let tree = Blob::honest(Kind::Tree, (node.replace("ID", &blob.id) + "\n").as_bytes());
                    let data = attacker.plant_pack(&[blob]);
                    attacker.plant_index(&[data]);
                    vec![tree]
                }
            };
            let root = tree[0].id.clone();
            let pack = attacker.plant_pack(&tree);
            attacker.plant_index(&[pack]);
            let snapshot = attacker.plant_snapshot(&root, "2001-01-01T00:00:00Z");
            let run = scene.tresor.run(["restore", &snapshot, "-t", "hostile"]).exits(1);
            assert!(!run.errors().contains("panicked"), "{run}");
            scene.restores(&scene.tresor, "latest", source.path());
            memory_is_bounded();
        }
    }
    scene.tresor.run(["check", "--read-data"]).exits(1);
    scene.tresor.run(["stats"]);
    memory_is_bounded();
}

/// Index files made with the key that send whoever believes them elsewhere.
#[test]
fn poison_index() {
    type Change = fn(&mut serde_json::Value);
    fn each(index: &mut serde_json::Value, change: impl Fn(&mut serde_json::Value)) {
        for pack in index["packs"].as_array_mut().unwrap() {
            pack["blobs"].as_array_mut().unwrap().iter_mut().for_each(&change);
        }
    }
    let changes: [(&str, Change); 6] = [
        ("longer", |index| {
            each(index, |blob| blob["length"] = (blob["length"].as_u64().unwrap() + 1).into())
        }),
        ("shorter", |index| {
            each(index, |blob| blob["length"] = (blob["length"].as_u64().unwrap() - 1).into())
        }),
        ("far away", |index| each(index, |blob| blob["offset"] = 4_000_000_000_u32.into())),
        ("moved", |index| each(index, |blob| blob["offset"] = (blob["offset"].as_u64().unwrap() + 3).into())),
        ("other plain length", |index| each(index, |blob| blob["uncompressed_length"] = 1.into())),
        ("the packs exchanged", |index| {
            let packs = index["packs"].as_array_mut().unwrap();
            let ids: Vec<_> = packs.iter().map(|pack| pack["id"].clone()).collect();
            packs.iter_mut().zip(ids.iter().rev()).for_each(|(pack, id)| pack["id"] = id.clone());
        }),
    ];
    for (what, change) in changes {
        for instead in [false, true] {
            if instead && what == "the packs exchanged" {
                continue; // then nothing but `repair index` says where anything is
            }
            let (scene, source) = scene();
            Attacker::on(&scene.repository(), 11).poison_index(instead, change);
            let cached = scene.tresor.clone();
            for client in [&cached, &scene.tresor] {
                scene.restores(client, "latest", source.path());
            }
            scene.tresor.ok(["backup", "source"]);
            scene.restores(&scene.tresor, "latest", source.path());
        }
    }
}

/// What somebody wants to have sealed by a victim's key: the contents of files of every kind, and of a pack's header.
fn wishes() -> Vec<Vec<u8>> {
    let (id, other) = ("a1".repeat(32), "b2".repeat(32));
    let json = [
        format!(r#"{{"time":"2030-01-01T00:00:00Z","tree":"{id}","paths":["/promoted"],"hostname":"h"}}"#),
        format!(
            r#"{{"packs":[{{"id":"{id}","blobs":[{{"id":"{other}","type":"data","offset":0,"length":50}}]}}]}}"#
        ),
        r#"{"time":"2030-01-01T00:00:00Z","exclusive":true,"hostname":"promoted","pid":1}"#.to_owned(),
        format!(r#"{{"version":2,"id":"{id}","chunker_polynomial":"3998821ad33ac9"}}"#),
    ];
    let mut wishes: Vec<Vec<u8>> = json.iter().map(|text| text.as_bytes().to_vec()).collect();
    wishes.extend(json.iter().map(|text| packed(&frame(&[Part::Bytes(text.as_bytes())], None))));
    let mut header = vec![0, 50, 0, 0, 0];
    header.extend([7; 32]);
    wishes.push(header);
    wishes
}

/// Sealed blobs that hold the bytes of a file of another kind, cut out of their packs, and given out for such.
#[test]
fn promote_matrix() {
    for (version, compression) in [(2, "off"), (2, "auto"), (2, "max"), (1, "off"), (1, "auto")] {
        let scene = Scene::of_version(version);
        if version == 1 {
            scene.tresor.ok(["migrate", "upgrade_repo_v2"]);
        }
        let source = wishes()
            .into_iter()
            .enumerate()
            .fold(TestTree::at(scene.join("source")), |tree, (number, wish)| {
                tree.file(format!("wish {number}"), wish)
            });
        scene.tresor.ok(["backup", "source", "--compression", compression]);
        scene.restic.ok(["check", "--read-data"]);
        let repository = fixtures::open(&scene.repository()).unwrap();
        let index = repository.load_index(&tresor_repo::monitor::Silent).unwrap();
        let mut attacker = Attacker::on(&scene.repository(), 12);
        let config = fs::read(scene.join("repository/config")).unwrap();
        let before = scene.tresor.ok(["snapshots", "--json"]).json();
        let cut: Vec<Vec<u8>> = index
            .iter()
            .map(|entry| {
                let (_, place) = entry.unwrap();
                let id = place.pack.hex();
                let pack = fs::read(scene.repository().join("data").join(&id[..2]).join(&id)).unwrap();
                pack[place.offset as usize..][..place.length as usize].to_vec()
            })
            .collect();
        assert!(cut.len() > wishes().len());
        for place in [Place::Snapshot, Place::Index, Place::Lock] {
            let planted: Vec<PathBuf> = cut.iter().map(|sealed| attacker.plant(place, sealed)).collect();
            assert_eq!(scene.tresor.ok(["snapshots", "--json"]).json(), before, "{version} {compression}");
            scene.restores(&scene.tresor, "latest", source.path());
            assert!(scene.tresor.ok(["list", "index"]).text().lines().count() >= 1);
            if place == Place::Index {
                scene.tresor.run(["prune"]).exits(20);
            }
            planted.iter().for_each(|file| fs::remove_file(file).unwrap());
        }
        // As headers of packs that hold one blob of 50 bytes.
        for sealed in &cut {
            let trailer = [&[0; 50][..], sealed, &(sealed.len() as u32).to_le_bytes()].concat();
            attacker.plant(Place::Pack, &trailer);
        }
        let repaired = scene.tresor.ok(["repair", "index", "--json"]);
        assert_eq!(repaired.message("summary")["packs_unreadable"], cut.len(), "{repaired}");
        assert_eq!(repaired.message("summary")["packs_added"], cut.len(), "{repaired}");
        for sealed in &cut {
            fs::remove_file(scene.join("repository/config")).unwrap();
            fs::write(scene.join("repository/config"), sealed).unwrap();
            scene.tresor.run(["ls", "latest"]).exits(1);
        }
        fs::remove_file(scene.join("repository/config")).unwrap();
        fs::write(scene.join("repository/config"), &config).unwrap();
        scene.restores(&scene.tresor, "latest", source.path());
        scene.restores(&scene.restic, "latest", source.path());
    }
}

#[test]
fn a_signal_ends_the_try_of_a_dear_key() {
    let (scene, _source) = scene();
    let key = scene.files("keys").remove(0);
    let mut file: serde_json::Value = serde_json::from_slice(&fs::read(&key).unwrap()).unwrap();
    (file["N"], file["r"], file["p"]) = ((1 << 17).into(), 8.into(), 64.into());
    fs::remove_file(&key).unwrap();
    Attacker::on(&scene.repository(), 1).plant(Place::Key, file.to_string().as_bytes());
    let child = scene.tresor.start(["snapshots"]);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::SIGTERM);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
}

/// What is done to one of the hostile repositories; says what.
fn mutate(attacker: &mut Attacker, random: &mut Random) -> String {
    match random.below(5) {
        0 | 1 => {
            // A lock stops backups, as it must; it is tried elsewhere.
            let place =
                *random.pick(&[Place::Index, Place::Snapshot, Place::Key, Place::Pack, Place::Unknown]);
            let junk = *random.pick(&Junk::ALL);
            attacker.plant_junk(place, junk);
            format!("{place:?}: {junk:?}")
        }
        2 => {
            let (place, list) = *random.pick(&[(Place::Index, "packs"), (Place::Snapshot, "paths")]);
            let all = bombs(list);
            let (what, plain) = random.pick(&all);
            attacker.plant_sealed(place, plain);
            format!("{place:?}: {what}")
        }
        3 => {
            let by = random.within(1..=1000);
            let member = *random.pick(&["offset", "length", "uncompressed_length"]);
            attacker.poison_index(false, |index| {
                for pack in index["packs"].as_array_mut().unwrap() {
                    for blob in pack["blobs"].as_array_mut().unwrap() {
                        blob[member] = (blob[member].as_u64().unwrap_or_default() + by).into();
                    }
                }
            });
            format!("index: {member} off by {by}")
        }
        _ => {
            let (kind, mebibytes) = (*random.pick(&[Kind::Tree, Kind::Data]), random.within(1..=1024) as u32);
            let plain = bomb(b"{\"nodes\":[", mebibytes, b"]}", None);
            let length = random.within(1..=u64::from(u32::MAX)) as u32;
            let blob = Blob { kind, id: "c3".repeat(32), plain, length };
            let pack = attacker.plant_pack(&[blob]);
            attacker.plant_index(&[pack]);
            attacker.plant_snapshot(&"c3".repeat(32), "2001-01-01T00:00:00Z");
            format!("{kind:?} of {mebibytes} MiB, said to have {length} bytes")
        }
    }
}

/// In each of them what is sound comes back, a backup succeeds, and nothing takes much memory or panics.
///
/// `cargo xtask campaign hostile-repositories` makes 200 of them.
#[test]
fn hostile_repo() {
    let (repositories, seed) = (asked("TRESOR_ROUNDS", 5), asked("TRESOR_SEED", 1));
    for number in seed..seed + repositories {
        let (scene, source) = scene();
        let (mut attacker, mut random) = (Attacker::on(&scene.repository(), number), Random::new(number));
        let done: Vec<String> =
            (0..random.within(1..=4)).map(|_| mutate(&mut attacker, &mut random)).collect();
        let what = format!("{number}: {}", done.join("; "));
        scene.restores(&scene.tresor, "latest", source.path());
        scene.tresor.ok(["backup", "source"]);
        scene.restores(&scene.tresor, "latest", source.path());
        for (words, codes) in
            [(&["check", "--read-data"][..], &[0, 1][..]), (&["prune"], &[0, 1, 20]), (&["snapshots"], &[0])]
        {
            let run = scene.tresor.run(words);
            assert!(codes.contains(&run.code.unwrap_or(-1)), "{what}: {run}");
            assert!(!run.errors().contains("panicked"), "{what}: {run}");
        }
        scene.restores(&scene.tresor, "latest", source.path());
        memory_is_bounded();
    }
}
