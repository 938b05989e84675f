//! The SFTP backend: a repository in a folder behind the user's own `ssh`.
//!
//! Another program that speaks SFTP can stand in for it. One program, one conversation (where the way is long a few
//! more through ssh's connection, see `lanes`), many requests under way at once. When it is lost, calls fail as temporary and the next one connects again. The protocol is our own
//! (docs/adr/0012-our-own-sftp.md); ssh does the rest.

use crate::child::{Child, Listener};
use crate::clock::{Clock, SystemClock};
use crate::{
    Backend, ByteRange, Capabilities, Error, ErrorKind, FileKind, FileName, Listed, Payload, Result, layout,
};
use crate::{location, net};
use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

mod failure;
mod terminal;
mod pipe;
mod wire;
mod session;
mod sharing;
mod program;
mod lanes;
mod files;
mod folders;
#[cfg(feature = "fuzzing")]
pub(crate) use wire::fuzz;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

use failure::Failure;
use lanes::Lanes;
use pipe::Patient;
use program::Program;
use session::Session;
use terminal::Lent;
use wire::{LONGEST_CONTENT, Request, USUAL_CONTENT};

/// How many calls run at once unless told otherwise.
pub const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(5).expect("five is not zero");

/// How the server is reached.
#[derive(Clone, Default)]
pub struct Options {
    /// The whole command line of a program to start instead of ssh (`sftp.command`).
    pub command: Option<Vec<OsString>>,
    /// Further arguments for ssh (`sftp.args`).
    pub arguments: Vec<OsString>,
    /// Folder for a socket by which ssh shares its connection (without it, one conversation is all).
    pub sockets: Option<PathBuf>,
    /// Told every line that the program says on its standard error, as it may be shown.
    pub listener: Option<Listener>,
    /// When a connection on which nothing comes or goes is given up (without it: after five minutes).
    pub stuck_after: Option<Duration>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options = f.debug_struct("Options");
        options.field("command", &self.command).field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// A repository in a folder behind an SFTP server.
pub struct Sftp {
    shown: String,
    /// What every path begins with: the folder and a slash, or nothing.
    root: String,
    program: Program,
    listener: Option<Listener>,
    stuck_after: Duration,
    connections: NonZeroUsize,
    replaces: AtomicBool,
    /// They end before the first conversation does.
    lanes: Option<Lanes>,
    current: Mutex<Option<Arc<Connection>>>,
}

/// A conversation, and what was agreed in it. It ends before the program does.
struct Connection {
    session: Session,
    content_of_read: u32,
    content_of_write: u32,
    modes: Modes,
    /// How long an answer takes.
    round_trip: Duration,
    _program: Option<Child>,
}

/// The modes of what is made: for the owner alone, or also for the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Modes {
    folder: u32,
    /// A finished file's: nobody may write, since repository files never change.
    file: u32,
}

impl Modes {
    const PRIVATE: Modes = Modes { folder: 0o700, file: 0o400 };
    const GROUP: Modes = Modes { folder: 0o770, file: 0o440 };
}

impl Sftp {
    /// Connects to the server; the folder need not exist yet. `shown` is the location as it may be shown.
    ///
    /// # Errors
    /// [`ErrorKind::Unusable`] if the program cannot be started, or no conversation begins.
    pub fn open(
        place: &location::Sftp,
        shown: impl Into<String>,
        options: &Options,
        connections: NonZeroUsize,
    ) -> Result<Self> {
        let shown = shown.into();
        let failed = |shown: &String| Error::about(ErrorKind::Unusable, "open", shown);
        let program = match &options.command {
            Some(command) => Program::given(command),
            None => Program::ssh(place, &options.arguments)
                .map_err(|refusal| failed(&shown).caused_by(refusal))?,
        };
        let lanes = match (&options.command, &options.sockets) {
            (None, Some(folder)) => program.share(folder).map(Lanes::new),
            _ => None,
        };
        let sftp = Sftp {
            root: prefix(&place.path),
            shown,
            program,
            listener: match &lanes {
                Some(_) => options.listener.clone().map(Lanes::listener),
                None => options.listener.clone(),
            },
            stuck_after: options.stuck_after.unwrap_or(net::STUCK_AFTER),
            connections,
            replaces: AtomicBool::new(false),
            lanes,
            current: Mutex::new(None),
        };
        sftp.connection().map_err(|failure| failed(&sftp.shown).caused_by(failure))?;
        Ok(sftp)
    }

    /// The conversation, begun anew if the last one is over.
    fn connection(&self) -> std::result::Result<Arc<Connection>, Failure> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = current.as_ref().filter(|connection| !connection.session.is_over()) {
            return Ok(Arc::clone(connection));
        }
        *current = None;
        let first = self.lanes.as_ref().map_or(&[][..], Lanes::first);
        let connection = Arc::new(self.connect(first, true).map_err(|failure| match failure {
            Failure::Lost(why) => Failure::Unreachable(why.to_string()),
            failure => Failure::Unreachable(failure.to_string()),
        })?);
        self.replaces.store(connection.session.offers.replace, Ordering::Relaxed);
        Ok(Arc::clone(current.insert(connection)))
    }

    /// Starts the program with more options; only the first may say something, and ask on the terminal.
    fn connect(&self, options: &[OsString], is_first: bool) -> std::result::Result<Connection, Failure> {
        let prefix = format!("subprocess {}: ", self.program.name.display());
        let listener = self.listener.clone().filter(|_| is_first);
        let (program, stdin, stdout) = Child::start(&self.program.words(options), &prefix, listener)?;
        let lent = program.group().filter(|_| is_first).and_then(Lent::to);
        let words = program.words();
        let stdin = Patient::new(stdin, self.stuck_after)?;
        let session = Session::begin(stdin, stdout, move || words.text(), self.stuck_after)?;
        drop(lent);
        Connection::of(session, Some(program), &self.root)
    }

    fn path(&self, file: FileName) -> String {
        format!("{}{}", self.root, layout::path(file))
    }

    fn call<T>(
        &self,
        doing: &'static str,
        file: FileName,
        call: impl FnOnce(&Connection) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        self.call_with(0, doing, file, call)
    }

    /// Makes a call that moves so many bytes.
    fn call_with<T>(
        &self,
        bytes: u64,
        doing: &'static str,
        file: FileName,
        call: impl FnOnce(&Connection) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let outcome = self.connection().and_then(|first| {
            match self.lanes.as_ref().and_then(|lanes| lanes.seat(bytes, first.round_trip)) {
                Some(seat) => call(&seat.connection(first, |options| self.connect(options, false))),
                None => call(&first),
            }
        });
        outcome.map_err(|failure| Error::new(failure.kind(), doing, file).caused_by(failure))
    }
}

/// What the path of every file begins with.
fn prefix(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        "." => String::new(),
        path => format!("{path}/"),
    }
}

impl Connection {
    /// Agrees on what a conversation needs. The program, if there is one, ends with it.
    fn of(session: Session, program: Option<Child>, root: &str) -> std::result::Result<Self, Failure> {
        let mut exchange = session.exchange();
        let limits = match session.offers.limits {
            true => Some(exchange.send(&Request::Limits)?),
            false => None,
        };
        let config = format!("{root}{}", layout::name(FileName::CONFIG));
        let clock = SystemClock::default();
        let config = exchange.ask(&Request::Stat(&config))?.attributes();
        let round_trip = clock.now();
        let is_for_group = config.is_ok_and(|config| config.mode.is_some_and(|mode| mode & 0o040 != 0));
        // A server that cannot keep its own offer is served like one without.
        let (read, write) = match limits {
            Some(limits) => exchange.wait(limits)?.limits().unwrap_or_default(),
            None => (0, 0),
        };
        drop(exchange);
        Ok(Connection {
            session,
            content_of_read: content(read),
            content_of_write: content(write),
            modes: if is_for_group { Modes::GROUP } else { Modes::PRIVATE },
            round_trip,
            _program: program,
        })
    }
}

/// How much content goes into one packet, where a server allows `limit`; 0 says that it does not tell.
fn content(limit: u64) -> u32 {
    let limit = if limit == 0 { USUAL_CONTENT as u64 } else { limit.clamp(512, LONGEST_CONTENT as u64) };
    limit as u32 // at most LONGEST_CONTENT
}

impl Backend for Sftp {
    fn capabilities(&self) -> Capabilities {
        let atomic_replace = self.replaces.load(Ordering::Relaxed);
        Capabilities {
            connections: self.connections.get(),
            atomic_replace,
            lists_all: true,
            near: false,
            archive: None,
        }
    }

    fn location(&self) -> String {
        self.shown.clone()
    }

    fn create(&self) -> Result<()> {
        let made = self.connection().and_then(|connection| folders::make_all(&connection, &self.root));
        made.map_err(|failure| match failure {
            Failure::Exists => Error::new(ErrorKind::AlreadyExists, "create", FileName::CONFIG),
            failure => Error::about(failure.kind(), "create", &self.shown).caused_by(failure),
        })
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        self.call_with(payload.len(), "save", file, |connection| {
            files::save(connection, &self.root, file, payload)
        })
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let path = self.path(file);
        self.call_with(range.length, "load", file, |connection| files::load(connection, &path, range, into))
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let path = self.path(file);
        self.call("load", file, |connection| files::load_whole(connection, &path, at_most, into))
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.call("stat", file, |connection| files::size(connection, &self.path(file)))
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        if kind == FileKind::Config {
            return Ok(());
        }
        let connection = self.connection().map_err(folders::Ended::Server);
        let listed = connection.and_then(|connection| folders::list(&connection, &self.root, kind, each));
        listed.map_err(|ended| match ended {
            folders::Ended::Listener(error) => error,
            folders::Ended::Server(failure) => {
                Error::about(failure.kind(), "list", kind.word()).caused_by(failure)
            }
        })
    }

    fn remove(&self, file: FileName) -> Result<()> {
        self.call("remove", file, |connection| {
            connection.session.exchange().ask(&Request::Remove(&self.path(file)))?.done()
        })
    }
}
