//! A server that does exactly what a test says, byte by byte: for what no honest server does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The head of a request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    head: String,
}

impl Seen {
    /// The method.
    pub fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// Path and query.
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// A header's value, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// One thing that the server does with a connection, after it has read the head of a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Reads the body that was announced.
    ReadBody,
    /// Writes these bytes as they are.
    Send(Vec<u8>),
    /// Writes these bytes again and again, until nobody reads any more.
    Endless(Vec<u8>),
    /// Does nothing for a while.
    Wait(Duration),
    /// Ends the connection.
    Close,
}

/// An answer of this status with this body, told right.
pub fn answer(status: &str, body: impl Into<Vec<u8>>) -> Vec<Act> {
    with_headers(status, "", body)
}

/// An answer with more headers (each line ended by `\r\n`).
pub fn with_headers(status: &str, headers: &str, body: impl Into<Vec<u8>>) -> Vec<Act> {
    let body = body.into();
    let mut bytes =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend(body);
    vec![Act::ReadBody, Act::Send(bytes)]
}

/// A server that answers by a script; it ends when dropped.
pub struct Scripted {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    ended: Arc<AtomicBool>,
}

impl Scripted {
    /// Starts a server that does with each request what `script` says.
    pub fn start(script: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (seen, ended) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<AtomicBool>::default());
        let (log, end, script) = (Arc::clone(&seen), Arc::clone(&ended), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), false) = (stream, end.load(Ordering::Relaxed)) else { return };
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                std::thread::spawn(move || serve(stream, &log, &*script));
            }
        });
        Scripted { address, seen, ended }
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the listener; if nobody is there any more, so much the better.
        let _ = TcpStream::connect(self.address);
    }
}

/// Serves one connection until it ends; that the peer goes away is no error here.
fn serve(stream: TcpStream, log: &Mutex<Vec<Seen>>, script: &dyn Fn(&Seen) -> Vec<Act>) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(seen) = head(&mut reader) {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
        for act in script(&seen) {
            let done = match act {
                Act::ReadBody => {
                    let length = seen.header("content-length").and_then(|text| text.parse().ok());
                    let mut body = reader.by_ref().take(length.unwrap_or(0));
                    std::io::copy(&mut body, &mut std::io::sink()).map(|_| ())
                }
                Act::Send(bytes) => writer.write_all(&bytes),
                Act::Endless(bytes) => loop {
                    if let Err(gone) = writer.write_all(&bytes) {
                        break Err(gone);
                    }
                },
                Act::Wait(time) => {
                    std::thread::sleep(time);
                    Ok(())
                }
                Act::Close => writer.shutdown(Shutdown::Both).and(Err(std::io::ErrorKind::BrokenPipe.into())),
            };
            if done.is_err() {
                return;
            }
        }
    }
}

fn head(reader: &mut impl BufRead) -> Option<Seen> {
    let mut head = String::new();
    loop {
        let before = head.len();
        match reader.read_line(&mut head) {
            Ok(0) | Err(_) => return None,
            Ok(_) if head[before..].trim().is_empty() => return Some(Seen { head }),
            Ok(_) => {}
        }
    }
}
