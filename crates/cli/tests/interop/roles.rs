//! One repository in turns: what one program wrote, the other prunes, tags and rewrites.

use crate::scene::Scene;
use serde_json::Value;
use tresor_testkit::{Client, Spec, TestTree, generate, mutate};

fn source(scene: &Scene, name: &str) -> TestTree {
    generate(scene.join(name), 7, &Spec { files: 80, ..Spec::default() })
}

/// Backs up `source` and answers the summary.
#[track_caller]
fn back_up(program: &Client, flags: &[&str]) -> Value {
    program.ok(["backup", "--json", "source"].iter().chain(flags)).message("summary")
}

fn id(summary: &Value) -> &str {
    summary["snapshot_id"].as_str().unwrap()
}

/// Snapshots as `program` lists them, oldest first.
fn snapshots(program: &Client) -> Vec<Value> {
    program.ok(["snapshots", "--json"]).json().as_array().unwrap().clone()
}

/// The parent that a snapshot names.
fn parent(program: &Client, snapshot: &str) -> Value {
    let found = snapshots(program).into_iter().find(|listed| listed["id"] == snapshot);
    found.unwrap()["parent"].clone()
}

#[test]
fn restic_tidies_up_what_we_wrote_and_we_go_on() {
    let scene = Scene::new();
    let (source, first) = (source(&scene, "source"), source(&scene, "first/source"));
    let summaries: Vec<Value> = (0..4)
        .map(|round| {
            if round > 0 {
                mutate(source.path(), round, 20.0);
            }
            back_up(&scene.tresor, &["--tag", &format!("round-{round}")])
        })
        .collect();
    let [one, two, three, four] = [0, 1, 2, 3].map(|round| id(&summaries[round]));
    scene.restic.ok(["tag", "--add", "kept", one]);
    scene.restic.ok(["forget", two]);
    scene.restic.ok(["rewrite", "--exclude", "*.rs", "--forget", three]);
    scene.restic.ok(["prune", "--max-unused", "0"]);
    scene.is_whole();
    let listed = snapshots(&scene.tresor);
    let [tagged, rewritten] = ["kept", "round-2"].map(|tag| {
        let has = |snapshot: &&Value| snapshot["tags"].as_array().unwrap().contains(&tag.into());
        listed.iter().find(has).unwrap()
    });
    assert_eq!((&tagged["original"], &rewritten["original"]), (&one.into(), &three.into()));
    assert_eq!(listed.len(), 3);
    scene.restores(&scene.tresor, tagged["id"].as_str().unwrap(), first.path());
    assert!(!scene.tresor.ok(["ls", rewritten["id"].as_str().unwrap()]).text().contains(".rs"));

    mutate(source.path(), 9, 20.0);
    let fifth = back_up(&scene.tresor, &[]);
    assert_eq!(parent(&scene.tresor, id(&fifth)), four);
    assert_eq!((&fifth["files_unmodified"], &fifth["files_changed"]), (&64.into(), &16.into()));
    scene.is_whole();
    scene.restores(&scene.tresor, "latest", source.path());
    scene.restores(&scene.restic, "latest", source.path());
}

#[test]
fn we_add_to_what_restic_wrote_and_it_tidies_up() {
    let scene = Scene::new();
    let source = source(&scene, "source");
    let old = back_up(&scene.restic, &[]);
    mutate(source.path(), 1, 20.0);
    let new = back_up(&scene.tresor, &["--tag", "ours"]);
    assert_eq!(parent(&scene.restic, id(&new)), id(&old));
    assert_eq!((&new["files_unmodified"], &new["files_changed"]), (&64.into(), &16.into()));
    scene.restic.ok(["forget", "--keep-last", "1", "--group-by", "", "--prune", "--max-unused", "0"]);
    assert_eq!(snapshots(&scene.tresor).len(), 1);
    scene.is_whole();
    scene.restores(&scene.tresor, id(&new), source.path());
    mutate(source.path(), 2, 20.0);
    let newest = back_up(&scene.tresor, &[]);
    assert_eq!(parent(&scene.restic, id(&newest)), id(&new));
    scene.is_whole();
    scene.restores(&scene.restic, "latest", source.path());
}

#[test]
fn nothing_new_is_stored_of_what_the_other_program_has_stored() {
    let scene = Scene::new();
    let _source = source(&scene, "source");
    let mut last = back_up(&scene.restic, &[]);
    let packs = scene.files("data");
    for program in [&scene.tresor, &scene.restic, &scene.tresor] {
        let next = back_up(program, &[]);
        assert_eq!(parent(program, id(&next)), id(&last));
        assert_eq!((&next["files_unmodified"], &next["data_added"]), (&80.into(), &0.into()), "{next}");
        last = next;
    }
    // Without a parent everything is read again, and still nothing is stored.
    for program in [&scene.tresor, &scene.restic] {
        let next = back_up(program, &["--force"]);
        assert_eq!((&next["files_new"], &next["data_added"]), (&80.into(), &0.into()), "{next}");
    }
    assert_eq!(scene.files("data"), packs);
}

#[test]
fn keys_of_one_program_are_keys_of_the_other() {
    let scene = Scene::new();
    let with = |program: &Client, password: &str| program.clone().password(password);
    let new = |program: &Client, word: &str, password: &str| {
        tresor_testkit::secret_file(scene.join("new password"), password);
        program.ok(["key", word, "--new-password-file", "new password"]);
    };
    new(&scene.tresor, "add", "from tresor");
    new(&scene.restic, "add", "from restic");
    with(&scene.restic, "from tresor").ok(["snapshots"]);
    with(&scene.tresor, "from restic").ok(["snapshots"]);
    new(&with(&scene.restic, "from tresor"), "passwd", "changed by restic");
    new(&with(&scene.tresor, "from restic"), "passwd", "changed by tresor");
    let (ours, theirs) = (with(&scene.tresor, "changed by restic"), with(&scene.restic, "changed by tresor"));
    let keys = ours.ok(["key", "list", "--json"]).json();
    assert_eq!(keys.as_array().unwrap().len(), 3);
    with(&scene.tresor, "from tresor").run(["snapshots"]).exits(12);
    with(&scene.restic, "from restic").run(["snapshots"]).exits(12);
    let current = keys.as_array().unwrap().iter().find(|key| key["current"] == true).unwrap();
    theirs.ok(["key", "remove", current["id"].as_str().unwrap()]);
    ours.run(["snapshots"]).exits(12);
    scene.tresor.ok(["check"]);
}
