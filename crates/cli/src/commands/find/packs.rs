//! The blobs of packs that were asked for, and the packs of blobs that were.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use tresor_repo::handle::Right;
use tresor_repo::index::{Index, Place};
use tresor_repo::{BlobHandle, BlobId, BlobKind, FileKind, PackId, Repository};
use tresor_snapshot::find::Wanted;

use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::schema::Id;

/// Adds what the packs hold: by the index, or by the header of a pack that no index file names.
///
/// # Errors
/// A pack is nowhere, or its header cannot be read.
pub(super) fn blobs_of<R: Right>(
    words: &[String],
    repository: &Repository<R>,
    index: &Index,
    blobs: &mut Wanted,
    trees: &mut Wanted,
) -> Result<()> {
    let is_meant = |pack: &PackId, word: &str| pack.hex() == word || pack.short() == word;
    let mut take = |blob: BlobHandle| match blob.kind {
        BlobKind::Data => blobs.add(blob.id),
        BlobKind::Tree => trees.add(blob.id),
    };
    let (by_pack, mut stored, mut lost) = (index.by_pack()?, None, Vec::new());
    for word in words {
        let mut found = false;
        for pack in index.packs() {
            let (pack, _) = pack?;
            if is_meant(&pack, word) {
                found = true;
                by_pack.blobs(&pack)?.into_iter().for_each(|(blob, _)| take(blob));
            }
        }
        if found {
            continue;
        }
        if stored.is_none() {
            stored = Some(repository.list(FileKind::Pack)?);
        }
        for file in stored.iter().flatten() {
            let pack = PackId::from_id(file.id);
            if is_meant(&pack, word) {
                found = true;
                let entries = repository.load_pack_header(pack, file.size)?;
                entries.iter().for_each(|entry| take(entry.blob));
            }
        }
        if !found {
            lost.push(word.as_str());
        }
    }
    match lost.is_empty() {
        true => Ok(()),
        false => Err(Failure::fatal(format!("unable to find pack(s): [{}]", lost.join(" ")))),
    }
}

/// Where a blob is.
#[derive(JsonSchema, Serialize)]
pub(crate) struct PackMessage<'a> {
    message_type: &'static str,
    object_type: &'static str,
    id: &'a str,
    #[schemars(with = "Id")]
    pack: PackId,
    offset: u32,
    length: u32,
    uncompressed_length: u32,
}

/// A blob that is nowhere.
#[derive(JsonSchema, Serialize)]
pub(crate) struct NoPackMessage<'a> {
    message_type: &'static str,
    object_type: &'static str,
    id: &'a str,
}

/// Prints the pack of each blob and tree that was asked for; a blob that was found by its short id has one too.
///
/// # Errors
/// The index cannot be read.
pub(super) fn show(
    session: &Session,
    index: &Index,
    blobs: &Wanted,
    met: &BTreeSet<BlobId>,
    trees: &Wanted,
) -> Result<()> {
    let blobs = blobs.texts().flat_map(|text| {
        let mut of_text: Vec<String> =
            met.iter().filter(|id| text.len() == 8 && id.short() == text).map(BlobId::hex).collect();
        if of_text.is_empty() {
            of_text.push(text.to_owned());
        }
        of_text
    });
    let trees = trees.texts().map(str::to_owned);
    for (kind, texts) in [(BlobKind::Data, blobs.collect::<Vec<_>>()), (BlobKind::Tree, trees.collect())] {
        for text in &texts {
            let id = BlobId::from_hex(text.as_bytes());
            let place = match id {
                Some(id) => index.find(kind, &id)?.map(|place| (BlobHandle { kind, id }, place)),
                None => None,
            };
            match session.ui.is_json() && !session.program.is_restic() {
                true => show_json(session, kind, text, place),
                false => session.ui.text(line(text, kind, id, place).as_bytes()),
            }
        }
    }
    Ok(())
}

fn show_json(session: &Session, kind: BlobKind, id: &str, place: Option<(BlobHandle, Place)>) {
    let object_type = if kind == BlobKind::Tree { "tree" } else { "blob" };
    let Some((_, place)) = place else {
        return session.ui.json(&NoPackMessage { message_type: "no_pack", object_type, id });
    };
    session.ui.json(&PackMessage {
        message_type: "pack",
        object_type,
        id,
        pack: place.pack,
        offset: place.offset,
        length: place.length,
        uncompressed_length: place.uncompressed_length,
    });
}

fn line(text: &str, kind: BlobKind, id: Option<BlobId>, place: Option<(BlobHandle, Place)>) -> String {
    let Some(id) = id else {
        let reason = if text.len() == 64 { "invalid digits in ID" } else { "invalid length for ID" };
        return format!(
            "Note: cannot find pack for object '{text}', unable to parse ID: {reason}: {text:?}\n"
        );
    };
    let Some((blob, place)) = place else {
        return format!("Object {} with type {} not found in the index\n", kind.word(), id.short());
    };
    let Place { pack, offset, length, uncompressed_length } = place;
    format!(
        "Object belongs to pack {pack}\n ... Pack {}: <Blob ({}) {}, offset {offset}, length {length}, \
         uncompressed length {uncompressed_length}>\n",
        pack.short(),
        kind.word(),
        blob.id.short()
    )
}
