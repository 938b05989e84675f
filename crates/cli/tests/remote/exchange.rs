//! One repository in turns: what one program writes, the other reads, checks, adds to and prunes.

use tresor_testkit::{Client, Spec, TestTree, assert_same, generate, mutate};

/// tresor and restic on the same location, with the same settings.
pub(crate) struct Pair {
    pub(crate) tresor: Client,
    pub(crate) restic: Client,
    options: Vec<String>,
}

impl Pair {
    /// Both on `location`, with these extended options and variables.
    pub(crate) fn new(location: &str, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let with = |client: Client| {
            variables.iter().fold(client, |client, (name, value)| client.variable(name, value))
        };
        let words = options.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]);
        Pair {
            tresor: with(Client::tresor(env!("CARGO_BIN_EXE_tresor"), location)),
            restic: with(Client::restic(location)),
            options: words.collect(),
        }
    }

    /// Both with a further global flag.
    pub(crate) fn flag(mut self, name: &str, value: &str) -> Self {
        self.options.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// tresor on one location and restic on another, behind which is the same repository.
    pub(crate) fn apart(tresor: &str, restic: &str, options: &[&str], variables: &[(&str, &str)]) -> Self {
        Pair { restic: Client::restic(restic), ..Pair::new(tresor, options, variables) }
    }

    /// A command with the options before it.
    pub(crate) fn words(&self, arguments: &[&str]) -> Vec<String> {
        self.options.iter().cloned().chain(arguments.iter().map(|&word| word.to_owned())).collect()
    }

    #[track_caller]
    pub(crate) fn ok(&self, program: &Client, arguments: &[&str]) -> String {
        program.ok(self.words(arguments)).text()
    }

    /// Each program in turn writes, and the other one reads, checks, adds and prunes; twice round.
    pub(crate) fn exchanges(&self) {
        for (first, second) in [(&self.tresor, &self.restic), (&self.restic, &self.tresor)] {
            let folder = tempfile::tempdir().unwrap();
            let tree = generate(folder.path().join("source"), 7, &Spec { files: 60, ..Spec::default() });
            if self.tresor.run(self.words(&["cat", "config"])).code != Some(0) {
                self.ok(first, &["init"]);
            }
            let source = tree.path().to_str().unwrap().to_owned();
            self.ok(first, &["backup", &source]);
            self.restores(second, &tree);
            self.ok(second, &["check", "--read-data"]);
            mutate(tree.path(), 1, 20.0);
            self.ok(second, &["backup", "--tag", "second", &source]);
            self.restores(first, &tree);
            self.ok(
                second,
                &["forget", "--keep-last", "1", "--group-by", "", "--prune", "--max-unused", "0"],
            );
            for program in [first, second] {
                self.ok(program, &["check", "--read-data"]);
            }
            self.restores(first, &tree);
            assert!(self.ok(first, &["list", "locks"]).is_empty(), "no lock is left");
        }
    }

    fn restores(&self, program: &Client, tree: &TestTree) {
        let target = tempfile::tempdir().unwrap();
        let to = target.path().to_str().unwrap();
        let from = format!("latest:{}", tree.path().display());
        self.ok(program, &["restore", &from, "--target", to]);
        assert_same(tree.path(), target.path());
    }
}

/// Fills the repository of tresor's and restic's `clients` from `source`, and compares what the everyday commands
/// ask of the server; `requests` runs a command and counts.
pub(crate) fn no_more_requests<N: PartialOrd + std::fmt::Display>(
    source: &std::path::Path,
    clients: &[Client; 2],
    requests: &dyn Fn(&Client, &[&str]) -> N,
) {
    let tree = generate(source, 7, &Spec { files: 200, ..Spec::default() });
    let source = tree.path().to_str().unwrap();
    requests(&clients[1], &["init"]);
    for round in 0..3 {
        requests(&clients[1], &["backup", source]);
        mutate(tree.path(), round, 20.0);
    }
    for client in clients {
        requests(client, &["backup", source]); // and now both caches are warm
        requests(client, &["snapshots"]);
    }
    for command in [&["snapshots"][..], &["backup", source], &["check"]] {
        let [ours, theirs] = clients.each_ref().map(|client| requests(client, command));
        assert!(ours <= theirs, "{command:?}: {ours} requests, restic makes {theirs}");
    }
}
