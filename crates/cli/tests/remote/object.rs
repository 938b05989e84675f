//! In the buckets of object stores.

use crate::exchange::Pair;
use crate::killed::rest;
use std::time::Duration;
use tempfile::TempDir;
use tresor_testkit::Client;
use tresor_testkit::certificates;
use tresor_testkit::servers::{self, AZURE_ACCOUNT, AZURE_HOST, S3_KEY, Server};

const S3: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", S3_KEY[0]), ("AWS_SECRET_ACCESS_KEY", S3_KEY[1])];

#[test]
fn programs_take_turns_in_a_bucket_of_rclone() {
    let folder = TempDir::new().unwrap();
    let server = servers::rclone_s3(folder.path());
    let location = format!("s3:http://{}/bucket/some/prefix", server.address);
    Pair::new(&location, &[], &S3).exchanges();
}

#[test]
fn an_rclone_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = servers::rclone_s3(folder.path());
    let pair = Pair::new(&format!("s3:http://{}/bucket", server.address), &[], &S3);
    pair.outlive(&mut server, folder.path());
}

#[test]
fn programs_take_turns_in_a_bucket_of_moto() {
    let server = servers::moto();
    let options = ["s3.bucket-lookup=path", "s3.storage-class=STANDARD_IA", "s3.list-objects-v1=true"];
    let variables = [&S3[..], &[("AWS_DEFAULT_REGION", "eu-central-1")]].concat();
    Pair::new(&format!("s3:http://{}/bucket", server.address), &options, &variables).exchanges();
}

#[test]
fn programs_take_turns_in_a_bucket_of_google() {
    google(&servers::fake_gcs()).exchanges();
}

/// Both programs on a bucket there.
fn google(server: &Server) -> Pair {
    let emulator = server.address.to_string();
    let variables = [
        ("STORAGE_EMULATOR_HOST", emulator.as_str()),
        ("GOOGLE_ACCESS_TOKEN", "a-token"),
        ("GOOGLE_PROJECT_ID", "project"),
    ];
    Pair::new("gs:bucket:/some/prefix", &[], &variables)
}

#[test]
fn a_fake_gcs_server_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = servers::fake_gcs_on(folder.path());
    google(&server).outlive(&mut server, folder.path());
}

#[test]
fn an_azurite_killed_in_the_middle_of_a_backup_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let storage = folder.path().join("storage");
    std::fs::create_dir(&storage).unwrap();
    let [authority, certificate] = ["authority", "certificate"].map(|name| folder.path().join(name));
    let issuer = certificates::authority();
    std::fs::write(&authority, issuer.pem()).unwrap();
    std::fs::write(&certificate, certificates::certificate(&issuer, AZURE_HOST, |_| {})).unwrap();
    let mut server = servers::azurite_with(&storage, Some(&certificate));
    let proxy = servers::proxy_to(server.address);
    let [account, key] = AZURE_ACCOUNT;
    let variables =
        [("AZURE_ACCOUNT_NAME", account), ("AZURE_ACCOUNT_KEY", key), ("HTTPS_PROXY", proxy.as_str())];
    let pair = Pair::new("azure:container:/some/prefix", &[], &variables);
    // It writes down every five seconds which blobs there are.
    let rest = || rest(&storage.join("__blobstorage__"), Duration::from_secs(6));
    pair.flag("--cacert", authority.to_str().unwrap()).tresor_outlives(&mut server, &storage, &rest);
}

/// Packs of data are in an archive, and nothing else: everyday work needs none of them.
#[test]
fn packs_come_back_from_an_archive_when_they_are_needed() {
    let server = servers::moto();
    let location = format!("s3:http://{}/bucket", server.address);
    let client =
        |client: Client| S3.iter().fold(client, |client, (name, value)| client.variable(name, value));
    let ours = client(Client::tresor(env!("CARGO_BIN_EXE_tresor"), &location));
    let restic = client(Client::restic(&location));
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let backup = |text: &str| {
        std::fs::write(source.join(text), text.repeat(1000)).unwrap();
        ours.ok(["-o", "s3.storage-class=GLACIER", "backup", source.to_str().unwrap()]);
    };
    ours.ok(["init"]);
    backup("first");
    ours.ok(["ls", "latest", "--no-cache"]);
    restic.ok(["check", "--no-cache"]);

    let to = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let restore = |name: &str| ["restore".to_owned(), "latest".to_owned(), "--target".to_owned(), to(name)];
    let refused = ours.run(restore("cold"));
    assert_ne!(refused.code, Some(0));
    assert!(refused.errors().contains("-o s3.enable-restore=true"), "{}", refused.errors());

    let enabled = |words: &[String]| [&["-o".to_owned(), "s3.enable-restore=1".to_owned()], words].concat();
    for program in [&ours, &restic] {
        let refused = program.run(enabled(&restore("cold")));
        assert_eq!(refused.code, Some(1));
        let wanted = format!(
            "Fatal: unable to open repository at {location}: feature flag `s3-restore` is required to use \
             `-o s3.enable-restore=true`\n"
        );
        assert_eq!(refused.errors(), wanted);
    }

    let ours = ours.clone().variable("RESTIC_FEATURES", "s3-restore");
    let told = ours.ok(enabled(&restore("warm"))).text();
    assert!(told.contains("warming up 1 packs from cold storage, this may take a while..."), "{told}");
    let restored = std::fs::read_to_string(format!("{}{}/first", to("warm"), source.display())).unwrap();
    assert_eq!(restored, "first".repeat(1000));
    let told = ours.ok(enabled(&restore("again"))).text();
    assert!(!told.contains("warming up"), "it is there now: {told}");

    let words = |words: &[&str]| enabled(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
    let check = ["check", "--read-data"];
    let dump = ["dump", "latest", source.to_str().unwrap()];
    let elsewhere = client(Client::tresor(env!("CARGO_BIN_EXE_tresor"), to("copy")));
    elsewhere.ok(["init"]);
    for (new, command) in [("second", &check[..]), ("third", &dump)] {
        backup(new);
        ours.ok(words(command));
    }
    backup("fourth");
    std::fs::remove_file(source.join("fourth")).unwrap();
    backup("fifth");
    ours.ok(words(&["forget", "--keep-last", "1", "--prune", "--max-unused", "0", "--repack-small"]));
    restic.ok(["check", "--no-cache"]);
    let copied = elsewhere
        .variable("RESTIC_FROM_REPOSITORY", &location)
        .variable("RESTIC_FROM_PASSWORD", tresor_testkit::fixtures::PASSWORD)
        .variable("RESTIC_FEATURES", "s3-restore");
    copied.ok(words(&["copy"]));
    copied.ok(["check", "--read-data"]);
}
