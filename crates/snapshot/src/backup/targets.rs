//! Targets: how the paths given become places in the snapshot.
//!
//! An absolute target keeps its whole path, a relative one begins with its first named component, and one
//! without any (`.`, `..`, `/`) stands for its entries. What several targets share is one place. Only
//! the first component can clash between targets of different roots: the later one is called `name-1`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::fs::{Directory, Names, bytes_of_path, path_of_bytes};

/// A directory of the snapshot that targets lead to, or a target itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Branch {
    /// Its name on disk; the name in the snapshot may differ at the root.
    pub(super) disk_name: Vec<u8>,
    /// Whether a target ends here: all below belongs to the snapshot.
    pub(super) target: bool,
    /// Whether this very path was given: then it is never excluded.
    pub(super) named: bool,
    /// What leads to further targets.
    pub(super) children: Branches,
}

/// Branches by their names in the snapshot.
pub(super) type Branches = BTreeMap<Vec<u8>, Branch>;

/// What the root of the snapshot holds, by the directory on disk that it comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) roots: BTreeMap<Vec<u8>, Branches>,
}

impl Layout {
    /// Lays out the targets in the order given; those without a named component are listed.
    ///
    /// # Errors
    /// The target that cannot be listed, and why.
    pub(super) fn new(current: &[u8], targets: &[impl AsRef<Path>]) -> Result<Layout, (Vec<u8>, io::Error)> {
        let mut layout = Layout::default();
        for target in targets {
            let clean = clean(bytes_of_path(target.as_ref()));
            let (root, components) = split(&clean);
            if !components.is_empty() {
                layout.add(root, &components, true);
                continue;
            }
            let mut names = Names::default();
            Directory::open(path_of_bytes(&on_disk(current, root)))
                .and_then(|directory| directory.names(&mut names))
                .and_then(|()| names.for_each(|name| layout.add(root, &[name], false)))
                .map_err(|cause| (clean.clone(), cause))?;
        }
        Ok(layout)
    }

    fn add(&mut self, root: &[u8], components: &[&[u8]], named: bool) {
        let [first, rest @ ..] = components else { return };
        let mut branch = self.root_branch(root, first);
        for component in rest {
            let new = || Branch { disk_name: component.to_vec(), ..Branch::default() };
            branch = branch.children.entry(component.to_vec()).or_insert_with(new);
        }
        branch.target = true;
        branch.named |= named;
    }

    /// The branch for a first component, under a name that no other root has taken.
    fn root_branch(&mut self, root: &[u8], first: &[u8]) -> &mut Branch {
        let taken = |name: &Vec<u8>| {
            self.roots.iter().any(|(other, branches)| other != root && branches.contains_key(name))
        };
        let numbered = (1_u64..).map(|number| [first, b"-", number.to_string().as_bytes()].concat());
        let name = std::iter::once(first.to_vec()).chain(numbered).find(|name| !taken(name));
        let branches = self.roots.entry(root.to_vec()).or_default();
        let new = || Branch { disk_name: first.to_vec(), ..Branch::default() };
        branches.entry(name.unwrap_or_default()).or_insert_with(new)
    }
}

/// Where to open a root: relative ones start from the current directory, whatever the links on the way.
pub(super) fn on_disk(current: &[u8], root: &[u8]) -> Vec<u8> {
    if root.starts_with(b"/") { root.to_vec() } else { [current, b"/", root].concat() }
}

/// The target as an absolute, clean path: as it is stored in the snapshot and tested by excludes.
pub fn absolute(current: &[u8], target: &[u8]) -> Vec<u8> {
    match target.first() {
        Some(b'/') => clean(target),
        _ => clean(&[current, b"/", target].concat()),
    }
}

/// The shortest path that means the same by its words alone: no `.`, no empty and no needless `..` component.
pub fn clean(path: &[u8]) -> Vec<u8> {
    let absolute = path.first() == Some(&b'/');
    let mut components: Vec<&[u8]> = Vec::new();
    for component in path.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => match components.last() {
                None if absolute => {}
                None | Some(&b"..") => components.push(component),
                Some(_) => drop(components.pop()),
            },
            _ => components.push(component),
        }
    }
    let joined = components.join(&b'/');
    match (absolute, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// Splits a clean path into the root it starts at (`/`, `.`, `..`, `../..`, …) and its named components.
fn split(clean: &[u8]) -> (&[u8], Vec<&[u8]>) {
    if let Some(rest) = clean.strip_prefix(b"/") {
        return (b"/", rest.split(|&byte| byte == b'/').filter(|component| !component.is_empty()).collect());
    }
    let mut up = 0;
    while clean[up..].starts_with(b"../") {
        up += 3;
    }
    match &clean[up..] {
        b".." => (clean, Vec::new()),
        b"." => (b".", Vec::new()),
        rest => {
            let root: &[u8] = if up == 0 { b"." } else { &clean[..up - 1] };
            (root, rest.split(|&byte| byte == b'/').collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_by_their_words() {
        for (path, expect) in [
            ("", "."),
            (".", "."),
            ("/", "/"),
            ("//a//b/", "/a/b"),
            ("/../a", "/a"),
            ("a/../../b", "../b"),
            ("./a/./b/..", "a"),
            ("a/..", "."),
            ("../..", "../.."),
            ("/a/../..", "/"),
        ] {
            assert_eq!(clean(path.as_bytes()), expect.as_bytes(), "{path}");
        }
        assert_eq!(absolute(b"/x/d1", b"../d2/./same/"), b"/x/d2/same");
        assert_eq!(absolute(b"/x", b"/y/"), b"/y");
        assert_eq!(absolute(b"/", b"y"), b"/y");
    }

    #[test]
    fn roots_and_components_part() {
        let strings = |path: &str| {
            let (root, components) = split(path.as_bytes());
            let words = components.iter().map(|word| String::from_utf8_lossy(word).into_owned());
            (String::from_utf8_lossy(root).into_owned(), words.collect::<Vec<_>>().join(" "))
        };
        for (path, root, components) in [
            ("/", "/", ""),
            ("/a/b", "/", "a b"),
            (".", ".", ""),
            ("..", "..", ""),
            ("../..", "../..", ""),
            ("../../a/b", "../..", "a b"),
            ("a", ".", "a"),
            ("..a/b", ".", "..a b"),
        ] {
            assert_eq!(strings(path), (root.to_owned(), components.to_owned()), "{path}");
        }
    }

    /// The layout as lines: path in the snapshot, `*` for a target, `!` if it was named.
    fn lines(targets: &[&str]) -> Vec<String> {
        fn show(path: &str, branch: &Branch, lines: &mut Vec<String>) {
            let marks = (if branch.target { "*" } else { "" }, if branch.named { "!" } else { "" });
            lines.push(format!("{path}{}{}", marks.0, marks.1));
            for (name, child) in &branch.children {
                show(&format!("{path}/{}", String::from_utf8_lossy(name)), child, lines);
            }
        }
        let layout = Layout::new(b"/", targets).expect("nothing that cannot be listed");
        let mut all = Vec::new();
        for (root, branches) in &layout.roots {
            for (name, branch) in branches {
                let (root, name) = (String::from_utf8_lossy(root), String::from_utf8_lossy(name));
                show(&format!("{root}:{name}"), branch, &mut all);
            }
        }
        all
    }

    #[test]
    fn targets_take_their_places() {
        assert_eq!(
            lines(&["/tmp/x/d1/same", "d2/same"]),
            [".:d2", ".:d2/same*!", "/:tmp", "/:tmp/x", "/:tmp/x/d1", "/:tmp/x/d1/same*!"]
        );
        assert_eq!(lines(&["same/top", "same"]), [".:same*!", ".:same/top*!"]);
        assert_eq!(
            lines(&["same", "../same", "../same/a", "../../same"]),
            [".:same*!", "..:same-1*!", "..:same-1/a*!", "../..:same-2*!"]
        );
        assert_eq!(lines(&["d1/../d2/same", "./d2/same/"]), [".:d2", ".:d2/same*!"]);
    }

    #[test]
    fn a_target_without_components_stands_for_its_entries() {
        let root = Layout::new(b"/", &["/"]).expect("the root can be listed");
        assert!(root.roots[&b"/"[..]].values().all(|branch| branch.target && !branch.named));
        assert!(root.roots[&b"/"[..]].len() > 3);
    }
}
