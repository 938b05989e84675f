//! Packs with blobs of an attacker's making, and index files that say of them what he likes.

use super::{Attacker, Place, packed};
use crate::hostile::{Part, frame};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What a blob is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the format")]
pub enum Kind {
    Data,
    Tree,
}

/// A blob in a pack.
#[derive(Debug, Clone)]
pub struct Blob {
    /// What it is said to be.
    pub kind: Kind,
    /// Its id in hex, which may be a lie.
    pub id: String,
    /// What is sealed.
    pub plain: Vec<u8>,
    /// The length it is said to have; 0 says that it is not compressed.
    pub length: u32,
}

impl Blob {
    /// An honest one, not compressed.
    pub fn honest(kind: Kind, plain: &[u8]) -> Blob {
        Blob { kind, id: hex(plain), plain: plain.to_vec(), length: 0 }
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(id: &str) -> Vec<u8> {
    (0..id.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&id[at..at + 2], 16).expect("an id is hex"))
        .collect()
}

impl Attacker {
    /// Stores a pack of these blobs; answers with what an index file says of it.
    pub fn plant_pack(&mut self, blobs: &[Blob]) -> Value {
        let (mut pack, mut header, mut said) = (Vec::new(), Vec::new(), Vec::new());
        for Blob { kind, id, plain, length } in blobs {
            let sealed = self.sealed(plain);
            let code = *kind as u8 + if *length == 0 { 0 } else { 2 };
            header.push(code);
            header.extend((sealed.len() as u32).to_le_bytes());
            if *length != 0 {
                header.extend(length.to_le_bytes());
            }
            header.extend(unhex(id));
            let word = if *kind == Kind::Data { "data" } else { "tree" };
            let mut entry = json!({"id": id, "type": word, "offset": pack.len(), "length": sealed.len()});
            if *length != 0 {
                entry["uncompressed_length"] = json!(length);
            }
            said.push(entry);
            pack.extend(sealed);
        }
        let header = self.sealed(&header);
        pack.extend(&header);
        pack.extend((header.len() as u32).to_le_bytes());
        let path = self.plant(Place::Pack, &pack);
        json!({"id": path.file_name().and_then(|name| name.to_str()), "blobs": said})
    }

    /// Stores an index file that names these packs.
    pub fn plant_index(&mut self, packs: &[Value]) {
        let text = json!({"packs": packs}).to_string();
        let plain = packed(&frame(&[Part::Bytes(text.as_bytes())], None));
        self.plant_sealed(Place::Index, &plain);
    }

    /// Stores a snapshot of this tree; answers with its id.
    pub fn plant_snapshot(&mut self, tree: &str, time: &str) -> String {
        let text = json!({"time": time, "tree": tree, "paths": ["/hostile"], "hostname": "h"}).to_string();
        let path = self.plant_sealed(Place::Snapshot, text.as_bytes());
        path.file_name().and_then(|name| name.to_str()).expect("an id is text").to_owned()
    }

    /// Changes the index file of a repository that has one, and stores it beside the old one or in its place.
    pub fn poison_index(&mut self, instead: bool, mut change: impl FnMut(&mut Value)) {
        let path = self.model(Place::Index);
        let stored = super::read(&path);
        let plain = self.key.as_ref().and_then(|key| key.open(&stored)).expect("the index file is sealed");
        let text = match plain.split_first() {
            Some((2, frame)) => {
                let mut content = Vec::with_capacity(64 << 20);
                zstd_safe::decompress(&mut content, frame).expect("the index file is compressed");
                content
            }
            _ => plain,
        };
        let mut index: Value = serde_json::from_slice(&text).expect("the index file is JSON");
        change(&mut index);
        if instead {
            std::fs::remove_file(path).expect("a file can be removed");
        }
        self.plant_index(index["packs"].as_array().expect("an index names packs"));
    }
}
