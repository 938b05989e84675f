//! Which snapshots a command works on: by flags, by ids, as the latest.

use std::collections::HashSet;
use std::path::Path;
use tresor_repo::handle::Right;
use tresor_repo::{FileKind, Repository, SnapshotId};
use tresor_snapshot::select::{self, Filter, LATEST, Listed, Request};
use tresor_snapshot::{Error, Snapshot, snapshots};

use crate::exit::{Failure, Result};
use crate::session::Session;

/// Flags that choose snapshots by what they say of themselves.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct SelectFlags {
    /// Only snapshots of this host (repeatable; default: $RESTIC_HOST)
    #[arg(short = 'H', long, value_name = "HOST")]
    pub(crate) host: Vec<String>,
    /// Only snapshots with all of these tags, tag[,tag,…] (repeatable: with any of the lists)
    #[arg(long, value_name = "TAGS")]
    pub(crate) tag: Vec<String>,
    /// Only snapshots that include this path (repeatable: all of the paths)
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Vec<String>,
}

impl SelectFlags {
    /// The filter for a list: paths are compared as they were given.
    pub(crate) fn filter(&self, session: &Session) -> Filter {
        let hosts = match self.host.is_empty() {
            true => session.environment.text("HOST").into_iter().collect(),
            false => self.host.iter().filter(|host| !host.is_empty()).cloned().collect(),
        };
        let tags = self.tag.iter().map(|list| select::parse_tag_list(list)).collect();
        Filter { hosts, tags, paths: self.path.clone() }
    }

    /// The filter for [`LATEST`]: relative paths are those below the working folder.
    ///
    /// # Errors
    /// The working folder is gone.
    pub(crate) fn filter_for_latest(&self, session: &Session) -> Result<Filter> {
        let mut filter = self.filter(session);
        for path in &mut filter.paths {
            *path = absolute(path)?;
        }
        Ok(filter)
    }
}

fn absolute(path: &str) -> Result<String> {
    let below_here = || {
        std::env::current_dir().map(|folder| folder.join(path).to_string_lossy().into_owned()).map_err(
            |error| {
                Failure::fatal(format!("cannot find the working folder: {}", crate::causes::chain(&error)))
            },
        )
    };
    Ok(clean(&if Path::new(path).is_absolute() { path.to_owned() } else { below_here()? }))
}

/// An absolute path without `.`, `..`, empty parts and a slash at its end.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// One snapshot, perhaps only a folder of it.
pub(crate) struct One {
    pub(crate) id: SnapshotId,
    pub(crate) snapshot: Snapshot,
    /// The folder asked for, as a path from the snapshot's root.
    pub(crate) subfolder: Option<String>,
}

/// Finds `ID`, a prefix of one or `latest`, each perhaps with `:subfolder`; the flags count for `latest` only.
///
/// # Errors
/// There is no such snapshot, or several, or it cannot be read.
pub(crate) fn find_one<R: Right>(
    session: &Session,
    repository: &Repository<R>,
    flags: &SelectFlags,
    text: &str,
) -> Result<One> {
    let request = Request::parse(text);
    let (id, snapshot) = match request.id == LATEST {
        true => {
            let filter = flags.filter_for_latest(session)?;
            latest(repository, &filter)?.ok_or_else(|| Error::NoLatest { filter: filter.to_string() })?
        }
        false => by_id(repository, &request.id)?,
    };
    Ok(One { id, snapshot, subfolder: request.subfolder.map(|parts| parts.join("/")) })
}

/// Finds a snapshot by its id or the beginning of one; `latest` is no id.
///
/// # Errors
/// As [`find_one`].
pub(crate) fn by_id<R: Right>(repository: &Repository<R>, prefix: &str) -> Result<Listed> {
    named(repository, prefix, || ids(repository))
}

fn ids<R: Right>(repository: &Repository<R>) -> Result<Vec<SnapshotId>> {
    let listed = repository.list(FileKind::Snapshot)?;
    Ok(listed.iter().map(|file| SnapshotId::from_id(file.id)).collect())
}

fn not_loaded(id: SnapshotId, error: &Error) -> Failure {
    match error {
        Error::Repo(tresor_repo::Error::Cancelled) => Failure::from(tresor_repo::Error::Cancelled),
        error => {
            Failure::plain(format!("failed to load snapshot {}: {}", id.short(), crate::causes::chain(error)))
        }
    }
}

/// The newest snapshot that passes; one that cannot be read might be it, so that it is an error.
fn latest<R: Right>(repository: &Repository<R>, filter: &Filter) -> Result<Option<Listed>> {
    let mut all = Vec::new();
    for (id, snapshot) in snapshots::load_all(repository)? {
        all.push((id, snapshot.map_err(|error| not_loaded(id, &error))?));
    }
    Ok(select::latest(&all, filter, None).cloned())
}

/// What was asked for in vain, and why.
pub(crate) struct Ignored {
    /// The word on the command line, or the id of a snapshot that cannot be read.
    pub(crate) what: String,
    /// Why.
    pub(crate) why: Failure,
}

/// The snapshots asked for, each once and in that order, or all that pass the flags if none were.
///
/// What cannot be found or read is handed to `ignored`, and the others are still taken.
///
/// # Errors
/// The snapshots cannot be listed, or the run is cancelled.
pub(crate) fn choose<R: Right>(
    session: &Session,
    repository: &Repository<R>,
    flags: &SelectFlags,
    requests: &[String],
    ignored: &mut dyn FnMut(Ignored),
) -> Result<Vec<Listed>> {
    let filter = flags.filter(session);
    if requests.is_empty() {
        let mut passing = Vec::new();
        for (id, snapshot) in snapshots::load_all(repository)? {
            match snapshot {
                Ok(snapshot) if filter.matches(&snapshot) => passing.push((id, snapshot)),
                Ok(_) => {}
                Err(error) => ignored(Ignored { what: id.hex(), why: not_loaded(id, &error) }),
            }
        }
        return Ok(passing);
    }
    let chosen = choose_named(session, repository, flags, requests, ignored)?;
    if !filter.is_empty() && !requests.iter().any(|request| request == LATEST) {
        ignored(Ignored { what: "filters".into(), why: Error::FilterUnused.into() });
    }
    Ok(chosen)
}

fn choose_named<R: Right>(
    session: &Session,
    repository: &Repository<R>,
    flags: &SelectFlags,
    requests: &[String],
    ignored: &mut dyn FnMut(Ignored),
) -> Result<Vec<Listed>> {
    let all = ids(repository)?;
    let (mut chosen, mut seen, mut asked) = (Vec::new(), HashSet::new(), HashSet::new());
    for request in requests.iter().filter(|request| asked.insert(*request)) {
        let found = match request.as_str() {
            LATEST => {
                let filter = flags.filter_for_latest(session)?;
                latest(repository, &filter).and_then(|listed| {
                    Ok(listed.ok_or_else(|| Error::NoneMatched { filter: filter.to_string() })?)
                })
            }
            request => Request::whole(request)
                .map_err(Failure::from)
                .and_then(|prefix| named(repository, &prefix, || Ok(all.clone()))),
        };
        match found {
            Ok(listed) if seen.insert(listed.0) => chosen.push(listed),
            Ok(_) => {}
            Err(why) if repository.cancel().is_set() => return Err(why),
            Err(why) => ignored(Ignored { what: request.clone(), why }),
        }
    }
    Ok(chosen)
}

/// A full id needs no list.
fn named<R: Right>(
    repository: &Repository<R>,
    prefix: &str,
    all: impl FnOnce() -> Result<Vec<SnapshotId>>,
) -> Result<Listed> {
    let id = match SnapshotId::from_hex(prefix.as_bytes()) {
        Some(id) => id,
        None => select::resolve(prefix, all()?)?,
    };
    match snapshots::load(repository, &id) {
        Ok(snapshot) => Ok((id, snapshot)),
        Err(error) => Err(not_loaded(id, &error)),
    }
}

/// Says what was asked for in vain, for commands that go on without it.
pub(crate) fn tell_ignored(session: &Session, ignored: &Ignored) {
    session.ui.error(&format!("Ignoring {:?}: {}", ignored.what, ignored.why.message));
}
