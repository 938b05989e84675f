//! What is remembered of one address.

use super::known::{Identity, Known};
use serde::{Deserialize, Serialize};
use tresor_backend::net::Pin;

/// The form of the file that is written.
const VERSION: u32 = 1;
/// Repositories that one address may have: disks that take turns at one place.
const MOST_REPOSITORIES: usize = 16;

/// An address, how to speak to it, and the repositories that are expected there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The address, without credentials.
    pub address: String,
    /// Whether it may be spoken to over plain HTTP.
    pub plaintext: bool,
    /// The keys that its server may have; any, if there are none.
    pub pins: Vec<Pin>,
    /// The repositories that are accepted.
    pub repositories: Vec<Known>,
}

/// The same as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    address: String,
    #[serde(default)]
    plaintext: bool,
    #[serde(default)]
    pins: Vec<String>,
    repositories: Vec<Known>,
}

impl Entry {
    /// An address of which nothing is known.
    pub fn new(address: &str) -> Self {
        Entry { address: address.to_owned(), plaintext: false, pins: Vec::new(), repositories: Vec::new() }
    }

    /// What is known of a repository, if it is expected here.
    pub fn known(&self, identity: &Identity) -> Option<&Known> {
        self.repositories.iter().find(|known| known.identity == *identity)
    }

    /// The same to change it; a repository that is not expected is from now on, also in the place of one of its id.
    pub fn expect(&mut self, identity: &Identity) -> &mut Known {
        self.repositories.retain(|known| known.identity == *identity || known.identity.id != identity.id);
        let place = match self.repositories.iter().position(|known| known.identity == *identity) {
            Some(place) => place,
            None => {
                self.repositories.sort_by_key(|known| std::cmp::Reverse(known.time));
                self.repositories.truncate(MOST_REPOSITORIES - 1);
                self.repositories.push(Known::new(identity.clone()));
                self.repositories.len() - 1
            }
        };
        &mut self.repositories[place]
    }

    /// Reads what [`to_json`](Self::to_json) made.
    ///
    /// # Errors
    /// In words what is wrong; a file of a later version too.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let text = |error: serde_json::Error| error.to_string();
        let Versioned { version } = serde_json::from_slice(json).map_err(text)?;
        if version != VERSION {
            return Err(format!("it is of version {version}, which this program does not know"));
        }
        let stored: Stored = serde_json::from_slice(json).map_err(text)?;
        let pins = stored.pins.iter().map(|pin| pin.parse::<Pin>().map_err(|wrong| wrong.to_string()));
        Ok(Entry {
            address: stored.address,
            plaintext: stored.plaintext,
            pins: pins.collect::<Result<_, _>>()?,
            repositories: stored.repositories,
        })
    }

    /// The entry as it is stored.
    pub fn to_json(&self) -> Vec<u8> {
        let stored = Stored {
            version: VERSION,
            address: self.address.clone(),
            plaintext: self.plaintext,
            pins: self.pins.iter().map(ToString::to_string).collect(),
            repositories: self.repositories.clone(),
        };
        serde_json::to_vec(&stored).expect("it has string keys, and writing to memory does not fail")
    }
}
