//! The global flags: those every command takes.

use clap::{ArgAction, Args};
use std::path::PathBuf;
use std::time::Duration;
use tresor_backend::net::{NotAPin, Pin};
use tresor_repo::codec::{Compression, NoCompression};

use crate::environment::Environment;
use crate::exit::{Failure, Result};
use crate::keeper::Keeper;
use crate::{csv, gonumber, units};

/// Flags that may stand before or after every command.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Global flags")]
pub(crate) struct Global {
    /// Read the password from a file that others can read or replace (default: $TRESOR_ALLOW_OPEN_PASSWORD_FILE)
    #[arg(long, global = true)]
    pub(crate) allow_open_password_file: bool,
    /// Take a new password that is soon guessed (default: $TRESOR_ALLOW_WEAK_PASSWORD)
    #[arg(long, global = true)]
    pub(crate) allow_weak_password: bool,
    /// Load root certificates from a PEM file instead of the system's (default: $RESTIC_CACERT)
    #[arg(long, global = true, value_name = "FILE", value_parser = csv::checked)]
    pub(crate) cacert: Vec<String>,
    /// Keep the cache in this folder (default: the system's folder for caches)
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Remove caches that were not used for 30 days
    #[arg(long, global = true)]
    pub(crate) cleanup_cache: bool,
    /// Compress new blobs this hard, in repositories of version 2: auto, off, fastest, better, max or zstd:1 to zstd:22
    /// (default: $RESTIC_COMPRESSION or auto)
    #[arg(long, global = true, value_name = "MODE", value_parser = parse_compression)]
    pub(crate) compression: Option<Compression>,
    /// Name this program so in HTTP requests
    #[arg(long, global = true, value_name = "STRING")]
    pub(crate) http_user_agent: Option<String>,
    /// Use an empty password for the repository (insecure)
    #[arg(long, global = true)]
    pub(crate) insecure_no_password: bool,
    /// Speak to the server without encryption where its address says so (insecure)
    #[arg(long, global = true)]
    pub(crate) insecure_plaintext: bool,
    /// Do not verify the certificate of the server (insecure)
    #[arg(long, global = true)]
    pub(crate) insecure_tls: bool,
    /// Print results as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Try this key file first, named by its id or a prefix (default: $RESTIC_KEY_HINT)
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) key_hint: Option<String>,
    /// Let the password command see the credentials of the repository's service (default: $TRESOR_LEND_CREDENTIALS)
    #[arg(long, global = true)]
    pub(crate) lend_credentials: bool,
    /// Download at most so many KiB a second (default: no limit)
    #[arg(long, global = true, value_name = "RATE", value_parser = gonumber::int)]
    pub(crate) limit_download: Option<i64>,
    /// Upload at most so many KiB a second (default: no limit)
    #[arg(long, global = true, value_name = "RATE", value_parser = gonumber::int)]
    pub(crate) limit_upload: Option<i64>,
    /// Hold at most so many bytes of buffers in memory (default: 48M)
    #[arg(long, global = true, value_name = "SIZE", value_parser = units::parse_size)]
    pub(crate) memory: Option<u64>,
    /// Use no local cache
    #[arg(long, global = true)]
    pub(crate) no_cache: bool,
    /// Do not verify sealed blobs before their upload
    #[arg(long, global = true)]
    pub(crate) no_extra_verify: bool,
    /// Take no lock; only for commands that read
    #[arg(long, global = true)]
    pub(crate) no_lock: bool,
    /// Set an extended option of the backend (repeatable)
    #[arg(short = 'o', long = "option", global = true, value_name = "KEY=VALUE", value_parser = csv::checked)]
    pub(crate) options: Vec<String>,
    /// Target size of new packs in MiB, 4 to 128 (default: $RESTIC_PACK_SIZE or 16)
    #[arg(long, global = true, value_name = "SIZE", value_parser = gonumber::uint)]
    pub(crate) pack_size: Option<u64>,
    /// Take the password from the output of this command (default: $RESTIC_PASSWORD_COMMAND)
    #[arg(long, global = true, value_name = "COMMAND")]
    pub(crate) password_command: Option<String>,
    /// Read the password from this file (default: $RESTIC_PASSWORD_FILE)
    #[arg(short = 'p', long, global = true, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Take the password from keyring:NAME or systemd:NAME (default: $TRESOR_PASSWORD_FROM)
    #[arg(long, global = true, value_name = "KEEPER", value_parser = parse_keeper)]
    pub(crate) password_from: Option<Keeper>,
    /// Print only what was asked for, and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Location of the repository (default: $RESTIC_REPOSITORY)
    #[arg(short, long, global = true, value_name = "REPOSITORY")]
    pub(crate) repo: Option<String>,
    /// Read the location of the repository from this file (default: $RESTIC_REPOSITORY_FILE)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) repository_file: Option<PathBuf>,
    /// If the repository is locked, try again for so long, like 5m or 2h (default: do not)
    #[arg(long, global = true, value_name = "DURATION", value_parser = units::parse_duration)]
    pub(crate) retry_lock: Option<Duration>,
    /// Give up and retry an HTTP request that makes no progress for so long (default: 5m)
    #[arg(long, global = true, value_name = "DURATION", value_parser = units::parse_duration)]
    pub(crate) stuck_request_timeout: Option<Duration>,
    /// Present the client certificate and key of this PEM file (default: $RESTIC_TLS_CLIENT_CERT)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) tls_client_cert: Option<PathBuf>,
    /// Refuse certificates that are on these revocation lists, and those no list is about (repeatable; PEM or DER)
    /// (default: $TRESOR_TLS_CRL)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) tls_crl: Vec<PathBuf>,
    /// Refuse servers of another key; `tls show` tells it (repeatable: any of them will do) (default: $TRESOR_TLS_PIN)
    #[arg(long, global = true, value_name = "PIN", value_parser = parse_pin)]
    pub(crate) tls_pin: Vec<Pin>,
    /// Say more (repeat, or set --verbose=n, up to 2)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

fn parse_compression(text: &str) -> std::result::Result<Compression, String> {
    text.parse().map_err(|wrong: NoCompression| wrong.to_string())
}

/// A keeper of passwords by flag or variable.
pub(crate) fn parse_keeper(text: &str) -> std::result::Result<Keeper, String> {
    text.parse().map_err(str::to_owned)
}

/// What a switch is, if its variable turns it on.
fn switched(given: bool, name: &str, environment: &Environment) -> Result<bool> {
    let Some(text) = environment.text(name).filter(|_| !given) else { return Ok(given) };
    gonumber::bool(&text).map_err(|reason| invalid(name, &text, &reason))
}

fn invalid(name: &str, text: &str, reason: &str) -> Failure {
    Failure::fatal(format!("invalid value for TRESOR_{name} {text:?}: {reason}"))
}

fn parse_pin(text: &str) -> std::result::Result<Pin, String> {
    text.parse().map_err(|wrong: NotAPin| wrong.to_string())
}

impl Global {
    /// 0 quiet, 1 normal, 2 verbose, 3 very verbose.
    pub(crate) fn verbosity(&self) -> u8 {
        if self.quiet { 0 } else { 1 + self.verbose.min(2) }
    }

    /// Fills in the environment's defaults and refuses what contradicts itself.
    ///
    /// Like restic, this happens for every command, even those that need no repository.
    pub(crate) fn settle(mut self, environment: &Environment) -> Result<Self> {
        if self.pack_size.is_none()
            && let Some(text) = environment.text("PACK_SIZE")
        {
            let size = gonumber::decimal(&text, 32);
            self.pack_size = Some(size.map_err(|reason| {
                Failure::fatal(format!("invalid value for RESTIC_PACK_SIZE {text:?}: {reason}"))
            })?);
        }
        if self.compression.is_none()
            && let Some(text) = environment.text("COMPRESSION")
        {
            let mode = parse_compression(&text);
            self.compression = Some(mode.map_err(|reason| {
                Failure::fatal(format!("invalid value for RESTIC_COMPRESSION {text:?}: {reason}"))
            })?);
        }
        if self.quiet && self.verbose > 0 {
            return Err(Failure::fatal("--quiet and --verbose cannot be specified at the same time"));
        }
        let text = |name| environment.text(name);
        let path = |name| environment.setting(name).map(PathBuf::from);
        self.repo = self.repo.or_else(|| text("REPOSITORY")).filter(|repo| !repo.is_empty());
        self.repository_file = self.repository_file.or_else(|| path("REPOSITORY_FILE")).filter(not_empty);
        self.password_file = self.password_file.or_else(|| path("PASSWORD_FILE")).filter(not_empty);
        self.password_command =
            self.password_command.or_else(|| text("PASSWORD_COMMAND")).filter(|command| !command.is_empty());
        if self.password_from.is_none()
            && let Some(text) = text("PASSWORD_FROM")
        {
            self.password_from =
                Some(parse_keeper(&text).map_err(|reason| invalid("PASSWORD_FROM", &text, &reason))?);
        }
        let switch = |given, name| switched(given, name, environment);
        self.allow_open_password_file = switch(self.allow_open_password_file, "ALLOW_OPEN_PASSWORD_FILE")?;
        self.allow_weak_password = switch(self.allow_weak_password, "ALLOW_WEAK_PASSWORD")?;
        self.lend_credentials = switch(self.lend_credentials, "LEND_CREDENTIALS")?;
        self.key_hint = self.key_hint.or_else(|| text("KEY_HINT")).filter(|hint| !hint.is_empty());
        self.http_user_agent = self.http_user_agent.or_else(|| text("HTTP_USER_AGENT"));
        self.tls_client_cert = self.tls_client_cert.or_else(|| path("TLS_CLIENT_CERT"));
        if self.tls_crl.is_empty() {
            self.tls_crl =
                text("TLS_CRL").iter().flat_map(|list| list.split(',')).map(PathBuf::from).collect();
        }
        if self.tls_pin.is_empty()
            && let Some(list) = text("TLS_PIN")
        {
            let pins = list.split(',').map(parse_pin).collect::<std::result::Result<_, _>>();
            self.tls_pin = pins.map_err(|reason| invalid("TLS_PIN", &list, &reason))?;
        }
        if self.cacert.is_empty()
            && let Some(list) = text("CACERT")
        {
            self.cacert = list.split(',').map(csv::quoted).collect();
        }
        Ok(self)
    }

    /// Target size of new packs in bytes.
    pub(crate) fn pack_bytes(&self) -> Result<u32> {
        match self.pack_size.unwrap_or(0) {
            0 => Ok(16 << 20),
            1..4 => Err(Failure::fatal("pack size smaller than minimum of 4 MiB")),
            size @ 4..=128 => Ok((size as u32) << 20),
            _ => Err(Failure::fatal("pack size larger than limit of 128 MiB")),
        }
    }
}

#[expect(clippy::ptr_arg, reason = "it filters options of paths")]
fn not_empty(path: &PathBuf) -> bool {
    !path.as_os_str().is_empty()
}

#[cfg(test)]
impl Global {
    /// What a command line with only these flags says.
    pub(crate) fn of_flags(flags: &[&str]) -> Self {
        use clap::{Args, Command, FromArgMatches};
        let line = Global::augment_args(Command::new("tresor"));
        let matches = line.get_matches_from([&["tresor"], flags].concat());
        Global::from_arg_matches(&matches).unwrap_or_else(|error| panic!("{error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(args: &[&str], environment: Environment) -> Result<Global> {
        Global::of_flags(args).settle(&environment)
    }

    #[test]
    fn flags_win_over_the_environment_of_the_same_setting() {
        let environment =
            [("RESTIC_REPOSITORY", "env"), ("RESTIC_PACK_SIZE", "32"), ("RESTIC_COMPRESSION", "max")];
        let global = settle(&["--repo=flag"], Environment::from(environment)).unwrap();
        assert_eq!(global.repo.as_deref(), Some("flag"));
        assert_eq!(global.pack_bytes().unwrap(), 32 << 20);
        assert_eq!(global.compression, Some(Compression::Max));
        let global = settle(&["--password-command="], [("RESTIC_PASSWORD_COMMAND", "x")].into()).unwrap();
        assert_eq!(global.password_command, None);
    }

    #[test]
    fn a_variable_turns_a_switch_on() {
        let settled = |flags: &[&str], value: &str| {
            settle(flags, [("TRESOR_ALLOW_WEAK_PASSWORD", value)].into()).unwrap().allow_weak_password
        };
        assert!(settled(&[], "1") && settled(&["--allow-weak-password"], "0") && settled(&[], "true"));
        assert!(!settled(&[], "0") && !settled(&[], "false") && !settled(&[], ""));
    }

    #[test]
    fn contradictions_and_bad_values_are_refused() {
        let message =
            |result: Result<Global>| result.err().map(|failure| failure.message).unwrap_or_default();
        assert_eq!(
            message(settle(&["-q", "-v"], Environment::from([]))),
            "Fatal: --quiet and --verbose cannot be specified at the same time"
        );
        assert!(message(settle(&[], [("TRESOR_COMPRESSION", "abc")].into())).contains("must be one of"));
        assert!(message(settle(&[], [("RESTIC_PACK_SIZE", "zz")].into())).contains("RESTIC_PACK_SIZE"));
        let name = "TRESOR_ALLOW_WEAK_PASSWORD";
        assert!(message(settle(&[], [(name, "maybe")].into())).contains(name));
        assert!(message(settle(&[], [("TRESOR_PASSWORD_FROM", "x")].into())).contains("keyring:NAME"));
    }
}
