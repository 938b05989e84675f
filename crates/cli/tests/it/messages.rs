//! What is said with `--json` is as the schema says, under both names, and by restic too.

use crate::pair::TRESOR;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use tresor_testkit::{Client, Run, TestTree, fixtures, peers, secret_file};

/// The schema that the program prints.
fn schema() -> Value {
    Run::of(Command::new(TRESOR).args(["reference", "messages"])).ok().json()
}

/// Whose words are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Tresor,
    StandIn,
    Restic,
}

struct Checked {
    client: Client,
    who: Who,
    schema: Value,
}

impl Checked {
    /// Runs a command line with `--json` and checks each line of both streams.
    #[track_caller]
    fn says(&self, command: &str, more: &[&str], code: i32) -> Run {
        let entry = &self.schema["x-commands"][command];
        assert!(entry.is_object(), "{command} is not in the schema");
        let words: Vec<&str> = command.split(' ').chain(["--json"]).chain(more.iter().copied()).collect();
        let run = self.client.run(&words).exits(code);
        if self.who == Who::Tresor || entry["restic"] == true {
            if let Some(definition) = entry["stdout"].as_str().filter(|kind| *kind != "bytes") {
                self.holds(definition, &run.stdout, false, &run);
            }
            // As restic, some warnings are text.
            let definition = entry["stderr"].as_str().unwrap();
            self.holds(definition, &run.stderr, self.who != Who::Tresor, &run);
        }
        run
    }

    #[track_caller]
    fn holds(&self, definition: &str, stream: &[u8], with_text: bool, run: &Run) {
        let mut schema = self.schema.clone();
        schema.as_object_mut().unwrap().remove("anyOf");
        schema["$ref"] = json!(definition);
        let validator = jsonschema::validator_for(&schema).unwrap();
        for line in stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if with_text && line[0] != b'{' {
                continue;
            }
            let text = String::from_utf8_lossy(line);
            let value: Value = serde_json::from_slice(line).unwrap_or_else(|_| panic!("{text}\n{run}"));
            let wrong: Vec<String> = validator.iter_errors(&value).map(|wrong| wrong.to_string()).collect();
            assert!(wrong.is_empty(), "{definition}: {text}\n{wrong:?}\n{run}");
        }
    }
}

/// A life of a repository, from its beginning, told in JSON.
fn life(who: Who) {
    let source = TestTree::new().file("a/keep", "kept <&>").file("a/b/lost", "lost").file("a/x.tmp", "x");
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    let client = match who {
        Who::Restic => Client::restic(&repository),
        Who::StandIn => Client::tresor(TRESOR, &repository).called("restic"),
        Who::Tresor => Client::tresor(TRESOR, &repository),
    };
    let client = client.password("secret").variable("RESTIC_PROGRESS_FPS", "60").within(source.path());
    let told = Checked { client, who, schema: schema() };
    told.says("snapshots", &[], 10);
    told.says("init", &[], 0);
    told.says("init", &[], 1);
    told.says("snapshots", &[], 0);
    told.says("backup", &["--dry-run", "-vv", "a"], 0);
    told.says("backup", &["-vv", "--exclude", "*.tmp", "--tag", "one,two", "a", "no-such-file"], 3);
    told.says("backup", &["--bogus"], 1);
    fs::write(source.path().join("a/keep"), "other").unwrap();
    told.says("backup", &["-v", "--skip-if-unchanged", "a"], 0);
    told.says("snapshots", &[], 0);
    told.says("snapshots", &["--group-by", "host,tags"], 0);
    let ids = told.client.ok(["list", "snapshots"]).text();
    let ids: Vec<&str> = ids.lines().collect();
    told.says("diff", &[ids[0], ids[1]], 0);
    told.says("diff", &[ids[0], "0000"], 1);
    told.says("ls", &["latest"], 0);
    told.says("ls", &["latest", "--sort", "size", "/a"], 0);
    told.says("find", &["keep", "b"], 0);
    told.says("find", &["nothing-at-all"], 0);
    let blobs = told.client.ok(["list", "blobs"]).text();
    let of = |kind: &str| blobs.lines().find_map(|line| line.strip_prefix(kind)).unwrap().trim().to_owned();
    let (data, tree) = (of("data"), of("tree"));
    told.says("find", &["--blob", &data], 0);
    told.says("find", &["--tree", &tree], 0);
    if who == Who::Tresor {
        told.says("find", &["--show-pack-id", "--blob", &data, &"0".repeat(64)], 0);
    }
    for mode in ["restore-size", "files-by-contents", "blobs-per-file", "raw-data"] {
        told.says("stats", &["--mode", mode], 0);
    }
    told.says("stats", &["--mode", "none"], 1);
    for kind in ["snapshots", "keys", "index", "packs", "blobs", "locks"] {
        told.says("list", &[kind], 0);
    }
    told.says("cat", &["config"], 0);
    told.says("cat", &["masterkey"], 0);
    told.says("cat", &["snapshot", ids[0]], 0);
    told.says("cat", &["tree", &tree], 1);
    told.says("cat", &["tree", ids[0]], 0);
    told.says("dump", &["latest", "/a/keep"], 0);
    restores(&told, folder.path());
    told.says("tag", &["--add", "three"], 0);
    told.says("tag", &[], 1);
    told.says("rewrite", &["--exclude", "lost", "--dry-run"], 0);
    told.says("rewrite", &["--exclude", "lost", "--forget"], 0);
    told.says("key list", &[], 0);
    keys(&told, folder.path());
    told.says("check", &["--read-data"], 0);
    told.says("forget", &["--keep-last", "1", "--dry-run", "--prune"], 0);
    told.says("forget", &["--keep-tag", "nothing"], 1);
    told.says("forget", &["latest"], 0);
    told.says("forget", &["--keep-last", "1", "--group-by", "", "--prune"], 0);
    told.says("prune", &["--dry-run"], 0);
    told.says("prune", &[], 0);
    told.says("copy", &[], 1);
    told.says("migrate", &[], 0);
    told.says("unlock", &[], 0);
    told.says("cache", &[], 0);
    told.says("version", &[], 0);
    told.says("features", &[], 0);
    told.says("options", &[], 0);
    told.says("generate", &[], 1);
    if who != Who::Restic {
        told.says("explain", &[], 0);
    }
    damage(&told);
}

fn restores(told: &Checked, folder: &Path) {
    let target = folder.join("target");
    let target = target.to_str().unwrap();
    told.says("restore", &["latest", "--target", target, "--dry-run", "-vv"], 0);
    told.says("restore", &["latest", "--target", target, "-vv"], 0);
    told.says("restore", &["latest"], 1);
}

fn keys(told: &Checked, folder: &Path) {
    let file = |password: &str| {
        let file = folder.join(password);
        secret_file(&file, password);
        file.to_str().unwrap().to_owned()
    };
    let before = told.client.ok(["list", "keys"]).text();
    told.says("key add", &["--new-password-file", &file("other")], 0);
    let after = told.client.ok(["list", "keys"]).text();
    let new = after.lines().find(|id| !before.contains(*id)).unwrap();
    told.says("key remove", &[new], 0);
    told.says("key passwd", &["--new-password-file", &file("secret")], 0);
    told.says("key remove", &["zzz"], 1);
    if told.who == Who::Tresor {
        told.says("key generate", &["--words", "5"], 0);
        told.says("key generate", &["--words", "4"], 1);
    }
}

/// What is said of a repository that lost all its packs.
fn damage(told: &Checked) {
    for folder in fs::read_dir(told.client.repository().join("data")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
    told.says("check", &[], 1);
    told.says("repair index", &[], 0);
    told.says("repair packs", &[], 1);
    told.says("repair snapshots", &["--forget", "--dry-run"], 0);
    told.says("repair snapshots", &["--forget"], 0);
    told.says("recover", &[], 0);
}

#[test]
fn what_tresor_says_is_in_the_schema() {
    life(Who::Tresor);
}

#[test]
fn what_is_said_under_the_name_restic_is_in_the_schema() {
    life(Who::StandIn);
}

#[test]
fn what_restic_says_is_in_the_schema() {
    life(Who::Restic);
}

#[test]
fn copies_are_in_the_schema() {
    let (from, to) = (fixtures::unpack("v2-auto"), fixtures::empty_repository());
    let client = Client::tresor(TRESOR, &to.path).password(&to.facts.password);
    let client = client.variable("RESTIC_FROM_PASSWORD", &from.facts.password);
    let told = Checked { client, who: Who::Tresor, schema: schema() };
    let from = from.path.to_str().unwrap().to_owned();
    told.says("copy", &["--from-repo", &from], 0);
    told.says("copy", &["--from-repo", &from], 0);
}

#[test]
fn findings_are_in_the_schema() {
    for who in [Who::Tresor, Who::StandIn] {
        let (source, repository) = (TestTree::new().file("a/file", "x"), fixtures::empty_repository());
        let client = Client::tresor(TRESOR, &repository.path).within(source.path());
        let client = if who == Who::StandIn { client.called("restic") } else { client };
        let told = Checked { client, who, schema: schema() };
        told.says("backup", &["a"], 0);
        let snapshots = repository.path.join("snapshots");
        for file in fs::read_dir(&snapshots).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        let vanished = told.says("backup", &["a"], 0);
        assert!(vanished.errors().contains("not there any more"), "{vanished}");
        told.says("trust accept", &[], 0);
        told.says("trust show", &[], 0);
        told.says("trust forget", &[], 0);
    }
}

#[test]
fn what_the_schema_does_not_name_is_wrong() {
    let mut schema = schema();
    schema.as_object_mut().unwrap().remove("anyOf");
    schema["$ref"] = json!("#/$defs/stdout.tag");
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&json!({ "message_type": "summary", "changed_snapshots": 1 })));
    assert!(!validator.is_valid(&json!({ "message_type": "summary", "changed_snapshots": 1, "more": 1 })));
    assert!(!validator.is_valid(&json!({ "message_type": "status", "changed_snapshots": 1 })));
}

#[test]
fn every_message_is_said_by_some_command() {
    let schema = schema();
    let text = schema["$defs"].to_string();
    let messages = schema["$defs"].as_object().unwrap().keys().filter(|name| !name.contains('.'));
    for name in messages {
        assert!(text.contains(&format!("\"#/$defs/{name}\"")), "no command says {name}");
    }
}

#[test]
fn every_message_struct_is_in_the_table() {
    let sources = peers::project().join("crates/cli/src");
    let table = fs::read_to_string(sources.join("commands/reference/messages.rs")).unwrap();
    let mut found = 0;
    for folder in ["ui", "commands"] {
        for entry in fs::read_dir(sources.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let module = path.file_stem().unwrap().to_str().unwrap();
            for part in text.split("JsonSchema, Serialize").skip(1) {
                let after = part.split(" struct ").nth(1).or_else(|| part.split(" enum ").nth(1)).unwrap();
                let name = after.split(|c: char| !c.is_alphanumeric()).next().unwrap();
                let inner = [": ", "(", "<"].iter().any(|before| text.contains(&format!("{before}{name}")));
                assert!(table.contains(&format!("{module}::{name}")) || inner, "{module}::{name}");
                found += 1;
            }
        }
    }
    assert!(found > 20, "{found}");
}

#[test]
fn what_was_asked_of_the_repository_is_told_with_v() {
    let repository = fixtures::empty_repository();
    let client = Client::tresor(TRESOR, &repository.path);
    let said = |flags: &[&str]| client.ok([&["snapshots"], flags].concat()).errors();
    let message: Value = serde_json::from_str(&said(&["--json", "-v"])).unwrap();
    assert_eq!(message["message_type"], "traffic");
    let number = |name: &str| message[name].as_u64().unwrap();
    let kinds = ["lists", "loads", "saves", "stats", "removes"].map(number);
    assert_eq!(kinds.iter().sum::<u64>(), number("requests"));
    assert!(number("saves") == 1 && number("uploaded_bytes") > 0, "the lock: {message}");
    assert!(said(&["-v"]).contains(" requests ("));
    assert_eq!(said(&[]), "");
    let stand_in = Client::tresor(TRESOR, &repository.path).called("restic");
    assert_eq!(stand_in.ok(["snapshots", "-v"]).errors(), "", "as restic");
}
