//! Marked secrets go through many commands, and stand in nothing that these print, write or start.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tresor_testkit::servers::scripted::{Scripted, answer};
use tresor_testkit::{Client, peers, secret_file};

const TRESOR: &str = env!("CARGO_BIN_EXE_tresor");
/// What each secret of this test begins with.
const MARK: &str = "MaRkEd-";

/// The secret of this name, strong enough to be a password.
fn secret(name: &str) -> String {
    format!("{MARK}{name}-Otter-91")
}

/// A place for programs that record how they were started, and for all that is written.
struct Scene {
    folder: TempDir,
    runs: Cell<usize>,
}

impl Scene {
    fn new() -> Self {
        let scene = Scene { folder: TempDir::new().unwrap(), runs: Cell::new(0) };
        for name in ["started", "tmp", "source"] {
            fs::create_dir(scene.path(name)).unwrap();
        }
        fs::write(scene.path("source/file"), "content").unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program that records its arguments and environment, and goes on with `then`.
    fn recorder(&self, name: &str, then: &str) -> String {
        let (path, started) = (self.path(name), self.path("started").display().to_string());
        let record = format!("cat /proc/$$/cmdline /proc/$$/environ >{started}/{name}.$$");
        fs::write(&path, format!("#!/bin/sh\n{record}\n{then}\n")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    /// tresor with marked secrets of its own, and a home in the folder.
    fn client(&self, location: &str) -> Client {
        let client = Client::tresor(TRESOR, location).password(&secret("password"));
        let client =
            client.variable("RESTIC_REST_USERNAME", "me").variable("RESTIC_REST_PASSWORD", secret("rest"));
        let client = client.variable("RESTIC_FROM_PASSWORD", secret("from"));
        let client = client.variable("TMPDIR", self.path("tmp")).variable("HOME", self.path("home"));
        client.variable("RESTIC_CACHE_DIR", self.path("cache"))
    }

    /// Runs, expects the code, and looks at what was printed; what fails does so in other ways and under both names too.
    #[track_caller]
    fn run(&self, client: &Client, words: &[&str], code: i32) {
        self.run_as_tresor(client, words, code);
        if code != 0 {
            self.look(&client.clone().called("restic"), words, if code == 2 { 12 } else { code });
        }
    }

    /// The same, under our own name alone.
    #[track_caller]
    fn run_as_tresor(&self, client: &Client, words: &[&str], code: i32) {
        self.look(client, words, code);
        if code != 0 {
            self.look(client, &[&["-vv"], words].concat(), code);
            self.look(client, &[&["--json"], words].concat(), code);
        }
    }

    #[track_caller]
    fn look(&self, client: &Client, words: &[&str], code: i32) {
        let run = client.run(words);
        for (stream, text) in [("stdout", run.text()), ("stderr", run.errors())] {
            assert!(!text.contains(MARK), "{words:?} says a secret on {stream}: {text}");
        }
        run.exits(code);
        self.runs.set(self.runs.get() + 1);
    }

    /// The files in which a secret stands, of all that there are.
    fn found(&self) -> (usize, Vec<PathBuf>) {
        let files = files_below(self.folder.path());
        let is_marked = |path: &PathBuf| {
            let bytes = fs::read(path).unwrap();
            bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes())
        };
        (files.len(), files.iter().filter(|path| is_marked(path)).cloned().collect())
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let below = entries.flat_map(|entry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => files_below(&entry.path()),
        kind if kind.is_file() => vec![entry.path()],
        _ => vec![],
    });
    below.collect()
}

#[test]
fn secret_grep() {
    let scene = Scene::new();
    locally(&scene);
    through_programs(&scene);
    by_servers_that_refuse(&scene);
    let (files, found) = scene.found();
    let started = fs::read_dir(scene.path("started")).unwrap().count();
    assert!(scene.runs.get() > 60 && files > 20 && started > 5, "{} {files} {started}", scene.runs.get());
    assert_eq!(found, [] as [PathBuf; 0]);
}

/// The life of a repository, and what is wrong with passwords.
fn locally(scene: &Scene) {
    let repository = scene.path("repository").display().to_string();
    let client = scene.client(&repository);
    let source = scene.path("source").display().to_string();
    scene.run(&client, &["init"], 0);
    scene.run(&client, &["backup", &source], 0);
    scene.run(&client, &["key", "list"], 0);
    scene.run(&client, &["check", "--read-data"], 0);
    scene.run(&client, &["backup", "--stdin-from-command", "--", &scene.recorder("dumper", "echo x")], 0);
    // The files that hold the secrets lie elsewhere: they are not what is looked for.
    let files = TempDir::new().unwrap();
    let file = |name: &str, content: &str| {
        let path = files.path().join(name);
        secret_file(&path, content);
        path.display().to_string()
    };
    let (second, open) = (file("second", &secret("second")), file("open", &secret("open")));
    fs::set_permissions(&open, PermissionsExt::from_mode(0o644)).unwrap();
    let weak = file("weak", MARK);
    scene.run(&client, &["key", "add", "--new-password-file", &second], 0);
    scene.run(&client, &["key", "passwd", "--new-password-file", &second], 0);
    let strict = scene.client(&repository).variable("TRESOR_ALLOW_WEAK_PASSWORD", "");
    let strict = strict.password(&secret("second"));
    scene.look(&strict, &["key", "add", "--new-password-file", &weak], 2);
    scene.run(&strict, &["key", "add", "--new-password-file", &open, "surplus"], 1);
    let wrong = scene.client(&repository).password(&secret("wrong"));
    scene.run(&wrong, &["snapshots"], 12);
    scene.run(&wrong, &["-p", &open, "cat", "config"], 2);
    let printer = |name: &str, script: &str| scene.recorder(name, script);
    let prints = printer("prints", &format!("cat {second}"));
    scene.run(&wrong, &["--password-command", &prints, "cat", "config"], 0);
    let fails = printer("fails", &format!("cat {second}; exit 3"));
    scene.run(&wrong, &["--password-command", &fails, "cat", "config"], 1);
    let other = printer("other", &format!("cat {open}"));
    scene.run(&wrong, &["--password-command", &other, "cat", "config"], 12);
    scene.run(&wrong, &["--insecure-no-password", "cat", "config"], 1);
    scene.run(&wrong, &["copy", "--from-repo", &repository], 12);
}

/// ssh and rclone: what they are started with, whether they work or not.
fn through_programs(scene: &Scene) {
    let ssh = scene.recorder("ssh", "exit 255");
    let command = format!("sftp.command={ssh}");
    scene.run(&scene.client("sftp:me@nowhere:/x"), &["-o", &command, "snapshots"], 1);
    let at = format!("sftp://me:{}@nowhere/x", secret("location"));
    let path = format!("{}:/usr/bin:/bin", scene.folder.path().display());
    scene.run(&scene.client(&at).variable("PATH", path), &["snapshots"], 1);
    let rclone = peers::rclone();
    let program = scene.recorder("rclone", &format!("exec {} --config /dev/null \"$@\"", rclone.display()));
    let option = format!("rclone.program={program}");
    let client = scene.client(&format!("rclone:{}", scene.path("behind-rclone").display()));
    scene.run(&client, &["-o", &option, "init"], 0);
    scene.run(&client, &["-o", &option, "snapshots"], 0);
    scene.run(&scene.client("rclone:nobody:x"), &["-o", &option, "snapshots"], 1);
    let dumper = scene.path("dumper").display().to_string();
    let from = format!("rest:https://me:{}@nowhere.example/", secret("from-location"));
    let client = client.variable("RESTIC_FROM_REPOSITORY", from);
    scene.run(&client, &["-o", &option, "backup", "--stdin-from-command", "--", &dumper], 0);
}

/// Every way in which a location or a variable says a secret to a server, which does not want it.
fn by_servers_that_refuse(scene: &Scene) {
    let server = Scripted::start(|_| answer("403 Forbidden", "go away"));
    let (url, password) = (format!("http://{}", server.address), secret("location"));
    let with_password = url.replace("//", &format!("//me:{password}@"));
    let of = |location: &str, variables: &[(&str, String)]| {
        let client = scene.client(location);
        variables.iter().fold(client, |client, (name, value)| client.variable(name, value))
    };
    let aws = [("AWS_ACCESS_KEY_ID", "id".to_owned()), ("AWS_SECRET_ACCESS_KEY", secret("aws"))];
    let swift = |auth: &'static str, version: &str, key: &'static str, user: &'static str| {
        [(auth, format!("{url}/{version}")), (key, secret("swift")), (user, "me".to_owned())]
    };
    let google = [("STORAGE_EMULATOR_HOST", url.clone()), ("GOOGLE_ACCESS_TOKEN", secret("google"))];
    let clients = [
        of(&format!("rest:{with_password}/"), &[]),
        of(&format!("rest:{url}/"), &[]),
        of(&format!("opendal:webdav:{with_password}/dav/"), &[]),
        of(&format!("opendal:webdav:{url}/dav/"), &[("OPENDAL_WEBDAV_PASSWORD", secret("webdav"))]),
        of(&format!("s3:{url}/bucket"), &aws),
        of("swift:c:/", &swift("ST_AUTH", "v1", "ST_KEY", "ST_USER")),
        of("swift:c:/", &swift("OS_AUTH_URL", "v2.0", "OS_PASSWORD", "OS_USERNAME")),
        of("swift:c:/", &swift("OS_AUTH_URL", "v3", "OS_PASSWORD", "OS_USERNAME")),
        of("gs:bucket:/", &google),
    ];
    let printer = scene.recorder("printer", "echo no");
    for client in &clients {
        scene.run(client, &["snapshots"], 1);
        scene.run(client, &["init"], 1);
        // As restic, the command sees the credentials of the service: a rule in the table of `compat`.
        scene.run_as_tresor(client, &["--password-command", &printer, "cat", "config"], 1);
    }
    // What cannot be parsed is not repeated with its secrets either.
    for location in ["rest:ftp://", "opendal:webdav:ftp://", "s3:ftp://", "rest://", "sftp://"] {
        let odd = format!("{location}me:{password}@host:port:x/");
        scene.run(&scene.client(&odd), &["snapshots"], 1);
    }
}
