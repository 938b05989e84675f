//! Reads the files again that a restore has written, and compares them with the snapshot.

use crate::error::{Error, Result};
use crate::restore::dirs::OpenDirs;
use crate::restore::failure::Failure;
use crate::restore::items::Item;
use crate::restore::options::RestoreMonitor;
use crate::restore::parallel::{cores, parallel};
use crate::restore::plan::RestorePlan;
use crate::restore::target::Target;
use rustix::fs::{FileType, fstat};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::{BlobId, BlobKind, Phase, Problem, Repository};

/// What a verification found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files that were compared and are right.
    pub files: u64,
    /// Problems noted.
    pub problems: u64,
}

impl RestorePlan {
    /// The files that the execution has written whole.
    fn written(&self) -> impl Iterator<Item = Result<Item>> + Send {
        let is_written = |item: &Item| item.is_written() && !self.failed.contains(item.number.into());
        self.table.items.iter().filter(move |item| item.as_ref().map_or(true, is_written))
    }

    /// Reads every file that the execution has written, and compares it blob by blob.
    ///
    /// # Errors
    /// [`Error::Target`] if the target cannot be opened; those of temporary files; that the operation was cancelled.
    pub fn verify<R: Right>(
        &self,
        repo: &Repository<R>,
        index: &Index,
        monitor: &dyn RestoreMonitor,
    ) -> Result<Verified> {
        let failed =
            |errno: rustix::io::Errno| Error::Target { path: self.path.clone(), source: errno.into() };
        let target = Target::open(&self.path).map_err(failed)?;
        let mut written = self.written();
        let (files, problems) = (AtomicU64::new(0), AtomicU64::new(0));
        monitor.begin(Phase::Verify, Some(self.written().count() as u64));
        let worker = || (OpenDirs::new(&target), Vec::new());
        let next = || written.next().transpose();
        parallel(next, cores(), repo.cancel(), worker, |(dirs, buffer), item| {
            let counter = match self.compare(index, dirs, buffer, &item) {
                Ok(()) => &files,
                Err(failure) => {
                    let path = String::from_utf8_lossy(&self.table.item_path(&item)).into_owned();
                    monitor.problem(&Problem { item: path, doing: "verify", cause: Box::new(failure) });
                    &problems
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
            monitor.advance(Phase::Verify, 1);
            Ok(())
        })?;
        monitor.end(Phase::Verify);
        Ok(Verified { files: files.into_inner(), problems: problems.into_inner() })
    }

    fn compare(
        &self,
        index: &Index,
        dirs: &mut OpenDirs<'_>,
        buffer: &mut Vec<u8>,
        item: &Item,
    ) -> Result<(), Failure> {
        let dir = dirs.get(&self.table, item.dir).map_err(Failure::step("open the directory"))?;
        let file =
            dir.open_to_read(self.table.details(item)?.name()).map_err(Failure::step("open the file"))?;
        let stat = fstat(&file).map_err(Failure::step("look at the file"))?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(Failure::NotAFile);
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if size != item.size {
            return Err(Failure::WrongSize { expected: item.size, found: size });
        }
        let mut offset = 0;
        for id in &self.table.content(item)? {
            let length = index.plain_length(BlobKind::Data, id)?.ok_or(Failure::UnknownBlob { id: *id })?;
            buffer.resize(length as usize, 0);
            file.read_exact_at(buffer, offset).map_err(Failure::io("read the file"))?;
            if BlobId::of(buffer) != *id {
                return Err(Failure::WrongContent { offset });
            }
            offset += u64::from(length);
        }
        Ok(())
    }
}
