//! A program that connects us (ssh, rclone): started, listened to, and ended.

use crate::Cancel;
use crate::clock::{Clock, SystemClock};
use crate::shown::escaped;
use rustix::process::{Pid, Signal};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// So much lies in a pipe, where the system allows it.
const PIPE: usize = 1024 * 1024;
/// So much of a line is shown.
const LINE: u64 = 4096;
/// So many of its last lines explain why a connection failed.
const LAST_LINES: usize = 5;
/// So long it may take to say its last words, and to end by itself.
const GRACE: Duration = Duration::from_secs(2);
/// How often we look whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Told every line that a program says on its standard error.
pub type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// What the programs that we start are not to see of our environment.
#[derive(Debug, Default)]
pub struct Withheld {
    /// Variables that they do not get.
    pub removed: Vec<OsString>,
    /// Variables that have another value for them.
    pub replaced: Vec<(OsString, OsString)>,
}

/// One for the whole process, so that no program is forgotten.
static WITHHELD: OnceLock<Withheld> = OnceLock::new();

/// Says, once and before the first program is started, what none of them is to see.
pub fn withhold(withheld: Withheld) {
    let _ = WITHHELD.set(withheld); // the first word stands
}

/// A program to be started, in our environment without what is withheld: every one of ours begins here.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some(withheld) = WITHHELD.get() {
        for name in &withheld.removed {
            command.env_remove(name);
        }
        command.envs(withheld.replaced.iter().map(|(name, value)| (name, value)));
    }
    command
}

/// A running program. When dropped it is ended, and waited for.
pub(crate) struct Child {
    process: std::process::Child,
    group: Option<Pid>,
    words: Arc<LastWords>,
}

impl Child {
    /// Starts a program in a process group of its own, with its ends of our pipes.
    ///
    /// The listener is told its lines behind `prefix`.
    pub(crate) fn start(
        program: &[OsString],
        prefix: &str,
        listener: Option<Listener>,
    ) -> io::Result<(Child, ChildStdin, ChildStdout)> {
        let (name, arguments) = program.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = command(name);
        command.args(arguments).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("cannot start {}: {error}", name.display()))
        })?;
        let group = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let words = Arc::<LastWords>::default();
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        if let Some(stderr) = process.stderr.take() {
            let (words, prefix) = (Arc::clone(&words), prefix.to_owned());
            // Not joined: a program may leave another one behind that keeps this end of the pipe open.
            std::thread::Builder::new()
                .name("child-stderr".into())
                .spawn(move || words.listen(stderr, &prefix, listener.as_ref()))?;
        }
        let child = Child { process, group, words };
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        for pipe in [stdin.as_fd(), stdout.as_fd()] {
            let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE); // only faster
        }
        Ok((child, stdin, stdout))
    }

    /// How it ended, if it does within a short time.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let (clock, never) = (SystemClock::default(), Cancel::new());
        loop {
            match self.process.try_wait() {
                Ok(None) if clock.now() < GRACE => clock.sleep(LOOK, &never),
                Ok(status) => return status,
                Err(_) => return None,
            };
        }
    }

    /// Its process group.
    pub(crate) fn group(&self) -> Option<Pid> {
        self.group
    }

    /// What it says last, for those who may need it when it has ended.
    pub(crate) fn words(&self) -> Arc<LastWords> {
        Arc::clone(&self.words)
    }

    /// What it said last.
    pub(crate) fn last_words(&self) -> String {
        self.words.text()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // With whatever it has started itself, such as a proxy.
            let _ = self.group.map(|group| rustix::process::kill_process_group(group, Signal::KILL));
        }
        let _ = self.process.wait(); // it has ended
    }
}

/// What the program said last, kept for the message of a failed connection.
#[derive(Default)]
pub(crate) struct LastWords {
    state: Mutex<State>,
    silent: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    ended: bool,
}

impl LastWords {
    fn listen(&self, stderr: ChildStderr, prefix: &str, listener: Option<&Listener>) {
        let mut stderr = BufReader::new(stderr);
        let mut line = Vec::new();
        loop {
            line.clear();
            match stderr.by_ref().take(LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let text = escaped(&String::from_utf8_lossy(&line));
            if let Some(listener) = listener {
                listener(&format!("{prefix}{text}"));
            }
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if !text.is_empty() {
                state.lines.push_back(text);
            }
            if state.lines.len() > LAST_LINES {
                state.lines.pop_front();
            }
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.silent.notify_all();
    }

    /// The last lines, once there are no more or the program has had time enough.
    pub(crate) fn text(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.silent.wait_timeout_while(state, GRACE, |state| !state.ended);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        Vec::from_iter(state.lines.iter().cloned()).join("; ")
    }
}
