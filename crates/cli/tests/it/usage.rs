//! What is wrong before a command begins: words, variables, passwords, locations.

use crate::pair::Pair;

#[test]
fn mistakes_are_answered_as_restic_answers_them() {
    let pair = Pair::on("v2-auto");
    for line in [
        "snapshots --bogus",
        "snapshots -Z",
        "--json --bogus snapshots",
        "--bogus --json snapshots",
        "snapshots -q -v",
        "snapshots --host",
        "snapshots --retry-lock 5",
        "snapshots --compression abc",
        "-o a=1,a=2 snapshots",
        "-o local.bogus=1 snapshots",
        "-o nope snapshots",
        "--repository-file x snapshots",
        "--password-file no-such-file snapshots",
        "--password-file x --password-command y snapshots",
    ] {
        pair.same(line);
    }
}

#[test]
fn feature_flags_are_read_before_anything_else() {
    for features in ["bogus", "s3-restore=maybe", "s3-restore=true", ",s3-restore"] {
        let pair = Pair::on("v2-auto").variable("RESTIC_FEATURES", features);
        pair.same("snapshots");
        pair.same("snapshots --bogus");
    }
    Pair::on("v2-auto").variable("RESTIC_FEATURES", "deprecate-legacy-index=false").same("snapshots");
}

#[test]
fn variables_are_checked_for_every_command() {
    for (name, value) in [("RESTIC_COMPRESSION", "abc"), ("RESTIC_PACK_SIZE", "zz")] {
        let pair = Pair::on("v2-auto").variable(name, value);
        let (restic, tresor) = (pair.restic.run(["version"]).exits(1), pair.tresor.run(["version"]).exits(1));
        let start = |text: String| text.split(": ").take(2).collect::<String>();
        assert_eq!(start(tresor.errors()), start(restic.errors()));
    }
}

#[test]
fn exit_codes_say_what_is_wrong() {
    let pair = Pair::on("v2-auto").password("wrong");
    pair.same("snapshots").exits(12);
    pair.same("unlock").exits(12);
    pair.same("snapshots --json").exits(12);
    let nowhere = Pair::at("no-such-folder".as_ref());
    for line in [&["snapshots"][..], &["list", "keys", "--json"], &["unlock"], &["cat", "config"]] {
        let (restic, tresor) = (nowhere.restic.run(line).exits(10), nowhere.tresor.run(line).exits(10));
        let start = |text: String| text.split("config file").next().unwrap_or_default().to_owned();
        assert_eq!(start(tresor.errors()), start(restic.errors()));
    }
}
