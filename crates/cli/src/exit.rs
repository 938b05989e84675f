//! From an error to an exit code, a message and a hint: the only place that decides them.

use tresor_backend::net::NotEncrypted;
use tresor_repo::Error as RepoError;

use crate::causes::chain;
use crate::compat::{PLAINTEXT, Program, Rule};
use crate::units;

/// The answer of every command.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// How a run ends; restic's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Done.
    Success = 0,
    /// Stopped by an error, or the check found problems.
    Failed = 1,
    /// Not begun, since a rule that restic does not have speaks against it.
    Refused = 2,
    /// Done, but some of the source could not be read.
    Incomplete = 3,
    /// There is no repository at the location.
    NoRepository = 10,
    /// Somebody else's lock is in the way.
    Locked = 11,
    /// No key opens with the password.
    WrongPassword = 12,
    /// There are files that cannot be read, so that nothing is removed; not under the name `restic`.
    Unreadable = 20,
    /// Interrupted by a signal.
    Interrupted = 130,
    /// Whoever read our output is gone.
    BrokenPipe = 141,
}

impl Code {
    /// Every code, in order.
    pub(crate) const ALL: [Code; 10] = [
        Code::Success,
        Code::Failed,
        Code::Refused,
        Code::Incomplete,
        Code::NoRepository,
        Code::Locked,
        Code::WrongPassword,
        Code::Unreadable,
        Code::Interrupted,
        Code::BrokenPipe,
    ];

    /// What it means, for the manual.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Code::Success => "done",
            Code::Failed => "stopped by an error; for `check`: problems were found",
            Code::Refused => {
                "refused by a rule that restic does not have: a weak new password, a password file open to others, plain HTTP"
            }
            Code::Incomplete => "done, but some of the source could not be read",
            Code::NoRepository => "there is no repository at the location",
            Code::Locked => "somebody else's lock is in the way",
            Code::WrongPassword => "no key opens with the password",
            Code::Unreadable => {
                "files of the repository cannot be read, so nothing was removed; 1 under the name `restic`"
            }
            Code::Interrupted => "interrupted by a signal",
            Code::BrokenPipe => "whoever read our output is gone",
        }
    }

    /// What to do about it.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Code::Success => "Nothing. Where results were asked for, they are complete.",
            Code::Failed => {
                "Read the last line on standard error. `check` tells whether the repository is sound, `repair` mends it."
            }
            Code::Refused => {
                "Nothing was changed. Standard error says what is wrong, and names the flag that allows it. Under the name `restic` this code does not occur."
            }
            Code::Incomplete => {
                "The snapshot was written without what could not be read; standard error names it. For `forget`: some snapshots could not be removed, run it again."
            }
            Code::NoRepository => {
                "Compare `--repo` and the variables with where the repository is. `init` makes a new one; never do so where one should be."
            }
            Code::Locked => {
                "Wait for the other program: `--retry-lock 10m` does. If it died, `unlock` removes its lock once it is stale."
            }
            Code::WrongPassword => {
                "Compare the password with the one of this repository; `--key-hint` names a key. Without a password nobody can read the data."
            }
            Code::Unreadable => {
                "Standard error names the files. Damaged, or planted by somebody who may only append: the guide to repair says how each kind is looked at and removed."
            }
            Code::Interrupted => {
                "Run the command again: what was stored is found and not stored twice. No lock is left behind."
            }
            Code::BrokenPipe => "The program that read the output ended early. Nothing was damaged.",
        }
    }
}

/// Why a run does not end with success.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: Code,
    /// What is printed, whole: any "Fatal: " is part of it.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<&'static str>,
}

impl Failure {
    /// A user's error: `Fatal: message`, code 1.
    pub(crate) fn fatal(message: impl std::fmt::Display) -> Self {
        Failure { code: Code::Failed, message: format!("Fatal: {message}"), hint: None }
    }

    /// A message printed as it is, code 1.
    pub(crate) fn plain(message: impl Into<String>) -> Self {
        Failure { code: Code::Failed, message: message.into(), hint: None }
    }

    /// What `rule` refuses: code 2, and how it is allowed.
    pub(crate) fn refused(message: impl std::fmt::Display, rule: &Rule) -> Self {
        Failure::fatal(message).code(Code::Refused).hint(rule.hint)
    }

    /// The same failure under another code.
    #[must_use]
    pub(crate) fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// The same failure with a hint.
    #[must_use]
    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// The same failure as the program of this name ends with.
    #[must_use]
    pub(crate) fn told_by(mut self, program: Program) -> Self {
        if self.code == Code::Unreadable && program.is_restic() {
            self.code = Code::Failed;
        }
        self
    }

    /// The same failure, which says that nothing was removed because of a file that cannot be read.
    #[must_use]
    pub(crate) fn unreadable(self, hint: &'static str) -> Self {
        self.code(Code::Unreadable).hint(hint)
    }

    /// An error of a library met while `doing` something: `Fatal: doing: error`, with the error's own code and hint.
    pub(crate) fn while_doing(doing: &str, error: impl Into<Failure>) -> Self {
        let mut failure: Failure = error.into();
        if !matches!(failure.code, Code::NoRepository | Code::Locked | Code::WrongPassword) {
            let message = failure.message.strip_prefix("Fatal: ").unwrap_or(&failure.message);
            failure.message = format!("Fatal: {doing}: {message}");
        }
        failure
    }
}

impl From<RepoError> for Failure {
    fn from(error: RepoError) -> Self {
        let text = chain(&error);
        if is_not_encrypted(&error) {
            return Failure::refused(text, &PLAINTEXT);
        }
        let (code, message, hint) = match &error {
            RepoError::NoRepository { location, .. } => {
                let place =
                    format!("Fatal: {text}\nIs there a repository at the following location?\n{location}");
                (Code::NoRepository, place, Some("`init` makes a new repository there"))
            }
            RepoError::Locked { holder } => {
                let lines = "the `unlock` command can be used to remove stale locks";
                let message = format!(
                    "{error}\nlock was created at {} ({} ago)\nstorage ID {}\n{lines}",
                    holder.time.local_text(&local_zone()),
                    units::go_duration(holder.age()),
                    holder.lock.short()
                );
                (Code::Locked, message, Some("`--retry-lock 10m` waits for the other program to end"))
            }
            RepoError::WrongPassword => (Code::WrongPassword, format!("Fatal: {text}"), None),
            RepoError::Cancelled => (Code::Interrupted, "Fatal: context canceled".into(), None),
            RepoError::UnreadableLock { .. } => (
                Code::Unreadable,
                format!("Fatal: {text}"),
                Some("`unlock --remove-all` removes locks that cannot be read"),
            ),
            RepoError::Damaged { .. } | RepoError::DamagedBlob { .. } | RepoError::Format { .. } => {
                (Code::Failed, format!("Fatal: {text}"), Some("`check` tells what is damaged"))
            }
            RepoError::UnknownBlob { .. } => {
                (Code::Failed, format!("Fatal: {text}"), Some("`check` tells what is missing"))
            }
            _ => (Code::Failed, format!("Fatal: {text}"), None),
        };
        Failure { code, message, hint }
    }
}

/// Whether a request was not made because nobody would have encrypted it.
fn is_not_encrypted(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| cause.is::<NotEncrypted>())
}

impl From<tresor_snapshot::Error> for Failure {
    fn from(error: tresor_snapshot::Error) -> Self {
        match error {
            tresor_snapshot::Error::Repo(error) => error.into(),
            error => Failure::plain(chain(&error)),
        }
    }
}

impl From<tresor_backend::Error> for Failure {
    fn from(error: tresor_backend::Error) -> Self {
        Failure::from(RepoError::from(error))
    }
}

/// The zone of this process; asked for here, since an error is worded without a session at hand.
fn local_zone() -> tresor_repo::time::Zone {
    let variable = std::env::var_os("TZ");
    tresor_repo::time::Zone::system(variable.as_deref().and_then(std::ffi::OsStr::to_str))
}
