//! What a command saw of a repository: a decorator that notices, and asks for nothing.

use super::known::place;
use super::names::Name;
use hashbrown::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tresor_backend::{
    Availability, Backend, ByteRange, Capabilities, FileKind, FileName, Listed, Payload, Result,
};

/// The files of a kind as they were seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// The last complete listing: name and size.
    pub(super) listed: Option<HashMap<Name, u64>>,
    /// What we saved.
    pub(super) saved: HashSet<Name>,
    /// What we removed.
    pub(super) removed: HashSet<Name>,
}

/// What was seen of the kinds that are remembered.
#[derive(Debug, Clone, Default)]
pub struct View {
    pub(super) kinds: [Seen; 3],
}

impl View {
    /// Whether all files of a kind were listed.
    pub fn has_listed(&self, kind: FileKind) -> bool {
        place(kind).is_none_or(|place| self.kinds[place].listed.is_some())
    }

    /// How many snapshots were listed.
    pub fn snapshots(&self) -> Option<usize> {
        self.kinds[0].listed.as_ref().map(HashMap::len)
    }
}

/// A backend that is watched.
pub struct Watch {
    inner: Arc<dyn Backend>,
    view: Arc<Mutex<View>>,
}

impl Watch {
    /// Watches `inner`; what is seen goes to `view`.
    pub fn new(inner: Arc<dyn Backend>, view: Arc<Mutex<View>>) -> Self {
        Watch { inner, view }
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Watch {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self) -> Result<()> {
        self.inner.create()
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        self.inner.save(file, payload)?;
        if let Some(place) = place(file.kind()) {
            self.view().kinds[place].saved.insert(file.id().into());
        }
        Ok(())
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.inner.load(file, range, into)
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.inner.load_whole(file, at_most, into)
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.inner.stat(file)
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        let Some(place) = place(kind) else { return self.inner.list(kind, each) };
        let mut files = HashMap::new();
        self.inner.list(kind, &mut |listed| {
            each(listed)?;
            files.insert(listed.id.into(), listed.size);
            Ok(())
        })?;
        self.view().kinds[place].listed = Some(files);
        Ok(())
    }

    fn remove(&self, file: FileName) -> Result<()> {
        self.inner.remove(file)?;
        if let Some(place) = place(file.kind()) {
            self.view().kinds[place].removed.insert(file.id().into());
        }
        Ok(())
    }

    fn bring_back(&self, file: FileName) -> Result<Availability> {
        self.inner.bring_back(file)
    }
}
