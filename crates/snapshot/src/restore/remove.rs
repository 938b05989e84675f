//! Removes what is in the way, and what the snapshot does not have.

use crate::restore::failure::Failure;
use crate::restore::target::{Dir, Name};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::ffi::{CStr, CString};

type Result<T, E = Errno> = std::result::Result<T, E>;

/// Directories kept open on the way down; those above are opened again on the way back.
const OPEN_AT_ONCE: usize = 64;

/// Removes what is in the way; a directory that is not empty only if `with_content`.
pub(crate) fn make_way(dir: &Dir, name: Name<'_>, with_content: bool) -> Result<(), Failure> {
    match dir.remove(name) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::NOTEMPTY | Errno::EXIST) if with_content => remove_tree(dir, name, &mut |_| ()),
        Err(errno) => Err(Failure::step("remove what is in the way")(errno)),
    }
}

/// Removes an entry with all that is below it; tells of each path, from the entry on, when it is gone.
///
/// The order is that of a listing read backwards, so that a directory comes after its content.
pub(crate) fn remove_tree(dir: &Dir, name: Name<'_>, each: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
    let remove = |dir: &Dir, name: Name<'_>| match dir.remove(name) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed,
    };
    backwards(dir, name, &remove, each).map_err(Failure::step("remove"))
}

/// Tells what [`remove_tree`] would.
pub(crate) fn list_tree(dir: &Dir, name: Name<'_>, each: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
    backwards(dir, name, &|_, _| Ok(()), each).map_err(Failure::step("list"))
}

/// A directory whose entries are being gone through.
struct Level {
    name: CString,
    /// Nothing while too many below it are open.
    dir: Option<Dir>,
    /// Those still to come, the next one last.
    names: Vec<CString>,
}

fn backwards(
    top: &Dir,
    name: Name<'_>,
    visit: &dyn Fn(&Dir, Name<'_>) -> Result<()>,
    each: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    let mut path = name.bytes().to_vec();
    let Some(first) = open_level(top, name)? else {
        visit(top, name)?;
        each(&path);
        return Ok(());
    };
    let mut levels = vec![first];
    while let Some(level) = levels.last_mut() {
        let Some(next) = level.names.pop() else {
            let Some(done) = levels.pop() else { break };
            reopen_last(top, &mut levels)?;
            visit(last_dir(top, &levels), checked(&done.name)?)?;
            each(&path);
            path.truncate(path.len().saturating_sub(done.name.count_bytes() + 1));
            continue;
        };
        let next = checked(&next)?;
        path.push(b'/');
        path.extend_from_slice(next.bytes());
        let here = last_dir(top, &levels);
        if let Some(below) = open_level(here, next)? {
            levels.push(below);
            if let Some(above) = levels.len().checked_sub(OPEN_AT_ONCE) {
                levels[above].dir = None;
            }
        } else {
            visit(here, next)?;
            each(&path);
            path.truncate(path.len() - next.bytes().len() - 1);
        }
    }
    Ok(())
}

/// Opens the entry if it is a directory.
fn open_level(dir: &Dir, name: Name<'_>) -> Result<Option<Level>> {
    if !dir.stat(name)?.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()) {
        return Ok(None);
    }
    let below = dir.open_dir(name)?;
    let names = below.names()?;
    Ok(Some(Level { name: name.as_c_str().to_owned(), dir: Some(below), names }))
}

fn last_dir<'a>(top: &'a Dir, levels: &'a [Level]) -> &'a Dir {
    levels.last().and_then(|level| level.dir.as_ref()).unwrap_or(top)
}

/// Opens the innermost level again, from the top, if it was closed.
fn reopen_last(top: &Dir, levels: &mut [Level]) -> Result<()> {
    if levels.last().is_none_or(|level| level.dir.is_some()) {
        return Ok(());
    }
    let mut at: Option<Dir> = None;
    for level in levels.iter() {
        at = Some(at.as_ref().unwrap_or(top).open_dir(checked(&level.name)?)?);
    }
    if let Some(last) = levels.last_mut() {
        last.dir = at;
    }
    Ok(())
}

fn checked(name: &CStr) -> Result<Name<'_>> {
    Name::new(name).ok_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::target::{Target, TargetPath};
    use std::fs;
    use std::os::unix::fs::symlink;

    fn top(folder: &std::path::Path) -> Dir {
        Target::open(folder).unwrap().open_dir(&TargetPath::default()).unwrap()
    }

    #[test]
    fn a_tree_goes_backwards_and_links_in_it_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("t/a/b")).unwrap();
        fs::write(root.join("t/a/b/x"), "").unwrap();
        fs::write(root.join("t/a-"), "").unwrap();
        fs::create_dir(root.join("kept")).unwrap();
        fs::write(root.join("kept/y"), "").unwrap();
        symlink(root.join("kept"), root.join("t/z")).unwrap();
        let dir = top(root);
        let expected = ["t/z", "t/a-", "t/a/b/x", "t/a/b", "t/a", "t"];
        let name = Name::new(c"t").unwrap();
        let mut told = Vec::new();
        list_tree(&dir, name, &mut |path| told.push(String::from_utf8_lossy(path).into_owned())).unwrap();
        assert_eq!(told, expected);
        told.clear();
        assert!(make_way(&dir, name, false).is_err());
        remove_tree(&dir, name, &mut |path| told.push(String::from_utf8_lossy(path).into_owned())).unwrap();
        assert_eq!(told, expected);
        assert!(!root.join("t").exists() && root.join("kept/y").exists());
    }

    #[test]
    fn a_tree_deeper_than_descriptors_may_be_open_goes_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let mut path = folder.path().join("t");
        for level in 0..3 * OPEN_AT_ONCE {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("a"), "").unwrap();
            path = path.join(format!("{}", level % 10));
        }
        let mut count = 0;
        remove_tree(&top(folder.path()), Name::new(c"t").unwrap(), &mut |_| count += 1).unwrap();
        assert_eq!(count, 6 * OPEN_AT_ONCE);
        assert!(!folder.path().join("t").exists());
    }
}
