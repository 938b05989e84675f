//! From the flags of `backup` to what the library is told.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tresor_repo::handle::Append;
use tresor_repo::index::Index;
use tresor_repo::time::Time;
use tresor_repo::{FileKind, Repository};
use tresor_snapshot::Error;
use tresor_snapshot::backup::{
    BackupOptions, Files, FilesCacheUse, Source, SourceFilter, TagFile, absolute, backup, clean,
};
use tresor_snapshot::select::{self, GroupBy, Listed, Name, Request, flatten_tags, parse_tag_list};

use super::super::selection;
use super::sources::Sources;
use super::{Args, stream};
use crate::causes::chain;
use crate::exit::{Failure, Result};
use crate::session::{PROGRAM_VERSION, Session};
use crate::ui::backup::BackupView;
use crate::ui::progress::Ticker;
use crate::{gonumber, units};

/// What the flags mean, checked before anything is opened.
pub(super) struct Settings {
    options: BackupOptions,
    filter: SourceFilter,
    group_by: GroupBy,
    current: PathBuf,
    stream: bool,
}

impl Settings {
    /// Reads the flags.
    ///
    /// # Errors
    /// Flags that contradict each other, values that mean nothing, pattern files that cannot be read.
    pub(super) fn new(args: &Args, session: &Session) -> Result<Self> {
        refuse_contradictions(args, session)?;
        let current = std::env::current_dir()
            .map_err(|error| Failure::fatal(format!("cannot find the current directory: {error}")))?;
        let stream = args.stdin || args.stdin_from_command;
        Ok(Settings {
            options: options(args, session)?,
            filter: filter(args, session)?,
            group_by: args.group_by,
            current,
            stream,
        })
    }

    /// Whether the source is a stream and not files.
    pub(super) fn is_stream(&self) -> bool {
        self.stream
    }

    /// Makes the backup and shows it; returns how many problems were noted.
    pub(super) fn back_up(
        mut self,
        args: &Args,
        session: &Session,
        repository: &Repository<Append>,
        sources: Option<&Sources>,
    ) -> Result<u64> {
        let ui = &session.ui;
        let paths = sources.map_or(Vec::new(), |sources| self.absolute_paths(&sources.paths));
        self.choose_parent(args, session, repository, &paths)?;
        ui.verbose("load index files");
        let index = session.load_index(repository)?;
        let view = Arc::new(BackupView::new(Arc::clone(ui)));
        let ticker = Ticker::start(ui, Arc::clone(&view) as _);
        let report = match sources {
            Some(sources) => self.files(args, session, repository, &index, sources, &view),
            None => stream::back_up(args, session, repository, &index, &self.options, &view),
        };
        drop(ticker);
        let report = report?;
        view.summary(&report, args.dry_run);
        Ok(report.problems)
    }

    fn files(
        &self,
        args: &Args,
        session: &Session,
        repository: &Repository<Append>,
        index: &Index,
        sources: &Sources,
        view: &BackupView,
    ) -> Result<tresor_snapshot::backup::BackupReport> {
        let shown: Vec<String> = sources.paths.iter().map(|path| path.display().to_string()).collect();
        if !args.no_scan {
            session.ui.verbose(&format!("start scan on [{}]", shown.join(" ")));
        }
        session.ui.verbose(&format!("start backup on [{}]", shown.join(" ")));
        let files = Files {
            current: &self.current,
            targets: &sources.paths,
            filter: &self.filter,
            estimate: !args.no_scan && session.ui.shows_progress(),
            files_cache: match (args.dry_run, args.no_files_cache) {
                (true, _) => FilesCacheUse::Off,
                (false, true) => FilesCacheUse::WriteOnly,
                (false, false) => FilesCacheUse::Full,
            },
        };
        backup(repository, index, Source::Files(files), &self.options, view).map_err(unable_to_save)
    }

    fn absolute_paths(&self, paths: &[PathBuf]) -> Vec<String> {
        let current = self.current.as_os_str().as_bytes();
        let absolute = |path: &PathBuf| absolute(current, path.as_os_str().as_bytes());
        paths.iter().map(|path| String::from_utf8_lossy(&absolute(path)).into_owned()).collect()
    }

    /// Chooses the snapshot to compare with: the one named, or the newest of the group.
    fn choose_parent(
        &mut self,
        args: &Args,
        session: &Session,
        repository: &Repository<Append>,
        paths: &[String],
    ) -> Result<()> {
        if args.force || args.stdin {
            return self.say_parent(args, session, None);
        }
        let filter = select::parent_filter(self.group_by, &self.options.hostname, paths, &self.options.tags);
        let named = args.parent.as_deref().filter(|parent| !parent.is_empty());
        let name = named.map(|text| Request::parse(text, selection::names(session)).name);
        if let Some(Name::Id(prefix)) = &name {
            let ids = repository.list(FileKind::Snapshot)?;
            let ids = ids.iter().map(|listed| tresor_repo::SnapshotId::from_id(listed.id));
            let id = select::resolve(prefix, ids).map_err(|error| Failure::plain(chain(&error)))?;
            let snapshot = tresor_snapshot::snapshots::load(repository, &id)?;
            return self.say_parent(args, session, Some((id, snapshot)));
        }
        let all = selection::all_readable(session, repository)?;
        let latest = name.as_ref().unwrap_or(&Name::Latest(0));
        let newest = match select::find(&all, &filter, Some(self.options.time), latest) {
            Ok(newest) => Some(newest.clone()),
            Err(_) if name.is_none() => None,
            Err(Error::NoLatest { filter }) => {
                return Err(Failure::plain(format!("snapshot filter ({filter}): no snapshot found")));
            }
            Err(error) => return Err(error.into()),
        };
        self.say_parent(args, session, newest)
    }

    fn say_parent(&mut self, args: &Args, session: &Session, parent: Option<Listed>) -> Result<()> {
        if !args.stdin {
            session.ui.print(&match &parent {
                Some((id, _)) => format!("using parent snapshot {}", id.short()),
                None => "no parent snapshot found, will read all files".to_owned(),
            });
        }
        self.options.parent = parent.map(|(id, snapshot)| (id, snapshot.tree));
        Ok(())
    }
}

/// The failure of a backup, as restic words it.
pub(super) fn unable_to_save(error: tresor_snapshot::Error) -> Failure {
    Failure::while_doing("unable to save snapshot", error)
}

fn refuse_contradictions(args: &Args, session: &Session) -> Result<()> {
    let lists = [
        ("files-from", &args.files_from),
        ("files-from-verbatim", &args.files_from_verbatim),
        ("files-from-raw", &args.files_from_raw),
    ];
    let flag = if args.stdin { "--stdin" } else { "--stdin-from-command" };
    for (name, list) in lists {
        if (args.stdin || args.stdin_from_command) && !list.is_empty() {
            return Err(Failure::fatal(format!("{flag} and --{name} cannot be used together")));
        }
        if list.iter().any(|file| file == Path::new("-")) && !session.password_is_given()? {
            return Err(Failure::fatal(
                "unable to read password from stdin when data is to be read from stdin, use --password-file or $RESTIC_PASSWORD",
            ));
        }
    }
    if args.stdin && !args.stdin_from_command && !args.targets.is_empty() {
        return Err(Failure::fatal("--stdin was specified and files/dirs were listed as arguments"));
    }
    if args.stdin_from_command && args.targets.is_empty() {
        return Err(Failure::plain("no command was specified as argument"));
    }
    if args.stdin && !args.stdin_from_command && !session.password_is_given()? {
        return Err(Failure::fatal("cannot read both password and data from stdin"));
    }
    Ok(())
}

fn options(args: &Args, session: &Session) -> Result<BackupOptions> {
    let owner = session.owner();
    let time = match &args.time {
        Some(text) => parse_time(text, session)?,
        None => session.now(),
    };
    let host = args.host.clone().or_else(|| session.environment.text("HOST"));
    let concurrency = match (args.read_concurrency, session.environment.text("READ_CONCURRENCY")) {
        (Some(count), _) => count,
        (None, None) => 0,
        (None, Some(text)) => gonumber::decimal(&text, 32).map_err(|reason| {
            Failure::fatal(format!("invalid value for RESTIC_READ_CONCURRENCY {text:?}: {reason}"))
        })?,
    };
    let concurrency = usize::try_from(concurrency).unwrap_or(usize::MAX);
    Ok(BackupOptions {
        hostname: host.filter(|host| !host.is_empty()).unwrap_or(owner.hostname),
        username: owner.username,
        uid: owner.uid,
        gid: owner.gid,
        tags: flatten_tags(&args.tag.iter().map(|list| parse_tag_list(list)).collect::<Vec<_>>()),
        excludes: args.patterns.exclude.clone(),
        program_version: format!("tresor {PROGRAM_VERSION}"),
        read_concurrency: concurrency,
        with_atime: args.with_atime,
        ignore_ctime: args.ignore_ctime || args.ignore_inode,
        ignore_inode: args.ignore_inode,
        skip_if_unchanged: args.skip_if_unchanged,
        parent: None,
        ..BackupOptions::new(time, session.zone.clone())
    })
}

fn parse_time(text: &str, session: &Session) -> Result<Time> {
    session.zone.parse_local(text).ok_or_else(|| {
        Failure::fatal(format!("error in time option: {text:?} is no time like \"2006-01-02 15:04:05\""))
    })
}

fn filter(args: &Args, session: &Session) -> Result<SourceFilter> {
    let larger_than = args.exclude_larger_than.as_deref().map(units::parse_size).transpose();
    let larger_than = larger_than.map_err(Failure::plain)?;
    let mut if_present = Vec::new();
    for text in &args.exclude_if_present {
        let (name, header) = text.split_once(':').unwrap_or((text, ""));
        if name.is_empty() {
            return Err(Failure::plain("no name for exclusion tagfile provided"));
        }
        if_present.push(TagFile { name: name.into(), header: header.into() });
    }
    if args.exclude_caches {
        if_present.push(TagFile::cache());
    }
    let cache = session.cache_base()?.map(|base| clean(base.into_os_string().into_vec().as_slice()));
    Ok(SourceFilter {
        patterns: args.patterns.excludes(&session.environment)?,
        paths: cache.into_iter().collect(),
        larger_than,
        if_present,
        one_file_system: args.one_file_system,
    })
}
