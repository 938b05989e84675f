//! What the command line and the environment say about backends, as the backends want to know it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tresor_backend::Location;
use tresor_backend::child::Listener;
use tresor_backend::location::Place;
use tresor_backend::net::{self, Login, Plaintext, Proxies};
use tresor_backend::open::Options;
use tresor_backend::rclone;
use tresor_backend::sftp;

use crate::args::Global;
use crate::compat::Program;
use crate::environment::Environment;
use crate::exit::{Failure, Result};
use crate::extended::{Extended, KNOWN};
use crate::{certificates, gonumber, objects, shellwords, units};

/// The options for the backend of `scheme`; `say` is told what programs between us and it have to say.
///
/// # Errors
/// An extended option of this scheme that is unknown or makes no sense; a certificate file that cannot be used.
pub(crate) fn options(
    scheme: &'static str,
    extended: &Extended,
    global: &Global,
    environment: &Environment,
    program: Program,
    plain: &Plain<'_>,
    say: &Listener,
) -> Result<Options> {
    let own = Own { scheme, values: extended.namespace(scheme, KNOWN)? };
    Ok(Options {
        connections: own.connections()?,
        network: net::Options {
            plaintext: plaintext(global, program, plain, say),
            ..network(global, environment)?
        },
        rest: Login {
            user: environment.text("REST_USERNAME").unwrap_or_default(),
            password: environment.text("REST_PASSWORD").unwrap_or_default(),
        },
        rclone: own.rclone(say)?,
        sftp: own.sftp(say, environment)?,
        s3: own.of("s3", |values| objects::s3(values, environment))?,
        azure: own.of("azure", |values| objects::azure(values, environment))?,
        gs: own.of("gs", |values| Ok(objects::gs(values, environment)))?,
        swift: own.of("swift", |_| Ok(objects::swift(environment)))?,
        b2: own.of("b2", |values| Ok(objects::b2(values, environment)))?,
        webdav: objects::webdav(environment),
    })
}

/// The extended options of the backend in use.
struct Own<'a> {
    scheme: &'static str,
    values: BTreeMap<&'a str, &'a str>,
}

impl Own<'_> {
    /// What `read` makes of the options, if the backend in use is of this scheme.
    fn of<T: Default>(
        &self,
        scheme: &str,
        read: impl FnOnce(&BTreeMap<&str, &str>) -> Result<T>,
    ) -> Result<T> {
        if self.scheme == scheme { read(&self.values) } else { Ok(T::default()) }
    }

    fn connections(&self) -> Result<Option<NonZeroUsize>> {
        let Some(text) = self.values.get("connections") else { return Ok(None) };
        let count = gonumber::uint(text).map_err(Failure::plain)?;
        let count = u32::try_from(count).map_err(|_| {
            Failure::plain(format!("strconv.ParseUint: parsing {text:?}: value out of range"))
        })?;
        NonZeroUsize::new(count as usize)
            .map(Some)
            .ok_or_else(|| Failure::fatal(format!("{}.connections must be at least 1", self.scheme)))
    }

    /// A command line, split as restic splits it; nothing is none.
    fn words(&self, name: &str) -> Result<Option<Vec<OsString>>> {
        let Some(text) = self.values.get(name) else { return Ok(None) };
        if text.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let words = shellwords::split(text).map_err(Failure::fatal)?;
        Ok(Some(words.into_iter().map(OsString::from).collect()))
    }

    fn rclone(&self, say: &Listener) -> Result<rclone::Options> {
        let mut options = rclone::Options { listener: Some(say.clone()), ..rclone::Options::default() };
        if self.scheme != "rclone" {
            return Ok(options);
        }
        if let Some(program) = self.words("program")? {
            options.program = program;
        }
        if let Some(arguments) = self.words("args")? {
            options.arguments = arguments;
        }
        if let Some(text) = self.values.get("timeout") {
            options.timeout = units::parse_duration(text).map_err(Failure::plain)?;
        }
        Ok(options)
    }

    fn sftp(&self, say: &Listener, environment: &Environment) -> Result<sftp::Options> {
        let mut options = sftp::Options { listener: Some(say.clone()), ..sftp::Options::default() };
        if self.scheme != "sftp" {
            return Ok(options);
        }
        options.command = self.words("command")?.filter(|words| !words.is_empty());
        options.arguments = self.words("args")?.unwrap_or_default();
        if options.command.is_some() && !options.arguments.is_empty() {
            return Err(Failure::fatal("cannot specify both sftp.command and sftp.args options"));
        }
        let folders = ["XDG_RUNTIME_DIR", "TMPDIR"].into_iter().filter_map(|name| environment.get(name));
        let folder = folders.map(PathBuf::from).find(|folder| folder.is_absolute());
        options.sockets = Some(folder.unwrap_or_else(|| PathBuf::from("/tmp")));
        Ok(options)
    }
}

/// What is known of plain HTTP to a repository.
pub(crate) struct Plain<'a> {
    /// Whether an earlier run allowed it.
    pub(crate) is_remembered: bool,
    /// Set once it is spoken.
    pub(crate) was_spoken: &'a Arc<AtomicBool>,
}

/// What becomes of plain HTTP, by [`compat::PLAINTEXT`](crate::compat::PLAINTEXT).
fn plaintext(global: &Global, program: Program, plain: &Plain<'_>, say: &Listener) -> Plaintext {
    if !program.goes_on(global.insecure_plaintext || plain.is_remembered) {
        return Plaintext::Refused;
    }
    let (say, was_spoken) = (say.clone(), Arc::clone(plain.was_spoken));
    Plaintext::Allowed(Arc::new(move |server: &str| {
        was_spoken.store(true, Ordering::Relaxed);
        say(&format!(
            "warning: {server} is spoken to without encryption: who is on the way can read the credentials and \
             change what is answered"
        ));
    }))
}

/// What to say on every run in which nobody looks at a server's certificate.
pub(crate) fn unverified(location: &Location, network: &net::Options) -> Option<&'static str> {
    let is_elsewhere = !matches!(location.place(), Place::Local(_) | Place::Sftp(_) | Place::Rclone { .. });
    match (network.insecure_tls && is_elsewhere, network.pins.is_empty()) {
        (false, _) => None,
        (true, true) => {
            Some("warning: --insecure-tls: nobody looks whether the server is the one that is meant")
        }
        (true, false) => Some("warning: --insecure-tls: nothing but the key of the server is verified"),
    }
}

/// How to talk to servers, by flags and variables; nothing is spoken without encryption.
///
/// # Errors
/// A certificate file that cannot be used.
pub(crate) fn network(global: &Global, environment: &Environment) -> Result<net::Options> {
    let mut network = net::Options {
        roots: certificates::roots(global)?,
        identity: certificates::identity(global)?,
        revoked: certificates::revoked(global)?,
        pins: global.tls_pin.clone(),
        insecure_tls: global.insecure_tls,
        proxies: proxies(environment),
        ..net::Options::default()
    };
    if let Some(agent) = global.http_user_agent.as_ref().filter(|agent| !agent.is_empty()) {
        network.user_agent.clone_from(agent);
    }
    if let Some(limit) = global.stuck_request_timeout {
        network.stuck_after = limit;
    }
    Ok(network)
}

/// The proxies by the usual variables, in capitals or not.
fn proxies(environment: &Environment) -> Proxies {
    let text = |name: &str| {
        let value = environment.get(name).or_else(|| environment.get(&name.to_lowercase()));
        value.map(|value| value.to_string_lossy().into_owned())
    };
    Proxies {
        http: text("HTTP_PROXY"),
        https: text("HTTPS_PROXY"),
        none_for: text("NO_PROXY").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str], environment: Environment) -> Result<Options> {
        let global = Global::of_flags(args);
        let extended = Extended::parse(&global.options)?;
        let scheme = if args.iter().any(|word| word.starts_with("sftp.")) { "sftp" } else { "rest" };
        let say: Listener = Arc::new(|_: &str| {});
        let plain = Plain { is_remembered: false, was_spoken: &Arc::default() };
        super::options(scheme, &extended, &global, &environment, Program::Tresor, &plain, &say)
    }

    #[test]
    fn a_command_for_sftp_is_split_and_stands_alone() {
        let sftp = |args: &[&str]| Ok::<_, Failure>(options(args, Environment::from([]))?.sftp);
        let command = sftp(&["-o", "sftp.command=ssh -i 'a key' host"]).unwrap().command.unwrap();
        assert_eq!(command, ["ssh", "-i", "a key", "host"]);
        let empty = sftp(&["-o", "sftp.command=", "-o", "sftp.args=-v -i key"]).unwrap();
        assert_eq!((empty.command, empty.arguments), (None, ["-v", "-i", "key"].map(OsString::from).into()));
        let both = sftp(&["-o", "sftp.command=x", "-o", "sftp.args=-v"]).unwrap_err();
        assert_eq!(both.message, "Fatal: cannot specify both sftp.command and sftp.args options");
        let open = sftp(&["-o", "sftp.args='x"]).unwrap_err();
        assert_eq!(open.message, "Fatal: single-quoted string not terminated");
    }

    #[test]
    fn flags_and_variables_reach_the_backend() {
        let environment = Environment::from([
            ("RESTIC_REST_USERNAME", "user"),
            ("RESTIC_REST_PASSWORD", "secret"),
            ("https_proxy", "http://proxy:3128"),
            ("NO_PROXY", "inside.example"),
        ]);
        let args = ["-o", "rest.connections=7", "--stuck-request-timeout=7s", "--http-user-agent=me"];
        let options = options(&args, environment).unwrap();
        assert_eq!(options.connections, NonZeroUsize::new(7));
        assert_eq!((options.rest.user.as_str(), options.rest.password.as_str()), ("user", "secret"));
        assert_eq!(options.network.proxies.https.as_deref(), Some("http://proxy:3128"));
        assert_eq!(options.network.proxies.none_for, "inside.example");
        assert_eq!((options.network.stuck_after.as_secs(), options.network.user_agent.as_str()), (7, "me"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in ["rest.connections=0", "rest.connections=x", "rest.bogus=1"] {
            assert!(options(&["-o", bad], Environment::from([])).is_err(), "{bad}");
        }
        assert!(options(&["-o", "s3.bogus=1"], Environment::from([])).is_ok());
    }
}
