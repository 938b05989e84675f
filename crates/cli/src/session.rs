//! What a command works with: who we are, how we talk, and the repository opened for its purpose.

mod passwords;
mod trusted;

use std::ffi::OsStr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tresor_backend::child::Listener;
use tresor_backend::count::{Count, Counters};
use tresor_backend::limit::{Limit, Rates};
use tresor_backend::location::Place;
use tresor_backend::retry::Retry;
use tresor_backend::{Backend, Cancel, Full, Handle, Location, dry_run::DryRun};
use tresor_repo::cache::stock;
use tresor_repo::handle::{Append, Read, Right};
use tresor_repo::index::Index;
use tresor_repo::lock::{ExclusiveLock, Gate, Gated, LockOptions, Owner, Pace, SharedLock};
use tresor_repo::monitor::Silent;
use tresor_repo::repository::Options;
use tresor_repo::time::{Time, Zone};
use tresor_repo::{Error as RepoError, Monitor, Repository};
use tresor_secmem::Protection;

use crate::args::Global;
use crate::backends::Plain;
use crate::causes::chain;
use crate::compat::{Program, Rule};
use crate::environment::Environment;
use crate::exit::{Failure, Result};
use crate::extended::Extended;
use crate::password::Given;
use crate::trust::Trust;
use crate::ui::Ui;
use crate::ui::counters::Counting;
use crate::ui::notes::Notes;
use crate::ui::traffic::Traffic;
use crate::{backends, csv, features, textfile};

/// Our own version.
pub(crate) const PROGRAM_VERSION: &str = env!("CARGO_PKG_VERSION");
/// The restic whose behaviour we match.
pub(crate) const RESTIC_VERSION: &str = "0.19.1";

/// A cache that nobody opened for so long is old.
const OLD_CACHE: Duration = Duration::from_secs(30 * 86_400);

/// Everything a command needs to know and to open.
pub(crate) struct Session {
    pub(crate) program: Program,
    pub(crate) global: Global,
    pub(crate) environment: Environment,
    pub(crate) ui: Arc<Ui>,
    pub(crate) cancel: Cancel,
    pub(crate) zone: Zone,
    /// What the repository is called when its password is asked for.
    pub(crate) called: &'static str,
    /// The repositories that were asked something, and how often; a secondary session shares it.
    pub(crate) counted: Arc<Mutex<Vec<Counted>>>,
    extended: Extended,
    /// What is said about the password, once it was looked for.
    given: OnceLock<Given>,
    /// What every call on the repositories passes; a secondary session shares it.
    pub(crate) gate: Gate,
    /// What is remembered of the repository.
    trust: Trust,
    /// Whether the repository is reached without a program of somebody else's.
    is_alone: OnceLock<bool>,
    /// Whether the command itself starts programs, once a repository is open.
    pub(crate) starts_programs: bool,
}

/// A repository's location and what was asked of it.
type Counted = (String, Arc<Counters>);

/// A repository as a command opened it; the lock is given back by [`close`](Opened::close).
pub(crate) struct Opened<R: Right, L> {
    pub(crate) repository: Repository<R>,
    pub(crate) lock: L,
}

impl<R: Right> Opened<R, Option<SharedLock>> {
    /// Gives the lock back; a failure is told, and the command's result stands.
    pub(crate) fn close(self, session: &Session) {
        if let Some(lock) = self.lock {
            session.release(lock.release());
        }
        session.remember();
    }
}

impl<R: Right> Opened<R, Option<ExclusiveLock>> {
    /// Gives the lock back; a failure is told, and the command's result stands.
    pub(crate) fn close(self, session: &Session) {
        if let Some(lock) = self.lock {
            session.release(lock.release());
        }
        session.remember();
    }
}

impl Opened<Full, ExclusiveLock> {
    /// Gives the lock back; a failure is told, and the command's result stands.
    pub(crate) fn close(self, session: &Session) {
        session.release(self.lock.release());
        session.remember();
    }
}

impl Session {
    /// A session; fails if an extended option is malformed.
    pub(crate) fn new(
        program: Program,
        global: Global,
        environment: Environment,
        ui: Arc<Ui>,
        cancel: Cancel,
    ) -> Result<Self> {
        let lists = global.options.iter().map(|list| csv::split(list).map_err(Failure::fatal));
        let extended = Extended::parse(&lists.collect::<Result<Vec<_>>>()?.concat())?;
        let zone = Zone::system(environment.as_set("TZ").and_then(OsStr::to_str));
        let (called, gate) = ("repository", Gate::default());
        Ok(Session {
            program,
            global,
            environment,
            ui,
            cancel,
            zone,
            called,
            counted: Arc::default(),
            extended,
            given: OnceLock::new(),
            gate,
            trust: Trust::default(),
            is_alone: OnceLock::new(),
            starts_programs: false,
        })
    }

    /// The time of day in the local zone.
    pub(crate) fn now(&self) -> Time {
        let (seconds, nanoseconds) = tresor_repo::clock::now();
        self.zone.local(seconds, nanoseconds)
    }

    /// What the libraries have to tell beside an operation's own news.
    pub(crate) fn monitor(&self) -> Arc<dyn Monitor> {
        Arc::new(Notes::new(Arc::clone(&self.ui)))
    }

    /// Opens the repository to read it, under a shared lock unless `--no-lock` was given.
    pub(crate) fn open_to_read(&self) -> Result<Opened<Read, Option<SharedLock>>> {
        let repository = self.open(self.handle()?.read())?;
        self.identify(&repository, false)?;
        let lock = match self.global.no_lock {
            true => None,
            false => Some(repository.lock_to_read(&self.lock_options()?, &self.monitor())?),
        };
        Ok(Opened { repository, lock })
    }

    /// Opens the repository to add to it, under a shared lock.
    pub(crate) fn open_to_add(&self) -> Result<Opened<Append, Option<SharedLock>>> {
        let repository = self.open(self.handle()?.append())?;
        self.identify(&repository, true)?;
        let lock = Some(self.lock_shared(&repository)?);
        Ok(Opened { repository, lock })
    }

    /// Opens the repository so that nothing of what is added is kept; without a lock.
    pub(crate) fn open_for_a_dry_run(&self) -> Result<Opened<Append, Option<SharedLock>>> {
        let handle = self.handle()?.wrapped(|backend| Arc::new(DryRun::new(backend)));
        let repository = self.open_uncached(handle.append())?;
        self.identify(&repository, false)?;
        Ok(Opened { repository, lock: None })
    }

    /// Opens the repository to remove from it, under an exclusive lock.
    pub(crate) fn open_to_remove(&self) -> Result<Opened<Full, ExclusiveLock>> {
        let repository = self.open(self.handle()?)?;
        self.identify(&repository, true)?;
        let lock = repository.lock_exclusive(&self.lock_options()?, &self.monitor())?;
        Ok(Opened { repository, lock })
    }

    /// Opens the repository to mend it, under an exclusive lock, without the cache: what is mended is what the
    /// backend has.
    pub(crate) fn open_to_repair(&self) -> Result<Opened<Full, ExclusiveLock>> {
        let repository = self.open_uncached(self.handle()?)?;
        self.identify(&repository, true)?;
        let lock = repository.lock_exclusive(&self.lock_options()?, &self.monitor())?;
        Ok(Opened { repository, lock })
    }

    /// Opens the repository to remove from it; a dry run may do so without a lock.
    pub(crate) fn open_to_remove_maybe(&self, locked: bool) -> Result<Opened<Full, Option<ExclusiveLock>>> {
        if locked {
            let Opened { repository, lock } = self.open_to_remove()?;
            return Ok(Opened { repository, lock: Some(lock) });
        }
        Ok(Opened { repository: self.open_unlocked()?, lock: None })
    }

    /// Opens the repository to check it, under an exclusive lock unless `--no-lock` was given.
    ///
    /// Without the cache, unless it is asked for: what is to be checked is what the backend has. It may have a
    /// cache of its own, fresh and empty, in `fresh`.
    pub(crate) fn open_to_check(
        &self,
        with_cache: bool,
        fresh: Option<&Path>,
    ) -> Result<Opened<Read, Option<ExclusiveLock>>> {
        let handle = self.handle()?.read();
        let repository = match (with_cache, fresh) {
            (true, _) => self.open(handle)?,
            (false, None) => self.open_uncached(handle)?,
            (false, Some(folder)) => self.open_uncached(handle)?.with_cache(folder, &Silent),
        };
        self.identify(&repository, false)?;
        let lock = match self.global.no_lock {
            true => None,
            false => Some(repository.lock_to_check(&self.lock_options()?, &self.monitor())?),
        };
        Ok(Opened { repository, lock })
    }

    /// A folder for the cache of one check, where every request costs a way there and back.
    pub(crate) fn fresh_cache(&self) -> Result<Option<TempDir>> {
        if self.global.no_cache || matches!(self.location()?.place(), Place::Local(_)) {
            return Ok(None);
        }
        let base = self.temporary_folder();
        let made = tempfile::Builder::new()
            .prefix(&format!("{}-check-cache-", self.program.name()))
            .tempdir_in(&base);
        made.map(Some).map_err(|error| {
            Failure::fatal(format!(
                "unable to create cache directory in {}: {}",
                base.display(),
                chain(&error)
            ))
            .hint("`TMPDIR` names another folder, `--no-cache` does without")
        })
    }

    /// Opens the repository with every right and no lock; for `unlock`, and what takes its lock later.
    pub(crate) fn open_unlocked(&self) -> Result<Repository<Full>> {
        let repository = self.open(self.handle()?)?;
        self.identify(&repository, false)?;
        Ok(repository)
    }

    /// Loads the index of an open repository to read or to add, and shows how far that is; index files that cannot be
    /// read are told and left out.
    pub(crate) fn load_index<R: Right>(&self, repository: &Repository<R>) -> Result<Index> {
        let (monitor, ticker) = Counting::start(&self.ui);
        let index = repository.load_index(&monitor);
        drop(ticker);
        Ok(index?)
    }

    /// The same for whoever removes, or says what is lost: an index file that cannot be read stops it.
    pub(crate) fn load_whole_index<R: Right>(&self, repository: &Repository<R>) -> Result<Index> {
        let (monitor, ticker) = Counting::start(&self.ui);
        let index = repository.load_whole_index(&monitor);
        drop(ticker);
        index.map_err(|error| {
            let is_damage = error.is_damage();
            let failure = Failure::from(error);
            match is_damage {
                true => failure.unreadable("`repair index` removes index files that cannot be read"),
                false => failure,
            }
        })
    }

    /// Takes a shared lock on an open repository, to add.
    pub(crate) fn lock_shared<R: Right>(&self, repository: &Repository<R>) -> Result<SharedLock> {
        Ok(repository.lock_shared(&self.lock_options()?, &self.monitor())?)
    }

    /// The backend at the location, behind retries, limits and the gate of the lock.
    pub(crate) fn handle(&self) -> Result<Handle<Full>> {
        let location = self.location()?;
        let _ = self.is_alone.set(matches!(location.place(), Place::Local(_) | Place::Rest { .. })); // it stays what it is
        self.forgo_new_rights();
        let ui = Arc::clone(&self.ui);
        let say: Listener = Arc::new(move |line| ui.error(line));
        let (extended, global, environment) = (&self.extended, &self.global, &self.environment);
        let remembered = self.recall(&location);
        let plain = Plain { is_remembered: remembered.plaintext, was_spoken: &self.trust.was_plain };
        let mut options =
            backends::options(location.scheme(), extended, global, environment, self.program, &plain, &say)?;
        if options.network.pins.is_empty() {
            options.network.pins = remembered.pins;
        }
        if let Some(warning) = backends::unverified(&location, &options.network) {
            self.ui.error(warning);
        }
        if options.s3.bring_back.is_some() && !features::is_on("s3-restore", &self.environment) {
            return Err(Failure::fatal(format!(
                "unable to open repository at {location}: feature flag `s3-restore` is required to use \
                 `-o s3.enable-restore=true`"
            )));
        }
        let backend = tresor_backend::open::open(&location, &options)?;
        let backend = Count::new(backend);
        self.counted().push((backend.location(), backend.counters()));
        let backend: Arc<dyn Backend> = match self.rates() {
            Some(rates) => Arc::new(Limit::new(backend, rates, self.cancel.clone())),
            None => Arc::new(backend),
        };
        let ui = Arc::clone(&self.ui);
        let retry =
            Retry::new(backend, self.cancel.clone()).observed_by(move |event| ui.error(&event.to_string()));
        let watched = self.watched(Arc::new(retry));
        Ok(Handle::new(Arc::new(Gated::new(watched, self.gate.clone()))))
    }

    /// Tells what was asked of the repositories, if that is wanted; the last words of a command.
    pub(crate) fn tell_traffic(&self) {
        if self.program.is_restic() || self.global.verbosity() < 2 {
            return;
        }
        for (location, counters) in self.counted().iter() {
            match Traffic::of(location, counters) {
                nothing if nothing.is_none() => {}
                traffic if self.ui.is_json() => self.ui.error_json(&traffic),
                traffic => self.ui.error(&traffic.text()),
            }
        }
    }

    fn counted(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The location by flag, variable or file.
    pub(crate) fn location(&self) -> Result<Location> {
        use std::os::unix::ffi::OsStrExt;
        Location::parse(OsStr::from_bytes(&self.location_text()?))
            .map_err(|error| Failure::fatal(format!("parsing repository location failed: {error}")))
    }

    /// The location as it was given; it may hold a password.
    fn location_text(&self) -> Result<Vec<u8>> {
        Ok(match (&self.global.repo, &self.global.repository_file) {
            (Some(_), Some(_)) => {
                return Err(Failure::fatal(
                    "Options -r and --repository-file are mutually exclusive, please specify only one",
                ));
            }
            (Some(repo), None) => repo.clone().into_bytes(),
            (None, Some(file)) => textfile::read_trimmed(file)?,
            (None, None) => {
                return Err(Failure::fatal("Please specify repository location (-r or --repository-file)"));
            }
        })
    }

    fn rates(&self) -> Option<Rates> {
        let rate =
            |limit: Option<i64>| limit.and_then(|kib| u32::try_from(kib).ok()).and_then(NonZeroU32::new);
        let (upload, download) = (rate(self.global.limit_upload), rate(self.global.limit_download));
        (upload.is_some() || download.is_some()).then_some(Rates { upload, download })
    }

    fn open<R: Right>(&self, handle: Handle<R>) -> Result<Repository<R>> {
        let repository = self.open_uncached(handle)?;
        self.with_cache(repository)
    }

    /// The same repository with the local cache, unless that is not wanted.
    pub(crate) fn with_cache<R: Right>(&self, repository: Repository<R>) -> Result<Repository<R>> {
        match self.cache_base()? {
            Some(base) => {
                let repository = repository.with_cache(&base, &*self.monitor());
                self.look_after_old_caches(&base);
                Ok(repository)
            }
            None => Ok(repository),
        }
    }

    /// Removes what nobody opened for a month with `--cleanup-cache`, else says on a terminal that it is there.
    fn look_after_old_caches(&self, base: &Path) {
        if !self.global.cleanup_cache && !self.ui.style.stdout_is_terminal {
            return;
        }
        // A folder of caches that cannot be read is in nobody's way: the repository's own was opened already.
        let caches = stock::list(base).unwrap_or_default();
        let old: Vec<_> = caches.iter().filter(|cache| cache.unused() > OLD_CACHE).collect();
        let (count, base, name) = (old.len(), base.display(), self.program.name());
        if old.is_empty() {
        } else if self.global.cleanup_cache {
            self.ui.print_on_terminal(&format!("removing {count} old cache dirs from {base}"));
            for cache in old {
                if let Err(error) = cache.remove() {
                    self.ui.error(&format!("unable to remove {}: {error}", cache.folder.display()));
                }
            }
        } else {
            self.ui.print_on_terminal(&format!(
                "found {count} old cache directories in {base}, run `{name} cache --cleanup` to remove them"
            ));
        }
    }

    /// Opens a repository with the password; typed wrongly on a terminal, it is asked for again, twice.
    pub(crate) fn open_uncached<R: Right>(&self, handle: Handle<R>) -> Result<Repository<R>> {
        let given = self.given()?;
        let hint = self.global.key_hint.as_deref();
        let monitor = self.monitor();
        let asked = matches!(given, Given::Ask) && std::io::IsTerminal::is_terminal(&std::io::stdin());
        let mut tries = if asked { 3 } else { 1 };
        loop {
            let password = self.password(given)?;
            tries -= 1;
            match Repository::open(handle.clone(), &password, hint, self.options()?, &*monitor) {
                Err(RepoError::WrongPassword) if tries > 0 => {
                    self.ui.error("wrong password or no key found. Try again");
                }
                Err(error) => return Err(error.into()),
                Ok(repository) => {
                    self.protect();
                    self.say_opened(&repository);
                    return Ok(repository);
                }
            }
        }
    }

    /// Gives up new rights, before the first thread that talks to a server, if no program will be started that may need
    /// them: none fetches the password, keeps the connection (which may be lost), or has the credentials of a service.
    fn forgo_new_rights(&self) {
        let asks_a_program = self.global.password_command.is_some() || self.global.password_from.is_some();
        let is_fetched = !asks_a_program || self.given.get().is_some();
        if is_fetched && self.is_alone.get() == Some(&true) && !self.starts_programs {
            let _ = tresor_secmem::process::forgo_new_rights(); // it protects from what is not there
        }
    }

    /// Closes the last way to secrets; the programs that keep the old limits have been started.
    fn protect(&self) {
        self.forgo_new_rights();
        let closed = tresor_secmem::process::forbid_core_files();
        if self.program.is_restic() {
            return;
        }
        if let Err(error) = closed {
            self.ui.error(&format!("core files cannot be forbidden: {error}"));
        }
        if tresor_secmem::protection() == Protection::Unlocked {
            self.ui.error("secrets cannot be locked in memory (see `ulimit -l`) and may get into the swap");
        }
    }

    fn say_opened<R: Right>(&self, repository: &Repository<R>) {
        let (id, version) = (repository.id().short(), repository.config().version);
        let level = match version {
            1 => String::new(),
            _ => format!(", compression level {}", repository.options().compression),
        };
        self.ui.print_on_terminal(&format!("repository {id} opened (version {version}{level})"));
    }

    /// How repositories are used in this session.
    pub(crate) fn options(&self) -> Result<Options> {
        Ok(Options {
            compression: self.global.compression.unwrap_or_default(),
            pack_size: self.global.pack_bytes()?,
            verify_before_upload: !self.global.no_extra_verify,
            memory: self.global.memory.unwrap_or(48 << 20),
            temporary_folder: self.temporary_folder(),
            cancel: self.cancel.clone(),
        })
    }

    /// Folder for temporary files.
    pub(crate) fn temporary_folder(&self) -> PathBuf {
        self.environment.get("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
    }

    /// The folder of all caches; none with `--no-cache`.
    pub(crate) fn cache_base(&self) -> Result<Option<PathBuf>> {
        if self.global.no_cache {
            return Ok(None);
        }
        let named = self.global.cache_dir.clone().filter(|folder| !folder.as_os_str().is_empty());
        let named = named.or_else(|| self.environment.setting("CACHE_DIR").map(PathBuf::from));
        if named.is_some() {
            return Ok(named);
        }
        let xdg = self.environment.get("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || self.environment.get("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let missing = match xdg.or_else(home) {
            Some(folder) if folder.is_absolute() => return Ok(Some(folder.join("tresor"))),
            Some(_) => "path in $XDG_CACHE_HOME is relative",
            None => "neither $XDG_CACHE_HOME nor $HOME are defined",
        };
        let message = format!("unable to locate cache directory: {missing}");
        if self.program.is_restic() {
            self.ui.error(&format!("unable to open cache: {message}"));
            return Err(Failure::plain(message));
        }
        Err(Failure::fatal(message).hint("`--cache-dir` names a folder, `--no-cache` does without"))
    }

    fn lock_options(&self) -> Result<LockOptions> {
        Ok(LockOptions {
            owner: self.owner(),
            zone: self.zone.clone(),
            retry: self.global.retry_lock.unwrap_or(Duration::ZERO),
            pace: Pace::default(),
            gate: self.gate.clone(),
            cancel: self.cancel.clone(),
        })
    }

    /// Who we are, as stored in locks, keys and snapshots.
    pub(crate) fn owner(&self) -> Owner {
        let uid = nix::unistd::getuid();
        let user = nix::unistd::User::from_uid(uid).ok().flatten();
        let hostname = nix::unistd::gethostname().unwrap_or_default();
        Owner {
            hostname: hostname.to_string_lossy().into_owned(),
            username: user.map_or_else(|| uid.to_string(), |user| user.name),
            pid: std::process::id(),
            uid: uid.as_raw(),
            gid: nix::unistd::getgid().as_raw(),
        }
    }

    /// What a rule of ours makes of this command line, where `what` is wrong: refused, or told as restic.
    ///
    /// # Errors
    /// It is refused.
    pub(crate) fn weigh(&self, rule: &Rule, allowed: bool, what: &str) -> Result<()> {
        if allowed {
            return Ok(());
        }
        if !self.program.goes_on(false) {
            return Err(Failure::refused(what, rule));
        }
        self.ui.error(&format!("warning: {what}"));
        Ok(())
    }

    /// Tells if a lock could not be given back.
    pub(crate) fn release(&self, released: Result<(), RepoError>) {
        if let Err(error) = released {
            self.ui.error(&format!("error while unlocking: {}", crate::causes::chain(&error)));
        }
    }
}
