//! Stored trees, walked in order.

use crate::store::{Store, dir, file, tree};
use tresor_repo::BlobId;
use tresor_snapshot::tree::Contents;
use tresor_snapshot::walk::{Descend, Visitor, find_subtree, walk};
use tresor_snapshot::{Error, Node, Result};

fn deep() -> (Store, BlobId) {
    Store::planted(|saver| {
        let mut top = Vec::new();
        for outer in 0..30 {
            let mut nodes = Vec::new();
            for inner in 0..outer {
                let leaf = [file(saver, format!("f{outer}-{inner}"), &[])];
                nodes.push(dir(saver, format!("d{inner:02}"), &leaf));
                nodes.push(file(saver, format!("x{inner:02}"), &[]));
            }
            top.push(dir(saver, format!("t{outer:02}"), &nodes));
        }
        tree(saver, &top)
    })
}

#[test]
fn the_order_is_that_of_one_reader() {
    let (store, root) = deep();
    let mut expected = Vec::new();
    for outer in 0..30 {
        expected.push(format!("/t{outer:02}"));
        for inner in 0..outer {
            expected.push(format!("/t{outer:02}/d{inner:02}"));
            if inner != 3 {
                expected.push(format!("/t{outer:02}/d{inner:02}/f{outer}-{inner}"));
            }
            expected.push(format!("/t{outer:02}/x{inner:02}"));
        }
    }
    let mut visited = Vec::new();
    walk(&store.repo, &store.index, root, &mut |path: &[u8], _: &Node| {
        visited.push(String::from_utf8_lossy(path).into_owned());
        Ok(if path.ends_with(b"/d03") { Descend::Over } else { Descend::Into })
    })
    .unwrap();
    assert_eq!(visited, expected);
}

#[test]
fn a_tree_that_cannot_be_read_is_told_in_its_place() {
    #[derive(Default)]
    struct Log(Vec<String>);
    impl Log {
        fn note(&mut self, what: &str, path: &[u8]) {
            self.0.push(format!("{what} {}", String::from_utf8_lossy(path)));
        }
    }
    impl Visitor for Log {
        fn enter(&mut self, path: &[u8], contents: &Contents) -> Result<()> {
            let mut count = 0;
            contents.for_each_node(|_| {
                count += 1;
                Ok(())
            })?;
            self.note(&format!("enter {count}"), path);
            Ok(())
        }
        fn node(&mut self, path: &[u8], _node: &Node) -> Result<Descend> {
            self.note("node", path);
            Ok(Descend::Into)
        }
        fn leave(&mut self, path: &[u8]) -> Result<()> {
            self.note("leave", path);
            Ok(())
        }
        fn broken(&mut self, path: &[u8], _error: Error) -> Result<()> {
            self.note("broken", path);
            Ok(())
        }
    }
    let (store, root) = Store::planted(|saver| {
        let mut lost = dir(saver, "a", &[]);
        lost.subtree = Some(BlobId::of(b"never saved"));
        let mut none = dir(saver, "b", &[]);
        none.subtree = None;
        let leaf = [file(saver, "f", &[])];
        let nodes = [lost, none, dir(saver, "c", &leaf)];
        tree(saver, &nodes)
    });
    let mut log = Log::default();
    walk(&store.repo, &store.index, root, &mut log).unwrap();
    let expected = [
        "enter 3 /",
        "node /a",
        "broken /a",
        "node /b",
        "broken /b",
        "node /c",
        "enter 1 /c",
        "node /c/f",
        "leave /c",
        "leave /",
    ];
    assert_eq!(log.0, expected);
    let stopped = walk(&store.repo, &store.index, root, &mut |_: &[u8], _: &Node| Ok(Descend::Into));
    assert!(stopped.is_err(), "who does not care is stopped");
}

#[test]
fn subfolders_are_found_by_their_path() {
    let (store, root) = deep();
    let find = |path: &str| find_subtree(&store.repo, &store.index, root, path.as_bytes());
    assert_eq!(find("").unwrap(), root);
    assert_eq!(find("/").unwrap(), root);
    assert_eq!(find("/t03/").unwrap(), find("t03").unwrap());
    assert_eq!(find("/t05/none/x").unwrap_err().to_string(), "path t05/none: not found");
    assert_eq!(find("t05/x01").unwrap_err().to_string(), "path t05/x01: not a directory");
}
