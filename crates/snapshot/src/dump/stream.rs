//! Nodes and their contents in order, loaded ahead by other threads.

use crate::error::{Error, Result};
use crate::node::{Node, NodeKind};
use crate::walk::{Descend, walk};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::thread::Scope;
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::{BlobId, BlobKind, Repository};

/// Blobs loaded ahead: they bound the memory, as each has at most 8 MiB.
const AHEAD: usize = 8;

/// One step of a stream.
pub(super) enum Step {
    /// A node begins; a file's content follows as exactly `blobs` blobs, together `size` bytes.
    Node { path: Vec<u8>, node: Box<Node>, blobs: usize, size: u64 },
    /// The next blob of the file that began last.
    Blob(Vec<u8>),
}

/// A step whose blob may still be on its way.
enum Coming {
    Node(Step),
    Blob(Receiver<Result<Vec<u8>>>),
}

type Request = (BlobId, Sender<Result<Vec<u8>>>);

/// The producing end of a stream.
struct Source<'a> {
    index: &'a Index,
    requests: Sender<Request>,
    steps: Sender<Coming>,
}

/// The consumer has gone; its own error says why.
fn gone<T>(_: T) -> Error {
    tresor_repo::Error::Cancelled.into()
}

impl Source<'_> {
    fn node(&self, path: &[u8], node: &Node) -> Result<()> {
        let content: &[BlobId] = if node.kind == NodeKind::File { node.blobs() } else { &[] };
        // What is stored as the size may be wrong; an archive needs to know what will come.
        let mut size = 0;
        for id in content {
            let length =
                self.index.plain_length(BlobKind::Data, id)?.ok_or(tresor_repo::Error::UnknownBlob {
                    blob: tresor_repo::BlobHandle { kind: BlobKind::Data, id: *id },
                })?;
            size += u64::from(length);
        }
        let blobs = content.len();
        let step = Step::Node { path: path.to_vec(), node: Box::new(node.clone()), blobs, size };
        self.steps.send(Coming::Node(step)).map_err(gone)?;
        for id in content {
            let (send, receive) = bounded(1);
            self.steps.send(Coming::Blob(receive)).map_err(gone)?;
            self.requests.send((*id, send)).map_err(gone)?;
        }
        Ok(())
    }
}

/// Hands over every node below `root` that an archive can hold, with its content.
pub(super) fn stream_tree<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    root: BlobId,
    each: &mut dyn FnMut(Step) -> Result<()>,
) -> Result<()> {
    stream(repo, index, each, &|source| {
        walk(repo, index, root, &mut |path: &[u8], node: &Node| {
            if matches!(node.kind, NodeKind::File | NodeKind::Dir | NodeKind::Symlink) {
                source.node(path, node)?;
            }
            Ok(Descend::Into)
        })
    })
}

/// Hands over one file and its content.
pub(super) fn stream_file<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    node: &Node,
    each: &mut dyn FnMut(Step) -> Result<()>,
) -> Result<()> {
    stream(repo, index, each, &|source| source.node(&node.name, node))
}

fn stream<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    each: &mut dyn FnMut(Step) -> Result<()>,
    produce: &(dyn Fn(&Source<'_>) -> Result<()> + Sync),
) -> Result<()> {
    std::thread::scope(|scope| {
        let requests = start_loaders(scope, repo, index);
        let (send, steps) = bounded(AHEAD);
        let producer = scope.spawn(move || produce(&Source { index, requests, steps: send }));
        let consumed = steps.iter().try_for_each(|coming| match coming {
            Coming::Node(step) => each(step),
            Coming::Blob(answer) => each(Step::Blob(answer.recv().expect("a loader answers every request")?)),
        });
        drop(steps);
        let produced = producer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // If the consumer failed, the producer only noticed that it had gone.
        consumed.and(produced)
    })
}

fn start_loaders<'scope, R: Right>(
    scope: &'scope Scope<'scope, '_>,
    repo: &'scope Repository<R>,
    index: &'scope Index,
) -> Sender<Request> {
    let (send, requests) = bounded::<Request>(AHEAD);
    for _ in 0..repo.parallel_loads().min(AHEAD) {
        let requests = requests.clone();
        scope.spawn(move || {
            let mut loader = repo.loader();
            for (id, answer) in requests {
                let mut plain = Vec::new();
                let loaded = loader.load(index, BlobKind::Data, &id, &mut plain);
                // Who does not wait any more has failed elsewhere.
                let _ = answer.send(loaded.map(|()| plain).map_err(Error::from));
            }
        });
    }
    send
}
