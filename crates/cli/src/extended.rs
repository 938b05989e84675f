//! Extended options: `-o namespace.key=value`.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

use crate::exit::{Failure, Result};

/// An extended option that some backend reads.
#[derive(Clone, Copy, JsonSchema, Serialize)]
pub(crate) struct Known {
    pub(crate) key: &'static str,
    pub(crate) description: &'static str,
}

/// Every extended option, by key.
pub(crate) const KNOWN: &[Known] = &[
    known("azure.access-tier", "the tier of new blobs: Hot, Cool, Cold; Archive holds for packs only"),
    known("azure.connections", "how many operations run at once (default: 5)"),
    known("b2.connections", "how many operations run at once (default: 5)"),
    known("b2.endpoint", "where to log in to B2, if not at Backblaze"),
    known("gs.connections", "how many operations run at once (default: 5)"),
    known("gs.region", "where a new bucket is (default: us)"),
    known("local.connections", "how many operations run at once (default: 2)"),
    known("opendal.connections", "how many operations run at once (default: 5)"),
    known("rclone.args", "what rclone is to do (default: serve restic --stdio --b2-hard-delete)"),
    known("rclone.connections", "how many operations run at once (default: 5)"),
    known("rclone.program", "the rclone to run, with arguments of its own (default: rclone)"),
    known("rclone.timeout", "how long rclone may take to answer at first (default: 1m)"),
    known("rest.connections", "how many operations run at once (default: 5)"),
    known(
        "s3.bucket-lookup",
        "where the bucket is put: before the host (dns), in the path (path), as the service likes it (auto)",
    ),
    known("s3.connections", "how many operations run at once (default: 5)"),
    known(
        "s3.enable-restore",
        "bring packs back from an archive before they are read (needs the feature s3-restore)",
    ),
    known("s3.layout", "of no effect any more: there is one layout"),
    known("s3.list-objects-v1", "ask for listings of version 1, for services that have no other"),
    known("s3.region", "the region of the bucket; else what the endpoint's name or the service says"),
    known("s3.restore-days", "for how many days packs are brought back (default: 7)"),
    known(
        "s3.restore-tier",
        "how fast packs are brought back: Standard, Bulk or Expedited (default: Standard)",
    ),
    known("s3.restore-timeout", "how long to wait for packs to come back (default: 24h)"),
    known("s3.retries", "of no effect: every operation is retried for a quarter of an hour"),
    known(
        "s3.storage-class",
        "the class of new objects; GLACIER and DEEP_ARCHIVE hold for packs of file contents only",
    ),
    known("s3.unsafe-anonymous-auth", "speak to the service without credentials"),
    known("sftp.args", "further arguments for ssh, split like a command (not with sftp.command)"),
    known("sftp.command", "the command to start in the place of ssh, split at spaces outside of quotes"),
    known("sftp.connections", "how many operations run at once (default: 5)"),
    known("swift.connections", "how many operations run at once (default: 5)"),
];

const fn known(key: &'static str, description: &'static str) -> Known {
    Known { key, description }
}

/// The extended options of the command line, keys in lower case.
#[derive(Debug, Default)]
pub(crate) struct Extended(BTreeMap<String, String>);

impl Extended {
    /// Reads `key=value` words.
    ///
    /// # Errors
    /// An empty key, or one key with two different values.
    pub(crate) fn parse(words: &[String]) -> Result<Self> {
        let mut options = BTreeMap::new();
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let (key, value) = (key.trim().to_lowercase(), value.trim().to_owned());
            if key.is_empty() {
                return Err(Failure::fatal("empty key is not a valid option"));
            }
            match options.insert(key.clone(), value.clone()) {
                Some(before) if before != value => {
                    return Err(Failure::fatal(format!("key {key:?} present more than once")));
                }
                _ => {}
            }
        }
        Ok(Extended(options))
    }

    /// The options of one namespace, without its prefix; those of others are nobody's business.
    ///
    /// # Errors
    /// A key of this namespace that is not in `known`.
    pub(crate) fn namespace(&self, namespace: &str, known: &[Known]) -> Result<BTreeMap<&str, &str>> {
        let mut own = BTreeMap::new();
        for (key, value) in &self.0 {
            let Some(name) = key.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('.')) else {
                continue;
            };
            if !known.iter().any(|known| known.key == key) {
                return Err(Failure::fatal(format!("option {key} is not known")));
            }
            own.insert(name, value.as_str());
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Extended> {
        Extended::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_active_namespace_is_checked() {
        let options = parse(&["nope", "s3.bogus=1", "Local.Connections = 3", "local.connections=3"]).unwrap();
        assert_eq!(options.namespace("local", KNOWN).unwrap()["connections"], "3");
        let unknown = options.namespace("s3", KNOWN).unwrap_err();
        assert_eq!(unknown.message, "Fatal: option s3.bogus is not known");
        assert!(parse(&["a=1", "a=2"]).is_err());
        assert!(parse(&["=1"]).is_err());
    }
}
