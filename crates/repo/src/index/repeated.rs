//! Packs that several index files name, and whether these say the same of them.

use crate::blob::BlobKind;
use crate::error::Result;
use crate::id::{IndexId, PackId};
use crate::index::merged::{Merged, What};
use crate::index::row::number_at;
use crate::index::run::pack_of;
use crate::index::{Index, Row};
use hashbrown::HashMap;
use sha2::{Digest, Sha256};

/// A pack that several index files name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RepeatedPack {
    pub(crate) pack: PackId,
    /// These.
    pub(crate) files: Vec<IndexId>,
    /// Whether they say the same of it.
    pub(crate) agree: bool,
}

impl Index {
    /// The packs that more than one index file names, in the order of their ids.
    ///
    /// Cost: if there are any, a pass over the index. Memory: about 100 bytes for each time one is named.
    ///
    /// # Errors
    /// As those of every answer.
    pub(crate) fn repeated_packs(&self) -> Result<Vec<RepeatedPack>> {
        if self.other_slots()?.is_empty() {
            return Ok(Vec::new());
        }
        let mut named: Vec<(PackId, Vec<(u64, IndexId)>)> = Vec::new();
        let mut packs = Merged::new(self, What::Packs)?;
        let mut alone = None;
        while let Some((member, number, record)) = packs.next()? {
            let (pack, slot) = (pack_of(&record), self.members[member].first_slot + number);
            let source = self.source_of(member, number_at(&record, 32) as usize);
            match (named.last_mut(), alone.replace((pack, slot, source))) {
                (Some((last, files)), _) if *last == pack => files.push((slot, source)),
                (_, Some((before, first, file))) if before == pack => {
                    named.push((pack, vec![(first, file), (slot, source)]));
                }
                _ => {}
            }
        }
        let said = self.said_of(named.iter().flat_map(|(_, files)| files).map(|(slot, _)| *slot))?;
        let repeated = named.into_iter().map(|(pack, files)| RepeatedPack {
            pack,
            agree: files.iter().all(|(slot, _)| said[slot] == said[&files[0].0]),
            files: files.into_iter().map(|(_, file)| file).collect(),
        });
        Ok(repeated.collect())
    }

    fn source_of(&self, member: usize, source: usize) -> IndexId {
        let run = self.run(member);
        run.and_then(|run| run.sources().get(source).copied()).unwrap_or(IndexId::from_bytes([0; 32]))
    }

    /// For each of these slots a sum of hashes of what is said of its pack: the same for the same entries.
    fn said_of(&self, slots: impl Iterator<Item = u64>) -> Result<HashMap<u64, u128>> {
        let mut said: HashMap<u64, u128> = slots.map(|slot| (slot, 0)).collect();
        for kind in BlobKind::ALL {
            let mut rows = Merged::new(self, What::Rows(kind))?;
            while let Some((member, _, record)) = rows.next()? {
                let mut row = Row::from_bytes(&record);
                let slot = self.members[member].first_slot + u64::from(row.spot.pack);
                if let Some(sum) = said.get_mut(&slot) {
                    row.spot.pack = kind as u32;
                    let hash: [u8; 32] = Sha256::digest(row.to_bytes()).into();
                    *sum =
                        sum.wrapping_add(u128::from_le_bytes(*hash.first_chunk().expect("a hash is longer")));
                }
            }
        }
        Ok(said)
    }
}
