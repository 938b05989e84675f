//! Names of entries that are safe to show, whatever a tree says.

use crate::node::{Node, NodeKind, is_entry_name};
use hashbrown::HashMap;

/// No kernel takes longer names.
const LONGEST_NAME: usize = 1024;

/// Says whether a name is short enough to be shown.
pub(super) fn fits(name: &[u8]) -> bool {
    name.len() <= LONGEST_NAME
}

/// The nodes that can be shown with their names, sorted by name.
///
/// A name that could not stand in a folder is replaced: what is before its last slash goes, `.` and `..` become `_`
/// and `__`, as do an empty name and each zero byte `_`. Of two nodes with one name the later is shown, but never
/// one whose name was replaced instead of one that has it by right. What has no kind that a folder can hold, and names
/// that are too long, are left out.
pub(super) fn shown(nodes: Vec<Node>) -> Vec<(Box<[u8]>, Node)> {
    let mut by_name: HashMap<Box<[u8]>, (bool, Node)> = HashMap::with_capacity(nodes.len());
    for node in nodes.into_iter().filter(|node| is_shown(&node.kind) && fits(&node.name)) {
        let by_right = is_entry_name(&node.name);
        let name = if by_right { node.name.clone() } else { replaced(&node.name) };
        if !by_right && by_name.get(&name).is_some_and(|(right, _)| *right) {
            continue;
        }
        by_name.insert(name, (by_right, node));
    }
    let mut shown: Vec<_> = by_name.into_iter().map(|(name, (_, node))| (name, node)).collect();
    shown.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    shown
}

fn is_shown(kind: &NodeKind) -> bool {
    !matches!(kind, NodeKind::Irregular | NodeKind::Other(_))
}

fn replaced(name: &[u8]) -> Box<[u8]> {
    let last = name.split(|byte| *byte == b'/').rfind(|part| !part.is_empty()).unwrap_or_default();
    match last {
        b"" | b"." => Box::from(*b"_"),
        b".." => Box::from(*b"__"),
        name => name.iter().map(|byte| if *byte == 0 { b'_' } else { *byte }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_and_none_comes_twice() {
        let node = |name: &str, inode| {
            let kind = if name == "odd" { NodeKind::Other("x".into()) } else { NodeKind::File };
            Node { inode, ..Node::new(name.as_bytes(), kind) }
        };
        let long = "x".repeat(1025);
        let names = ["", "..", ".", "../../etc/passwd", "/", "a\0b", "passwd", "b/", "odd", &long, "t", "t"];
        let nodes = names.iter().zip(1..).map(|(name, inode)| node(name, inode)).collect();
        let shown: Vec<(String, u64)> = shown(nodes)
            .into_iter()
            .map(|(name, node)| (String::from_utf8(name.into()).unwrap(), node.inode))
            .collect();
        let expect = [("_", 5), ("__", 2), ("a_b", 6), ("b", 8), ("passwd", 7), ("t", 12)];
        assert_eq!(shown, expect.map(|(name, inode)| (name.to_owned(), inode)));
    }
}
