//! Who gives out credentials for a while: containers, services of the world, shared signatures.

use super::object::{at, azure_options, conforms_at};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqsign_core::time::Timestamp;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tresor_backend::net::Roots;
use tresor_backend::object::s3::Role;
use tresor_backend::{ErrorKind, FileName, Options, Payload};
use tresor_testkit::servers::scripted::{Scripted, Seen, answer};
use tresor_testkit::servers::{self, AZURE_ACCOUNT, Named, S3_KEY};

/// No credentials but what these variables lead to.
fn options(variables: &[(&str, &str)]) -> Options {
    let mut options = Options::default();
    for (name, value) in [&[("AWS_EC2_METADATA_DISABLED", "true")], variables].concat() {
        options.s3.surroundings.variables.insert(name.into(), value.into());
    }
    options
}

/// The same, with a service of the world that is played here.
fn through(named: &Named, mut options: Options) -> Options {
    let mut roots = Roots::default();
    roots.add_pem(named.authority().as_bytes()).unwrap();
    options.network.roots = Some(roots);
    options.network.proxies.https = Some(named.proxy());
    options
}

/// The time when something ends that begins now.
fn end_in(seconds: u64) -> String {
    (Timestamp::now() + Duration::from_secs(seconds)).format_rfc3339_zulu()
}

fn container_key(id: &str, secret: &str, end: &str) -> String {
    format!(
        "{{\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"{secret}\",\"Token\":\"session\",\"Expiration\":\"{end}\"}}"
    )
}

fn role_key(action: &str, id: &str, secret: &str, end: &str) -> String {
    format!(
        "<{action}Response><{action}Result><Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}\
         </SecretAccessKey><SessionToken>session</SessionToken><Expiration>{end}</Expiration></Credentials>\
         </{action}Result></{action}Response>"
    )
}

/// The key by which a request was signed.
fn key_of(seen: &Seen) -> String {
    let signed = seen.header("authorization").and_then(|text| text.split_once("Credential="));
    signed.and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default().to_owned()
}

#[test]
fn a_container_tells_its_role_to_who_has_its_token() {
    let folder = TempDir::new().unwrap();
    let server = servers::rclone_s3(folder.path());
    let container = Scripted::start(|seen: &Seen| match seen.header("authorization") {
        Some("the-token") => answer("200 OK", container_key(S3_KEY[0], S3_KEY[1], "2099-01-01T00:00:00Z")),
        _ => answer("403 Forbidden", "no"),
    });
    let (url, file) = (format!("http://{}/v2", container.address), folder.path().join("token"));
    fs::write(&file, "the-token\n").unwrap();
    let location = format!("s3:http://{}/bucket", server.address);
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str());
    let file = file.to_str().unwrap();
    for token in
        [("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the-token"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)]
    {
        at(&location, &options(&[full, token])).create().unwrap();
    }
    let error = at(&location, &options(&[full])).create().unwrap_err();
    assert!(!error.kind().is_temporary(), "{error:?}");
}

#[test]
fn a_web_identity_is_exchanged_for_a_role_and_its_token_is_told_to_nobody_else() {
    let folder = TempDir::new().unwrap();
    let server = servers::rclone_s3(folder.path());
    let file = folder.path().join("identity");
    fs::write(&file, "who-we-are\n").unwrap();
    let variables = [
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/backup"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
    ];
    let location = format!("s3:http://{}/bucket", server.address);
    let sts = Named::start("sts.amazonaws.com", |_| {
        (200, role_key("AssumeRoleWithWebIdentity", S3_KEY[0], S3_KEY[1], "2099-01-01T00:00:00Z"))
    });
    let backend = at(&location, &through(&sts, options(&variables)));
    backend.create().unwrap();
    backend.save(FileName::CONFIG, &Payload::from(&b"config"[..])).unwrap();
    let asked = sts.asked();
    assert_eq!(asked.len(), 1, "once for all");
    assert!(asked[0].contains("WebIdentityToken=who-we-are"), "{asked:?}");
    assert!(asked[0].contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fbackup"), "{asked:?}");

    let refusal = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>who-we-are is nobody</Message>\
                   </Error></ErrorResponse>";
    let sts = Named::start("sts.amazonaws.com", move |_| (400, refusal.to_owned()));
    let error = at(&location, &through(&sts, options(&variables))).create().unwrap_err();
    assert!(!error.kind().is_temporary() && !format!("{error:?}").contains("who-we-are"), "{error:?}");
}

#[test]
fn credentials_are_renewed_before_they_end_and_not_before_that() {
    let bucket = Scripted::start(|_| answer("200 OK", "12345"));
    let location = format!("s3:http://{}/bucket", bucket.address);
    for (seconds, keys) in [(60, ["KEY-1", "KEY-2"]), (60 * 60, ["KEY-1", "KEY-1"])] {
        let given = AtomicUsize::new(0);
        let container = Scripted::start(move |_: &Seen| {
            let number = given.fetch_add(1, Ordering::Relaxed) + 1;
            answer("200 OK", container_key(&format!("KEY-{number}"), "secret", &end_in(seconds)))
        });
        let given = AtomicUsize::new(0);
        let sts = Scripted::start(move |_: &Seen| {
            let number = given.fetch_add(1, Ordering::Relaxed) + 1;
            answer("200 OK", role_key("AssumeRole", &format!("KEY-{number}"), "secret", &end_in(seconds)))
        });
        let url = format!("http://{}/", container.address);
        let of_container = options(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
        let mut of_role = options(&[("AWS_ACCESS_KEY_ID", "own"), ("AWS_SECRET_ACCESS_KEY", "own")]);
        of_role.s3.role = Some(Role {
            arn: "arn:aws:iam::1:role/backup".into(),
            endpoint: Some(format!("http://{}", sts.address)),
            ..Role::default()
        });
        for options in [of_container, of_role] {
            let before = bucket.seen().len();
            let backend = at(&location, &options);
            (0..2).for_each(|_| backend.load_whole(FileName::CONFIG, 10, &mut Vec::new()).unwrap());
            let used: Vec<String> = bucket.seen()[before..].iter().map(key_of).collect();
            assert_eq!(used, keys, "credentials for {seconds} seconds");
        }
    }
}

/// HMAC of SHA-256, with a key as long as a block.
fn hmac(key: &[u8; 64], text: &str) -> [u8; 32] {
    let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// A shared access signature of the emulator's account that allows this, until then.
fn signature(allowed: &str, until: &str) -> String {
    let [account, key] = AZURE_ACCOUNT;
    let key: [u8; 64] = STANDARD.decode(key).unwrap().try_into().unwrap();
    let signed = format!("{account}\n{allowed}\nb\nsco\n\n{until}\n\nhttps,http\n2018-11-09\n");
    let signature = STANDARD.encode(hmac(&key, &signed));
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("sv=2018-11-09&ss=b&srt=sco&sp={allowed}&se={until}&spr=https,http&sig={signature}")
}

#[test]
fn azure_takes_a_shared_access_signature_as_far_as_it_goes() {
    let folder = TempDir::new().unwrap();
    let server = servers::azurite(folder.path());
    let with = |sas: String| Options {
        azure: tresor_backend::object::azure::Options {
            key: None,
            sas: Some(sas),
            ..azure_options(&server).azure
        },
        ..Options::default()
    };
    let far = "2099-01-01T00:00:00Z";
    conforms_at("azure:", ":/", &with(signature("rwdlac", far)));
    let all = at("azure:somewhere:/", &with(format!("?{}", signature("rwdlac", far))));
    all.create().unwrap();
    all.save(FileName::CONFIG, &Payload::from(&b"config"[..])).unwrap();

    let reader = at("azure:somewhere:/", &with(signature("rl", far)));
    assert_eq!(reader.stat(FileName::CONFIG).unwrap(), 6);
    let error = reader.remove(FileName::CONFIG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    let wrong = [signature("rl", "2001-01-01T00:00:00Z"), signature("rl", far).replace("sp=rl", "sp=rwdlac")];
    for sas in wrong {
        let error = at("azure:somewhere:/", &with(sas.clone())).stat(FileName::CONFIG).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        let secret = sas.rsplit('=').next().unwrap();
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
}

/// A key of a service account in the form that Google hands out.
fn service_account(folder: &Path) -> String {
    let key = folder.join("key");
    let mut made = Command::new("ssh-keygen");
    made.args(["-q", "-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "", "-f"]);
    assert!(made.arg(&key).status().unwrap().success(), "ssh-keygen is missing: install openssh-client");
    let file = folder.join("account.json");
    let account = serde_json::json!({
        "type": "service_account",
        "client_email": "backup@project.example",
        "private_key": fs::read_to_string(key).unwrap(),
        "private_key_id": "1",
        "project_id": "project",
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    fs::write(&file, account.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_service_account_of_google_is_exchanged_for_tokens_that_are_renewed() {
    let folder = TempDir::new().unwrap();
    let file = service_account(folder.path());
    for (seconds, tokens) in
        [(3600, ["Bearer token-1", "Bearer token-1"]), (60, ["Bearer token-1", "Bearer token-2"])]
    {
        let bucket = Scripted::start(|_| answer("200 OK", "12345"));
        let given = AtomicUsize::new(0);
        let google = Named::start("oauth2.googleapis.com", move |_| {
            let number = given.fetch_add(1, Ordering::Relaxed) + 1;
            let token = format!("token-{number}");
            (
                200,
                serde_json::json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"})
                    .to_string(),
            )
        });
        let mut options = through(&google, Options::default());
        options.gs.service_url = Some(bucket.address.to_string());
        options.gs.surroundings.variables.insert("GOOGLE_APPLICATION_CREDENTIALS".into(), file.clone());
        let backend = at("gs:bucket:/", &options);
        (0..2).for_each(|_| backend.load_whole(FileName::CONFIG, 10, &mut Vec::new()).unwrap());
        let used: Vec<String> = bucket
            .seen()
            .iter()
            .map(|seen| seen.header("authorization").unwrap_or_default().to_owned())
            .collect();
        assert_eq!(used, tokens, "tokens for {seconds} seconds");
        assert!(google.asked()[0].contains("jwt-bearer"), "{:?}", google.asked());
    }
}
