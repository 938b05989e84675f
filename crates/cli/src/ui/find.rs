//! How what was found is shown: paths by snapshot, blobs and trees each with its places.

use std::collections::BTreeSet;
use std::sync::Arc;
use tresor_repo::BlobId;
use tresor_repo::time::Zone;
use tresor_snapshot::find::{Hits, Object};
use tresor_snapshot::select::Listed;
use tresor_snapshot::{Error, Node, gojson, mode};

use super::Ui;
use super::ls::write_long;
use crate::causes::chain;

/// Paths that were found, snapshot after snapshot.
pub(crate) struct PathsView<'a> {
    ui: Arc<Ui>,
    zone: &'a Zone,
    long: bool,
    human_readable: bool,
    snapshot: Option<&'a Listed>,
    /// Hits in this snapshot.
    hits: u64,
    /// Snapshots with hits.
    snapshots: u64,
}

impl<'a> PathsView<'a> {
    /// A view of nothing yet.
    pub(crate) fn new(ui: &Arc<Ui>, zone: &'a Zone, long: bool, human_readable: bool) -> Self {
        PathsView { ui: Arc::clone(ui), zone, long, human_readable, snapshot: None, hits: 0, snapshots: 0 }
    }

    /// The next snapshot is searched.
    pub(crate) fn begin(&mut self, snapshot: &'a Listed) {
        (self.snapshot, self.hits) = (Some(snapshot), 0);
    }

    /// It was searched.
    pub(crate) fn end(&mut self) {
        if self.hits == 0 {
            return;
        }
        self.snapshots += 1;
        if let Some((id, _)) = self.snapshot.filter(|_| self.ui.is_json()) {
            self.ui.text(format!("],\"hits\":{},\"snapshot\":\"{id}\"}}", self.hits).as_bytes());
        }
    }

    /// All snapshots were searched.
    pub(crate) fn finish(&self) {
        if self.ui.is_json() {
            self.ui.text(if self.snapshots == 0 { b"[]\n" } else { b"]\n" });
        }
    }

    fn text(&self, path: &[u8], node: &Node) {
        let mut line = Vec::new();
        if self.long {
            write_long(path, node, self.human_readable, self.zone, &mut line);
        } else {
            line.extend_from_slice(path);
            line.push(b'\n');
        }
        self.ui.text(&line);
    }

    /// What stands above the first hit of a snapshot.
    fn heading(&self) {
        let Some((id, snapshot)) = self.snapshot else { return };
        if self.snapshots > 0 {
            self.ui.print("");
        }
        let time = snapshot.time.local_text(self.zone);
        self.ui.print(&format!("Found matching entries in snapshot {} from {time}", id.short()));
    }
}

impl Hits for PathsView<'_> {
    fn hit(&mut self, path: &[u8], node: &Node) {
        self.hits += 1;
        if !self.ui.is_json() {
            if self.hits == 1 {
                self.heading();
            }
            return self.text(path, node);
        }
        let mut out = match (self.hits, self.snapshots) {
            (1, 0) => b"[{\"matches\":[".to_vec(),
            (1, _) => b",{\"matches\":[".to_vec(),
            _ => b",".to_vec(),
        };
        write_match(path, node, &mut out);
        self.ui.text(&out);
    }

    fn broken(&mut self, tree: &BlobId, error: Error) {
        tell_broken(&self.ui, self.snapshot, tree, &error);
    }
}

fn tell_broken(ui: &Ui, snapshot: Option<&Listed>, tree: &BlobId, error: &Error) {
    let id = snapshot.map(|(id, _)| id.hex()).unwrap_or_default();
    ui.error(&format!("Unable to load tree {tree}\n ... which belongs to snapshot {id}: {}", chain(error)));
}

/// The member of a stored node that holds the bytes of a link's target; no text within a string looks like it.
const RAW_TARGET: &[u8] = b",\"linktarget_raw\":\"";

/// The node's stored form under its path, without the name and what the name leads to.
fn write_match(path: &[u8], node: &Node, out: &mut Vec<u8>) {
    let mut shown = node.clone();
    (shown.name, shown.content, shown.subtree) = (Box::default(), None, None);
    if let Some(rare) = &mut shown.rare {
        rare.extended_attributes.clear();
        rare.unknown.clear();
        (rare.device, rare.error) = (0, Box::default());
    }
    out.extend_from_slice(b"{\"path\":");
    gojson::write_string(path, out);
    out.extend_from_slice(b",\"permissions\":");
    gojson::write_string(mode::text(node.mode).as_bytes(), out);
    let mut stored = Vec::new();
    shown.write(&mut stored);
    // Every stored node begins with its name and ends with its list of blobs, both empty here.
    let rest = stored.strip_prefix(b"{\"name\":\"\"").unwrap_or_default();
    let rest = rest.strip_suffix(b",\"content\":null}").unwrap_or(rest);
    // A link's target is shown as text alone.
    match rest.windows(RAW_TARGET.len()).position(|part| part == RAW_TARGET) {
        Some(raw) => {
            let after = raw + RAW_TARGET.len();
            let end =
                rest[after..].iter().position(|byte| *byte == b'"').map_or(rest.len(), |end| after + end + 1);
            out.extend_from_slice(&rest[..raw]);
            out.extend_from_slice(&rest[end..]);
        }
        None => out.extend_from_slice(rest),
    }
    out.push(b'}');
}

/// Blobs and trees that were found.
pub(crate) struct ObjectsView<'a> {
    ui: Arc<Ui>,
    zone: &'a Zone,
    found: u64,
    blobs: BTreeSet<BlobId>,
}

impl<'a> ObjectsView<'a> {
    /// A view of nothing yet.
    pub(crate) fn new(ui: &Arc<Ui>, zone: &'a Zone) -> Self {
        ObjectsView { ui: Arc::clone(ui), zone, found: 0, blobs: BTreeSet::new() }
    }

    /// Something was met in a snapshot.
    pub(crate) fn object(&mut self, snapshot: &Listed, object: &Object<'_>) {
        if let Object::Broken { id, error } = object {
            return tell_broken(&self.ui, Some(snapshot), id, error);
        }
        if let Object::Blob { id, .. } = object {
            self.blobs.insert(*id);
        }
        let mut out = Vec::new();
        match self.ui.is_json() {
            true => self.write_json(snapshot, object, &mut out),
            false => self.write_text(snapshot, object, &mut out),
        }
        self.found += 1;
        self.ui.text(&out);
    }

    /// Everything was searched.
    pub(crate) fn finish(&self) {
        if self.ui.is_json() {
            self.ui.text(if self.found == 0 { b"[]\n" } else { b"]\n" });
        }
    }

    /// The blobs that were met.
    pub(crate) fn blobs(&self) -> &BTreeSet<BlobId> {
        &self.blobs
    }

    fn write_text(&self, (id, snapshot): &Listed, object: &Object<'_>, out: &mut Vec<u8>) {
        match object {
            Object::Blob { id, path, parent } => {
                out.extend_from_slice(format!("Found blob {id}\n ... in file ").as_bytes());
                out.extend_from_slice(path);
                out.extend_from_slice(format!("\n     (tree {parent})\n").as_bytes());
            }
            Object::Tree { id, path } => {
                out.extend_from_slice(format!("Found tree {id}\n ... path ").as_bytes());
                out.extend_from_slice(path);
                out.push(b'\n');
            }
            Object::Broken { .. } => {}
        }
        let time = snapshot.time.local_text(self.zone);
        out.extend_from_slice(format!(" ... in snapshot {} ({time})\n", id.short()).as_bytes());
    }

    fn write_json(&self, (snapshot_id, snapshot): &Listed, object: &Object<'_>, out: &mut Vec<u8>) {
        let (kind, id, path, parent) = match object {
            Object::Blob { id, path, parent } => ("blob", id, path, Some(parent)),
            Object::Tree { id, path } => ("tree", id, path, None),
            Object::Broken { .. } => return,
        };
        out.push(if self.found == 0 { b'[' } else { b',' });
        out.extend_from_slice(format!("{{\"object_type\":\"{kind}\",\"id\":\"{id}\",\"path\":").as_bytes());
        gojson::write_string(path, out);
        if let Some(parent) = parent {
            out.extend_from_slice(format!(",\"parent_tree\":\"{parent}\"").as_bytes());
        }
        out.extend_from_slice(format!(",\"snapshot\":\"{snapshot_id}\",\"time\":").as_bytes());
        gojson::write_time(&snapshot.time, out);
        out.push(b'}');
    }
}
