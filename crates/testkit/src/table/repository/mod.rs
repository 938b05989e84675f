//! What a repository holds, read without the library under test.
//!
//! It shares neither code nor ideas with it: everything is read into memory, every hash and every tag is
//! verified, and whatever does not fit becomes a line of the picture.

mod contents;

use crate::table::mask::Masks;
use contents::{Contents, Kind};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Everything that cases may have set as a password.
const PASSWORDS: [&str; 4] = [crate::fixtures::PASSWORD, "second", "third", ""];

/// Where the ids of a scene's repository are to be found by name.
#[derive(Debug, Default, Clone)]
pub(super) struct Names {
    /// For the environment of a case: `S1`, `S2`, … in the order of time, and the first of each kind.
    pub(super) variables: Vec<(String, String)>,
    /// All ids, to be shown as they are.
    pub(super) ids: BTreeSet<String>,
}

/// The ids in the repository at `path`.
pub(super) fn names(path: &Path) -> Names {
    let contents = Contents::read(path, &PASSWORDS);
    let mut names = Names::default();
    let mut snapshots: Vec<_> = contents.snapshots.iter().collect();
    snapshots.sort_by_key(|(id, snapshot)| (snapshot["time"].to_string(), id.to_string()));
    let mut name = |name: String, id: &str| {
        names.variables.push((name.to_lowercase(), id[..8].to_owned()));
        names.variables.push((name, id.to_owned()));
    };
    for (number, (id, _)) in snapshots.iter().enumerate() {
        name(format!("S{}", number + 1), id);
    }
    let first = |kind| contents.blobs.iter().find(|((other, _), _)| *other == kind);
    for (word, kind) in [("DATA", Kind::Data), ("TREE", Kind::Tree)] {
        if let Some(((_, id), blob)) = first(kind) {
            name(word.to_owned(), id);
            name(format!("{word}PACK"), &blob.packs[0]);
        }
    }
    for (word, ids) in [("KEY", &contents.keys), ("INDEX", &contents.indexes), ("LOCK", &contents.locks)] {
        if let Some(id) = ids.iter().next() {
            name(word.to_owned(), id);
        }
    }
    names.ids = contents.ids();
    names
}

/// The repository at `path` in lines, for comparison.
///
/// Trees are shown for snapshots that are not among the known ids: a known one cannot have changed.
pub(super) fn picture(path: &Path, masks: &Masks) -> Vec<String> {
    let contents = Contents::read(path, &PASSWORDS);
    let mut lines = vec![format!("format {}, modes {}", contents.version, contents.modes.join(" "))];
    lines.extend(contents.key_owners.iter().map(|owner| format!("key of {owner}")));
    lines.extend(contents.lock_kinds.iter().map(|kind| format!("lock, {kind}")));
    lines.extend(contents.problems.iter().map(|problem| format!("problem: {}", masks.text(problem))));
    lines.extend(snapshots(&contents, masks));
    lines.extend(blobs(&contents, masks));
    for (word, ids) in [("pack", &contents.packs), ("index", &contents.indexes)] {
        lines.extend(ids.iter().filter(|id| masks.knows(id)).map(|id| format!("{word} {id} of the scene")));
    }
    lines
}

fn snapshots(contents: &Contents, masks: &Masks) -> Vec<String> {
    let mut pictures = Vec::new();
    for (id, snapshot) in &contents.snapshots {
        let mut text = format!("snapshot {}", if masks.knows(id) { id } else { "new" });
        text += &format!(" {}", masks.json(snapshot));
        if !masks.knows(id) {
            let root = snapshot["tree"].as_str().unwrap_or_default();
            text += if masks.stable() { root } else { "" };
            show_tree(contents, masks, root, "", &mut text);
        }
        pictures.push(text);
    }
    pictures.sort();
    pictures.iter().flat_map(|picture| picture.lines()).map(str::to_owned).collect()
}

fn show_tree(contents: &Contents, masks: &Masks, id: &str, path: &str, text: &mut String) {
    let Some(tree) = contents.trees.get(id) else {
        *text += &format!("\n  {path}/ cannot be read");
        return;
    };
    for node in tree["nodes"].as_array().into_iter().flatten() {
        let path = format!("{path}/{}", node["name"].as_str().unwrap_or("?"));
        let mut shown = node.as_object().cloned().unwrap_or_else(Map::new);
        let subtree = shown.remove("subtree");
        *text += &format!("\n  {path} {}", masks.json(&Value::Object(shown)));
        if let Some(subtree) = subtree.as_ref().and_then(Value::as_str) {
            show_tree(contents, masks, subtree, &path, text);
        }
    }
}

/// A line for each blob: what it is good for, how often it is there, whether it is compressed.
fn blobs(contents: &Contents, masks: &Masks) -> Vec<String> {
    let used = contents.used();
    let all: BTreeMap<_, _> = contents.blobs.iter().map(|(handle, blob)| (handle.clone(), blob)).collect();
    let handles: BTreeSet<_> = all.keys().chain(&used).cloned().collect();
    let mut lines: Vec<String> = Vec::new();
    for handle in handles {
        let (kind, id) = &handle;
        let state = if used.contains(&handle) { "in use" } else { "not in use" };
        let there = match all.get(&handle) {
            None => "missing".to_owned(),
            Some(blob) => {
                let form = if blob.compressed { "compressed" } else { "as it is" };
                let indexed = if blob.indexed { "" } else { ", in no index" };
                let copies = if blob.packs.len() > 1 { ", more than once" } else { "" };
                format!("{form}{indexed}{copies}")
            }
        };
        let is_comparable = *kind == Kind::Data || masks.knows(id) || masks.stable();
        let id = if is_comparable { id.as_str() } else { "new" };
        lines.push(format!("{kind:?} {id} {state}: {there}"));
    }
    lines.sort();
    lines
}
