//! Writes a tree and saves it: in memory if it is short, else as it comes.

use tresor_repo::upload::{BlobSaver, LongSaver, Saved, Upload};
use tresor_repo::{BlobId, BlobKind};

use super::TreeWriter;
use crate::error::Result;
use crate::gojson::Unknown;
use crate::node::Node;

/// How much of a long tree is written before it is handed on.
const PIECE: usize = 64 * 1024;

/// Writes a tree node by node and saves it.
pub(crate) struct TreeSaver<'u> {
    upload: &'u Upload<'u>,
    writer: TreeWriter,
    /// From here on it is long.
    longest: usize,
    long: Option<LongSaver<'u>>,
}

/// A tree that was saved.
pub(crate) struct SavedTree {
    pub(crate) saved: Saved,
    /// The length of its stored form.
    pub(crate) length: u64,
    /// The buffer, to be used again.
    pub(crate) buffer: Vec<u8>,
}

impl<'u> TreeSaver<'u> {
    /// Begins a tree in a buffer whose content is dropped and whose memory is used again.
    pub(crate) fn new(upload: &'u Upload<'u>, buffer: Vec<u8>) -> Self {
        let longest = usize::try_from(upload.longest_in_memory()).unwrap_or(usize::MAX);
        TreeSaver { upload, writer: TreeWriter::with_buffer(buffer), longest, long: None }
    }

    /// Adds the next node; errors as for [`TreeWriter::push`], and those of saving.
    pub(crate) fn push(&mut self, node: &Node) -> Result<()> {
        self.writer.push(node)?;
        self.hand_on()
    }

    /// Adds the next node in its stored form.
    pub(crate) fn push_written(&mut self, name: &[u8], node: &[u8]) -> Result<()> {
        self.writer.push_written(name, node)?;
        self.hand_on()
    }

    fn hand_on(&mut self) -> Result<()> {
        let most = if self.long.is_some() { PIECE } else { self.longest };
        if self.writer.written().len() <= most {
            return Ok(());
        }
        if self.long.is_none() {
            self.long = Some(self.upload.long_saver(BlobKind::Tree)?);
        }
        if let Some(long) = &mut self.long {
            long.write(self.writer.written())?;
            self.writer.drop_written();
        }
        Ok(())
    }

    /// Ends the tree with the members beside the nodes, and saves it; not if the tree of this id `is_stored`, for
    /// those who know more than the index.
    pub(crate) fn finish(
        self,
        unknown: &Unknown,
        saver: &mut BlobSaver<'_>,
        is_stored: Option<&mut dyn FnMut(&BlobId) -> bool>,
    ) -> Result<SavedTree> {
        let buffer = self.writer.finish_with(unknown);
        let Some(mut long) = self.long else {
            let length = buffer.len() as u64;
            let stored = is_stored.and_then(|is_stored| {
                let id = BlobId::of(&buffer);
                is_stored(&id).then_some(Saved { id, was_new: false, stored_bytes: 0 })
            });
            let saved = stored.map_or_else(|| saver.save_blob(BlobKind::Tree, &buffer), Ok)?;
            return Ok(SavedTree { saved, length, buffer });
        };
        long.write(&buffer)?;
        let length = long.len();
        let saved = long.finish_unless(|id| is_stored.is_some_and(|is_stored| is_stored(id)))?;
        Ok(SavedTree { saved, length, buffer: Vec::new() })
    }
}
