//! The config file: version, repository id, chunker polynomial (format: "config").

use crate::error::{Error, Result};
use crate::id::RepoId;
use crate::json::{self, Object};
use crate::random;
use std::ops::RangeInclusive;
use tresor_chunker::{Chunker, Polynomial};

/// The repository versions we read and write.
pub const VERSIONS: RangeInclusive<u32> = 1..=2;

/// What makes a folder a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// 1 or 2.
    pub version: u32,
    /// Random; names the local cache.
    pub id: RepoId,
    /// The chunker's polynomial, irreducible.
    pub polynomial: Polynomial,
    /// What others have written beside: name and JSON text. Kept when the config is written again.
    pub(crate) others: Vec<(String, String)>,
}

const KNOWN: [&str; 3] = ["version", "id", "chunker_polynomial"];

impl Config {
    /// The config of a new repository, with an id and, unless one is given, a polynomial drawn at random.
    ///
    /// # Errors
    /// When `version` or `polynomial` is none that can be used.
    pub fn new(version: u32, polynomial: Option<Polynomial>) -> Result<Self> {
        let polynomial = polynomial.map_or_else(|| Polynomial::random(|bytes| random::fill(bytes)), Ok)?;
        let config =
            Config { version, id: RepoId::from_bytes(random::bytes()?), polynomial, others: Vec::new() };
        config.checked()
    }

    /// Reads the opened config file.
    ///
    /// # Errors
    /// [`Error::BadConfig`] with what is wrong.
    pub fn parse(plain: &[u8]) -> Result<Self> {
        let bad = |source: serde_json::Error| Error::BadConfig { what: source.to_string() };
        let object = Object::parse(plain).map_err(bad)?;
        let version = object.get("version").map_err(bad)?;
        let id: String = object.get("id").map_err(bad)?;
        let polynomial: String = object.get("chunker_polynomial").map_err(bad)?;
        let config = Config {
            version,
            // The id names a folder of the local cache: nothing but an id will do.
            id: RepoId::from_hex(id.as_bytes())
                .ok_or_else(|| Error::BadConfig { what: "the id is not 64 hexadecimal digits".into() })?,
            polynomial: polynomial.parse().map_err(|_| Error::BadConfig {
                what: "the chunker polynomial is no hexadecimal number".into(),
            })?,
            others: object.others(&KNOWN),
        };
        config.checked()
    }

    /// The bytes to seal: as restic writes them, then what others have added.
    pub fn to_json(&self) -> Vec<u8> {
        let Config { version, id, polynomial, others } = self;
        let mut out =
            format!(r#"{{"version":{version},"id":"{id}","chunker_polynomial":"{polynomial}""#).into_bytes();
        for (name, value) in others {
            out.push(b',');
            json::write_string(name, &mut out);
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
        }
        out.push(b'}');
        out
    }

    /// The chunker of this polynomial.
    ///
    /// # Errors
    /// When the polynomial is none for a chunker.
    pub fn chunker(&self) -> Result<Chunker> {
        Chunker::new(self.polynomial).map_err(|source| Error::BadConfig { what: source.to_string() })
    }

    fn checked(self) -> Result<Self> {
        if !VERSIONS.contains(&self.version) {
            let what = format!("repository version {} is not known (1 and 2 are)", self.version);
            return Err(Error::BadConfig { what });
        }
        self.chunker()?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "24276b695d53d6bed26daa4133956cb016655adc7bbe9a5521cee9eb9768111e";

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text.replace("ID", ID).as_bytes())
    }

    #[test]
    fn reads_and_writes_what_restic_writes() {
        let text = format!(r#"{{"version":1,"id":"{ID}","chunker_polynomial":"32b8ee698ca6d9"}}"#);
        let config = parse(&text).unwrap();
        assert_eq!((config.version, config.id.hex().as_str()), (1, ID));
        assert_eq!(config.to_json(), text.as_bytes());
    }

    #[test]
    fn is_as_lenient_as_go() {
        let text = " {\"Version\":2, \"ID\":\"ID\",\"CHUNKER_polynomial\":\"32B8EE698CA6D9\"}\n\t ";
        let config = parse(&text.replace("\"ID\":", "\"Id\":")).unwrap();
        assert_eq!(config.polynomial.to_string(), "32b8ee698ca6d9");
    }

    #[test]
    fn what_others_added_survives() {
        let text = r#"{"x-a":[1,{"b":2.50}],"version":2,"id":"ID","chunker_polynomial":"32b8ee698ca6d9","x<b":null}"#;
        let written = String::from_utf8(parse(text).unwrap().to_json()).unwrap();
        assert!(written.ends_with(r#","x-a":[1,{"b":2.50}],"x\u003cb":null}"#), "{written}");
        assert_eq!(parse(&written).unwrap(), parse(text).unwrap());
    }

    #[test]
    fn refuses_what_is_no_config() {
        let good = r#"{"version":2,"id":"ID","chunker_polynomial":"32b8ee698ca6d9"}"#;
        parse(good).unwrap();
        let other_id = |id: &str| good.replace("ID", id);
        let other = |from: &str, to: &str| good.replace(from, to);
        for bad in [
            String::new(),
            "{}".into(),
            format!("{good}x"),
            format!("{good}{good}"),
            other("2,", "0,"),
            other("2,", "3,"),
            other("2,", "\"2\","),
            other("2,", "-2,"),
            other("2,", "2.0,"),
            other_id("../../../../../../../../../../../../../../../../../../../../../evil"),
            other_id(&ID.to_uppercase()),
            other_id(""),
            other("32b8ee698ca6d9", "32b8ee698ca6d8"),
            other("32b8ee698ca6d9", "0x32b8ee698ca6d9"),
            other("32b8ee698ca6d9", ""),
            other("32b8ee698ca6d9", "132b8ee698ca6d932b8ee698ca6d9"),
        ] {
            assert!(matches!(parse(&bad), Err(Error::BadConfig { .. })), "{bad}");
        }
    }

    #[test]
    fn a_new_one_is_random_and_can_be_used() {
        let one = Config::new(2, None).unwrap();
        assert_ne!(one.id, Config::new(2, None).unwrap().id);
        assert_eq!(one.polynomial.degree(), 53);
        assert_eq!(Config::parse(&one.to_json()).unwrap(), one);
        assert_eq!(Config::new(1, Some(one.polynomial)).unwrap().polynomial, one.polynomial);
        assert!(Config::new(3, None).is_err());
    }
}
