//! Walks the stored tree and collects what is to be restored, by names and the selection alone.

use crate::error::{Error, Result};
use crate::mode::to_chmod;
use crate::node::{Node, NodeKind};
use crate::restore::aside::Room;
use crate::restore::details::Metadata;
use crate::restore::dirs::OpenDirs;
use crate::restore::extra::Extra;
use crate::restore::failure::Failure;
use crate::restore::items::{DirNumber, Kind};
use crate::restore::links::{Firsts, Links};
use crate::restore::options::{RestoreMonitor, RestoreOptions};
use crate::restore::owners::Owners;
use crate::restore::table::Table;
use crate::restore::target::{Name, Target};
use crate::restore::trust::Trust;
use crate::tree::{Contents, LongTree};
use crate::walk::{Descend, Visitor};
use hashbrown::HashSet;
use std::collections::BTreeMap;
use std::ffi::CString;
use tresor_repo::Problem;

/// What the stored tree asks for.
pub(crate) struct Collected {
    pub(crate) table: Table,
    /// Entries on disk that the snapshot does not have, to be removed.
    pub(crate) extra: Extra,
    /// Which items are other names of earlier ones; the table has them as files.
    pub(crate) firsts: Firsts,
    pub(crate) problems: u64,
    /// Directories that the selection takes, rather than something in them.
    pub(crate) selected_dirs: u64,
}

/// Collects while the tree is walked.
pub(crate) struct Collector<'a> {
    options: &'a RestoreOptions,
    monitor: &'a dyn RestoreMonitor,
    table: Table,
    extra: Extra,
    problems: u64,
    selected_dirs: u64,
    /// The directories we are in, the target first.
    frames: Vec<Frame>,
    /// The target's directories as they are on disk; nothing if there is no target yet.
    on_disk: Option<OpenDirs<'a>>,
    /// All paths of files with several.
    links: Links,
    room: Room<'a>,
    owners: Owners,
    trust: Trust,
    /// Attributes of other systems that we do not know, already told.
    told: HashSet<String>,
    /// Names that lead elsewhere: then nobody knows what the writer meant, and nothing is removed.
    keep_extra: bool,
    /// Whether the selection takes anything; if not, nothing is removed either.
    restores_anything: bool,
}

/// A directory being walked.
struct Frame {
    /// Nothing for the target.
    found: Option<(CString, Metadata)>,
    /// Its place in the table, once something in it is to be restored.
    number: Option<DirNumber>,
    /// What its tree has, if that matters: what else is on disk is to be removed.
    known: Option<Known>,
}

/// What is in a tree.
enum Known {
    /// All names.
    Names(HashSet<Box<[u8]>>),
    /// More names than are held in memory.
    Long(LongTree),
}

impl<'a> Collector<'a> {
    pub(crate) fn new(
        target: Option<&'a Target>,
        options: &'a RestoreOptions,
        monitor: &'a dyn RestoreMonitor,
        room: Room<'a>,
    ) -> Self {
        Collector {
            options,
            monitor,
            table: Table::new(target.is_some(), room),
            extra: Extra::new(room),
            problems: 0,
            selected_dirs: 0,
            frames: vec![Frame { found: None, number: Some(0), known: None }],
            on_disk: target.map(OpenDirs::new),
            links: Links::new(room),
            room,
            owners: Owners::new(options.ownership_by_name),
            trust: Trust::new(!options.distrust_metadata),
            told: HashSet::new(),
            keep_extra: false,
            restores_anything: false,
        }
    }

    pub(crate) fn finish(mut self) -> Result<Collected> {
        if let Some(left_out) = self.trust.left_out() {
            self.monitor.warning(&left_out.to_string());
        }
        match self.keep_extra || !self.restores_anything {
            true => self.extra.clear(),
            false => self.extra.close(),
        }
        let Collector { table, extra, problems, selected_dirs, .. } = self;
        Ok(Collected { table, extra, firsts: self.links.finish(self.room)?, problems, selected_dirs })
    }

    fn problem(&mut self, path: &[u8], cause: impl std::error::Error + Send + Sync + 'static) {
        self.problems += 1;
        let item = String::from_utf8_lossy(path).into_owned();
        self.monitor.problem(&Problem { item, doing: "restore", cause: Box::new(cause) });
    }

    fn metadata(&mut self, node: &Node) -> Metadata {
        if let Some(attributes) = node.rare.as_ref().and_then(|rare| rare.generic_attributes.as_ref()) {
            self.warn_of_unknown(attributes.as_str());
        }
        let xattrs = self.trust.attributes(node.extended_attributes());
        let owner = self.trust.owner(self.owners.of(node));
        Metadata::new(self.trust.mode(to_chmod(node.mode)), owner, &node.mtime, &node.atime, xattrs)
    }

    /// Attributes of Windows are left out silently; of others nobody knows what is lost.
    fn warn_of_unknown(&mut self, attributes: &str) {
        const KNOWN: [&str; 3] =
            ["windows.creation_time", "windows.file_attributes", "windows.security_descriptor"];
        let names: BTreeMap<String, serde::de::IgnoredAny> =
            serde_json::from_str(attributes).unwrap_or_default();
        for name in names.into_keys() {
            if !KNOWN.contains(&name.as_str()) && !self.told.contains(&name) {
                let text = format!("Found an unrecognized generic attribute {name:?} in the repository");
                self.monitor.warning(&text);
                self.told.insert(name);
            }
        }
    }

    /// The place of the innermost directory; it and those above it are to be made from now on.
    fn settle(&mut self) -> Result<DirNumber> {
        self.restores_anything = true;
        let settled = self.frames.iter().rposition(|frame| frame.number.is_some());
        let settled = settled.expect("the target always has a number");
        let mut parent = self.frames[settled].number.unwrap_or_default();
        for frame in &mut self.frames[settled + 1..] {
            let table = &mut self.table;
            let (name, metadata) = frame.found.as_ref().expect("only the target has no node");
            parent = table.push_dir(parent, name, metadata)?;
            frame.number = Some(parent);
            if let Some(on_disk) = self.on_disk.as_mut() {
                let above = table.dirs[parent as usize].parent;
                let exists = table.dirs[above as usize].exists && on_disk.get(table, parent).is_ok();
                table.dirs[parent as usize].exists = exists;
            }
        }
        Ok(parent)
    }

    fn directory(&mut self, path: &[u8], name: CString, node: &Node) -> Result<Descend> {
        let selection = self.options.select.select(path);
        if !selection.selected && !selection.descend {
            return Ok(Descend::Over);
        }
        let metadata = self.metadata(node);
        self.frames.push(Frame { found: Some((name, metadata)), number: None, known: None });
        if selection.selected {
            self.selected_dirs += 1;
            self.monitor.planned(1, 0);
            self.settle()?;
        }
        if !selection.descend {
            self.frames.pop();
            return Ok(Descend::Over);
        }
        Ok(Descend::Into)
    }

    fn item(&mut self, path: &[u8], name: &CString, node: &Node) -> Result<()> {
        if node.kind == NodeKind::Socket || !self.options.select.select(path).selected {
            return Ok(());
        }
        if !self.trust.makes(&node.kind) {
            return Ok(());
        }
        let dir = self.settle()?;
        let kind = match self.kind(node)? {
            Ok(kind) => kind,
            Err(failure) => {
                self.problem(path, failure);
                return Ok(());
            }
        };
        let metadata = self.metadata(node);
        let size = if matches!(kind, Kind::File { .. }) { node.size } else { 0 };
        let target = match kind {
            Kind::Symlink => CString::new(node.link_target()).unwrap_or_default(),
            _ => CString::default(),
        };
        let number = self.table.push_item(dir, (name, &target), kind, &metadata, size)?;
        if node.kind == NodeKind::File && node.links > 1 {
            self.links.push((node.inode, node.device_id), number)?;
        }
        Ok(())
    }

    fn kind(&mut self, node: &Node) -> Result<std::result::Result<Kind, Failure>> {
        Ok(Ok(match &node.kind {
            NodeKind::File => self.table.push_blobs(node.blobs())?,
            NodeKind::Symlink if node.link_target().contains(&0) => return Ok(Err(Failure::NulInTarget)),
            NodeKind::Symlink => Kind::Symlink,
            NodeKind::Fifo => Kind::Fifo,
            NodeKind::Dev => Kind::Block(node.device()),
            NodeKind::CharDev => Kind::Character(node.device()),
            other => return Ok(Err(Failure::UnknownKind { kind: other.as_str().to_owned() })),
        }))
    }
}

impl Visitor for Collector<'_> {
    fn enter(&mut self, _path: &[u8], contents: &Contents) -> Result<()> {
        if self.options.delete && self.on_disk.is_some() {
            let known = match contents {
                Contents::Whole(tree) => {
                    Known::Names(tree.nodes.iter().map(|node| node.name.clone()).collect())
                }
                Contents::Long(tree) => Known::Long(tree.clone()),
            };
            self.frames.last_mut().expect("the target's frame stays").known = Some(known);
        }
        Ok(())
    }

    fn node(&mut self, path: &[u8], node: &Node) -> Result<Descend> {
        let name = CString::new(&*node.name).ok().filter(|name| Name::new(name).is_some());
        let Some(name) = name else {
            let parent = &path[..path.len() - node.name.len() - 1];
            let name = node.display_name().into_owned();
            self.problem(if parent.is_empty() { b"/" } else { parent }, Failure::BadName { name });
            self.keep_extra = true;
            return Ok(Descend::Over);
        };
        if node.kind == NodeKind::Dir {
            return self.directory(path, name, node);
        }
        self.item(path, &name, node)?;
        Ok(Descend::Over)
    }

    fn leave(&mut self, path: &[u8]) -> Result<()> {
        if let Some(Frame { number: Some(number), known: Some(known), .. }) = self.frames.pop() {
            self.find_extra(path, number, &known)?;
        }
        Ok(())
    }

    fn broken(&mut self, path: &[u8], error: Error) -> Result<()> {
        // Not knowing what should be in it, we remove nothing from it.
        self.frames.pop();
        self.problem(path, error);
        Ok(())
    }
}

impl Collector<'_> {
    /// Finds what a directory on disk has, the tree has not, and the selection takes.
    fn find_extra(&mut self, path: &[u8], number: DirNumber, known: &Known) -> Result<()> {
        let table = &self.table;
        let Some(on_disk) = self.on_disk.as_mut() else { return Ok(()) };
        if !table.dirs[number as usize].exists {
            return Ok(());
        }
        let mut names = match on_disk.get(table, number).and_then(|dir| dir.names()) {
            Ok(names) => names,
            Err(errno) => {
                self.problem(path, Failure::step("list the directory")(errno));
                return Ok(());
            }
        };
        match known {
            Known::Names(known) => names.retain(|name| !known.contains(name.to_bytes())),
            Known::Long(tree) => {
                let mut extra: HashSet<CString> = names.into_iter().collect();
                tree.for_each_node(|node| {
                    extra.remove(&*CString::new(node.name).unwrap_or_default());
                    Ok::<(), Error>(())
                })?;
                names = extra.into_iter().collect();
                names.sort_unstable();
            }
        }
        let mut whole = if path == b"/" { Vec::new() } else { path.to_vec() };
        let length = whole.len();
        names.retain(|name| {
            whole.truncate(length);
            whole.push(b'/');
            whole.extend_from_slice(name.to_bytes());
            self.options.select.select(&whole).selected
        });
        self.extra.add(number, names.iter().map(|name| &**name))
    }
}
