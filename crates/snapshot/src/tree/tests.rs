//! Trees in their stored form, byte for byte.

use super::*;
use crate::node::NodeKind;

const EMPTY: &[u8] = b"{\"nodes\":[]}\n";

fn file(name: &str) -> Node {
    Node::new(name.as_bytes(), NodeKind::File)
}

fn names(tree: &Tree) -> Vec<String> {
    tree.nodes.iter().map(|node| node.display_name().into_owned()).collect()
}

#[test]
fn an_empty_folder_is_an_empty_list() {
    assert_eq!(TreeWriter::new().finish(), EMPTY);
    assert_eq!(Tree::decode(EMPTY).unwrap(), Tree::default());
}

#[test]
fn nodes_must_come_in_order() {
    let mut writer = TreeWriter::new();
    writer.push(&file("b")).unwrap();
    assert!(matches!(writer.push(&file("b")), Err(Error::DuplicateNode { .. })));
    assert!(matches!(writer.push(&file("a")), Err(Error::UnsortedNode { .. })));
    // The raw bytes count, not the quoted ones: a backslash would come before a letter.
    writer.push(&Node::new(*b"\xff", NodeKind::File)).unwrap();
    let bytes = writer.finish();
    assert_eq!(Tree::decode(&bytes).unwrap().nodes, [file("b"), Node::new(*b"\xff", NodeKind::File)]);
}

#[test]
fn nodes_written_elsewhere_are_taken_over() {
    let mut node = Vec::new();
    file("a").write(&mut node);
    let mut writer = TreeWriter::with_buffer(b"old".to_vec());
    writer.push_written(b"a", &node).unwrap();
    assert!(!writer.is_empty());
    assert_eq!(names(&Tree::decode(&writer.finish()).unwrap()), ["a"]);
}

#[test]
fn what_the_peer_reads_is_read() {
    let tree =
        Tree::decode(b" {\"x\":[{}],\"nodes\":[ {\"name\":\"b\"},{\"name\":\"a\"} ],\"y\":1} trailing")
            .unwrap();
    assert_eq!(names(&tree), ["b", "a"]);
    assert!(tree.encode().is_err());
    assert!(tree.find(b"a").is_some());

    let sorted = Tree::decode(b"{\"x\":[ {}],\"NODES\":[],\"y\":1}").unwrap();
    assert_eq!(sorted.encode().unwrap(), b"{\"nodes\":[],\"x\":[ {}],\"y\":1}\n");
}

/// What is no tree, however it is read.
pub(super) const REFUSED: [&[u8]; 10] = [
    b"",
    b"[]",
    b"{}",
    b"null",
    b"{\"nodes\":null}",
    b"{\"nodes\":{}}",
    b"{\"nodes\":[null]}",
    b"{\"nodes\":[",
    b"{\"nodes\":[]",
    b"{\"nodes\":[],\"nodes\":[]}",
];

#[test]
fn what_is_no_tree_is_refused() {
    for bytes in REFUSED {
        let text = String::from_utf8_lossy(bytes);
        assert!(matches!(Tree::decode(bytes), Err(Error::DecodeTree { .. })), "{text}");
    }
}

#[test]
fn a_tree_of_empty_nodes_does_not_fill_the_memory() {
    let bytes = format!("{{\"nodes\":[{}{{}}]}}", "{},".repeat(100_000));
    assert!(matches!(Tree::decode(bytes.as_bytes()), Err(Error::DecodeTree { .. })));
    let mut count = 0;
    for_each_node::<Error>(bytes.as_bytes(), |_| {
        count += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(count, 100_001);
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let open = "[".repeat(200_000);
    for bytes in [format!("{{\"nodes\":{open}"), format!("{{\"x\":{open}"), open] {
        assert!(Tree::decode(bytes.as_bytes()).is_err());
    }
}

#[test]
fn an_error_of_the_visitor_stops_the_walk() {
    let bytes = Tree { nodes: vec![file("a"), file("b")], ..Tree::default() }.encode().unwrap();
    let mut seen = 0;
    let result = for_each_node(&bytes, |node| {
        seen += 1;
        Err(Error::DuplicateNode { name: node.display_name().into_owned() })
    });
    assert!(matches!(result, Err(Error::DuplicateNode { name }) if name == "a"));
    assert_eq!(seen, 1);
}
