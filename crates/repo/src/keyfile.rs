//! A key file: the master key sealed by a password (format: "Key files").

mod search;

pub(crate) use search::{find_key, load_key_file, save_key, verify_key};

use crate::crypto::kdf::{self, Cost};
use crate::crypto::{KEY_BYTES, Key, OVERHEAD};
use crate::error::{Error, Result};
use crate::json::{self, Object};
use crate::random;
use crate::time::Time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use std::ops::RangeInclusive;
use std::thread;
use std::time::Instant;
use tresor_backend::Cancel;
use tresor_secmem::{SecretBox, SecretBytes};
use zeroize::Zeroize;

/// A password, in secret memory; wiped on drop, never shown.
pub struct Password(SecretBytes);

impl Password {
    /// Takes the bytes as they are, and wipes them: nothing is trimmed or normalised.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let password = Password(SecretBytes::copied(&bytes));
        bytes.zeroize();
        password
    }

    /// Whether it has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<SecretBytes> for Password {
    fn from(bytes: SecretBytes) -> Self {
        Password(bytes)
    }
}

/// What is to be in a new key file beside the key.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// User name, for people.
    pub username: String,
    /// Host name, for people.
    pub hostname: String,
    /// When it was made.
    pub created: Time,
    /// How dear it is to try a password.
    pub cost: KeyCost,
}

/// How dear it is to try a password on a key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCost {
    /// Half a second of this machine with less than `memory` bytes.
    Calibrated {
        /// In bytes; restic takes 60 MiB.
        memory: u64,
    },
    /// scrypt's own parameters.
    Exact {
        /// Entries of a lane's table: a power of two.
        n: u32,
        /// Size of an entry in steps of 128 bytes.
        r: u32,
        /// Number of lanes.
        p: u32,
    },
}

impl Default for KeyCost {
    fn default() -> Self {
        KeyCost::Calibrated { memory: 60 << 20 }
    }
}

impl KeyCost {
    fn resolve(self, cancel: &Cancel) -> Result<Cost> {
        match self {
            KeyCost::Exact { n, r, p } => Cost::new(n.into(), r.into(), p.into())
                .map_err(|error| Error::Refused(format!("cannot make a key of this cost: {error}"))),
            KeyCost::Calibrated { memory } => Ok(kdf::calibrate(memory, |cost| {
                let start = Instant::now();
                // A derivation that was stopped looks fast, and the caller stops.
                let _ = kdf::derive(b"", &[0; SALT_BYTES], cost, 1, cancel);
                start.elapsed()
            })),
        }
    }
}

const SALT_BYTES: usize = 64;

/// How long the sealed master key may be: restic's JSON has no shorter form, and nobody's is much longer.
const DATA_BYTES: RangeInclusive<usize> = OVERHEAD + 128..=4096;

/// What a key file says before a password is tried.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyFile {
    pub(crate) created: Time,
    pub(crate) username: String,
    pub(crate) hostname: String,
    kdf: String,
    n: u64,
    r: u64,
    p: u64,
    salt: Vec<u8>,
    data: Vec<u8>,
}

/// A key file whose password can be tried.
pub(crate) struct Sealed {
    cost: Cost,
    salt: [u8; SALT_BYTES],
    data: Vec<u8>,
}

/// What trying a password came to.
pub(crate) enum Tried {
    /// It fits.
    Opened(Key),
    /// It is the password of another key file.
    WrongPassword,
    /// It fits, but what it opens is no master key.
    NoMasterKey(String),
}

impl KeyFile {
    /// Reads a key file, whether or not it can be used.
    pub(crate) fn parse(stored: &[u8]) -> Result<Self, String> {
        let object = Object::parse(stored).map_err(|error| error.to_string())?;
        Self::from_object(&object)
    }

    fn from_object(object: &Object<'_>) -> Result<Self, String> {
        let text = |name: &str| object.get::<String>(name).map_err(|error| error.to_string());
        let number = |name: &str| object.get::<u64>(name).map_err(|error| error.to_string());
        let bytes = |name: &str| {
            STANDARD.decode(text(name)?).map_err(|error| format!("{name} is not base64: {error}"))
        };
        let created = match object.member("created") {
            Some(_) => Time::parse(text("created")?).map_err(|error| format!("created: {error}"))?,
            None => Time::ZERO,
        };
        Ok(KeyFile {
            created,
            username: text("username")?,
            hostname: text("hostname")?,
            kdf: text("kdf")?,
            n: number("N")?,
            r: number("r")?,
            p: number("p")?,
            salt: bytes("salt")?,
            data: bytes("data")?,
        })
    }

    /// The part that a password opens, if what the file asks for is possible.
    pub(crate) fn sealed(&self) -> Result<Sealed, String> {
        if self.kdf != "scrypt" {
            return Err(format!("its key derivation {:?} is not scrypt", self.kdf));
        }
        let salt = self.salt.as_slice().try_into();
        let salt =
            salt.map_err(|_| format!("its salt has {} bytes instead of {SALT_BYTES}", self.salt.len()))?;
        if !DATA_BYTES.contains(&self.data.len()) {
            return Err(format!("{} bytes are no sealed master key", self.data.len()));
        }
        let cost = Cost::new(self.n, self.r, self.p).map_err(|error| error.to_string())?;
        Ok(Sealed { cost, salt, data: self.data.clone() })
    }

    /// Seals `master` by `password` in the bytes of a new key file, as restic writes them.
    pub(crate) fn make(master: &Key, password: &Password, new: &NewKey, cancel: &Cancel) -> Result<Vec<u8>> {
        let cost = new.cost.resolve(cancel)?;
        let salt: [u8; SALT_BYTES] = random::bytes()?;
        let key = derived(password, &salt, cost, cancel)?;
        let mut data = Vec::new();
        key.seal(&master_json(master), &mut data)?;
        let mut out = b"{\"created\":\"".to_vec();
        new.created.write(&mut out);
        out.extend(b"\",\"username\":");
        json::write_string(&new.username, &mut out);
        out.extend(b",\"hostname\":");
        json::write_string(&new.hostname, &mut out);
        let (salt, data) = (STANDARD.encode(salt), STANDARD.encode(data));
        let (n, r, p) = (cost.n(), cost.r(), cost.p());
        let rest = format!(r#","kdf":"scrypt","N":{n},"r":{r},"p":{p},"salt":"{salt}","data":"{data}"}}"#);
        out.extend(rest.into_bytes());
        Ok(out)
    }
}

impl Sealed {
    /// Units of work to try a password; cheap files are tried before dear ones.
    pub(crate) fn work(&self) -> u64 {
        self.cost.work()
    }

    /// Tries a password, which takes as long as the file wants it to.
    pub(crate) fn open(&self, password: &Password, cancel: &Cancel) -> Result<Tried> {
        let key = derived(password, &self.salt, self.cost, cancel)?;
        let mut data = SecretBytes::copied(&self.data);
        let Ok(plain) = key.open_in_place(&mut data) else { return Ok(Tried::WrongPassword) };
        Ok(parse_master(plain).map_or_else(Tried::NoMasterKey, Tried::Opened))
    }
}

fn derived(password: &Password, salt: &[u8], cost: Cost, cancel: &Cancel) -> Result<Key> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let bytes = kdf::derive(&password.0, salt, cost, threads, cancel).map_err(|_| Error::Cancelled)?;
    Key::new(&bytes).map_err(|error| Error::Refused(format!("cannot use the key of this password: {error}")))
}

/// The master key as restic's JSON.
pub(crate) fn master_json(master: &Key) -> SecretBytes {
    let (encrypt, mac) = master.secret().split_at(32);
    let mut out = SecretBytes::with_capacity(256);
    let mut member = |name: &str, bytes: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        let start = out.len();
        out.extend_from_slice(&[0; 44]);
        let length = STANDARD.encode_slice(bytes, &mut out[start..]).expect("44 characters hold 32 bytes");
        out.keep(0..start + length);
    };
    member(r#"{"mac":{"k":""#, &mac[..16]);
    member(r#"","r":""#, &mac[16..]);
    member(r#""},"encrypt":""#, encrypt);
    out.extend_from_slice(br#""}"#);
    out
}

fn parse_master(plain: &[u8]) -> Result<Key, String> {
    let object = Object::parse(plain).map_err(|error| error.to_string())?;
    let mac = object.member("mac").ok_or("the master key has no MAC key")?;
    let mac = Object::parse(mac.get().as_bytes()).map_err(|error| error.to_string())?;
    let mut secret = SecretBox::new(|| [0; KEY_BYTES]);
    decode_part(object.member("encrypt"), &mut secret[..32])?;
    decode_part(mac.member("k"), &mut secret[32..48])?;
    decode_part(mac.member("r"), &mut secret[48..])?;
    Key::new(&secret).map_err(|error| error.to_string())
}

fn decode_part(text: Option<&RawValue>, into: &mut [u8]) -> Result<(), String> {
    let text = text.ok_or("the master key is incomplete")?.get().as_bytes();
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
    let text = unescaped(text.ok_or("a part of the master key is no text")?);
    let mut bytes = SecretBox::new(|| [0; 48]);
    if STANDARD.decode_slice(&text[..], &mut bytes[..]) != Ok(into.len()) {
        return Err("a part of the master key has not the right length".to_owned());
    }
    into.copy_from_slice(&bytes[..into.len()]);
    Ok(())
}

/// What a JSON text without its quotes says, if that is base64: of escapes only those of its characters count.
fn unescaped(text: &[u8]) -> SecretBytes {
    let (mut plain, mut rest) = (SecretBytes::with_capacity(text.len()), text);
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        plain.extend_from_slice(&rest[..at]);
        let (byte, behind) = match &rest[at + 1..] {
            [b'u', digits @ ..] => (code_of(digits).unwrap_or(b'\\'), 6),
            [b'/', ..] => (b'/', 2),
            _ => (b'\\', 2),
        };
        plain.extend_from_slice(&[byte]);
        rest = rest.get(at + behind..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    plain
}

/// The character that four hexadecimal digits stand for, if it has one byte.
fn code_of(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits.get(..4)?).ok()?;
    u8::try_from(u16::from_str_radix(digits, 16).ok()?).ok()
}

#[cfg(test)]
mod tests;

/// For [`fuzz`](crate::fuzz): a key file, or the master key in one.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    if let Ok(file) = KeyFile::parse(bytes)
        && let Ok(sealed) = file.sealed()
    {
        assert!(sealed.work() > 0, "nothing is free");
    }
    let _ = parse_master(bytes);
}
