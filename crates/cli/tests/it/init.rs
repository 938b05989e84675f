//! `init`: new repositories, which restic opens.

use crate::pair::{Pair, TRESOR};
use std::fs;
use tresor_testkit::{Client, fixtures};

#[test]
fn restic_opens_what_we_make() {
    let folder = tempfile::tempdir().unwrap();
    for (version, flags) in
        [(2, &[][..]), (1, &["--repository-version", "1"]), (2, &["--repository-version=latest"])]
    {
        let path = folder.path().join(format!("{version}-{}", flags.len()));
        let pair = Pair::at(&path);
        let text = pair.tresor.ok([&["init"], flags].concat()).text();
        let config = pair.restic.ok(["cat", "config"]).json();
        assert_eq!(config["version"], version);
        let id = config["id"].as_str().unwrap();
        let first = format!("created restic repository {} at {}\n\n", &id[..10], path.display());
        assert!(text.starts_with(&first), "{text}");
        pair.restic.ok(["check"]);
        assert_eq!(pair.tresor.run(["init"]).exits(1).errors(), pair.restic.run(["init"]).exits(1).errors());
    }
}

#[test]
fn json_names_the_id_and_quiet_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("json");
    let tresor = Client::tresor(TRESOR, &path);
    let message = tresor.ok(["init", "--json"]).json();
    assert_eq!(message["message_type"], "initialized");
    assert_eq!(message["id"], tresor.ok(["cat", "config"]).json()["id"]);
    let quiet = Client::tresor(TRESOR, folder.path().join("quiet")).ok(["init", "-q"]);
    assert_eq!((quiet.text(), quiet.errors()), (String::new(), String::new()));
}

#[test]
fn the_chunker_of_another_repository_can_be_copied() {
    let (source, folder) = (fixtures::unpack("v2-multi"), tempfile::tempdir().unwrap());
    let new = |name: &str| Client::tresor(TRESOR, folder.path().join(name));
    let from = source.path.to_str().unwrap();
    let init = ["init", "--copy-chunker-params", "--from-repo", from];
    let tresor = new("copy").variable("RESTIC_FROM_PASSWORD", fixtures::PASSWORD);
    assert!(tresor.ok(init).text().contains("\n with chunker parameters copied from secondary repository\n"));
    let config = tresor.ok(["cat", "config"]).json();
    assert_eq!(config["chunker_polynomial"], source.facts.chunker_polynomial.as_str());

    new("wrong").variable("RESTIC_FROM_PASSWORD", "wrong").run(init).exits(12);
    let none = new("none");
    none.run(["init", "--copy-chunker-params", "--from-repo", "nowhere"]).exits(1);
    let nowhere = new("nowhere").variable("RESTIC_FROM_PASSWORD", "x");
    nowhere.run(["init", "--copy-chunker-params", "--from-repo", "no-such-folder"]).exits(10);
    assert!(!folder.path().join("nowhere").exists() && !folder.path().join("wrong").exists());
}

#[test]
fn wrong_words_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::at(&folder.path().join("new"));
    for line in [
        "init --repository-version 3",
        "init --repository-version abc",
        "init --from-repo x",
        "init --copy-chunker-params",
    ] {
        pair.same(line).exits(1);
    }
    pair.tresor.run(["init", "surplus"]).exits(1);
    let pair = pair.variable("RESTIC_FROM_REPOSITORY", "x");
    pair.same("init").exits(1);
    let below_a_file = folder.path().join("file");
    fs::write(&below_a_file, "").unwrap();
    Client::tresor(TRESOR, below_a_file.join("x")).run(["init"]).exits(1);
}

#[test]
fn keys_without_a_config_are_not_overwritten() {
    let empty = fixtures::empty_repository();
    fs::remove_file(empty.path.join("config")).unwrap();
    let run = Client::tresor(TRESOR, &empty.path).run(["init"]).exits(1);
    assert!(run.errors().ends_with(" failed: repository already contains keys\n"), "{run}");
}
