//! Slots in memory and in a file give the same tree.

use super::*;
use crate::node::NodeKind;
use crate::tree::Tree;
use std::sync::Arc;
use tresor_repo::codec::Compression;
use tresor_repo::index::Index;
use tresor_repo::keyfile::{KeyCost, NewKey, Password};
use tresor_repo::repository::{InitOptions, Options};
use tresor_repo::time::Time;
use tresor_repo::{BlobKind, Repository};
use tresor_testkit::Recorder;
use tresor_testkit::backend::memory::Memory;
use tresor_testkit::backend::{Cancel, Full, Handle};

fn repository(memory: u64) -> Repository<Full> {
    let options = Options {
        compression: Compression::Auto,
        pack_size: 16 << 20,
        verify_before_upload: true,
        memory,
        temporary_folder: std::env::temp_dir(),
        cancel: Cancel::new(),
    };
    let (username, hostname) = ("tester".into(), "here".into());
    let cost = KeyCost::Exact { n: 16, r: 1, p: 1 };
    let key = NewKey { username, hostname, created: Time::utc(0, 0), cost };
    let new = InitOptions { version: 2, polynomial: None, key };
    let password = Password::new(b"password".to_vec());
    Repository::init(Handle::new(Arc::new(Memory::new())), &password, &new, options).unwrap()
}

fn node(number: usize) -> Node {
    let mut node = Node::new(format!("{number:05}").into_bytes(), NodeKind::Symlink);
    node.rare_mut().link_target = vec![b'x'; 1 + number % 300].into();
    node
}

/// Fills slots by `fill` and saves them as a tree; answers with it, and whether a file was needed.
fn saved(memory: u64, sort: bool, fill: impl Fn(&mut Slots, &Upload<'_>)) -> (Tree, bool) {
    let repository = repository(memory);
    let work = |upload: &Upload<'_>| {
        let mut slots = Slots::default();
        fill(&mut slots, upload);
        let mut tree = TreeSaver::new(upload, Vec::new());
        if sort {
            slots.write_sorted(&mut tree)?
        } else {
            slots.write(&mut tree)?
        }
        let saved = tree.finish(&Vec::new(), &mut upload.saver(), None)?;
        Ok::<_, crate::Error>((saved.saved.id, slots.many.is_some()))
    };
    let ((id, many), _) = repository.upload(&Index::default(), work).unwrap();
    let index = repository.load_index(&Recorder::new()).unwrap();
    (Tree::decode(&repository.load_blob(&index, BlobKind::Tree, &id).unwrap()).unwrap(), many)
}

#[test]
fn nodes_come_in_the_order_of_their_slots_however_they_were_put() {
    let fill = |slots: &mut Slots, upload: &Upload<'_>| {
        for number in 0..2000 {
            slots.push((number % 3 == 0).then(|| node(number)), upload).unwrap();
        }
        assert!(slots.lack_any());
        for number in (0..2000).rev().filter(|number| number % 3 == 1) {
            slots.put(number, Some(node(number)), upload).unwrap();
        }
        slots.put(0, None, upload).unwrap();
        slots.put(5000, Some(node(7)), upload).unwrap();
        assert_eq!(slots.len(), 2000);
        assert_eq!(slots.get(1).unwrap(), Some(node(1)));
        assert_eq!([slots.get(0), slots.get(2), slots.get(5000)].map(Result::unwrap), [None, None, None]);
    };
    let expected: Vec<Node> = (1..2000).filter(|number| number % 3 != 2).map(node).collect();
    for (memory, is_many) in [(48 << 20, false), (1 << 18, true), (0, true)] {
        let (tree, many) = saved(memory, false, fill);
        assert!(tree.nodes == expected && many == is_many, "{memory}");
    }
}

#[test]
fn stretches_in_order_are_merged_by_name() {
    let fill = |slots: &mut Slots, upload: &Upload<'_>| {
        assert!(slots.is_empty());
        for first in [2, 0, 1] {
            slots.push(None, upload).unwrap();
            (first..900).step_by(3).for_each(|number| slots.push(Some(node(number)), upload).unwrap());
        }
    };
    let expected: Vec<Node> = (0..900).map(node).collect();
    for (memory, is_many) in [(48 << 20, false), (0, true)] {
        let (tree, many) = saved(memory, true, fill);
        assert!(tree.nodes == expected && many == is_many);
    }
}
