//! Candidates from the repository: snapshot ids, hosts, tags, paths, keys.
//!
//! They are looked up when a shell asks for such a word, if the password needs nobody to type it; without a lock,
//! as a reader that writes nothing. Whatever goes wrong, there are no candidates.

use clap::{Arg, Command, FromArgMatches};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, OnceLock};
use tresor_backend::Cancel;
use tresor_repo::handle::Read;
use tresor_repo::{Repository, SnapshotId};
use tresor_snapshot::node::NodeKind;
use tresor_snapshot::walk::{find_subtree, load_tree};
use tresor_snapshot::{Snapshot, snapshots};

use crate::args::Global;
use crate::commands::selection::{self, SelectFlags};
use crate::compat::Program;
use crate::environment::Environment;
use crate::session::Session;
use crate::ui::{Style, Ui};

/// The command line so far, and the repository it names, opened at most once.
pub(super) struct Source {
    program: Program,
    environment: Environment,
    words: Vec<OsString>,
    opened: OnceLock<Option<Opened>>,
}

struct Opened {
    session: Session,
    repository: Repository<Read>,
    snapshots: Vec<(SnapshotId, Snapshot)>,
}

/// Gives every argument whose value the repository knows its candidates.
pub(super) fn attach(command: Command, source: &Arc<Source>) -> Command {
    let command = command.mut_args(|arg| {
        let names: Vec<String> =
            arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
        let is_word = arg.is_positional();
        let known: Vec<Values> = names.iter().filter_map(|name| Values::of(name, is_word)).collect();
        match known.first() {
            None => arg,
            Some(Values::Files) => arg.add(ArgValueCompleter::new(PathCompleter::any())),
            Some(_) => with(arg, FromRepository { source: Arc::clone(source), values: known }),
        }
    });
    command.mut_subcommands(|below| attach(below, source))
}

fn with(arg: Arg, completer: FromRepository) -> Arg {
    arg.add(ArgValueCompleter::new(completer))
}

/// What the values of an argument are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    Snapshots,
    Hosts,
    Tags,
    /// Paths that snapshots were made of.
    Paths,
    /// Paths in the snapshot that the command line names.
    PathsInSnapshot,
    /// Paths on this machine.
    Files,
}

impl Values {
    /// By the name that the help shows for a value.
    fn of(value_name: &str, is_word: bool) -> Option<Values> {
        match value_name {
            "SNAPSHOT" => Some(Values::Snapshots),
            "HOST" => Some(Values::Hosts),
            "TAGS" => Some(Values::Tags),
            "DIR" | "PATH" if is_word => Some(Values::PathsInSnapshot),
            "PATH" => Some(Values::Paths),
            "FILE" | "DIRECTORY" | "FILE/DIR" | "REPOSITORY" => Some(Values::Files),
            _ => None,
        }
    }
}

/// The completer of one argument: what its first value is, and its second.
struct FromRepository {
    source: Arc<Source>,
    values: Vec<Values>,
}

impl ValueCompleter for FromRepository {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(current) = current.to_str() else { return Vec::new() };
        // Only the words of `dump` are of two kinds.
        let is_second = self.values.len() > 1 && self.source.words_before(current) > 0;
        let Some(values) = self.values.get(usize::from(is_second)) else { return Vec::new() };
        let Some(opened) = self.source.opened() else { return Vec::new() };
        match values {
            Values::Snapshots => opened.ids(current),
            Values::Hosts => opened.plain(current, |snapshot| vec![snapshot.hostname.clone()]),
            Values::Tags => opened.plain(current, |snapshot| snapshot.tags.clone()),
            Values::Paths => opened.plain(current, |snapshot| snapshot.paths.clone()),
            Values::PathsInSnapshot => self.source.paths_in_snapshot(opened, current).unwrap_or_default(),
            Values::Files => Vec::new(),
        }
    }
}

impl Source {
    pub(super) fn new(program: Program, environment: &Environment, words: Vec<OsString>) -> Self {
        Source { program, environment: environment.clone(), words, opened: OnceLock::new() }
    }

    fn opened(&self) -> Option<&Opened> {
        self.opened.get_or_init(|| self.open()).as_ref()
    }

    /// What the words say so far; the one under the cursor may be half a flag.
    fn matches(&self) -> Option<clap::ArgMatches> {
        let root = crate::command_line().name(self.program.name()).ignore_errors(true);
        let mut line = vec![OsString::from(self.program.name())];
        line.extend(self.words.iter().filter(|word| !word.is_empty()).cloned());
        root.try_get_matches_from(line).ok()
    }

    fn open(&self) -> Option<Opened> {
        let environment = self.environment.clone();
        let global = Global::from_arg_matches(&self.matches()?).ok()?;
        let mut global = global.settle(&environment).ok()?;
        global.no_lock = true;
        global.json = false;
        let style = Style::plain(0);
        let (ui, cancel) = (Arc::new(Ui::new(style, Cancel::new())), Cancel::new());
        let session = Session::new(self.program, global, environment, ui, cancel).ok()?;
        if !session.password_needs_nobody() {
            return None;
        }
        let repository = session.open_to_read().ok()?.repository;
        let loaded = snapshots::load_all(&repository).ok()?;
        let snapshots = loaded.into_iter().filter_map(|(id, snapshot)| Some((id, snapshot.ok()?))).collect();
        Some(Opened { session, repository, snapshots })
    }

    /// The words of the command that are no flags, as far as they say which snapshot and what of it.
    fn snapshot_words(&self) -> Vec<String> {
        let of = |matches: &clap::ArgMatches, id| {
            let words = matches.try_get_raw(id).ok()??;
            Some(words.map(|word| word.to_string_lossy().into_owned()).collect())
        };
        let matches = self.matches();
        let below = matches.as_ref().and_then(clap::ArgMatches::subcommand).map(|(_, below)| below);
        below.and_then(|below| ["snapshot", "words"].iter().find_map(|id| of(below, id))).unwrap_or_default()
    }

    /// How many of them stand before the one that is being completed.
    fn words_before(&self, current: &str) -> usize {
        self.snapshot_words().len().saturating_sub(usize::from(!current.is_empty()))
    }

    fn paths_in_snapshot(&self, opened: &Opened, current: &str) -> Option<Vec<CompletionCandidate>> {
        let (session, repository) = (&opened.session, &opened.repository);
        let word = self.snapshot_words().into_iter().next()?;
        let one = selection::find_one(session, repository, &SelectFlags::default(), &word).ok()?;
        let index = session.load_index(repository).ok()?;
        let top = one.subfolder.unwrap_or_default();
        let root = find_subtree(repository, &index, one.snapshot.tree, top.as_bytes()).ok()?;
        let (folder, begun) = current.rsplit_once('/').unwrap_or(("", current));
        let tree = find_subtree(repository, &index, root, folder.as_bytes()).ok()?;
        let nodes = load_tree(repository, &index, &tree).ok()?;
        let names = nodes.nodes.iter().filter_map(|node| {
            let name = std::str::from_utf8(&node.name).ok()?;
            let slash = if node.kind == NodeKind::Dir { "/" } else { "" };
            name.starts_with(begun).then(|| CompletionCandidate::new(format!("{folder}/{name}{slash}")))
        });
        Some(names.collect())
    }
}

impl Opened {
    /// `latest` and the short ids, the newest first, each with what it is of.
    fn ids(&self, current: &str) -> Vec<CompletionCandidate> {
        let mut newest_first: Vec<_> = self.snapshots.iter().collect();
        newest_first.sort_by_key(|(_, snapshot)| std::cmp::Reverse(snapshot.time));
        let latest = "latest".starts_with(current).then(|| CompletionCandidate::new("latest"));
        let ids = newest_first.into_iter().filter_map(|(id, snapshot)| {
            // An id that is written out further than its short form stays so.
            let text = if current.len() > 8 { id.to_string() } else { id.short().to_string() };
            let zone = &self.session.zone;
            let about = format!(
                "{} {} {}",
                snapshot.time.local_text(zone),
                snapshot.hostname,
                snapshot.paths.join(" ")
            );
            text.starts_with(current).then(|| CompletionCandidate::new(text).help(Some(about.into())))
        });
        latest.into_iter().chain(ids).enumerate().map(|(nr, found)| found.display_order(Some(nr))).collect()
    }

    /// The different values of a property, sorted.
    fn plain(&self, current: &str, of: impl Fn(&Snapshot) -> Vec<String>) -> Vec<CompletionCandidate> {
        let values: BTreeSet<String> = self.snapshots.iter().flat_map(|(_, snapshot)| of(snapshot)).collect();
        values.into_iter().filter(|value| value.starts_with(current)).map(CompletionCandidate::new).collect()
    }
}
