//! A small HTTP server for doubles: whole answers to whole requests; also a proxy to itself.

use super::{Mortal, free_address};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A request with its body.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query.
    pub(super) path: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// A header's value by its name in any case; empty if there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

/// An answer: status, further headers, body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Answer { status, headers: Vec::new(), body: body.into() }
    }
}

/// How requests are answered.
type Handle = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// A server that ends when it is dropped.
pub(super) struct Double {
    pub(super) address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    handle: Handle,
    listening: Option<Listening>,
}

/// One life of it.
struct Listening {
    thread: JoinHandle<()>,
    ended: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Double {
    /// Answers each request by `handle`, from a thread per connection.
    ///
    /// With `tls` it is a proxy, too, that leads everybody to itself, and there shows that certificate.
    pub(super) fn start(
        tls: Option<Arc<ServerConfig>>,
        handle: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let mut double = Double { address: free_address(), tls, handle: Arc::new(handle), listening: None };
        double.start_again();
        double
    }
}

impl Mortal for Double {
    /// And every connection with it; what is being answered is done, and nobody hears of it.
    fn kill(&mut self) {
        let Some(Listening { thread, ended, connections }) = self.listening.take() else { return };
        ended.store(true, Ordering::Relaxed);
        // Wakes the listener; if nobody is there any more, so much the better.
        let _ = TcpStream::connect(self.address);
        let _ = thread.join();
        for connection in locked(&connections).drain(..) {
            // Its peer may have left before.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).expect("the port is free");
        let (ended, connections) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (end, opened) = (Arc::clone(&ended), Arc::clone(&connections));
        let (tls, handle) = (self.tls.clone(), Arc::clone(&self.handle));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), false) = (stream, end.load(Ordering::Relaxed)) else { return };
                let mut opened = locked(&opened);
                opened.retain(|connection| connection.peer_addr().is_ok()); // not those that have ended
                opened.extend(stream.try_clone());
                drop(opened);
                let (tls, handle) = (tls.clone(), Arc::clone(&handle));
                std::thread::spawn(move || {
                    if let (Some(before), Some(tls)) = (serve(&stream, &*handle), tls) {
                        let connection = ServerConnection::new(tls).expect("the certificate can be used");
                        serve(StreamOwned::new(connection, before), &*handle);
                    }
                    // The listener has a handle of it, too.
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        self.listening = Some(Listening { thread, ended, connections });
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.kill();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection until the peer ends it, which is no error here; half a request is none.
///
/// Gives the connection back if its peer wants to be connected with somebody else.
fn serve<S: Read + Write>(stream: S, handle: &dyn Fn(&Request) -> Answer) -> Option<S> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let connects = request.method == "CONNECT";
        let answer = if connects { Answer::new(200, "") } else { handle(&request) };
        let mut head = format!("HTTP/1.1 {} x\r\n", answer.status);
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !connects {
            head += &format!("Content-Length: {}\r\n", answer.body.len());
        }
        let body = if request.method == "HEAD" { &[][..] } else { &answer.body };
        let stream_out = stream.get_mut();
        stream_out.write_all(&[head.as_bytes(), b"\r\n", body].concat()).ok()?;
        stream_out.flush().ok()?;
        if connects {
            return Some(stream.into_inner());
        }
    }
    None
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&length| length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new() };
    request.body = vec![0; request.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}
