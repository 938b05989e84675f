//! Blobs of file content in memory: loaded by threads of their own, ahead of who reads in order.
//!
//! Who needs a blob asks for it and waits; who will need more says so and goes on. Blobs of one pack that lie near
//! each other come in one request. Bytes in memory and on their way are bounded together.

use super::lru::Lru;
use crate::error::{Error, Result};
use hashbrown::{HashMap, HashSet};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tresor_repo::handle::Read;
use tresor_repo::index::{Index, Place};
use tresor_repo::load::Loader;
use tresor_repo::{BlobHandle, BlobId, BlobKind, PackId, Repository};

/// Bytes of one task, so that several threads share what is wanted and the first blobs come soon.
const TASK_BYTES: u64 = 4 << 20;

/// A blob's plaintext.
pub(super) type Bytes = Arc<[u8]>;

/// The blobs at hand, and the threads that load others.
pub(super) struct Blobs {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    repository: Arc<Repository<Read>>,
    state: Mutex<State>,
    /// A blob has come, or will not come.
    came: Condvar,
    /// There is something to load.
    wanted: Condvar,
}

struct State {
    kept: Lru<BlobId, Bytes>,
    /// Blobs on their way, with their bytes.
    coming: HashMap<BlobId, u64>,
    coming_bytes: u64,
    /// Blobs that somebody waits for.
    awaited: HashMap<BlobId, usize>,
    /// What those who wait have to be told.
    failed: HashMap<BlobId, Error>,
    tasks: VecDeque<Task>,
    limit: u64,
    stop: bool,
}

/// Near blobs of one pack.
struct Task {
    index: Arc<Index>,
    pack: PackId,
    blobs: Vec<(BlobHandle, Place)>,
}

impl Blobs {
    /// Starts the threads; `limit` bounds the bytes in memory.
    pub(super) fn new(repository: &Arc<Repository<Read>>, limit: u64) -> Self {
        let state = State {
            kept: Lru::new(limit),
            coming: HashMap::new(),
            coming_bytes: 0,
            awaited: HashMap::new(),
            failed: HashMap::new(),
            tasks: VecDeque::new(),
            limit,
            stop: false,
        };
        let shared = Arc::new(Shared {
            repository: Arc::clone(repository),
            state: Mutex::new(state),
            came: Condvar::new(),
            wanted: Condvar::new(),
        });
        let work = || {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.work())
        };
        let threads = (0..repository.parallel_loads()).map(|_| work()).collect();
        Blobs { shared, threads }
    }

    /// A blob's plaintext; waits for it if it must be loaded.
    ///
    /// # Errors
    /// Those of loading it.
    pub(super) fn get(&self, index: &Arc<Index>, id: &BlobId) -> Result<Bytes> {
        let blob = BlobHandle { kind: BlobKind::Data, id: *id };
        let mut state = self.shared.state();
        loop {
            if let Some(bytes) = state.kept.get(id) {
                return Ok(bytes);
            }
            if let Some(error) = state.failed.remove(id) {
                return Err(error);
            }
            if !state.coming.contains_key(id) {
                let place =
                    index.find(BlobKind::Data, id)?.ok_or(tresor_repo::Error::UnknownBlob { blob })?;
                state.expect(id, place.plain_length());
                let task = Task { index: Arc::clone(index), pack: place.pack, blobs: vec![(blob, place)] };
                state.tasks.push_front(task);
                self.shared.wanted.notify_one();
            }
            *state.awaited.entry(*id).or_default() += 1;
            state = self.shared.came.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.no_longer_awaited(id);
        }
    }

    /// Has blobs loaded that will be wanted soon, in this order, as far as there is room for them.
    pub(super) fn want(&self, index: &Arc<Index>, ids: &[BlobId]) {
        let mut state = self.shared.state();
        let mut tasks: Vec<(Task, u64)> = Vec::new();
        let mut asked = HashSet::new();
        for id in ids.iter().filter(|id| asked.insert(**id)) {
            if state.kept.contains(id) || state.coming.contains_key(id) {
                continue;
            }
            let Ok(Some(place)) = index.find(BlobKind::Data, id) else { break };
            let bytes = u64::from(place.plain_length());
            if state.coming_bytes + bytes > state.limit / 2 {
                break;
            }
            state.expect(id, place.plain_length());
            let blob = (BlobHandle { kind: BlobKind::Data, id: *id }, place);
            match tasks
                .last_mut()
                .filter(|(task, size)| task.pack == place.pack && size + bytes <= TASK_BYTES)
            {
                Some((task, size)) => {
                    task.blobs.push(blob);
                    *size += bytes;
                }
                None => {
                    let task = Task { index: Arc::clone(index), pack: place.pack, blobs: vec![blob] };
                    tasks.push((task, bytes));
                }
            }
        }
        if !tasks.is_empty() {
            state.tasks.extend(tasks.into_iter().map(|(task, _)| task));
            self.shared.wanted.notify_all();
        }
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.wanted.notify_all();
        for thread in self.threads.drain(..) {
            drop(thread.join()); // if it panicked, what it was to load was given up in its name
        }
    }
}

impl State {
    fn expect(&mut self, id: &BlobId, bytes: u32) {
        self.coming.insert(*id, bytes.into());
        self.coming_bytes += u64::from(bytes);
    }

    fn no_longer_awaited(&mut self, id: &BlobId) {
        if let Some(count) = self.awaited.get_mut(id) {
            *count -= 1;
            if *count == 0 {
                self.awaited.remove(id);
            }
        }
    }

    /// A blob is no longer on its way: it came, it failed, or (with neither) it was given up.
    fn arrived(&mut self, id: &BlobId, loaded: Option<Result<Bytes, Error>>) {
        let Some(bytes) = self.coming.remove(id) else { return };
        self.coming_bytes -= bytes;
        match loaded {
            Some(Ok(plain)) => {
                let (bytes, reserved) = (plain.len() as u64, self.coming_bytes.min(self.limit / 2));
                self.kept.insert(*id, plain, bytes, reserved);
            }
            // One of those who wait is told; the others try again and hear it themselves.
            Some(Err(error)) if self.awaited.contains_key(id) => drop(self.failed.insert(*id, error)),
            _ => {}
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads what is wanted, until told to stop.
    fn work(&self) {
        let mut loader = self.repository.loader();
        while let Some(task) = self.next() {
            self.load(&mut loader, task);
        }
    }

    fn next(&self) -> Option<Task> {
        let mut state = self.state();
        loop {
            if state.stop {
                return None;
            }
            if let Some(task) = state.tasks.pop_front() {
                return Some(task);
            }
            state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn load(&self, loader: &mut Loader<'_, Read>, mut task: Task) {
        let _given_up = GivenUp { shared: self, ids: task.blobs.iter().map(|(blob, _)| blob.id).collect() };
        let ended: Result<()> =
            loader.load_from_pack(&task.index, task.pack, &mut task.blobs, &mut |blob, plain| {
                let plain = plain.map(Bytes::from).map_err(Error::from);
                self.state().arrived(&blob.id, Some(plain));
                self.came.notify_all();
                Ok(())
            });
        debug_assert!(ended.is_ok(), "only the closure could have failed");
    }
}

/// Nobody waits for what was not loaded, whatever happened to the thread.
struct GivenUp<'a> {
    shared: &'a Shared,
    ids: Vec<BlobId>,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        self.ids.iter().for_each(|id| state.arrived(id, None));
        drop(state);
        self.shared.came.notify_all();
    }
}
