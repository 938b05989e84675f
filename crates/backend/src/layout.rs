//! Where a file of each kind lives in a folder (format: "File types and default layout").

use crate::{FileKind, FileName, Id};

/// The folder of a kind; the config has none and lies at the top.
pub const fn folder(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Config => "",
        FileKind::Key => "keys",
        FileKind::Lock => "locks",
        FileKind::Snapshot => "snapshots",
        FileKind::Index => "index",
        FileKind::Pack => "data",
    }
}

/// A file's path below the repository, with `/` between its parts.
pub fn path(file: FileName) -> String {
    match parent(file) {
        folder if folder.is_empty() => name(file),
        folder => folder + "/" + &name(file),
    }
}

/// The folder a file lies in, below the repository; empty for the config.
pub fn parent(file: FileName) -> String {
    match file.kind() {
        FileKind::Pack => pack_folder(file.id().as_bytes()[0]),
        kind => folder(kind).to_owned(),
    }
}

/// A file's name in its folder.
pub fn name(file: FileName) -> String {
    match file.kind() {
        FileKind::Config => "config".to_owned(),
        _ => file.id().hex(),
    }
}

/// The file of `kind` that lies at `path` below the repository, if one can lie there.
pub fn at(kind: FileKind, path: &str) -> Option<FileName> {
    let name = path.rsplit('/').next()?;
    let file = FileName::new(kind, Id::from_hex(name.as_bytes())?);
    (self::path(file) == path).then_some(file)
}

/// The folder of the packs whose ids begin with `first`.
pub fn pack_folder(first: u8) -> String {
    format!("data/{first:02x}")
}

/// Every folder of a new repository, parents before what is in them.
pub fn folders() -> impl Iterator<Item = String> {
    let by_kind = FileKind::WITH_ID.into_iter().map(|kind| folder(kind).to_owned());
    by_kind.chain((0..=u8::MAX).map(pack_folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_format() {
        let id = Id::from_bytes([0xab; 32]);
        let hex = "ab".repeat(32);
        let path_of = |kind| path(FileName::new(kind, id));
        assert_eq!(path_of(FileKind::Config), "config");
        assert_eq!(path_of(FileKind::Key), format!("keys/{hex}"));
        assert_eq!(path_of(FileKind::Lock), format!("locks/{hex}"));
        assert_eq!(path_of(FileKind::Snapshot), format!("snapshots/{hex}"));
        assert_eq!(path_of(FileKind::Index), format!("index/{hex}"));
        assert_eq!(path_of(FileKind::Pack), format!("data/ab/{hex}"));
        let pack = FileName::new(FileKind::Pack, id);
        assert_eq!(at(FileKind::Pack, &path(pack)), Some(pack));
        for elsewhere in [hex.clone(), format!("data/{hex}"), format!("data/aa/{hex}"), format!("keys/{hex}")]
        {
            assert_eq!(at(FileKind::Pack, &elsewhere), None);
        }
    }

    #[test]
    fn a_new_repository_has_261_folders() {
        let all: Vec<String> = folders().collect();
        assert_eq!(all.len(), 5 + 256);
        assert_eq!((all[0].as_str(), all[5].as_str(), all[260].as_str()), ("data", "data/00", "data/ff"));
    }
}
