//! Access lists as text, as they stand in archives.

use std::fmt::Write;

/// The text of a POSIX access list in the form of the kernel's attribute (version 2); nothing if it is none.
pub(super) fn text(attribute: &[u8]) -> Option<String> {
    let entries = attribute.strip_prefix(&2_u32.to_le_bytes())?;
    if entries.len() % 8 != 0 {
        return None;
    }
    let mut text = String::new();
    for entry in entries.chunks_exact(8) {
        let number = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
        let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        let (who, id) = match number(0) {
            0x01 => ("user", None),
            0x02 => ("user", Some(id)),
            0x04 => ("group", None),
            0x08 => ("group", Some(id)),
            0x10 => ("mask", None),
            0x20 => ("other", None),
            _ => return None,
        };
        let id = id.map_or_else(String::new, |id| id.to_string());
        let letter = |bit: u16, letter: char| if number(2) & bit != 0 { letter } else { '-' };
        let rights = [letter(4, 'r'), letter(2, 'w'), letter(1, 'x')];
        writeln!(text, "{who}:{id}:{}", String::from_iter(rights)).ok()?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::text;

    fn entry(tag: u16, rights: u16, id: u32) -> Vec<u8> {
        [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
    }

    #[test]
    fn entries_become_lines() {
        let none = u32::MAX;
        let entries = [
            entry(0x01, 6, none),
            entry(0x02, 4, 1000),
            entry(0x04, 5, none),
            entry(0x08, 7, 5),
            entry(0x10, 7, none),
            entry(0x20, 0, none),
        ];
        let attribute = [&[2, 0, 0, 0][..], &entries.concat()].concat();
        let expected = "user::rw-\nuser:1000:r--\ngroup::r-x\ngroup:5:rwx\nmask::rwx\nother::---\n";
        assert_eq!(text(&attribute).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_no_list_has_no_text() {
        let unknown = [&[2, 0, 0, 0][..], &entry(0x40, 0, 0)].concat();
        for bad in [&b""[..], b"\x01\0\0\0", b"\x02\0\0\0\x01", &unknown] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
        assert_eq!(text(&[2, 0, 0, 0]).as_deref(), Some(""));
    }
}
