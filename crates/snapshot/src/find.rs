//! Finds paths by patterns and times, blobs and trees by ids, in one snapshot after the other.

mod objects;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::filter::{BadPattern, Case, Pattern, lower_case};
use crate::node::{Node, NodeKind};
use crate::tree::Contents;
use crate::walk::{Descend, Visitor, walk};
use hashbrown::HashSet;
use std::borrow::Cow;
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::time::Time;
use tresor_repo::{BlobId, Repository};

pub use objects::{Each, Object, ObjectFinder, Wanted};

/// What is asked of a path and its node.
#[derive(Debug, Clone)]
pub struct Query {
    /// One of them must match; an empty one, here none, matches everything.
    patterns: Vec<Option<Pattern>>,
    case: Case,
    /// No modification before this.
    pub oldest: Option<Time>,
    /// No modification after this.
    pub newest: Option<Time>,
}

impl Query {
    /// Asks for paths that one of the patterns matches. A `!` before a pattern means nothing here.
    ///
    /// # Errors
    /// A pattern is malformed; the text is the pattern's.
    pub fn new(patterns: &[impl AsRef<[u8]>], case: Case) -> Result<Query, (Vec<u8>, BadPattern)> {
        let parse = |text: &[u8]| {
            let folded = fold(text, case);
            Pattern::parse(&folded).map_err(|bad| (text.to_vec(), bad))
        };
        let patterns = patterns.iter().map(|text| parse(text.as_ref())).collect::<Result<_, _>>()?;
        Ok(Query { patterns, case, oldest: None, newest: None })
    }

    /// Whether the node at this path is asked for.
    pub fn matches(&self, path: &[u8], node: &Node) -> bool {
        let within = |limit: &Option<Time>, wrong| {
            !limit.is_some_and(|limit| instant(&node.mtime).cmp(&instant(&limit)) == wrong)
        };
        let path = fold(path, self.case);
        let matches = |pattern: &Option<Pattern>| pattern.as_ref().is_none_or(|one| one.matches(&path));
        within(&self.oldest, std::cmp::Ordering::Less)
            && within(&self.newest, std::cmp::Ordering::Greater)
            && self.patterns.iter().any(matches)
    }

    /// Whether something below this path may be asked for.
    fn may_match_below(&self, path: &[u8]) -> bool {
        let path = fold(path, self.case);
        self.patterns.iter().any(|pattern| pattern.as_ref().is_none_or(|one| one.may_match_below(&path)))
    }
}

fn fold(text: &[u8], case: Case) -> Cow<'_, [u8]> {
    match case {
        Case::Sensitive => Cow::Borrowed(text),
        Case::Insensitive => lower_case(text),
    }
}

fn instant(time: &Time) -> (i64, u32) {
    (time.seconds(), time.nanoseconds())
}

/// What a search tells.
pub trait Hits {
    /// A node was asked for.
    fn hit(&mut self, path: &[u8], node: &Node);
    /// A tree cannot be read, and what is below it is not searched.
    fn broken(&mut self, tree: &BlobId, error: Error);
}

/// Searches snapshots for paths.
///
/// A tree in which nothing was found is not loaded again where another snapshot has it at the same path.
pub struct PathFinder<'a, R: Right> {
    repo: &'a Repository<R>,
    index: &'a Index,
    query: &'a Query,
    barren: HashSet<(BlobId, Box<[u8]>)>,
}

impl<'a, R: Right> PathFinder<'a, R> {
    /// A search that begins.
    pub fn new(repo: &'a Repository<R>, index: &'a Index, query: &'a Query) -> Self {
        PathFinder { repo, index, query, barren: HashSet::new() }
    }

    /// Searches a snapshot's tree; hits are told in the order of the tree.
    ///
    /// # Errors
    /// Only that the operation was cancelled.
    pub fn search(&mut self, root: BlobId, hits: &mut dyn Hits) -> Result<()> {
        if self.barren.contains(&(root, b"/"[..].into())) {
            return Ok(());
        }
        let mut search = Search {
            query: self.query,
            barren: &mut self.barren,
            hits,
            next: root,
            open: Vec::new(),
            found: 0,
        };
        walk(self.repo, self.index, root, &mut search)
    }
}

/// One walk of a search.
struct Search<'a> {
    query: &'a Query,
    barren: &'a mut HashSet<(BlobId, Box<[u8]>)>,
    hits: &'a mut dyn Hits,
    /// The tree that is entered next, if one is.
    next: BlobId,
    /// The trees around the current node, and how many hits there were when they began.
    open: Vec<(BlobId, u64)>,
    found: u64,
}

impl Visitor for Search<'_> {
    fn enter(&mut self, _path: &[u8], _contents: &Contents) -> Result<()> {
        self.open.push((self.next, self.found));
        Ok(())
    }

    fn node(&mut self, path: &[u8], node: &Node) -> Result<Descend> {
        if self.query.matches(path, node) {
            self.found += 1;
            self.hits.hit(path, node);
        }
        if node.kind != NodeKind::Dir {
            return Ok(Descend::Over);
        }
        let Some(subtree) = node.subtree else { return Ok(Descend::Into) };
        self.next = subtree;
        let is_barren = self.barren.contains(&(subtree, path.into()));
        Ok(if is_barren || !self.query.may_match_below(path) { Descend::Over } else { Descend::Into })
    }

    fn leave(&mut self, path: &[u8]) -> Result<()> {
        if let Some((tree, before)) = self.open.pop()
            && before == self.found
        {
            self.barren.insert((tree, path.into()));
        }
        Ok(())
    }

    fn broken(&mut self, _path: &[u8], error: Error) -> Result<()> {
        if matches!(error, Error::Repo(tresor_repo::Error::Cancelled)) {
            return Err(error);
        }
        self.found += 1; // so that no tree around it passes for barren
        self.hits.broken(&self.next, error);
        Ok(())
    }
}
