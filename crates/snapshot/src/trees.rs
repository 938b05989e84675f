//! Every distinct tree below some roots, each once, in no order, by several threads.

use crate::error::{Error, Result};
use crate::tree::StoredTree;
use hashbrown::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tresor_repo::handle::Right;
use tresor_repo::index::{Index, Marks};
use tresor_repo::{BlobId, BlobKind, Repository};

/// Takes a tree, or why it cannot be loaded; answers with the subtrees to go on with.
pub type Visit<'a> = dyn Fn(&BlobId, Result<StoredTree<'_>>) -> Result<Vec<BlobId>> + Sync + 'a;

/// Hands each distinct tree below `roots` to `visit`.
///
/// `visit` runs on several threads. `done` is told of each root
/// once everything below it was visited, as far as no other root had met it first. Memory: an eighth of a
/// byte for each blob of the index, and one tree for each thread.
///
/// # Errors
/// The first error of `visit`, or that the operation was cancelled.
pub fn for_each_tree<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    roots: &[BlobId],
    visit: &Visit<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<()> {
    let queue = Queue::new(roots, Seen { known: index.marks(), unknown: Mutex::default() });
    std::thread::scope(|scope| {
        for _ in 0..repo.parallel_loads() {
            scope.spawn(|| {
                let mut loader = repo.loader();
                let mut plain = Vec::new();
                while let Some((tree, root)) = queue.take() {
                    let subtrees = if repo.cancel().is_set() {
                        Err(tresor_repo::Error::Cancelled.into())
                    } else {
                        let loaded = StoredTree::load(&mut loader, index, &tree, &mut plain);
                        visit(&tree, loaded.map_err(Error::from))
                    };
                    let subtrees = subtrees.and_then(|subtrees| queue.seen.new_of(subtrees));
                    (0..queue.give_back(root, subtrees)).for_each(|_| done());
                }
            });
        }
    });
    let state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    (0..state.done).for_each(|_| done());
    state.failed.map_or(Ok(()), Err)
}

/// The trees that were met: those in the index by a bit each.
struct Seen<'a> {
    known: Marks<'a>,
    unknown: Mutex<HashSet<BlobId>>,
}

impl Seen<'_> {
    /// Whether a tree was not met before.
    fn is_new(&self, tree: &BlobId) -> Result<bool> {
        Ok(match self.known.mark(BlobKind::Tree, tree)? {
            Some(is_new) => is_new,
            None => self.unknown.lock().unwrap_or_else(PoisonError::into_inner).insert(*tree),
        })
    }

    /// Those of these trees that were not met before.
    fn new_of(&self, trees: Vec<BlobId>) -> Result<Vec<BlobId>> {
        let mut new = Vec::with_capacity(trees.len());
        for tree in trees {
            if self.is_new(&tree)? {
                new.push(tree);
            }
        }
        Ok(new)
    }
}

/// What is still to be visited; the newest first, so that little waits.
struct Queue<'a> {
    seen: Seen<'a>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<(BlobId, usize)>,
    roots: Vec<BlobId>,
    next_root: usize,
    /// For each root, how many trees below it wait or are being visited.
    open: Vec<u64>,
    active: usize,
    /// Roots that are done and of which nobody was told.
    done: usize,
    failed: Option<Error>,
}

impl<'a> Queue<'a> {
    fn new(roots: &[BlobId], seen: Seen<'a>) -> Queue<'a> {
        let state = State {
            waiting: Vec::new(),
            roots: roots.to_vec(),
            next_root: 0,
            open: vec![0; roots.len()],
            active: 0,
            done: 0,
            failed: None,
        };
        Queue { seen, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next tree and the root it belongs to; nothing when all is done or has failed.
    fn take(&self) -> Option<(BlobId, usize)> {
        let mut state = self.lock();
        loop {
            if state.failed.is_some() {
                return None;
            }
            if let Some(next) = state.waiting.pop() {
                state.active += 1;
                return Some(next);
            }
            if let Some(tree) = state.roots.get(state.next_root).copied() {
                let root = state.next_root;
                state.next_root += 1;
                match self.seen.is_new(&tree) {
                    Ok(true) => {
                        state.open[root] = 1;
                        state.active += 1;
                        return Some((tree, root));
                    }
                    Ok(false) => state.done += 1,
                    Err(error) => drop(state.failed.get_or_insert(error)),
                }
                continue;
            }
            if state.active == 0 {
                self.changed.notify_all();
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes that a tree below `root` was visited, and which are to be visited after it; answers how many roots were done since the last call.
    fn give_back(&self, root: usize, subtrees: Result<Vec<BlobId>>) -> usize {
        let mut state = self.lock();
        state.active -= 1;
        match subtrees {
            Err(error) => {
                state.failed.get_or_insert(error);
            }
            Ok(subtrees) => {
                // In reverse, so that they are taken in their order.
                state.open[root] += subtrees.len() as u64;
                state.waiting.extend(subtrees.into_iter().rev().map(|tree| (tree, root)));
            }
        }
        state.open[root] -= 1;
        state.done += usize::from(state.open[root] == 0 && state.failed.is_none());
        self.changed.notify_all();
        std::mem::take(&mut state.done)
    }
}
