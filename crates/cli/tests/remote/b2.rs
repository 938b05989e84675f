//! Behind a double of B2 to which a proxy leads both programs, which think that it is Backblaze.

use crate::exchange::{Pair, no_more_requests};
use tempfile::TempDir;
use tresor_testkit::servers::{B2, B2_KEY};
use tresor_testkit::{Client, Run};

/// The double behind its proxy, and the file of the authority that vouches for it.
struct Backblaze {
    folder: TempDir,
    server: B2,
    authority: String,
}

impl Backblaze {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (server, authority) = B2::start_as_backblaze(folder.path());
        let file = folder.path().join("authority");
        std::fs::write(&file, authority).unwrap();
        Backblaze { folder, server, authority: file.to_str().unwrap().to_owned() }
    }

    fn variables(&self) -> [(&'static str, String); 3] {
        let [id, key] = B2_KEY.map(ToOwned::to_owned);
        [("B2_ACCOUNT_ID", id), ("B2_ACCOUNT_KEY", key), ("HTTPS_PROXY", self.server.url())]
    }

    /// tresor and restic on the same bucket.
    fn clients(&self, location: &str) -> [Client; 2] {
        [Client::tresor(env!("CARGO_BIN_EXE_tresor"), location), Client::restic(location)].map(|client| {
            self.variables().iter().fold(client, |client, (name, value)| client.variable(name, value))
        })
    }

    /// Both programs on a bucket there.
    fn pair(&self) -> Pair {
        self.server.bucket("the-bucket");
        let variables = self.variables();
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let pair = Pair::new("b2:the-bucket:some/repo", &["b2.connections=3"], &variables);
        pair.flag("--cacert", &self.authority)
    }

    fn run(&self, client: &Client, words: &[&str]) -> Run {
        client.run(["--cacert", &self.authority].iter().chain(words))
    }
}

#[test]
fn programs_take_turns_in_a_bucket() {
    let backblaze = Backblaze::start();
    backblaze.server.trouble(50);
    backblaze.pair().exchanges();
}

#[test]
fn a_double_killed_in_the_middle_of_a_backup_loses_nothing_though_it_has_forgotten_all_tokens() {
    let mut backblaze = Backblaze::start();
    let pair = backblaze.pair();
    pair.outlive(&mut backblaze.server, backblaze.folder.path());
}

#[test]
fn no_more_requests_are_made_than_restic_makes() {
    let backblaze = Backblaze::start();
    backblaze.server.bucket("the-bucket");
    let clients = backblaze.clients("b2:the-bucket:");
    let requests = |client: &Client, words: &[&str]| {
        let before = backblaze.server.requests();
        backblaze.run(client, words).ok();
        backblaze.server.requests() - before
    };
    no_more_requests(&backblaze.folder.path().join("source"), &clients, &requests);
}

#[test]
fn a_bucket_that_is_not_there_holds_no_repository_and_is_made_by_init() {
    let backblaze = Backblaze::start();
    let [ours, theirs] = backblaze.clients("b2:new-bucket:");
    for client in [&ours, &theirs] {
        backblaze.run(client, &["snapshots"]).exits(10);
    }
    backblaze.run(&ours, &["init"]).exits(0);
    for client in [&ours, &theirs] {
        backblaze.run(client, &["snapshots"]).exits(0);
    }
    backblaze.run(&ours, &["init"]).exits(1);
    let wrong = ours.clone().variable("B2_ACCOUNT_KEY", "not-the-secret-key");
    let wrong = backblaze.run(&wrong, &["snapshots"]).exits(1).errors();
    assert!(wrong.contains("B2_ACCOUNT_KEY") && !wrong.contains("not-the-secret"), "{wrong}");
    let none = backblaze.run(&ours.variable("B2_ACCOUNT_KEY", ""), &["snapshots"]).exits(1).errors();
    assert!(none.contains("B2_ACCOUNT_KEY"), "{none}");
}

#[test]
fn one_may_log_in_elsewhere() {
    let folder = TempDir::new().unwrap();
    let server = B2::start(folder.path());
    let endpoint = format!("b2.endpoint={}", server.url());
    let [id, key] = B2_KEY;
    let client = Client::tresor(env!("CARGO_BIN_EXE_tresor"), "b2:a-bucket:repo");
    let client = client.variable("B2_ACCOUNT_ID", id).variable("B2_ACCOUNT_KEY", key);
    client.ok(["-o", &endpoint, "init"]);
    assert!(folder.path().join("a-bucket/repo/config").is_file());
}
