//! One conversation with a server: many threads ask at once, one thread reads the answers.

use super::failure::Failure;
use super::wire::{HELLO, Handle, LONGEST_PACKET, Offers, Reply, Request};
use crate::shown::escaped;
use std::collections::HashMap;
use std::io::{self, BufReader, IoSlice, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long we wait for the reader to find out why nothing can be written any more, or to end.
const GRACE: Duration = Duration::from_secs(2);

/// A conversation that has begun. It ends when dropped.
pub(super) struct Session {
    writer: Mutex<Option<Box<dyn Write + Send>>>,
    patience: Duration,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
    pub(super) offers: Offers,
}

/// What the askers and the reader share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
    /// Counts what comes and goes.
    moved: AtomicU64,
}

#[derive(Default)]
struct State {
    /// The id of the next request.
    next: u32,
    /// Who waits for the answer to which request; nobody, for one that is not worth waiting for.
    waiting: HashMap<u32, Option<Sender<Answer>>>,
    /// Why the conversation is over.
    lost: Option<Arc<str>>,
    /// Whether nobody reads any more.
    unread: bool,
}

/// The id of a request, and the reply unless the conversation ended before it came.
type Answer = (u32, Option<Reply>);

impl Session {
    /// Begins a conversation; `last_words` are what is known of its end when it has ended.
    ///
    /// Once begun, it is given up when nothing comes or goes for as long as `patience`.
    pub(super) fn begin(
        mut writer: impl Write + Send + 'static,
        reader: impl Read + Send + 'static,
        last_words: impl Fn() -> String + Send + 'static,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let shared = Arc::<Shared>::default();
        let reader = Counted { inner: reader, shared: Arc::clone(&shared) };
        let mut reader = BufReader::with_capacity(64 * 1024, reader);
        let hello = writer.write_all(&HELLO).and_then(|()| writer.flush());
        let offers = match read_packet(&mut reader) {
            Ok(packet) => Offers::of(&packet)?,
            Err(failure) => return Err(Failure::Lost(why(&failure, &last_words()).into())),
        };
        hello?;
        let of_reader = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("sftp-reader".into());
        let thread = thread.spawn(move || {
            let failure = of_reader.read(&mut reader);
            let why = why(&failure, &last_words());
            of_reader.lock().unread = true;
            of_reader.end(&why);
        })?;
        let writer: Box<dyn Write + Send> = Box::new(writer);
        Ok(Session { writer: Mutex::new(Some(writer)), patience, shared, reader: Some(thread), offers })
    }

    /// Whether nothing can be asked any more.
    pub(super) fn is_over(&self) -> bool {
        self.shared.lock().lost.is_some()
    }

    pub(super) fn exchange(&self) -> Exchange<'_> {
        let (sender, receiver) = channel();
        Exchange { session: self, sender, receiver, early: HashMap::new() }
    }

    fn send(
        &self,
        request: &Request<'_>,
        content: &[u8],
        asker: Option<&Sender<Answer>>,
    ) -> Result<u32, Failure> {
        let id = self.shared.register(asker)?;
        let packet = request.encode(id);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match writer.as_mut() {
            Some(writer) => write_both(writer, &packet, content),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        if written.is_err() {
            *writer = None; // half a packet may be on its way: nothing can follow it
            drop(writer);
            let found = self.shared.wait_until(|state| state.lost.is_some());
            return Err(found.unwrap_or_else(|| self.shared.end("nothing can be sent")));
        }
        self.shared.moved.fetch_add(1, Ordering::Relaxed);
        Ok(id)
    }

    /// Asks for what nobody waits for; where it is not done, the conversation is over.
    fn send_unheard(&self, request: &Request<'_>) {
        let _ = self.send(request, &[], None);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        *self.writer.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        self.shared.wait_until(|state| state.unread);
        // Who does not end by itself will be killed, or has left somebody behind who keeps the pipe open.
        if let Some(reader) = self.reader.take().filter(|_| self.shared.lock().unread) {
            let _ = reader.join(); // a panic there has nothing left to protect
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, asker: Option<&Sender<Answer>>) -> Result<u32, Failure> {
        let mut state = self.lock();
        if let Some(why) = &state.lost {
            return Err(Failure::Lost(Arc::clone(why)));
        }
        let id = state.next;
        state.next = id.wrapping_add(1);
        state.waiting.insert(id, asker.cloned());
        Ok(id)
    }

    /// Hands answers to those who wait for them, until one cannot be read.
    fn read(&self, reader: &mut impl Read) -> Failure {
        loop {
            let (id, reply) = match read_packet(reader).and_then(Reply::of) {
                Ok(answer) => answer,
                Err(failure) => return failure,
            };
            match self.lock().waiting.remove(&id) {
                Some(Some(asker)) => drop(asker.send((id, Some(reply)))), // who does not listen has given up
                Some(None) => {}
                None => return Failure::Malformed("an answer to no request"),
            }
        }
    }

    /// Ends the conversation for everybody who waits; the first reason is the one to tell.
    fn end(&self, why: &str) -> Failure {
        let mut state = self.lock();
        let why = Arc::clone(state.lost.get_or_insert_with(|| why.into()));
        for (id, asker) in std::mem::take(&mut state.waiting) {
            if let Some(asker) = asker {
                let _ = asker.send((id, None));
            }
        }
        drop(state);
        self.ended.notify_all();
        Failure::Lost(why)
    }

    /// Waits a moment for something to be so; answers why the conversation is over, if it is.
    fn wait_until(&self, is_so: impl Fn(&State) -> bool) -> Option<Failure> {
        let waited = self.ended.wait_timeout_while(self.lock(), GRACE, |state| !is_so(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.lost.clone().map(Failure::Lost)
    }
}

/// Tells that something has come.
struct Counted<R> {
    inner: R,
    shared: Arc<Shared>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into);
        self.shared.moved.fetch_add(1, Ordering::Relaxed);
        read
    }
}

/// One caller's requests and their answers. Requests still open when it is dropped are not waited for.
pub(super) struct Exchange<'s> {
    session: &'s Session,
    sender: Sender<Answer>,
    receiver: Receiver<Answer>,
    /// Answers that came before they were waited for.
    early: HashMap<u32, Reply>,
}

impl<'s> Exchange<'s> {
    /// Sends a request; the answer is had by its id.
    pub(super) fn send(&mut self, request: &Request<'_>) -> Result<u32, Failure> {
        self.session.send(request, &[], Some(&self.sender))
    }

    /// Sends content for an open file.
    pub(super) fn write(&mut self, handle: &Handle, offset: u64, content: &[u8]) -> Result<u32, Failure> {
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        self.session.send(&Request::Write { handle, offset, length }, content, Some(&self.sender))
    }

    /// Waits for the answer to a request of this exchange.
    pub(super) fn wait(&mut self, id: u32) -> Result<Reply, Failure> {
        let shared = &self.session.shared;
        let mut moved = shared.moved.load(Ordering::Relaxed);
        loop {
            if let Some(reply) = self.early.remove(&id) {
                return Ok(reply);
            }
            match self.receiver.recv_timeout(self.session.patience) {
                Ok((came, Some(reply))) => drop(self.early.insert(came, reply)),
                Ok((_, None)) => return Err(shared.end("it was closed")), // the reason is known already
                Err(_) => {
                    let before = std::mem::replace(&mut moved, shared.moved.load(Ordering::Relaxed));
                    if before == moved {
                        let patience = self.session.patience;
                        return Err(shared.end(&format!("the server has not answered for {patience:?}")));
                    }
                }
            }
        }
    }

    /// Sends a request and waits for the answer.
    pub(super) fn ask(&mut self, request: &Request<'_>) -> Result<Reply, Failure> {
        let id = self.send(request)?;
        self.wait(id)
    }

    /// What an opened file or folder is called; it is closed when the answer is dropped.
    pub(super) fn opened(&self, reply: &Reply) -> Result<Open<'s>, Failure> {
        Ok(Open { session: self.session, handle: reply.handle()?, closed: false })
    }

    pub(super) fn offers(&self) -> Offers {
        self.session.offers
    }
}

/// Something open on the server, closed when dropped.
pub(super) struct Open<'s> {
    session: &'s Session,
    pub(super) handle: Handle,
    closed: bool,
}

impl Open<'_> {
    /// Closes it; the answer, by its id, tells whether all that was written is there.
    pub(super) fn close(mut self, exchange: &mut Exchange<'_>) -> Result<u32, Failure> {
        self.closed = true;
        exchange.send(&Request::Close(&self.handle))
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.session.send_unheard(&Request::Close(&self.handle));
        }
    }
}

/// Reads one packet, and never more than a packet may be long.
fn read_packet(reader: &mut impl Read) -> Result<Vec<u8>, Failure> {
    let mut head = [0; 4];
    reader.read_exact(&mut head)?;
    let length = u32::from_be_bytes(head) as usize;
    if length > LONGEST_PACKET {
        let mut rest = [0; 60];
        let more = reader.read(&mut rest).unwrap_or(0); // only for the message
        let text = [&head[..], &rest[..more]].concat();
        let text = escaped(&String::from_utf8_lossy(&text));
        let advice = "does a start-up file of the login shell print something?";
        return Err(io::Error::other(format!("what came is not SFTP, but “{text}” ({advice})")).into());
    }
    let mut packet = Vec::with_capacity(length);
    reader.by_ref().take(length as u64).read_to_end(&mut packet)?;
    if packet.len() < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(packet)
}

/// Writes a packet and its content in as few calls as the pipe allows.
fn write_both(writer: &mut dyn Write, packet: &[u8], content: &[u8]) -> io::Result<()> {
    let mut slices = [IoSlice::new(packet), IoSlice::new(content)];
    let mut rest = &mut slices[..];
    while rest.iter().any(|slice| !slice.is_empty()) {
        match writer.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Why a conversation ended, in one line.
fn why(failure: &Failure, last_words: &str) -> String {
    let ended = matches!(failure, Failure::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof);
    match (ended, last_words) {
        (true, "") => "it was closed".to_owned(),
        (true, words) => words.to_owned(),
        (false, "") => failure.to_string(),
        (false, words) => format!("{failure} ({words})"),
    }
}

#[cfg(test)]
mod tests;
