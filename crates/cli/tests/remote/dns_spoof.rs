//! Somebody else answers under the server's name: nothing is written to whoever that is.

use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tresor_testkit::certificates::{Authority, authority, certificate};
use tresor_testkit::fixtures::{self, Unpacked};
use tresor_testkit::servers::{Mortal, Server, rest_server_with};
use tresor_testkit::{Client, Run, TestTree, assert_same};

const TRESOR: &str = env!("CARGO_BIN_EXE_tresor");

/// A rest-server with TLS in front of a repository, whose certificate and repository can be changed.
struct Site {
    folder: TempDir,
    server: Server,
}

impl Site {
    fn new(pem: &str, repository: &Path) -> Site {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pem"), pem).unwrap();
        let (pem, data) = (folder.path().join("pem"), folder.path().join("data"));
        copy(repository, &data);
        let pem = pem.to_str().unwrap();
        let server = rest_server_with(&data, &["--no-auth", "--tls", "--tls-cert", pem, "--tls-key", pem]);
        Site { folder, server }
    }

    fn becomes(&mut self, pem: &str, repository: &Path) {
        self.server.kill();
        fs::write(self.folder.path().join("pem"), pem).unwrap();
        fs::remove_dir_all(self.data()).unwrap();
        copy(repository, &self.data());
        self.server.start_again();
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

fn of(issuer: &Authority) -> String {
    certificate(issuer, "localhost", |_| {})
}

#[track_caller]
fn is_refused(run: &Run, why: &str) {
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.errors().contains(why), "{why}: {run}");
}

#[test]
fn dns_spoof() {
    let (ours, others) = (authority(), authority());
    let own = of(&ours);
    let (repository, stranger) = (fixtures::empty_repository(), fixtures::unpack("v2-multi"));
    assert_eq!(repository.facts.password, stranger.facts.password, "it has the same password");
    let mut site = Site::new(&own, &repository.path);
    let (source, folder) = (TestTree::new().file("a/file", "data"), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("ca.pem"), ours.pem()).unwrap();
    let port = site.server.port();
    let tresor = Client::tresor(TRESOR, format!("rest:https://localhost:{port}/")).within(source.path());
    let tresor = tresor.variable("TRESOR_CACERT", folder.path().join("ca.pem"));
    let shown = tresor.ok(["--json", "tls", "show", &format!("https://localhost:{port}")]).json();
    let pin = shown["chain"][0]["pin"].as_str().unwrap().to_owned();
    tresor.ok(["trust", "accept", "--tls-pin", &pin]);
    assert!(tresor.ok(["trust", "show"]).text().contains(&pin));
    tresor.ok(["backup", "a"]);
    let good = tempfile::tempdir().unwrap();
    copy(&site.data(), &good.path().join("data"));
    let good = good.path().join("data");

    let clients = [tresor.clone(), tresor.clone().called("restic")];
    let mut meets = |pem: &str, repository: &Path, why: &str| {
        site.becomes(pem, repository);
        for client in &clients {
            is_refused(&client.run(["backup", "a"]), why);
        }
        assert_same(repository, &site.data());
    };
    meets(&of(&others), &good, "invalid peer certificate");
    meets(&of(&ours), &good, "which is not pinned");
    meets(&own, &stranger.path, "another repository is at this address than before");

    site.becomes(&own, &good);
    tresor.ok(["backup", "a"]);
    let plain = Plain::at(&mut site, &stranger);
    let run = tresor.run(["--stuck-request-timeout", "2s", "backup", "a"]);
    assert!(run.code == Some(1) || run.code == Some(10), "{run}");
    assert_same(&stranger.path, &plain.data);
}

/// The same address without TLS.
struct Plain {
    data: std::path::PathBuf,
    _folder: TempDir,
    _server: Server,
}

impl Plain {
    fn at(site: &mut Site, repository: &Unpacked) -> Plain {
        site.server.kill();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        copy(&repository.path, &data);
        let mut command = std::process::Command::new(tresor_testkit::peers::rest_server());
        command.arg("--path").arg(&data).args(["--listen", &site.server.address.to_string(), "--no-auth"]);
        let server = Server::start(command, site.server.address);
        Plain { data, _folder: folder, _server: server }
    }
}

#[test]
fn a_server_nobody_verifies_keeps_its_key() {
    let (first, second) = (of(&authority()), of(&authority()));
    let repository = fixtures::empty_repository();
    let mut site = Site::new(&first, &repository.path);
    let source = TestTree::new().file("a/file", "data");
    let location = format!("rest:https://me:secret@localhost:{}/", site.server.port());
    let tresor = Client::tresor(TRESOR, location).within(source.path());
    let told = tresor.ok(["--insecure-tls", "backup", "a"]).text();
    assert!(told.contains("the key of the server is remembered: sha256//"), "{told}");
    let run = tresor.ok(["--insecure-tls", "backup", "a"]);
    assert!(!run.text().contains("remembered") && run.errors().contains("nothing but the key"), "{run}");
    let kept = tempfile::tempdir().unwrap();
    copy(&site.data(), &kept.path().join("data"));
    site.becomes(&second, &kept.path().join("data"));
    for words in [["--insecure-tls", "backup", "a"], ["--insecure-tls", "ls", "latest"]] {
        is_refused(&tresor.run(words), "which is not pinned");
    }
    tresor.ok(["trust", "forget"]);
    tresor.ok(["--insecure-tls", "backup", "a"]);
}
