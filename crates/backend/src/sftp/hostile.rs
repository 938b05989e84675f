//! Servers that misbehave, each in one way: the right error, soon, in little memory.

use super::*;
use crate::Id;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

mod cases;

/// How long a server that says nothing is waited for here.
const STUCK: Duration = Duration::from_millis(300);
/// No case may take longer, on a busy machine too.
const SOON: Duration = Duration::from_secs(30);
/// The file that the server has, but for what a case makes of it.
const FILE: usize = 200;

/// What is asked of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Stat,
    /// 100 bytes from 50.
    Load,
    /// A whole file of at most 1000 bytes.
    Whole,
    List,
    /// A file of 4 MiB.
    Save,
    Remove,
}

/// What has to come of it: an error of this kind, or so many bytes or names.
type Expect = std::result::Result<usize, ErrorKind>;

/// A request as the server sees it.
struct Seen<'a> {
    /// Its number in the protocol.
    code: u8,
    /// How many of that number came before it.
    nth: usize,
    /// Its fields.
    fields: &'a [u8],
}

/// What the server does.
enum Act {
    /// What it should.
    Good,
    /// An answer to this request, of a type and with fields of its own.
    Answer(u8, Vec<u8>),
    /// Bytes that need not be an answer at all; `{id}` is not filled in.
    Raw(Vec<u8>),
    /// Nothing, and goes on.
    Silence,
    /// Nothing, and does not even listen any more.
    Deaf,
    /// Goes away.
    Close,
}

/// One misbehaviour.
struct Case {
    name: &'static str,
    ask: Ask,
    script: fn(&Seen<'_>) -> Act,
    expect: Expect,
}

fn number(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [&number(bytes.len() as u32)[..], bytes].concat()
}

fn status(code: u32, words: &[u8]) -> Act {
    Act::Answer(101, [&number(code)[..], &text(words), &text(b"")].concat())
}

/// Attributes with a length and a mode.
fn attributes(size: u64, mode: u32) -> Vec<u8> {
    [&number(5)[..], &size.to_be_bytes(), &number(mode)].concat()
}

/// A page of names, each with these attributes.
fn names(names: &[&[u8]], attributes: &[u8]) -> Act {
    let entries = names.iter().map(|name| [&text(name), &text(b"line")[..], attributes].concat());
    Act::Answer(104, [&number(names.len() as u32)[..], &entries.collect::<Vec<_>>().concat()].concat())
}

/// What a server does that is as it should be.
fn good(seen: &Seen<'_>) -> Act {
    match seen.code {
        3 | 11 => Act::Answer(102, text(b"handle")),
        5 => {
            let field =
                |from: usize| u32::from_be_bytes(seen.fields[from..from + 4].try_into().unwrap()) as usize;
            let (offset, length) = (field(field(0) + 8), field(field(0) + 12));
            let end = FILE.min(offset + length);
            if offset >= end {
                status(1, b"end of file")
            } else {
                Act::Answer(103, text(&vec![7; end - offset]))
            }
        }
        8 | 17 => Act::Answer(105, attributes(FILE as u64, 0o100_400)),
        12 if seen.nth == 0 => names(&[pack().id().hex().as_bytes()], &attributes(5, 0o100_400)),
        12 => status(1, b"end of file"),
        _ => status(0, b""),
    }
}

/// Plays a server by a script, until the client goes away.
fn serve(mut stream: UnixStream, script: fn(&Seen<'_>) -> Act) -> std::io::Result<()> {
    stream.read_exact(&mut [0; 9])?;
    stream.write_all(&[&[0, 0, 0, 5, 2][..], &number(3)].concat())?;
    let mut counts = [0; 256];
    let mut is_first = true;
    loop {
        let mut head = [0; 4];
        stream.read_exact(&mut head)?;
        let mut packet = vec![0; u32::from_be_bytes(head) as usize];
        stream.read_exact(&mut packet)?;
        let seen = Seen { code: packet[0], nth: counts[usize::from(packet[0])], fields: &packet[5..] };
        // The first question is the client's own, about the config.
        let act = if is_first { Act::Good } else { script(&seen) };
        counts[usize::from(seen.code)] += usize::from(!is_first);
        is_first = false;
        let act = if matches!(act, Act::Good) { good(&seen) } else { act };
        match act {
            Act::Answer(code, fields) => {
                let length = number(5 + fields.len() as u32);
                stream.write_all(&[&length[..], &[code], &packet[1..5], &fields].concat())?;
            }
            Act::Raw(bytes) => stream.write_all(&bytes)?,
            Act::Good | Act::Silence => {}
            Act::Deaf => {
                // Until the client has gone, as its end tells.
                while !is_gone(&stream) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            Act::Close => return Ok(()),
        }
    }
}

fn is_gone(stream: &UnixStream) -> bool {
    use nix::poll::{PollFd, PollFlags, poll};
    let mut ends = [PollFd::new(std::os::fd::AsFd::as_fd(stream), PollFlags::POLLOUT)];
    poll(&mut ends, 0u8).is_ok() && ends[0].revents().is_some_and(|seen| seen.contains(PollFlags::POLLHUP))
}

fn pack() -> FileName {
    FileName::new(FileKind::Lock, Id::from_bytes([0xab; 32]))
}

/// A backend on one end of a socket; when that is lost, it finds nobody any more.
fn over(stream: UnixStream) -> Sftp {
    let writer = Patient::new(stream.try_clone().unwrap(), STUCK).unwrap();
    // The reader shares the socket, which does not block any more.
    let reader = Blocking(stream);
    let session = Session::begin(writer, reader, String::new, STUCK).unwrap();
    let connection = Connection::of(session, None, "repo/").unwrap();
    Sftp {
        shown: "sftp:host:repo".into(),
        root: "repo/".into(),
        program: Program::given(&["/no/such/program".into()]),
        lanes: None,
        listener: None,
        stuck_after: STUCK,
        connections: CONNECTIONS,
        replaces: AtomicBool::new(false),
        current: Mutex::new(Some(Arc::new(connection))),
    }
}

/// Reads from a socket that does not block, as if it did.
struct Blocking(UnixStream);

impl Read for Blocking {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        loop {
            match self.0.read(into) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            let _ = poll(
                &mut [PollFd::new(std::os::fd::AsFd::as_fd(&self.0), PollFlags::POLLIN)],
                PollTimeout::NONE,
            );
        }
    }
}

/// What a call gave, in bytes or names.
fn ask(backend: &Sftp, ask: Ask) -> Result<usize> {
    let mut into = Vec::new();
    match ask {
        Ask::Stat => backend.stat(pack()).map(|size| size as usize),
        Ask::Load => {
            backend.load(pack(), ByteRange { offset: 50, length: 100 }, &mut into).map(|()| into.len())
        }
        Ask::Whole => {
            let outcome = backend.load_whole(pack(), 1000, &mut into).map(|()| into.len());
            assert!(into.capacity() <= 1 << 20, "{} bytes of memory", into.capacity());
            outcome
        }
        Ask::List => {
            let mut count = 0;
            backend.list(FileKind::Lock, &mut |_| {
                count += 1;
                Ok(())
            })?;
            Ok(count)
        }
        Ask::Save => backend.save(pack(), &Payload::from(&vec![7; 4 << 20][..])).map(|()| 0),
        Ask::Remove => backend.remove(pack()).map(|()| 0),
    }
}

#[test]
fn every_misbehaviour_is_met() {
    let mut wrong = Vec::new();
    for case in cases::CASES {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = std::thread::spawn(move || serve(theirs, case.script));
        let line = ours.try_clone().unwrap();
        let backend = over(ours);
        let begin = Instant::now();
        let outcome = ask(&backend, case.ask);
        let as_expected = match (&outcome, case.expect) {
            (Ok(got), Ok(expected)) => *got == expected,
            (Err(error), Err(expected)) => error.kind() == expected,
            _ => false,
        };
        if !as_expected || begin.elapsed() > SOON {
            wrong.push(format!("{}: {outcome:?} after {:?}", case.name, begin.elapsed()));
        }
        if let Err(error) = &outcome {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            if cause.len() > 2000 || cause.chars().any(char::is_control) {
                wrong.push(format!("{}: the error is not fit to be shown: {cause:?}", case.name));
            }
        }
        // As the end of a program would, whoever still waits for it.
        let _ = line.shutdown(std::net::Shutdown::Both);
        drop(backend);
        let _ = server.join().unwrap(); // that its client has gone is how it ends
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases::CASES.len(), wrong.join("\n"));
}
