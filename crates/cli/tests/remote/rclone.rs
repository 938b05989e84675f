//! Behind rclone as a child, over its standard streams.

use crate::exchange::Pair;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tresor_testkit::servers::Mortal;
use tresor_testkit::{Client, peers};

fn program() -> String {
    format!("rclone.program='{}' --config /dev/null", peers::rclone().display())
}

#[test]
fn programs_take_turns_through_rclone() {
    let folder = TempDir::new().unwrap();
    Pair::new(&format!("rclone:{}/repo", folder.path().display()), &[&program()], &[]).exchanges();
}

/// The rclone that tresor has started and has to start again; told from others by its arguments.
struct Child(String);

impl Mortal for Child {
    fn kill(&mut self) {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let is_it = |id: &i32| {
            let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(&self.0)
        };
        let ids: Vec<i32> = ids.filter(is_it).collect();
        assert_eq!(ids.len(), 1, "one rclone works on {}", self.0);
        kill(Pid::from_raw(ids[0]), Signal::SIGKILL).unwrap();
    }

    fn start_again(&mut self) {}
}

#[test]
fn an_rclone_killed_in_the_middle_of_a_backup_is_started_again_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let repository = folder.path().join("repo").display().to_string();
    Pair::new(&format!("rclone:{repository}"), &[&program()], &[])
        .outlive(&mut Child(repository), folder.path());
}

#[test]
fn an_rclone_that_does_not_answer_is_told_from_its_last_words() {
    let tresor = |option: &str| {
        let client = Client::tresor(env!("CARGO_BIN_EXE_tresor"), "rclone:nobody:x");
        client.run(["-o", option, "snapshots"]).exits(1).errors()
    };
    let unknown = tresor(&program());
    assert!(unknown.contains("rclone: ") && unknown.contains("didn't find section"), "{unknown}");
    assert!(unknown.contains("talk to rclone") && unknown.contains("exit status: 1"), "{unknown}");
    let missing = tresor("rclone.program=/no/such/rclone");
    assert!(missing.contains("cannot start /no/such/rclone"), "{missing}");
    let silent = Client::tresor(env!("CARGO_BIN_EXE_tresor"), "rclone:x:");
    let run =
        silent.run(["-o", "rclone.program=sh -c 'sleep 1000'", "-o", "rclone.timeout=100ms", "snapshots"]);
    assert!(run.exits(1).errors().contains("no progress for 100ms"));
    assert!(tresor("rclone.program='").contains("single-quoted string not terminated"));
    assert!(tresor("rclone.timeout=5").contains("5"));
}

#[test]
fn rclone_ends_by_itself_when_nobody_speaks_to_it_any_more() {
    let folder = TempDir::new().unwrap();
    let (script, told) = (folder.path().join("script"), folder.path().join("told"));
    // Who is killed is so together with this shell, which then tells nothing.
    let rclone = peers::rclone();
    let text = format!("{} --config /dev/null \"$@\"; echo $? > {}", rclone.display(), told.display());
    std::fs::write(&script, text).unwrap();
    let option = format!("rclone.program=sh {}", script.display());
    let location = format!("rclone:{}/repo", folder.path().display());
    Client::tresor(env!("CARGO_BIN_EXE_tresor"), location).ok(["-o", &option, "init"]);
    // It may be told that nobody reads any more before it has said everything: by which status it ended is all one.
    assert!(std::fs::read_to_string(told).is_ok_and(|status| status.ends_with('\n')));
}
