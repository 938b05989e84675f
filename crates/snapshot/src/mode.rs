//! Modes of files: Go's numbering, which is stored, and the system's.

/// The permission bits, `rwxrwxrwx`.
pub const PERMISSIONS: u32 = 0o777;
/// A directory.
pub const DIR: u32 = 1 << 31;
/// A symbolic link.
pub const SYMLINK: u32 = 1 << 27;
/// A device; a block device unless [`CHAR_DEVICE`] is set too.
pub const DEVICE: u32 = 1 << 26;
/// A named pipe.
pub const NAMED_PIPE: u32 = 1 << 25;
/// A socket.
pub const SOCKET: u32 = 1 << 24;
/// Runs as its owner.
pub const SETUID: u32 = 1 << 23;
/// Runs as its group.
pub const SETGID: u32 = 1 << 22;
/// A character device; always together with [`DEVICE`].
pub const CHAR_DEVICE: u32 = 1 << 21;
/// Only owners remove what is in it.
pub const STICKY: u32 = 1 << 20;
/// Something that is none of the kinds above.
pub const IRREGULAR: u32 = 1 << 19;

/// What the system's `st_mode` says about the kind, as bits of its own.
pub(crate) const ST_KIND: u32 = 0o170_000;

/// Kinds as (bits of `st_mode`, bits of the stored mode).
const KINDS: [(u32, u32); 7] = [
    (0o140_000, SOCKET),
    (0o120_000, SYMLINK),
    (0o100_000, 0),
    (0o060_000, DEVICE),
    (0o040_000, DIR),
    (0o020_000, DEVICE | CHAR_DEVICE),
    (0o010_000, NAMED_PIPE),
];

/// Bits that go with the permissions, as (bit of `st_mode`, bit of the stored mode).
const SPECIAL: [(u32, u32); 3] = [(0o4000, SETUID), (0o2000, SETGID), (0o1000, STICKY)];

/// The stored mode of a file with this `st_mode`.
pub fn from_st_mode(st_mode: u32) -> u32 {
    let kind = KINDS.iter().find(|kind| kind.0 == st_mode & ST_KIND).map_or(IRREGULAR, |kind| kind.1);
    let special = SPECIAL.iter().filter(|bit| st_mode & bit.0 != 0).map(|bit| bit.1).sum::<u32>();
    st_mode & PERMISSIONS | kind | special
}

/// The bits to give to `chmod`: permissions, set-id and sticky, without the kind.
pub fn to_chmod(mode: u32) -> u32 {
    let special = SPECIAL.iter().filter(|bit| mode & bit.1 != 0).map(|bit| bit.0).sum::<u32>();
    mode & PERMISSIONS | special
}

/// The mode as people read it, such as `drwxr-xr-x` or `Lrwxrwxrwx`.
pub fn text(mode: u32) -> String {
    const LETTERS: &str = "dalTLDpSugct?";
    let bits = |letters: &'static str, highest: u32| {
        letters
            .chars()
            .enumerate()
            .map(move |(place, letter)| (letter, mode >> (highest - place as u32) & 1 == 1))
    };
    let mut text: String = bits(LETTERS, 31).filter(|(_, set)| *set).map(|(letter, _)| letter).collect();
    if text.is_empty() {
        text.push('-');
    }
    text.extend(bits("rwxrwxrwx", 8).map(|(letter, set)| if set { letter } else { '-' }));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_numbered_as_stored() {
        for (st_mode, mode, expect) in [
            (0o040_755, 2_147_484_141, "drwxr-xr-x"),
            (0o120_777, 134_218_239, "Lrwxrwxrwx"),
            (0o020_644, 69_206_436, "Dcrw-r--r--"),
            (0o060_644, 67_109_284, "Drw-r--r--"),
            (0o010_644, 33_554_852, "prw-r--r--"),
            (0o041_777, 2_148_532_735, "dtrwxrwxrwx"),
            (0o106_755, 12_583_405, "ugrwxr-xr-x"),
            (0o100_644, 420, "-rw-r--r--"),
            (0o140_600, SOCKET | 0o600, "Srw-------"),
            (0o070_600, IRREGULAR | 0o600, "?rw-------"),
        ] {
            assert_eq!(from_st_mode(st_mode), mode, "{st_mode:o}");
            assert_eq!(text(mode), expect);
            assert_eq!(to_chmod(mode), st_mode & 0o7777);
        }
    }
}
