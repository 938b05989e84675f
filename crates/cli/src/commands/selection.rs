//! Which snapshots a command works on: by flags, by ids, as the latest.

use std::collections::HashSet;
use std::path::Path;
use tresor_repo::handle::Right;
use tresor_repo::{FileKind, Repository, SnapshotId};
use tresor_snapshot::select::{self, Filter, Listed, Name, Names, Request};
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

    /// The filter for `latest` and its like: relative paths are those below the working folder.
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

/// The names that this program understands: restic's, under its own name more.
pub(crate) fn names(session: &Session) -> Names<'_> {
    if session.program.is_restic() { Names::Peer } else { Names::Own(&session.zone) }
}

/// How snapshots that cannot be read are got rid of.
pub(crate) const REMOVE_DAMAGED: &str =
    "`repair snapshots --forget ID` removes a snapshot that cannot be read";

/// Finds a snapshot by a name that perhaps goes on with `:subfolder`; the flags count only where it is no id.
///
/// # Errors
/// There is no such snapshot, or several, or it cannot be read.
pub(crate) fn find_one<R: Right>(
    session: &Session,
    repository: &Repository<R>,
    flags: &SelectFlags,
    text: &str,
) -> Result<One> {
    let request = Request::parse(text, names(session));
    one(session, repository, request, || flags.filter_for_latest(session))
}

/// Finds a snapshot where restic understands nothing but ids, and we all names; among all snapshots.
///
/// # Errors
/// As [`find_one`].
pub(crate) fn find_unfiltered<R: Right>(
    session: &Session,
    repository: &Repository<R>,
    text: &str,
) -> Result<One> {
    let names = if session.program.is_restic() { Names::Ids } else { names(session) };
    one(session, repository, Request::parse(text, names), || Ok(Filter::default()))
}

fn one<R: Right>(
    session: &Session,
    repository: &Repository<R>,
    request: Request,
    filter: impl FnOnce() -> Result<Filter>,
) -> Result<One> {
    let (id, snapshot) = match &request.name {
        Name::Id(prefix) => named(repository, prefix, || ids(repository))?,
        name => select::find(&all_readable(session, repository)?, &filter()?, None, name)?.clone(),
    };
    Ok(One { id, snapshot, subfolder: request.subfolder.map(|parts| parts.join("/")) })
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

/// All snapshots, for a name that is no id. One that is damaged or none is told and left out: whoever may append can
/// plant such.
///
/// # Errors
/// A snapshot that cannot be had just now: it might be the one.
pub(crate) fn all_readable<R: Right>(session: &Session, repository: &Repository<R>) -> Result<Vec<Listed>> {
    let mut readable = Vec::new();
    for (id, snapshot) in snapshots::load_all(repository)? {
        match snapshot {
            Ok(snapshot) => readable.push((id, snapshot)),
            Err(error) if error.is_damage() => tell_ignored(session, &Ignored::snapshot(id, &error)),
            Err(error) => return Err(not_loaded(id, &error)),
        }
    }
    Ok(readable)
}

/// What was asked for in vain, and why.
pub(crate) struct Ignored {
    /// The word on the command line, or the id of a snapshot that cannot be read.
    pub(crate) what: String,
    /// Why.
    pub(crate) why: Failure,
    /// Whether it is a snapshot whose file is damaged, or none.
    pub(crate) is_damaged: bool,
}

impl Ignored {
    fn snapshot(id: SnapshotId, error: &Error) -> Self {
        Ignored { what: id.hex(), why: not_loaded(id, error), is_damaged: error.is_damage() }
    }

    fn word(what: &str, why: Failure) -> Self {
        Ignored { what: what.to_owned(), why, is_damaged: false }
    }
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
                Err(error) => ignored(Ignored::snapshot(id, &error)),
            }
        }
        return Ok(passing);
    }
    let chosen = choose_named(session, repository, flags, requests, ignored)?;
    let uses_filter =
        |text: &String| Request::whole(text, names(session)).is_ok_and(|name| !matches!(name, Name::Id(_)));
    if !filter.is_empty() && !requests.iter().any(uses_filter) {
        ignored(Ignored::word("filters", Error::FilterUnused.into()));
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
        let found = match Request::whole(request, names(session)) {
            Err(error) => Err(error.into()),
            Ok(Name::Id(prefix)) => named(repository, &prefix, || Ok(all.clone())),
            Ok(name) => newest(session, repository, flags, &name),
        };
        match found {
            Ok(listed) if seen.insert(listed.0) => chosen.push(listed),
            Ok(_) => {}
            Err(why) if repository.cancel().is_set() => return Err(why),
            Err(why) => ignored(Ignored::word(request, why)),
        }
    }
    Ok(chosen)
}

/// Finds what a name means that is one of several requests and no id.
fn newest<R: Right>(
    session: &Session,
    repository: &Repository<R>,
    flags: &SelectFlags,
    name: &Name,
) -> Result<Listed> {
    let (all, filter) = (all_readable(session, repository)?, flags.filter_for_latest(session)?);
    let found = select::find(&all, &filter, None, name).map_err(|error| match error {
        Error::NoLatest { filter } => Error::NoneMatched { filter },
        error => error,
    })?;
    Ok(found.clone())
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

/// The snapshot of this id, or beginning of one, if its file is damaged for good; `latest` is no id.
///
/// # Errors
/// The snapshots cannot be listed.
pub(crate) fn damaged<R: Right>(repository: &Repository<R>, prefix: &str) -> Result<Option<SnapshotId>> {
    let Ok(id) = select::resolve(prefix, ids(repository)?) else { return Ok(None) };
    let loaded = snapshots::load(repository, &id);
    Ok(loaded.is_err_and(|error| error.is_damage()).then_some(id))
}

/// Says what was asked for in vain, for commands that go on without it.
pub(crate) fn tell_ignored(session: &Session, ignored: &Ignored) {
    session.ui.error(&format!("Ignoring {:?}: {}", ignored.what, ignored.why.message));
}
