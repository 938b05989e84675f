//! The names of a backend's calls, for those who count, retry or report them.

use crate::{ByteRange, FileKind, FileName};
use std::fmt;

/// One of the calls of a backend; both ways of loading are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Makes the place of a new repository.
    Create,
    /// Saves a file.
    Save,
    /// Loads a file or a part of it.
    Load,
    /// Asks for a file's length.
    Stat,
    /// Lists a kind.
    List,
    /// Removes a file.
    Remove,
    /// Has a file brought back from an archive.
    BringBack,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 7] = [
        Operation::Create,
        Operation::Save,
        Operation::Load,
        Operation::Stat,
        Operation::List,
        Operation::Remove,
        Operation::BringBack,
    ];

    /// The word messages use.
    pub const fn word(self) -> &'static str {
        match self {
            Operation::Create => "Create",
            Operation::Save => "Save",
            Operation::Load => "Load",
            Operation::Stat => "Stat",
            Operation::List => "List",
            Operation::Remove => "Remove",
            Operation::BringBack => "BringBack",
        }
    }

    /// Its place in a table of one entry per operation.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// One call: an operation and what it is about. Shown as restic shows it: `Load(<data/0123456789>, 10, 0)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Makes the place of a new repository.
    Create,
    /// Saves a file.
    Save(FileName),
    /// Loads a part of a file.
    Load(FileName, ByteRange),
    /// Loads a whole file.
    LoadWhole(FileName),
    /// Asks for a file's length.
    Stat(FileName),
    /// Lists a kind.
    List(FileKind),
    /// Removes a file.
    Remove(FileName),
    /// Has a file brought back from an archive.
    BringBack(FileName),
}

impl Call {
    /// Which operation it is.
    pub const fn operation(&self) -> Operation {
        match self {
            Call::Create => Operation::Create,
            Call::Save(_) => Operation::Save,
            Call::Load(..) | Call::LoadWhole(_) => Operation::Load,
            Call::Stat(_) => Operation::Stat,
            Call::List(_) => Operation::List,
            Call::Remove(_) => Operation::Remove,
            Call::BringBack(_) => Operation::BringBack,
        }
    }

    /// What it is about, as errors name it.
    pub fn subject(&self) -> String {
        match self {
            Call::Create => "repository".to_owned(),
            Call::List(kind) => kind.word().to_owned(),
            Call::Save(file)
            | Call::Load(file, _)
            | Call::LoadWhole(file)
            | Call::Stat(file)
            | Call::Remove(file)
            | Call::BringBack(file) => file.to_string(),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.operation().word();
        match self {
            Call::Create => write!(f, "{word}()"),
            Call::Load(file, ByteRange { offset, length }) => write!(f, "{word}({file}, {length}, {offset})"),
            Call::LoadWhole(file) => write!(f, "{word}({file}, 0, 0)"),
            Call::List(kind) => write!(f, "{word}({})", kind.word()),
            Call::Save(file) | Call::Stat(file) | Call::Remove(file) | Call::BringBack(file) => {
                write!(f, "{word}({file})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Id;

    #[test]
    fn calls_are_shown_as_restic_shows_them() {
        let pack = FileName::new(FileKind::Pack, Id::from_bytes([0x91; 32]));
        let range = ByteRange { offset: 7, length: 2087 };
        assert_eq!(Call::Load(pack, range).to_string(), "Load(<data/9191919191>, 2087, 7)");
        assert_eq!(Call::Stat(FileName::CONFIG).to_string(), "Stat(<config/>)");
        assert_eq!(Call::List(FileKind::Snapshot).to_string(), "List(snapshot)");
    }

    #[test]
    fn each_operation_has_its_own_place() {
        for (place, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation.index(), place);
        }
    }
}
