//! Which files and folders to back up: from arguments and from lists in files.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use tresor_snapshot::filter::Glob;

use crate::exit::{Failure, Result};
use crate::textfile;
use crate::ui::Ui;

/// The lists and arguments of the command line.
pub(super) struct Named<'a> {
    /// `--files-from`: a glob a line.
    pub(super) globs: &'a [PathBuf],
    /// `--files-from-verbatim`: a path a line.
    pub(super) verbatim: &'a [PathBuf],
    /// `--files-from-raw`: paths ended by NUL.
    pub(super) raw: &'a [PathBuf],
    /// The arguments.
    pub(super) arguments: &'a [OsString],
}

/// The sources in restic's order, and how many of them do not exist.
pub(super) struct Sources {
    pub(super) paths: Vec<PathBuf>,
    pub(super) missing: usize,
}

/// Collects the named sources and leaves out what is not there, with a word about each.
///
/// # Errors
/// A list that cannot be read, nothing named at all, or nothing of it there.
pub(super) fn collect(named: &Named<'_>, ui: &Ui) -> Result<Sources> {
    let mut paths = Vec::new();
    for list in named.globs {
        for line in lines(list)?.iter().map(|line| textfile::trim(line)) {
            if !line.is_empty() && line[0] != b'#' {
                expand(line, &mut paths, ui)?;
            }
        }
    }
    for list in named.verbatim {
        paths.extend(lines(list)?.into_iter().filter(|line| !line.is_empty()).map(into_path));
    }
    for list in named.raw {
        paths.extend(read_raw(list)?);
    }
    paths.extend(named.arguments.iter().filter(|argument| !argument.is_empty()).map(PathBuf::from));
    if paths.is_empty() {
        return Err(Failure::fatal("nothing to backup, please specify source files/dirs"));
    }
    let all = paths.len();
    paths.retain(|path| exists(path, ui));
    if paths.is_empty() {
        return Err(Failure::fatal("all source directories/files do not exist"));
    }
    let missing = all - paths.len();
    Ok(Sources { paths, missing })
}

fn into_path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes))
}

fn exists(path: &Path, ui: &Ui) -> bool {
    match std::fs::symlink_metadata(path) {
        Ok(_) => return true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            ui.error(&format!("{} does not exist, skipping", path.display()));
        }
        Err(_) => ui.error(&format!("{} cannot be accessed, skipping", path.display())),
    }
    false
}

/// The bytes of a list; `-` is stdin.
fn read(list: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let done = match list == Path::new("-") {
        true => std::io::stdin().lock().read_to_end(&mut bytes).map(drop),
        false => std::fs::read(list).map(|read| bytes = read),
    };
    done.map_err(|error| {
        Failure::plain(format!("open {}: {}", list.display(), crate::causes::chain(&error)))
    })?;
    Ok(bytes)
}

fn lines(list: &Path) -> Result<Vec<Vec<u8>>> {
    let text = match list == Path::new("-") {
        true => read(list)?,
        false => textfile::decode(&read(list)?),
    };
    let cut = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).to_vec();
    Ok(text.split(|&byte| byte == b'\n').map(cut).collect())
}

fn read_raw(list: &Path) -> Result<Vec<PathBuf>> {
    let bytes = read(list)?;
    let Some(bytes) = bytes.strip_suffix(b"\0") else {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        return Err(Failure::fatal("--files-from-raw: trailing zero byte missing"));
    };
    let names = bytes.split(|&byte| byte == 0).map(<[u8]>::to_vec);
    names
        .map(|name| match name.is_empty() {
            true => Err(Failure::fatal("--files-from-raw: empty filename in listing")),
            false => Ok(into_path(name)),
        })
        .collect()
}

/// Adds what a glob matches, in order of names.
fn expand(pattern: &[u8], paths: &mut Vec<PathBuf>, ui: &Ui) -> Result<()> {
    let shown = String::from_utf8_lossy(pattern).into_owned();
    let found = glob(pattern).map_err(|reason| Failure::plain(format!("pattern: {shown}: {reason}")))?;
    if found.is_empty() {
        ui.error(&format!("pattern {shown:?} does not match any files, skipping"));
    }
    paths.extend(found);
    Ok(())
}

/// The paths that match a glob: each part is matched against the names of one folder.
fn glob(pattern: &[u8]) -> std::result::Result<Vec<PathBuf>, &'static str> {
    let absolute = pattern.starts_with(b"/");
    let mut found = vec![if absolute { PathBuf::from("/") } else { PathBuf::new() }];
    for part in pattern.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
        let special = part.iter().any(|byte| b"*?[\\".contains(byte));
        found = match special {
            false => found.into_iter().map(|folder| folder.join(OsStr::from_bytes(part))).collect(),
            true => {
                let part = Glob::parse(part).map_err(|_| "syntax error in pattern")?;
                found.iter().flat_map(|folder| matching(folder, &part)).collect()
            }
        };
    }
    found.retain(|path| !path.as_os_str().is_empty() && std::fs::symlink_metadata(path).is_ok());
    Ok(found)
}

fn matching(folder: &Path, part: &Glob) -> Vec<PathBuf> {
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // A folder that cannot be read matches nothing, as in every shell.
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name()));
    let mut names: Vec<OsString> = names.filter(|name| part.matches(name.as_bytes())).collect();
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}
