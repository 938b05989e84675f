//! A repository with many snapshots, made without as many backups.

use crate::Result;
use crate::bench::data::Source;
use crate::bench::template::Template;
use std::time::Duration;
use tresor_snapshot::snapshots;
use tresor_testkit::{Client, fixtures};

/// What lies between one snapshot and the next.
const APART: Duration = Duration::from_secs(3600);

/// Puts `count` snapshots of `source` into an empty repository: a backup by restic, and copies of its
/// snapshot with later times, all of them past.
pub(super) fn fill(template: &Template, source: &Source, count: usize) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let first = ["backup", "--host", "bench", "--time", "2020-01-01 00:00:00"].map(AsRef::as_ref);
    let run = Client::restic(template.path()).run(first.into_iter().chain([source.folder.as_os_str()]));
    if run.code != Some(0) {
        return Err(run.to_string().into());
    }
    let repository = fixtures::open(template.path())?;
    let (_, saved) = snapshots::load_all(&repository)?.pop().ok_or("restic saved no snapshot")?;
    let mut snapshot = saved?;
    for _ in 1..count {
        snapshot.time = snapshot.time.plus(APART);
        repository.save_snapshot(&snapshot.encode())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::scaling::files;
    use crate::bench::template::Key;

    #[test]
    fn restic_finds_as_many_snapshots_as_were_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let source = files::prepare(2, dir.path()).unwrap();
        let template = Template::empty(Key::Cheap, dir.path()).unwrap();
        fill(&template, &source, 3).unwrap();
        let restic = Client::restic(template.path());
        let list = restic.ok(["snapshots", "--json"]).json();
        let times: Vec<&str> =
            list.as_array().unwrap().iter().map(|one| one["time"].as_str().unwrap()).collect();
        assert_eq!(times, ["2020-01-01T00:00:00Z", "2020-01-01T01:00:00Z", "2020-01-01T02:00:00Z"]);
        restic.ok(["check"]);
    }
}
