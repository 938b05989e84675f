//! Servers that note every byte they are told.

use rustls::{ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tresor_testkit::{certificates, servers};

/// What a server was told inside of TLS, or outside of it if it speaks none.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Vec<u8>>>);

impl Told {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn note(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }
}

/// A server; what it runs ends with it.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) told: Told,
    program: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(program) = &mut self.program {
            let _ = program.kill(); // it may have ended
            let _ = program.wait();
        }
    }
}

/// The answer of a server that wants to know who asks.
pub(super) fn who_are_you(request: &str) -> String {
    let status =
        if request.to_lowercase().contains("authorization: ") { "200 OK" } else { "401 Unauthorized" };
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// An HTTPS server that shows what `pem` holds, and answers the beginning of a request by `answer`.
pub(super) fn https(pem: &str, answer: impl Fn(&str) -> String + Send + 'static) -> Server {
    let config = certificates::server(pem, None);
    listening(move |stream, told| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        converse(&mut stream, told, &answer);
        stream.conn.send_close_notify();
        let _ = stream.flush(); // the client may be gone
    })
}

/// A server that knows nothing but plain HTTP.
pub(super) fn http() -> Server {
    listening(|mut stream, told| converse(&mut stream, told, &who_are_you))
}

fn listening(serve: impl Fn(TcpStream, &Told) + Send + 'static) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (port, told) = (listener.local_addr().unwrap().port(), Told::default());
    let log = told.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
            serve(stream, &log);
        }
    });
    Server { port, told, program: None }
}

/// Notes what comes; answers once it had a whole request or nothing more comes, and then listens on.
fn converse(stream: &mut (impl Read + Write), told: &Told, answer: &impl Fn(&str) -> String) {
    let (mut piece, mut all, mut answered) = ([0; 65536], Vec::new(), false);
    loop {
        let length = stream.read(&mut piece).unwrap_or(0);
        told.note(&piece[..length]);
        all.extend_from_slice(&piece[..length]);
        if !answered && (length == 0 || is_whole(&String::from_utf8_lossy(&all))) {
            answered = true;
            let _ = stream.write_all(answer(&String::from_utf8_lossy(&all)).as_bytes()); // it may be gone
            let _ = stream.flush();
        } else if length == 0 {
            return;
        }
    }
}

/// Whether a request is here with all of its body. One that is answered sooner may never send that.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| length.parse() == Ok(body.len()))
}

/// `openssl s_server` with these arguments: it says on its standard output what it is told.
pub(super) fn openssl([certificate, key]: &[PathBuf; 2], arguments: &[&str]) -> Server {
    let address = servers::free_address();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-quiet", "-accept", &address.to_string(), "-cert"]).arg(certificate);
    command.arg("-key").arg(key).args(["-cipher", "DEFAULT@SECLEVEL=0"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut program = command.spawn().expect("openssl is missing: install it");
    let (mut stdout, told) = (program.stdout.take().unwrap(), Told::default());
    let log = told.clone();
    let server = Server { port: address.port(), told, program: Some(program) };
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = stdout.read(&mut piece) {
            log.note(&piece[..length]);
        }
    });
    for _ in 0..500 {
        if TcpStream::connect(address).is_ok() {
            return server;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{command:?} does not listen");
}
