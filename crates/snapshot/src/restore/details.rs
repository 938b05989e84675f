//! What of an item is needed only where it is made, as bytes: its name, its metadata.

use crate::node::ExtendedAttribute;
use crate::restore::target::Name;
use std::ffi::{CStr, CString};
use tresor_repo::time::Time;

/// What is set on everything that is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// As `chmod` takes it.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    seconds: [i64; 2],
    nanoseconds: [u32; 2],
    pub(crate) xattrs: Box<[ExtendedAttribute]>,
}

impl Metadata {
    pub(crate) fn new(
        mode: u32,
        (uid, gid): (u32, u32),
        mtime: &Time,
        atime: &Time,
        xattrs: Box<[ExtendedAttribute]>,
    ) -> Self {
        let times = [mtime, atime].map(|time| (time.seconds(), time.nanoseconds()));
        Metadata::of_parts(mode, (uid, gid), times, xattrs)
    }

    /// Of the times of modification and access in seconds since 1970 and nanoseconds.
    pub(crate) fn of_parts(
        mode: u32,
        (uid, gid): (u32, u32),
        times: [(i64, u32); 2],
        xattrs: Box<[ExtendedAttribute]>,
    ) -> Self {
        let (seconds, nanoseconds) = (times.map(|(seconds, _)| seconds), times.map(|(_, rest)| rest));
        Metadata { mode, uid, gid, seconds, nanoseconds, xattrs }
    }

    /// When the content was last changed: seconds since 1970 and nanoseconds.
    pub(crate) fn mtime(&self) -> (i64, u32) {
        (self.seconds[0], self.nanoseconds[0])
    }

    /// When it was last read.
    pub(crate) fn atime(&self) -> (i64, u32) {
        (self.seconds[1], self.nanoseconds[1])
    }

    pub(crate) fn has_xattrs(&self) -> bool {
        !self.xattrs.is_empty()
    }
}

/// What of an item is needed only where it is made.
pub(crate) struct Details {
    pub(crate) name: CString,
    /// Where a symbolic link leads; empty for others.
    pub(crate) link_target: CString,
    pub(crate) metadata: Metadata,
}

impl Details {
    /// The name, which was checked before it came here.
    pub(crate) fn name(&self) -> Name<'_> {
        Name::new(&self.name).expect("names were checked before they came here")
    }

    pub(crate) fn write(name: &CStr, link_target: &CStr, metadata: &Metadata, out: &mut Vec<u8>) {
        let mut bytes = |bytes: &[u8]| {
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        bytes(name.to_bytes());
        bytes(link_target.to_bytes());
        for attribute in &metadata.xattrs {
            bytes(&attribute.name);
            bytes(attribute.value.as_deref().unwrap_or_default());
            bytes(if attribute.value.is_some() { b"1" } else { b"" });
        }
        for number in [metadata.mode, metadata.uid, metadata.gid] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for (seconds, nanoseconds) in [metadata.mtime(), metadata.atime()] {
            out.extend_from_slice(&seconds.to_le_bytes());
            out.extend_from_slice(&nanoseconds.to_le_bytes());
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Details {
        let (mut texts, numbers) = bytes.split_at(bytes.len().saturating_sub(NUMBERS));
        let mut next = || {
            let (length, rest) = texts.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
            let (text, rest) = rest.split_at((u64::from_le_bytes(*length) as usize).min(rest.len()));
            texts = rest;
            (text.to_vec(), rest.is_empty())
        };
        let (name, link_target) = (next().0, next());
        let (mut xattrs, mut is_over) = (Vec::new(), link_target.1);
        while !is_over {
            let (name, value) = (next().0.into(), next().0);
            let (has_value, last) = next();
            xattrs.push(ExtendedAttribute { name, value: (!has_value.is_empty()).then_some(value) });
            is_over = last;
        }
        let number = |at: usize, length: usize| {
            let field = numbers.get(at..at + length).unwrap_or_default();
            field.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let time = |at: usize| (number(at, 8).cast_signed(), number(at + 8, 4) as u32);
        let owner = (number(4, 4) as u32, number(8, 4) as u32);
        let metadata = Metadata::of_parts(number(0, 4) as u32, owner, [time(12), time(24)], xattrs.into());
        let text = |bytes: Vec<u8>| CString::new(bytes).expect("it was written without its NUL");
        Details { name: text(name), link_target: text(link_target.0), metadata }
    }
}

/// Bytes of the numbers at the end.
const NUMBERS: usize = 3 * 4 + 2 * 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::aside::{Aside, Room};

    #[test]
    fn details_come_back_in_memory_and_from_a_file() {
        let attribute = |name: &[u8], value: Option<&[u8]>| ExtendedAttribute {
            name: name.into(),
            value: value.map(<[u8]>::to_vec),
        };
        let all = [
            vec![],
            vec![attribute(b"user.a", Some(b"value"))],
            vec![attribute(b"user.a", Some(b"")), attribute(b"user.b", None), attribute(b"", Some(b"x"))],
        ];
        for longest in [0, 100, 1 << 20] {
            let mut aside = Aside::new(Room { folder: &std::env::temp_dir(), longest });
            let mut places = Vec::new();
            for (number, xattrs) in (0_u32..).zip(&all) {
                let times = [(-5 - i64::from(number), 999_999_999), (7, number)];
                let metadata = Metadata::of_parts(0o4755, (u32::MAX, number), times, xattrs.clone().into());
                let mut bytes = Vec::new();
                let target = if number == 1 { c"" } else { c"there" };
                Details::write(c"a name", target, &metadata, &mut bytes);
                places.push((aside.append(&bytes).unwrap(), bytes.len(), target, metadata));
            }
            for (place, length, target, metadata) in places {
                let found = aside.read(place, length, Details::read).unwrap();
                assert_eq!((&*found.name, &*found.link_target), (c"a name", target));
                assert_eq!(found.metadata, metadata);
            }
        }
    }
}
