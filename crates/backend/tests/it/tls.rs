//! Servers that are not who they should be, and servers that want to know who we are.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tresor_backend::net::Login;
use tresor_backend::net::{Identity, Options, Roots};
use tresor_backend::rest::{self, Rest};
use tresor_backend::{Backend, Error, ErrorKind, FileName};
use tresor_testkit::certificates::{self, Authority, authority, certificate};

/// A server that answers everything with five bytes, and what it has seen.
struct TlsServer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
}

fn serve(pem: &str, clients: Option<&Authority>) -> TlsServer {
    let config = certificates::server(pem, clients);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = TlsServer {
        address: listener.local_addr().unwrap(),
        requests: Arc::default(),
        failures: Arc::default(),
    };
    let (requests, failures) = (Arc::clone(&server.requests), Arc::clone(&server.failures));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let mut head = [0; 4096];
            match stream.read(&mut head) {
                Ok(length) if length > 0 => {
                    requests.fetch_add(1, Ordering::Relaxed);
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
                    stream.write_all(answer).unwrap();
                    stream.conn.send_close_notify();
                    let _ = stream.flush(); // the client may be gone
                }
                Ok(_) => {}
                Err(error) => failures.lock().unwrap().push(error.to_string()),
            }
        }
    });
    server
}

fn stat(server: &TlsServer, options: &Options) -> Result<u64, Error> {
    let url = format!("https://user:secret@localhost:{}/", server.address.port());
    let rest = Rest::open(&url, url.clone(), &Login::default(), rest::CONNECTIONS, options)?;
    rest.stat(FileName::CONFIG)
}

fn trusting(authority: &Authority) -> Options {
    let mut roots = Roots::default();
    roots.add_pem(authority.pem().as_bytes()).unwrap();
    Options { roots: Some(roots), ..Options::default() }
}

#[test]
fn a_server_of_an_authority_we_name_is_believed_and_no_other() {
    let (ours, other) = (authority(), authority());
    let server = serve(&certificate(&ours, "localhost", |_| {}), None);
    assert_eq!(stat(&server, &trusting(&ours)).unwrap(), 5);
    let before = server.requests.load(Ordering::Relaxed);
    for options in [trusting(&other), Options::default()] {
        let error = stat(&server, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unusable, "it will not be another one the next time");
        let text = super::hostile::chain(&error);
        assert!(text.contains("certificate is not accepted") && !text.contains("secret"), "{text}");
    }
    assert_eq!(server.requests.load(Ordering::Relaxed), before, "it saw nothing of the request");
}

#[test]
fn bad_certificates_are_refused_before_anything_is_said() {
    let ours = authority();
    let expired: fn(&mut CertificateParams) = |params| params.not_after = date_time_ymd(2020, 1, 1);
    let early: fn(&mut CertificateParams) = |params| params.not_before = date_time_ymd(2999, 1, 1);
    let unsigned = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let self_signed = format!("{}{}", unsigned.self_signed(&key).unwrap().pem(), key.serialize_pem());
    let bad = [
        ("expired", certificate(&ours, "localhost", expired)),
        ("not yet valid", certificate(&ours, "localhost", early)),
        ("of another host", certificate(&ours, "example.org", |_| {})),
        ("signed by itself", self_signed),
    ];
    for (what, pem) in bad {
        let server = serve(&pem, None);
        let error = stat(&server, &trusting(&ours)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unusable, "{what}");
        assert_eq!(server.requests.load(Ordering::Relaxed), 0, "{what}");
        let anyway = Options { insecure_tls: true, ..trusting(&ours) };
        assert_eq!(stat(&server, &anyway).unwrap(), 5, "{what}, with --insecure-tls");
    }
}

#[test]
fn a_server_that_asks_for_our_certificate_gets_it() {
    let (ours, clients) = (authority(), authority());
    let server = serve(&certificate(&ours, "localhost", |_| {}), Some(&clients));
    assert!(stat(&server, &trusting(&ours)).is_err());
    let identity = Identity::from_pem(certificate(&clients, "me", |_| {}).as_bytes()).unwrap();
    let options = Options { identity: Some(Arc::new(identity)), ..trusting(&ours) };
    assert_eq!(stat(&server, &options).unwrap(), 5);
    // Connections are served one after the other: by now the failure of the first is noted.
    assert!(!server.failures.lock().unwrap().is_empty(), "the server wanted one");
}
