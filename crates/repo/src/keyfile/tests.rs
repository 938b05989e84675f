//! Key files: what opens with which password, and what a hostile one cannot do.

use super::*;
use crate::id::KeyId;
use std::time::Duration;

fn new_key() -> NewKey {
    NewKey {
        username: "a<b".into(),
        hostname: "vm".into(),
        created: Time::new(1_700_000_000, 120_000_000, 3600),
        cost: KeyCost::Exact { n: 16, r: 1, p: 1 },
    }
}

fn password(text: &str) -> Password {
    Password::new(text.into())
}

fn made(master: &Key) -> String {
    let made = KeyFile::make(master, &password("secret"), &new_key(), &Cancel::new()).unwrap();
    String::from_utf8(made).unwrap()
}

fn try_open(file: &str, with: &str) -> Result<Tried> {
    KeyFile::parse(file.as_bytes()).unwrap().sealed().unwrap().open(&password(with), &Cancel::new())
}

fn why_not(file: &str) -> String {
    KeyFile::parse(file.as_bytes())
        .and_then(|file| file.sealed().map(|_| String::new()))
        .unwrap_or_else(|why| why)
}

#[test]
fn a_new_file_has_restics_form_and_opens_with_its_password() {
    let master = Key::random().unwrap();
    let made = made(&master);
    let head = r#"{"created":"2023-11-14T23:13:20.12+01:00","username":"a\u003cb","hostname":"vm","kdf":"scrypt","N":16,"r":1,"p":1,"salt":""#;
    assert!(made.starts_with(head), "{made}");
    let Tried::Opened(key) = try_open(&made, "secret").unwrap() else { panic!("it does not open") };
    assert_eq!(key.secret(), master.secret());
    for wrong in ["", "Secret", "secret "] {
        assert!(matches!(try_open(&made, wrong).unwrap(), Tried::WrongPassword));
    }
}

#[test]
fn the_master_key_has_restics_form() {
    let master = Key::new(&std::array::from_fn(|i| i as u8)).unwrap();
    let json = r#"{"mac":{"k":"ICEiIyQlJicoKSorLC0uLw==","r":"MDEyMzQ1Njc4OTo7PD0+Pw=="},"encrypt":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}"#;
    assert_eq!(std::str::from_utf8(&master_json(&master)).unwrap(), json);
    assert_eq!(parse_master(json.as_bytes()).unwrap().secret(), master.secret());
    let lenient =
        json.replace("\"mac\"", " \"x\":1, \"MAC\"").replace("\"k\":", "\"K\" : ").replace('/', "\\/");
    assert_eq!(parse_master(lenient.as_bytes()).unwrap().secret(), master.secret());
    for escape in ["\\u0041", "\\u0041".to_uppercase().as_str()] {
        let escaped = json.replacen("AAEC", &format!("{escape}AEC"), 1);
        assert_eq!(parse_master(escaped.as_bytes()).is_ok(), escape.starts_with("\\u"), "{escape}");
    }
    for (from, to) in [
        ("\"mac\"", "\"x\""),
        ("ICE", "AAA"),
        ("==", ""),
        ("encrypt\":\"AAEC", "encrypt\":\""),
        ("\"r\":", "\"s\":"),
    ] {
        assert!(parse_master(json.replacen(from, to, 1).as_bytes()).is_err() || from == "ICE", "{from}");
    }
}

#[test]
fn an_all_zero_part_is_no_master_key() {
    let json = r#"{"mac":{"k":"AAAAAAAAAAAAAAAAAAAAAA==","r":"MDEyMzQ1Njc4OTo7PD0+Pw=="},"encrypt":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}"#;
    assert!(parse_master(json.as_bytes()).is_err());
}

#[test]
fn names_in_any_case_count_and_unknown_ones_do_not() {
    let made = made(&Key::random().unwrap());
    let changed = made
        .replace("\"N\":", "\"n\":")
        .replace("\"kdf\":\"scrypt\"", "\"kdf\":\"x\",\"KDF\":\"scrypt\",\"new\":[{}]");
    assert!(matches!(try_open(&changed, "secret").unwrap(), Tried::Opened(_)));
}

#[test]
fn files_that_no_password_opens_say_why() {
    let made = made(&Key::random().unwrap());
    for (from, to, why) in [
        ("\"scrypt\"", "\"argon2\"", "its key derivation \"argon2\" is not scrypt"),
        ("\"N\":16", "\"N\":15", "N, r and p are outside of what scrypt allows"),
        ("\"N\":16", "\"N\":0", "N, r and p are outside of what scrypt allows"),
        (
            "\"N\":16,\"r\":1,\"p\":1",
            "\"N\":32768,\"r\":8,\"p\":100000",
            "N, r and p ask for more than anybody's key does",
        ),
        ("\"p\":1", "\"p\":17000000", "N, r and p ask for more than anybody's key does"),
        ("\"salt\":\"", "\"salt\":\"AAAA", "its salt has 67 bytes instead of 64"),
        ("\"salt\":\"", "\"salt\":\"!", "salt is not base64: Invalid symbol 33, offset 0."),
        ("\"N\":16", "\"N\":-1", "N: invalid value: integer `-1`, expected u64 at line 1 column 2"),
        ("\"created\":\"2", "\"created\":\"x", "created: not a time of the form 2006-01-02T15:04:05Z"),
    ] {
        let changed = made.replacen(from, to, 1);
        assert_ne!(changed, made);
        assert_eq!(why_not(&changed), why);
    }
    for junk in ["", "{}", "null", "[]", "\0\0", "{\"kdf\":\"scrypt\"}", &made[..made.len() - 1]] {
        assert_ne!(why_not(junk), "", "{junk}");
    }
}

#[test]
fn data_of_a_wrong_length_are_seen_before_the_password_is_tried() {
    let master = Key::random().unwrap();
    let made = made(&master);
    let data = made.split("\"data\":\"").nth(1).unwrap().trim_end_matches("\"}");
    for keep in [0, 4, 20, 40, 48, 160] {
        let bytes = keep / 4 * 3;
        assert_eq!(
            why_not(&made.replace(data, &data[..keep])),
            format!("{bytes} bytes are no sealed master key")
        );
    }
    let long = STANDARD.encode(vec![0; 5000]);
    assert_eq!(why_not(&made.replace(data, &long)), "5000 bytes are no sealed master key");
}

/// What a search among key files came to.
struct Searched {
    found: Result<(Key, KeyId)>,
    derivations: u64,
    problems: usize,
}

#[derive(Default)]
struct Problems(std::sync::atomic::AtomicUsize);

impl crate::monitor::Monitor for Problems {
    fn problem(&self, _: &crate::monitor::Problem) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

fn search(files: &[String], hint: Option<&str>, patience: Duration) -> Searched {
    let backend = std::sync::Arc::new(tresor_backend::memory::Memory::new());
    for file in files {
        let id = crate::sealed::id_of(file.as_bytes());
        backend.plant(tresor_backend::FileName::new(tresor_backend::FileKind::Key, id), file.as_bytes());
    }
    let handle = tresor_backend::Handle::<tresor_backend::Full>::new(backend);
    let (password, problems, cancel) = (password("secret"), Problems::default(), Cancel::new());
    let (handle, monitor) = (&handle, &problems);
    let mut search =
        search::Search { handle, password: &password, monitor, cancel: &cancel, patience, derivations: 0 };
    let found = search.find(hint);
    let derivations = search.derivations;
    Searched { found, derivations, problems: problems.0.into_inner() }
}

/// 5,000 key files of every kind of malice, none of which may cost a derivation, or a dear one.
fn hostile_files(made: &str) -> Vec<String> {
    let changed = |number: usize| -> String {
        let (from, to) = match number % 20 {
            0 => ("\"N\":16", "\"N\":0"),
            1 => ("\"N\":16", "\"N\":1"),
            2 => ("\"N\":16", "\"N\":17"),
            3 => ("\"N\":16", "\"N\":9223372036854775808"),
            4 => ("\"N\":16", "\"N\":-2"),
            5 => ("\"N\":16", "\"N\":1e3"),
            6 => ("\"N\":16,\"r\":1", "\"N\":1048576,\"r\":32"),
            7 => ("\"r\":1", "\"r\":4294967296"),
            8 => ("\"p\":1", "\"p\":1000000"),
            9 => ("\"p\":1", "\"p\":0"),
            10 => ("\"scrypt\"", "\"argon2id\""),
            11 => ("\"salt\":\"", "\"salt\":\"AAAA"),
            12 => ("\"data\":\"", "\"data\":\"="),
            13 => ("\"data\":\"", "\"data\":\"\",\"old\":\""),
            14 => ("\"created\":\"2", "\"created\":\"never"),
            15 => ("{", "[{"),
            16 => ("}", "}}"),
            17 => ("{", "{\"deep\":[[[[[[[["),
            18 => ("\"salt\":", "\"salt\":null,\"spice\":"),
            // Dear, and its data are another's: it comes last.
            _ => ("\"N\":16,\"r\":1,\"p\":1", "\"N\":1048576,\"r\":8,\"p\":8"),
        };
        format!("{}{}", made.replacen(from, to, 1), " ".repeat(number / 20))
    };
    (0..5000).map(changed).collect()
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn key_flood() {
    let master = Key::random().unwrap();
    let good = made(&master);
    let mut files = hostile_files(&good);
    files.push(good.clone());
    let found = search(&files, None, LONG);
    assert_eq!(found.found.unwrap().0.secret(), master.secret());
    assert_eq!(found.derivations, 1, "the good one is the cheapest of those that can be tried");
    assert_eq!(found.problems, 11, "ten are named, the others counted");

    let hint = crate::sealed::id_of(good.as_bytes()).hex();
    let hinted = search(&files, Some(&hint[..8]), LONG);
    assert_eq!(
        (hinted.found.is_ok(), hinted.derivations, hinted.problems),
        (true, 1, 0),
        "the others stay unread"
    );
}

#[test]
fn as_many_keys_are_tried_as_there_is_time_for() {
    let others: Vec<String> =
        (0..50).map(|_| made(&Key::random().unwrap()).replace("\"N\":16", "\"N\":8")).collect();
    let all = [&others[..], &[made(&Key::random().unwrap())]].concat();
    let found = search(&all, None, LONG);
    assert!(found.found.is_ok() && found.derivations == 51, "restic stops at twenty");
    assert!(matches!(search(&others, None, LONG).found, Err(Error::WrongPassword)));
    assert!(matches!(search(&others, None, Duration::ZERO).found, Err(Error::TooManyKeys)));
}
