//! A view of a repository: what is in it, what comes later, and what is wrong with it.

use crate::store::{Store, dir, file, link, tree};
use std::sync::Arc;
use std::time::Duration;
use tresor_repo::time::{Time, Zone};
use tresor_repo::{BlobId, SnapshotId};
use tresor_snapshot::select::Filter;
use tresor_snapshot::vfs::{Item, Kind, Options, View};
use tresor_snapshot::{Error, Node, NodeKind, Snapshot};
use tresor_testkit::backend::Backend;
use tresor_testkit::backend::memory::Memory;
use tresor_testkit::fixtures::noise;

fn options() -> Options {
    Options {
        filter: Filter::default(),
        path_templates: vec!["s/%T".into()],
        time_template: "2006".into(),
        zone: Zone::utc(),
        owner: (7, 8),
        owner_root: false,
        reload_after: Duration::ZERO,
        content_memory: 4 << 20,
        folder_memory: 1 << 20,
    }
}

fn view(store: &Store, options: Options) -> View {
    let index = store.repo.load_index(&tresor_repo::monitor::Silent).unwrap();
    let (view, refreshed) = View::new(store.repo.read(), index, options, Time::utc(9, 0)).unwrap();
    assert!(refreshed.unreadable.is_empty());
    view
}

fn save(store: &Store, root: BlobId, year: i64) -> SnapshotId {
    let snapshot = Snapshot::new(root, Time::utc((year - 1970) * 31_557_600 + 86_400, 0), vec!["/p".into()]);
    store.repo.save_snapshot(&snapshot.encode()).unwrap()
}

fn find(view: &View, path: &str) -> Option<Item> {
    path.split('/').try_fold(view.root(), |folder, name| view.lookup(&folder, name.as_bytes()).unwrap())
}

fn names(view: &View, path: &str) -> Vec<String> {
    let folder = if path.is_empty() { view.root() } else { find(view, path).unwrap() };
    let entries = view.list(&folder).unwrap();
    for (name, item) in &entries {
        let found = view.lookup(&folder, name).unwrap().unwrap();
        assert_eq!(view.attributes(&found), view.attributes(item), "looked up and listed");
    }
    entries.into_iter().map(|(name, _)| String::from_utf8_lossy(&name).into_owned()).collect()
}

#[test]
fn new_snapshots_appear_with_their_data_and_removed_ones_go() {
    let backend = Arc::new(Memory::new());
    let (store, root) = Store::planted_in(backend.clone(), |saver| {
        let nodes = [file(saver, "old", &[b"content"])];
        tree(saver, &nodes)
    });
    let first = save(&store, root, 2001);
    let view = view(&store, options());
    assert_eq!(names(&view, "s"), ["2001", "latest"]);
    let old = find(&view, "s/2001").unwrap();
    let work = |upload: &tresor_repo::upload::Upload<'_>| {
        let mut saver = upload.saver();
        let nodes = [file(&mut saver, "new", &[b"more"])];
        Ok::<_, Error>(tree(&mut saver, &nodes))
    };
    let (root, _) = store.repo.upload(&store.index, work).unwrap();
    save(&store, root, 2002);
    assert_eq!(names(&view, "s"), ["2001", "latest"], "nobody has looked");
    view.refresh().unwrap();
    assert_eq!(names(&view, "s"), ["2001", "2002", "latest"]);
    assert_eq!(find(&view, "s/latest").unwrap().link_target(), b"2002");
    let file = view.open(&find(&view, "s/2002/new").unwrap()).unwrap();
    assert_eq!(view.read(&file, 1, 100).unwrap(), b"ore");
    backend.remove(first.file()).unwrap();
    view.refresh().unwrap();
    assert_eq!(names(&view, "s"), ["2002", "latest"]);
    assert!(view.lookup(&old, b"old").unwrap().is_some(), "what is in use stays good");
}

#[test]
fn a_filter_and_an_owner_are_kept_to() {
    let (store, root) = Store::planted(|saver| {
        let nodes = [Node { uid: 3, gid: 4, ..file(saver, "f", &[b"x"]) }];
        tree(saver, &nodes)
    });
    save(&store, root, 2001);
    let hidden = Options { filter: Filter { hosts: vec!["h".into()], ..Filter::default() }, ..options() };
    assert_eq!(names(&view(&store, hidden), "s"), [""; 0]);
    let owners = |options: Options| {
        let view = view(&store, options);
        ["s", "s/2001", "s/latest", "s/2001/f"].map(|path| {
            let attributes = view.attributes(&find(&view, path).unwrap());
            (attributes.uid, attributes.gid)
        })
    };
    assert_eq!(owners(options()), [(7, 8), (7, 8), (7, 8), (3, 4)]);
    assert_eq!(owners(Options { owner_root: true, ..options() }), [(0, 0); 4]);
}

#[test]
fn nothing_in_a_tree_leads_out_of_it() {
    let (store, root) = Store::planted(|saver| {
        let mut nodes = vec![file(saver, "good", &[b"content"]), link("link", "../../../etc")];
        for name in ["..", ".", "", "../../etc/good", "x/y", "a\0b", "/"] {
            nodes.push(file(saver, name, &[b"evil"]));
        }
        nodes.push(Node::new(*b"no tree", NodeKind::Dir));
        nodes.push(Node::new(*b"odd", NodeKind::Other("odd".into())));
        let lost = BlobId::from_bytes([9; 32]);
        nodes.push(Node { content: Some(vec![lost]), size: 5, ..Node::new(*b"lost", NodeKind::File) });
        nodes.push(Node { subtree: Some(lost), ..Node::new(*b"lost tree", NodeKind::Dir) });
        let inner = [file(saver, "deep", &[b"1"])];
        nodes.push(dir(saver, "dir", &inner));
        tree(saver, &nodes)
    });
    save(&store, root, 2001);
    let view = view(&store, options());
    let shown = ["_", "__", "a_b", "dir", "good", "link", "lost", "lost tree", "no tree", "y"];
    assert_eq!(names(&view, "s/2001"), shown);
    let good = view.open(&find(&view, "s/2001/good").unwrap()).unwrap();
    assert_eq!(view.read(&good, 0, 100).unwrap(), b"content");
    for name in ["..", ".", "", "odd"] {
        let root = find(&view, "s/2001").unwrap();
        assert!(view.lookup(&root, name.as_bytes()).unwrap().is_none(), "{name}");
    }
    assert!(view.open(&find(&view, "s/2001/lost").unwrap()).is_err());
    for name in ["lost tree", "no tree"] {
        assert!(view.list(&find(&view, &format!("s/2001/{name}")).unwrap()).is_err(), "{name}");
    }
    let link = find(&view, "s/2001/link").unwrap();
    assert_eq!((link.kind(), link.link_target()), (Kind::Symlink, &b"../../../etc"[..]));
    assert!(view.open(&link).is_err() && view.lookup(&link, b"passwd").unwrap().is_none());
}

#[test]
fn content_is_read_within_little_memory() {
    let parts: Vec<Vec<u8>> = (0..40).map(|part| noise(part, 300_000 + part as usize)).collect();
    let content = parts.concat();
    let (store, root) = Store::planted(|saver| {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let nodes = [Node { size: content.len() as u64, ..file(saver, "f", &parts) }];
        tree(saver, &nodes)
    });
    save(&store, root, 2001);
    for content_memory in [0, 1 << 20, 1 << 30] {
        let view = view(&store, Options { content_memory, ..options() });
        let file = view.open(&find(&view, "s/2001/f").unwrap()).unwrap();
        let mut read = Vec::new();
        while read.len() < content.len() {
            let piece = view.read(&file, read.len() as u64, 131_072).unwrap();
            assert!(!piece.is_empty());
            read.extend(piece);
        }
        assert!(read == content);
        assert_eq!(view.read(&file, u64::MAX, 10).unwrap(), b"");
        assert_eq!(view.read(&file, content.len() as u64 - 1, usize::MAX).unwrap().len(), 1);
    }
}
