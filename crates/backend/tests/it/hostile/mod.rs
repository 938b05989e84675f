//! Servers that misbehave, each in one way: the right error, soon, in little memory.
//!
//! A [`Case`] is HTTP and nothing more; each backend that speaks it runs all of them, and adds what only its
//! own protocol makes possible.

mod b2;
pub(crate) mod cases;
mod object;
mod rest;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tresor_backend::{
    Backend, ByteRange, Cancel, ErrorKind, FileKind, FileName, Id, Listed, Payload, Result, net, retry::Retry,
};
use tresor_testkit::servers::scripted::{Act, Scripted, Seen};

/// What is asked of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Stat,
    /// 100 bytes from 50.
    Load,
    /// A whole file of at most 1000 bytes.
    Whole,
    List,
    /// A file of 16 MiB.
    Save,
    Remove,
}

/// What has to come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// An error of this kind.
    Kind(ErrorKind),
    /// Any error.
    Fails,
    /// It works all the same.
    Works,
}

/// One misbehaviour.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) ask: Ask,
    pub(crate) script: fn(&Seen) -> Vec<Act>,
    pub(crate) expect: Expect,
}

/// How long a stuck server is waited for here.
pub(crate) const STUCK: Duration = Duration::from_millis(300);
/// No case may take longer, on a busy machine too.
const SOON: Duration = Duration::from_secs(20);

pub(crate) fn network() -> net::Options {
    net::Options { stuck_after: STUCK, ..net::Options::default() }
}

pub(crate) fn pack() -> FileName {
    FileName::new(FileKind::Pack, Id::from_bytes([0xab; 32]))
}

/// What a call gave, in bytes or names.
fn ask(backend: &dyn Backend, ask: Ask) -> Result<usize> {
    let mut into = Vec::new();
    match ask {
        Ask::Stat => backend.stat(pack()).map(|_| 0),
        Ask::Load => {
            backend.load(pack(), ByteRange { offset: 50, length: 100 }, &mut into).map(|()| into.len())
        }
        Ask::Whole => {
            let outcome = backend.load_whole(pack(), 1000, &mut into).map(|()| into.len());
            assert!(into.capacity() <= 64 * 1024 * 1024, "{} bytes of memory", into.capacity());
            outcome
        }
        Ask::List => names(backend).map(|listed| listed.len()),
        Ask::Save => backend.save(pack(), &Payload::from(&vec![7; 16 << 20][..])).map(|()| 0),
        Ask::Remove => backend.remove(pack()).map(|()| 0),
    }
}

pub(crate) fn names(backend: &dyn Backend) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    backend.list(FileKind::Lock, &mut |one| {
        listed.push(one);
        Ok(())
    })?;
    Ok(listed)
}

/// Runs `cases` against backends that `open` makes, and says all that went wrong.
pub(crate) fn run(cases: &[Case], open: fn(SocketAddr) -> Arc<dyn Backend>) {
    run_behind(cases, |_| None, open);
}

/// The same by a server that answers `honest`ly what comes before the question, such as a login.
pub(crate) fn run_behind(
    cases: &[Case],
    honest: fn(&Seen) -> Option<Vec<Act>>,
    open: fn(SocketAddr) -> Arc<dyn Backend>,
) {
    let mut wrong = Vec::new();
    for case in cases {
        let script = case.script;
        let server = Scripted::start(move |seen| honest(seen).unwrap_or_else(|| script(seen)));
        let backend = open(server.address);
        let begin = Instant::now();
        let outcome = ask(&*backend, case.ask);
        let right = match (&outcome, case.expect) {
            (Ok(_), Expect::Works) | (Err(_), Expect::Fails) => true,
            (Err(error), Expect::Kind(kind)) => error.kind() == kind,
            _ => false,
        };
        if !right || begin.elapsed() > SOON {
            wrong.push(format!("{}: {outcome:?} after {:?}", case.name, begin.elapsed()));
        }
        if let Err(error) = &outcome {
            let text = chain(error);
            if text.len() > 2000 || text.chars().any(char::is_control) {
                wrong.push(format!("{}: the error is not fit to be shown: {text:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// An error and its causes.
pub(crate) fn chain(error: &tresor_backend::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// A backend with retries that wait no time.
pub(crate) fn patient(backend: Arc<dyn Backend>) -> Retry<Arc<dyn Backend>> {
    let clock = Arc::new(tresor_backend::ManualClock::default());
    Retry::new(backend, Cancel::new()).with_clock(clock, 1)
}
