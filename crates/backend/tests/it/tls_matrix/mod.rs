//! Sixteen kinds of servers that are not who they should be: none hears a secret or a file.

mod authority;
mod server;

use authority::{Old, below, leaf, root, taken_back, trusting};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use server::{Server, http, https, openssl, who_are_you};
use std::time::Duration;
use tresor_backend::net::{Login, Options, Pin};
use tresor_backend::rest::{self, Rest};
use tresor_backend::{Backend, Error, FileName, Payload};

/// What nobody on the way, and no wrong server, may see.
const BODY: &[u8] = b"body-of-a-file";
/// How long a server may take to note what it heard.
const SLOW: Duration = Duration::from_secs(1);

/// Two requests: one that reads, and one that sends a file.
fn ask(port: u16, options: &Options) -> [Result<(), Error>; 2] {
    let login = Login { user: "user".into(), password: "secret".into() };
    let url = format!("https://localhost:{port}/");
    let rest = Rest::open(&url, url.clone(), &login, rest::CONNECTIONS, options).unwrap();
    [rest.stat(FileName::CONFIG).map(drop), rest.save(FileName::CONFIG, &Payload::from(BODY))]
}

/// A bad server, what we believe, and who else must hear nothing.
struct Case {
    name: &'static str,
    /// What is said about it to who wanted to read.
    why: &'static str,
    server: Server,
    options: Options,
    /// It has a good name: it may hear us, and sends us on to somebody who may not.
    target: Option<Server>,
}

fn case([name, why]: [&'static str; 2], server: Server, options: &Options) -> Case {
    Case { name, why, server, options: options.clone(), target: None }
}

/// Those whose certificate is wrong.
fn bad_certificates() -> Vec<Case> {
    let (ours, other) = (root("ours"), root("other"));
    let believed = trusting(&ours.pem());
    let shows = |name, pem: String| case(name, https(&pem, who_are_you), &believed);
    let (params, key) =
        (CertificateParams::new(["localhost".to_owned()]).unwrap(), KeyPair::generate().unwrap());
    let self_signed = format!("{}{}", params.self_signed(&key).unwrap().pem(), key.serialize_pem());
    let (middle, narrow) = (below(&ours, "middle", None), below(&ours, "narrow", Some("example.org")));
    let good = leaf(&ours, "localhost", |_| {}, "");
    let pinned = Options { pins: vec![another_pin()], ..believed.clone() };
    let listed = Options { revoked: Some(taken_back(&ours, 7, 2999)), ..believed.clone() };
    let stale = Options { revoked: Some(taken_back(&ours, 8, 2021)), ..believed.clone() };
    let of_nobody = Options { revoked: Some(taken_back(&other, 8, 2999)), ..believed.clone() };
    vec![
        shows(["self-signed", "UnknownIssuer"], self_signed),
        shows(["wrong name", "not valid for name"], leaf(&ours, "example.org", |_| {}, "")),
        shows(
            ["expired", "certificate expired"],
            leaf(&ours, "localhost", |p| p.not_after = date_time_ymd(2020, 1, 1), ""),
        ),
        shows(
            ["not yet valid", "not valid yet"],
            leaf(&ours, "localhost", |p| p.not_before = date_time_ymd(2999, 1, 1), ""),
        ),
        shows(["unknown authority", "UnknownIssuer"], leaf(&other, "localhost", |_| {}, "")),
        shows(
            ["wrong usage", "extended key usage"],
            leaf(
                &ours,
                "localhost",
                |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
                "",
            ),
        ),
        shows(["missing intermediate", "UnknownIssuer"], leaf(&middle, "localhost", |_| {}, "")),
        shows(
            ["name constraints", "NameConstraintViolation"],
            leaf(&narrow, "localhost", |_| {}, &narrow.pem()),
        ),
        case(["another key than the pinned one", "not pinned"], https(&good, who_are_you), &pinned),
        case(["revoked", ": Revoked"], https(&good, who_are_you), &listed),
        case(["revocation list too old", "list expired"], https(&good, who_are_you), &stale),
        case(
            ["revocation list of another authority", "UnknownRevocationStatus"],
            https(&good, who_are_you),
            &of_nobody,
        ),
    ]
}

/// Those that an old program makes: rcgen and rustls know no such things.
fn bad_by_openssl(old: &Old) -> Vec<Case> {
    let believed = trusting(&old.pem());
    let good = old.certificate("good", "rsa:2048", "sha256");
    let weak = old.certificate("weak", "rsa:1024", "sha256");
    let sha1 = old.certificate("sha1", "rsa:2048", "sha1");
    vec![
        case(["weak key, TLS 1.3", "BadSignature"], openssl(&weak, &["-tls1_3"]), &believed),
        case(["weak key, TLS 1.2", "BadSignature"], openssl(&weak, &["-tls1_2"]), &believed),
        case(["signed with SHA-1", "UnsupportedSignatureAlgorithm"], openssl(&sha1, &[]), &believed),
        case(["TLS 1.0", "ProtocolVersion"], openssl(&good, &["-tls1"]), &believed),
        case(["TLS 1.1", "ProtocolVersion"], openssl(&good, &["-tls1_1"]), &believed),
    ]
}

/// Those that are good themselves, and lead to others; and one that speaks no TLS at all.
fn bad_ways() -> Vec<Case> {
    let ours = root("ours");
    let believed = trusting(&ours.pem());
    let good = leaf(&ours, "localhost", |_| {}, "");
    let leads = |[name, why]: [&'static str; 2], to: String, target, options: &Options| {
        let answer = move |_: &str| {
            format!("HTTP/1.1 307 x\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        };
        Case { name, why, server: https(&good, answer), options: options.clone(), target: Some(target) }
    };
    let plain = http();
    let plain_url = format!("http://localhost:{}/", plain.port);
    let elsewhere = || https(&leaf(&ours, "127.0.0.1", |_| {}, ""), who_are_you);
    let (another, third) = (elsewhere(), elsewhere());
    let [another_url, third_url] =
        [&another, &third].map(|server| format!("https://127.0.0.1:{}/", server.port));
    let pinned = Options { pins: vec![pin_of(&good)], ..believed.clone() };
    vec![
        leads(["a redirect out of TLS", "redirect to another protocol"], plain_url, plain, &believed),
        leads(["a redirect to another host", "401"], another_url, another, &believed),
        leads(["a redirect to another host, with a pin", "not pinned"], third_url, third, &pinned),
        case(["plain HTTP on the port of TLS", "does not speak TLS"], http(), &believed),
    ]
}

/// A pin that no server has.
fn another_pin() -> Pin {
    "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".parse().unwrap()
}

/// The pin of a certificate, told by a server that is refused for another one.
fn pin_of(pem: &str) -> Pin {
    let server = https(pem, who_are_you);
    let options = Options { pins: vec![another_pin()], insecure_tls: true, ..Options::default() };
    let [refused, _] = ask(server.port, &options);
    let text = super::hostile::chain(&refused.unwrap_err());
    let told = text.split_whitespace().find_map(|word| word.trim_end_matches(',').parse().ok());
    told.unwrap_or_else(|| panic!("no pin in {text:?}"))
}

#[test]
fn tls_matrix() {
    let old = Old::new();
    let cases = Vec::from_iter([bad_certificates(), bad_by_openssl(&old), bad_ways()].into_iter().flatten());
    assert_eq!(cases.len(), 21, "sixteen kinds, some of them in several ways");
    for Case { name, why, server, options, .. } in &cases {
        let [read, saved] = ask(server.port, options);
        let (read, saved) = (read.expect_err(name), saved.expect_err(name));
        let [read, saved] = [&read, &saved].map(super::hostile::chain);
        assert!(read.contains(why) && !(read + &saved).contains("secret"), "{name}: {saved}");
    }
    std::thread::sleep(SLOW);
    for Case { name, server, target, .. } in &cases {
        // A file is sent to whom we asked, and never to whom that one names.
        let told = target.as_ref().map_or(&server.told, |target| &target.told);
        let (text, body) = (told.text(), String::from_utf8_lossy(BODY));
        assert!(!text.to_lowercase().contains("authorization") && !text.contains(&*body), "{name}: {text:?}");
    }
}

/// That nothing was heard means something only if these servers hear.
#[test]
fn the_servers_of_the_matrix_hear_whom_they_may_hear() {
    let hears = |server: &Server, options: &Options| {
        let [read, _] = ask(server.port, options);
        let heard = || {
            let text = server.told.text();
            text.to_lowercase().contains("authorization") && text.contains("body-of-a-file")
        };
        let begin = std::time::Instant::now();
        while !heard() {
            assert!(begin.elapsed() < 10 * SLOW, "{read:?}: {}", server.told.text());
            std::thread::sleep(SLOW / 50);
        }
    };
    let (ours, old) = (root("ours"), Old::new());
    let believed = trusting(&ours.pem());
    let middle = below(&ours, "middle", Some("localhost"));
    let good = leaf(&ours, "localhost", |_| {}, "");
    hears(&https(&good, who_are_you), &believed);
    hears(&https(&leaf(&middle, "localhost", |_| {}, &middle.pem()), who_are_you), &believed);
    hears(
        &https(&good, who_are_you),
        &Options { pins: vec![another_pin(), pin_of(&good)], ..believed.clone() },
    );
    hears(
        &https(&good, who_are_you),
        &Options { revoked: Some(taken_back(&ours, 8, 2999)), ..believed.clone() },
    );
    for version in ["-tls1_2", "-tls1_3"] {
        let certificate = old.certificate("good", "rsa:2048", "sha256");
        hears(&openssl(&certificate, &[version]), &trusting(&old.pem()));
    }
    // A certificate by nobody, for a key that is pinned.
    let alone = Options { insecure_tls: true, pins: vec![pin_of(&good)], ..trusting(&root("other").pem()) };
    hears(&https(&good, who_are_you), &alone);
}

/// What is refused above is refused for a reason: a redirect that leads to the same host is followed with all that was
/// said, and one to another host without a word of who asks.
#[test]
fn redirects_are_followed_and_credentials_stay_behind() {
    let ours = root("ours");
    let believed = trusting(&ours.pem());
    let answers = |pem: String| {
        https(&pem, |asked: &str| match asked.lines().next() {
            Some(line) if line.contains("config ") => {
                "HTTP/1.1 302 x\r\nLocation: /moved\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into()
            }
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n".into(),
        })
    };
    let same = answers(leaf(&ours, "localhost", |_| {}, ""));
    let [read, _] = ask(same.port, &believed);
    read.unwrap();
    let heard = same.told.text().to_lowercase();
    let second = heard.split("head /moved").nth(1).unwrap_or_else(|| panic!("not followed: {heard}"));
    assert!(second.contains("authorization: basic"), "{heard}");

    let other = answers(leaf(&ours, "127.0.0.1", |_| {}, ""));
    let to = format!("https://127.0.0.1:{}/moved", other.port);
    let leads = https(&leaf(&ours, "localhost", |_| {}, ""), move |_| {
        format!("HTTP/1.1 307 x\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    });
    let [read, _] = ask(leads.port, &believed);
    read.unwrap();
    let heard = other.told.text().to_lowercase();
    assert!(heard.starts_with("head /moved") && heard.contains("accept: "), "{heard}");
    assert!(!heard.contains("authorization") && !heard.contains("cookie"), "{heard}");
}
