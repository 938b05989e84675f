//! `tls show`: what a server shows when TLS begins, and the way from there to a pin.

use rustls::{ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use tresor_testkit::certificates::{self, Authority, authority, certificate};
use tresor_testkit::{Client, Run};

/// A server that has no file; its port.
fn serve(pem: &str) -> u16 {
    let config = certificates::server(pem, None);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            if let Ok(1..) = stream.read(&mut [0; 4096]) {
                let _ = stream.write_all(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.conn.send_close_notify();
            }
            let _ = stream.flush(); // the client may be gone
        }
    });
    port
}

/// The pin of the first certificate of a text, as OpenSSL tells it.
fn pin(pem: &str) -> String {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64",
    ]);
    let told = Run::with_input(command.stdin(Stdio::piped()), pem.as_bytes()).ok().text();
    format!("sha256//{}", told.trim())
}

fn client(folder: &Path, ours: &Authority) -> Client {
    std::fs::write(folder.join("ca.pem"), ours.pem()).unwrap();
    Client::tresor(env!("CARGO_BIN_EXE_tresor"), "unused").variable("TRESOR_CACERT", folder.join("ca.pem"))
}

/// Numbers that are others in each run.
fn without_numbers(text: &str, port: u16, own: &str) -> String {
    let text = text.replace(&port.to_string(), "PORT").replace(own, "PIN");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for line in &mut lines {
        if let Some((before, after)) = line.clone().split_once(" (").filter(|_| line.contains("days left")) {
            let digits = after.trim_end_matches(" days left)");
            assert!(digits.parse::<i64>().is_ok(), "{line}");
            *line = format!("{before} (N days left)");
        }
    }
    lines.join("\n")
}

#[test]
fn tls_show() {
    let (folder, ours) = (TempDir::new().unwrap(), authority());
    let pem = certificate(&ours, "localhost", |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 2);
        params.not_after = rcgen::date_time_ymd(2098, 3, 4);
    });
    let (port, own) = (serve(&pem), pin(&pem));
    let tresor = client(folder.path(), &ours);
    let shown = tresor.ok(["tls", "show", &format!("https://localhost:{port}")]);
    assert_eq!(shown.errors(), "");
    assert_eq!(
        without_numbers(&shown.text(), port, &own),
        "server    localhost:PORT (127.0.0.1:PORT)
protocol  TLS 1.3, TLS13_AES_256_GCM_SHA384, keys by X25519MLKEM768
verdict   accepted

certificate 1
  subject  CN=rcgen self signed cert
  issuer   CN=rcgen self signed cert
  names    localhost
  from     2020-01-02 00:00:00
  until    2098-03-04 00:00:00 (N days left)
  signed   ecdsa-with-SHA256
  pin      PIN

to accept no other key than the first: --tls-pin PIN"
    );
    let json = tresor.ok(["--json", "tls", "show", &format!("rest:https://localhost:{port}/")]).json();
    assert_eq!((&json["accepted"], &json["chain"][0]["pin"]), (&true.into(), &own.clone().into()));
    assert_eq!(json["chain"][0]["not_after"], "2098-03-04T00:00:00Z");

    // What it tells is what a repository is opened with, and another key is refused.
    let at = |pin: &str| {
        let location = format!("rest:https://localhost:{port}/");
        let ca = folder.path().join("ca.pem");
        let tresor = Client::tresor(env!("CARGO_BIN_EXE_tresor"), location).variable("TRESOR_CACERT", ca);
        [
            tresor.run(["--tls-pin", pin, "cat", "config"]),
            tresor.variable("TRESOR_TLS_PIN", pin).run(["cat", "config"]),
        ]
    };
    for run in at(&own) {
        assert!(run.errors().contains("404"), "{run}");
    }
    for run in at("sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") {
        assert!(
            run.errors().contains(&format!("the key of the server is {own}, which is not pinned")),
            "{run}"
        );
    }
    assert!(at("sha1//AAEC")[0].errors().contains("a pin is sha256//"));
}

#[test]
fn tls_show_says_why_a_server_is_not_believed_and_when_it_ends() {
    let (folder, ours) = (TempDir::new().unwrap(), authority());
    let tresor = client(folder.path(), &ours);
    let shown = |host: &str, days: i64| {
        let mut params = rcgen::CertificateParams::new([host.to_owned()]).unwrap();
        let now = std::time::SystemTime::now();
        // A minute more, so that the days are whole ones while the test runs.
        params.not_after = (now + std::time::Duration::from_secs(days as u64 * 86_400 + 60)).into();
        let key = rcgen::KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &ours).unwrap();
        let port = serve(&format!("{}{}", signed.pem(), key.serialize_pem()));
        tresor.ok(["tls", "show", &format!("localhost:{port}")])
    };
    let other = shown("example.org", 400);
    assert!(other.text().contains("verdict   the server's certificate is not accepted: "), "{other}");
    assert!(other.text().contains("names    example.org") && other.errors().is_empty(), "{other}");
    for (days, warned) in [(0, true), (20, true), (21, false), (22, false)] {
        let run = shown("localhost", days);
        assert_eq!(run.errors().contains(&format!("ends in {days} days")), warned, "{run}");
    }
    let nobody = tresor.run(["tls", "show", "localhost:1"]).exits(1);
    assert!(nobody.errors().contains("cannot look at localhost:1"), "{nobody}");
    let plain = tresor.run(["tls", "show", "http://localhost:1"]).exits(1);
    assert!(plain.errors().contains("names no server that speaks TLS"), "{plain}");
}
