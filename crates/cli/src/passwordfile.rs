//! Password files: read, and judged by who else can read or replace them.

use rustix::process::geteuid;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use tresor_secmem::SecretBytes;

use crate::causes::chain;
use crate::environment::Environment;
use crate::exit::{Failure, Result};
use crate::textfile;

/// So many symbolic links lead to a file at most.
const LINKS: usize = 40;

/// A password that was read from a file.
pub(crate) struct FromFile {
    /// The text, trimmed.
    pub(crate) password: SecretBytes,
    /// Why others can read or replace it, if they can.
    pub(crate) exposed: Option<String>,
}

/// Reads a password file. `trusted` are the users who may own it, and links on the way to it.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read(path: &Path, trusted: &[u32]) -> Result<FromFile> {
    let open = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failure::fatal(format!("{} does not exist", path.display())),
        _ => Failure::fatal(format!("cannot read {}: {error}", path.display())),
    };
    let mut file = File::open(path).map_err(open)?;
    let metadata = file.metadata().map_err(open)?;
    let password = textfile::secret(&SecretBytes::read_from(&mut file).map_err(open)?);
    Ok(FromFile { password, exposed: exposed(path, &metadata, trusted) })
}

/// The users whose files are ours: root, we, and who became us by `sudo`.
pub(crate) fn trusted(environment: &Environment) -> Vec<u32> {
    let we = geteuid();
    let before = environment.get("SUDO_UID").filter(|_| we.is_root());
    let before = before.and_then(|uid| uid.to_str()?.parse().ok());
    [0, we.as_raw()].into_iter().chain(before).collect()
}

/// Why others can read or replace the file at `path`, which was opened and is `metadata`.
fn exposed(path: &Path, metadata: &Metadata, trusted: &[u32]) -> Option<String> {
    if is_descriptor(path) {
        return None;
    }
    let (mode, shown) = (metadata.mode() & 0o7777, path.display());
    if metadata.is_file() && mode & 0o066 != 0 {
        return Some(format!("the password file {shown} is open to others (mode {mode:04o})"));
    }
    if !trusted.contains(&metadata.uid()) {
        return Some(format!("the password file {shown} belongs to another user (uid {})", metadata.uid()));
    }
    way(path, trusted).unwrap_or_else(|error| {
        Some(format!("who can replace the password file {shown} cannot be told: {}", chain(&error)))
    })
}

/// Whether the path names a descriptor that whoever started us has opened.
fn is_descriptor(path: &Path) -> bool {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    matches!(parts[..], ["/", "dev", "stdin"] | ["/", "dev", "fd", _] | ["/", "proc", _, "fd", _])
}

/// What is wrong with the way to a file: a folder of everybody's, or a link of another user.
fn way(path: &Path, trusted: &[u32]) -> io::Result<Option<String>> {
    let mut left = parts(&std::path::absolute(path)?);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        let mode = at.symlink_metadata()?.mode();
        if mode & 0o1002 == 0o0002 {
            let (mode, shown) = (mode & 0o7777, at.display());
            return Ok(Some(format!(
                "everybody may replace the password file {} by the mode of {shown} ({mode:04o})",
                path.display()
            )));
        }
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(part);
        let metadata = at.symlink_metadata()?;
        if !metadata.is_symlink() {
            continue;
        }
        if !trusted.contains(&metadata.uid()) {
            let (shown, link, uid) = (path.display(), at.display(), metadata.uid());
            return Ok(Some(format!(
                "the password file {shown} is reached by the link {link} of another user (uid {uid})"
            )));
        }
        links += 1;
        if links > LINKS {
            return Err(rustix::io::Errno::LOOP.into());
        }
        let target = at.read_link()?;
        at.pop();
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        let mut first = parts(&target);
        first.append(&mut left);
        left = first;
    }
    Ok(None)
}

/// The names on a way, `..` among them.
fn parts(path: &Path) -> VecDeque<OsString> {
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().filter(named).map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    fn judged(path: &Path) -> String {
        let read = read(path, &trusted(&Environment::from([]))).unwrap();
        assert_eq!(read.password[..], *b"secret");
        read.exposed.unwrap_or_default()
    }

    /// A folder of ours with a password file of ours in it.
    fn prepared() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pw");
        fs::write(&file, " secret\n").unwrap();
        set(&file, 0o600);
        (folder, file)
    }

    #[test]
    fn only_the_owner_may_read_or_write_it() {
        let (_folder, file) = prepared();
        for mode in 0..0o1000 {
            if mode & 0o400 == 0 {
                continue;
            }
            set(&file, mode);
            assert_eq!(judged(&file).contains("open to others"), mode & 0o066 != 0, "{mode:o}");
        }
    }

    #[test]
    fn a_folder_of_everybody_needs_the_sticky_bit() {
        let (folder, file) = prepared();
        let inner = folder.path().join("a");
        fs::create_dir(&inner).unwrap();
        let below = inner.join("pw");
        fs::rename(&file, &below).unwrap();
        let link = folder.path().join("link");
        symlink("a/../a/pw", &link).unwrap();
        for (mode, open) in [(0o700, false), (0o755, false), (0o775, false), (0o777, true), (0o1777, false)] {
            for place in [folder.path(), &inner] {
                set(folder.path(), 0o700);
                set(&inner, 0o700);
                set(place, mode);
                assert_eq!(judged(&below).contains("everybody may replace"), open, "{mode:o}");
                assert_eq!(judged(&link).contains("everybody may replace"), open, "{mode:o} by a link");
            }
        }
    }

    #[test]
    fn links_and_files_of_others_are_told() {
        let (folder, file) = prepared();
        let link = folder.path().join("link");
        symlink(&file, &link).unwrap();
        assert_eq!(judged(&link), "");
        let others = [geteuid().as_raw() + 1];
        assert!(exposed(&file, &file.metadata().unwrap(), &others).unwrap().contains("belongs to another"));
        let told = way(&link, &others).unwrap().unwrap();
        assert!(told.contains(&format!("by the link {}", link.display())), "{told}");
        symlink("loop", folder.path().join("loop")).unwrap();
        assert!(way(&folder.path().join("loop"), &[geteuid().as_raw(), 0]).is_err());
    }

    #[test]
    fn descriptors_are_whoever_opened_them() {
        for path in ["/dev/stdin", "/dev/fd/63", "/proc/self/fd/3", "/proc/17/fd/3"] {
            assert!(is_descriptor(Path::new(path)), "{path}");
        }
        for path in ["/dev/fd", "/dev/shm/fd/3", "dev/stdin", "/proc/self/cwd/fd/3", "/dev/fd/../shm/x"] {
            assert!(!is_descriptor(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn who_called_sudo_is_one_of_us() {
        let trusted = trusted(&Environment::from([("SUDO_UID", "4711")]));
        assert_eq!(trusted.contains(&4711), geteuid().is_root());
    }
}
