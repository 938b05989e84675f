//! Have packs brought back from an archive before they are read.

use crate::error::Result;
use crate::id::PackId;
use crate::monitor::{Monitor, Note, Phase};
use crate::repository::Repository;
use tresor_backend::handle::Right;
use tresor_backend::{FileName, SystemClock, archive};

impl<R: Right> Repository<R> {
    /// Has those of `packs` brought back that lie in an archive, and waits until all can be loaded: for hours,
    /// perhaps. Costs a request for each, and nothing where there is no archive. Progress:
    /// [`Phase::BringBack`], after [`Note::BringingBack`], if there is something to wait for.
    ///
    /// # Errors
    /// A pack that could not be ordered or did not come in time; cancellation.
    pub fn bring_back(&self, packs: &[PackId], monitor: &dyn Monitor) -> Result<()> {
        let files: Vec<FileName> = packs.iter().map(PackId::file).collect();
        let coming = archive::order(&self.handle, &files, self.cancel())?;
        let packs = coming.files().len() as u64;
        if packs == 0 {
            return Ok(());
        }
        monitor.note(&Note::BringingBack { packs });
        monitor.begin(Phase::BringBack, Some(packs));
        let came = &mut |_| monitor.advance(Phase::BringBack, 1);
        coming.wait(&self.handle, &SystemClock::default(), self.cancel(), came)?;
        monitor.end(Phase::BringBack);
        Ok(())
    }

    /// Whether packs may lie in an archive from which they are to be brought back.
    pub fn has_archive(&self) -> bool {
        self.handle.capabilities().archive.is_some()
    }
}
