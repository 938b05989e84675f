//! Restores of which the plan does not fit into memory: all must be as if it did.

use crate::store::{Store, dir, file, link, tree};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use tresor_repo::BlobId;
use tresor_repo::upload::BlobSaver;
use tresor_snapshot::restore::{Action, RestoreOptions, plan};
use tresor_testkit::backend::memory::Memory;

const DIRS: u64 = 60;
const FILES: u64 = 60;

/// Directories of files with no, one or two blobs, every tenth with another name in the next directory.
fn plant(saver: &mut BlobSaver<'_>) -> BlobId {
    let mut dirs = Vec::new();
    for one in 0..DIRS {
        let mut nodes = Vec::new();
        for other in 0..FILES {
            let linked = other % 10 == 7;
            let inode = if linked { one / 2 * FILES + other } else { one * FILES + other };
            let text = format!("content of {inode}");
            let blobs: &[&[u8]] = match inode % 4 {
                0 => &[],
                1 => &[text.as_bytes(), b"shared"],
                _ => &[text.as_bytes()],
            };
            let mut node = file(saver, format!("file-{other:02}"), blobs);
            (node.inode, node.device_id, node.links) = (inode, 1, if linked { 2 } else { 1 });
            nodes.push(node);
        }
        nodes.push(link("link", "file-00"));
        dirs.push(dir(saver, format!("dir-{one:02}"), &nodes));
    }
    tree(saver, &dirs)
}

/// What is below a folder: content or target of a link, and the path of the first name of the same file.
fn found(folder: &Path) -> BTreeMap<String, (Vec<u8>, String)> {
    let (mut all, mut inodes) = (BTreeMap::new(), BTreeMap::new());
    for one in 0..DIRS {
        let name = format!("dir-{one:02}");
        let mut names: Vec<_> = fs::read_dir(folder.join(&name)).unwrap().map(|e| e.unwrap()).collect();
        names.sort_by_key(fs::DirEntry::file_name);
        for entry in names {
            let path = format!("{name}/{}", entry.file_name().to_string_lossy());
            let metadata = entry.metadata().unwrap();
            let first = inodes.entry(metadata.ino()).or_insert_with(|| path.clone()).clone();
            let content = match metadata.is_symlink() {
                true => fs::read_link(entry.path()).unwrap().into_os_string().into_encoded_bytes(),
                false => fs::read(entry.path()).unwrap(),
            };
            all.insert(path, (content, first));
        }
    }
    all
}

/// Changes, removes and adds some.
fn disturb(target: &Path) {
    for one in 0..DIRS {
        let dir = target.join(format!("dir-{one:02}"));
        fs::write(dir.join("file-05"), "shared and otherwise wrong").unwrap();
        fs::write(dir.join("file-06"), "content of shareX").unwrap();
        fs::remove_file(dir.join("file-08")).unwrap();
        for number in 0..20 {
            fs::write(dir.join(format!("extra-{number}-{}", "n".repeat(20))), "").unwrap();
        }
    }
}

#[test]
fn a_plan_that_lies_in_files_restores_the_same_as_one_in_memory() {
    let backend = Arc::new(Memory::new());
    let (store, root) = Store::planted_in(backend.clone(), plant);
    let little = Store::of_little_memory(backend, 0);
    let folder = tempfile::tempdir().unwrap();
    let targets = ["memory", "files"].map(|name| folder.path().join(name));
    let mut options = RestoreOptions::default();
    for round in 0..3 {
        let outcomes = [(&store, &targets[0]), (&little, &targets[1])].map(|(store, target)| {
            if round == 1 {
                disturb(target);
            }
            options.delete = round > 0;
            options.dry_run = true;
            let (dry, _) = store.restore(root, target, &options);
            options.dry_run = false;
            let (report, told) = store.restore(root, target, &options);
            assert_eq!(told.problems(), []);
            assert_eq!(dry.counts.total_files, report.counts.total_files);
            let items = [Action::Restored, Action::Updated, Action::Unchanged].map(|action| {
                let mut items = told.items(action);
                items.sort();
                items
            });
            let deleted = told.items(Action::Deleted).len();
            (report, items, deleted, found(target))
        });
        let deleted = if round == 1 { DIRS as usize * 20 } else { 0 };
        assert_eq!(outcomes[0].2, deleted);
        assert_eq!(outcomes[0].3.len() as u64, DIRS * (FILES + 1));
        let other_names = outcomes[0].3.iter().filter(|(path, (_, first))| path != &first).count();
        assert_eq!(other_names as u64, links());
        assert_eq!(outcomes[0], outcomes[1], "{round}");
    }
    let told = crate::store::Told::default();
    let again = folder.path().join("again");
    let mut plan =
        plan(&little.repo, &little.index, root, &again, &RestoreOptions::default(), &told).unwrap();
    plan.execute(&little.repo, &little.index, &told).unwrap();
    fs::write(again.join("dir-07/file-09"), "wrong").unwrap();
    let verified = plan.verify(&little.repo, &little.index, &told).unwrap();
    assert_eq!((verified.files, verified.problems), (DIRS * FILES - links() - 1, 1));
    assert_eq!(told.troubled(), ["/dir-07/file-09"]);
}

/// How many names are hard links.
fn links() -> u64 {
    DIRS / 2 * FILES / 10
}
