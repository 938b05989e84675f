//! A directory as a tar archive: ustar headers, and before them what does not fit, as pax records.

use super::acl;
use super::entry_name;
use super::stream::{Step, stream_tree};
use crate::error::{Error, Result};
use crate::mode::to_chmod;
use crate::node::{Node, NodeKind};
use std::io::{self, Write};
use tar::{Builder, EntryType, Header};
use tresor_repo::handle::Right;
use tresor_repo::index::Index;
use tresor_repo::time::Time;
use tresor_repo::{BlobId, Repository};

const BLOCK: u64 = 512;
/// Largest number of seven octal digits.
const MAX_ID: u32 = 0o7_777_777;
/// Largest number of eleven octal digits.
const MAX_SIZE: u64 = 0o77_777_777_777;

/// Writes everything below `tree` as a tar archive; names begin with `prefix`.
///
/// Files, directories and symbolic links; what else there is an archive of this kind leaves out. Each hard
/// link is a file of its own.
///
/// # Errors
/// The first tree or blob that cannot be loaded, [`Error::BadName`], or [`Error::Write`].
pub fn dump_tar<R: Right>(
    repo: &Repository<R>,
    index: &Index,
    tree: BlobId,
    prefix: &[u8],
    out: &mut dyn Write,
) -> Result<()> {
    let failed = |source| Error::Write { source };
    let mut archive = Builder::new(out);
    let (mut missing, mut padding) = (0, 0);
    stream_tree(repo, index, tree, &mut |step| match step {
        Step::Node { path, node, blobs, size } => {
            let name = entry_name(prefix, &path, &node)?;
            begin(&mut archive, &name, &node, size).map_err(failed)?;
            missing = blobs;
            padding = size.next_multiple_of(BLOCK) - size;
            Ok(())
        }
        Step::Blob(bytes) => {
            let out = archive.get_mut();
            out.write_all(&bytes).map_err(failed)?;
            missing -= 1;
            if missing == 0 {
                out.write_all(&[0; BLOCK as usize][..padding as usize]).map_err(failed)?;
            }
            Ok(())
        }
    })?;
    let out = archive.into_inner().map_err(failed)?;
    out.flush().map_err(failed)
}

/// Writes the headers of an entry.
fn begin(archive: &mut Builder<&mut dyn Write>, name: &[u8], node: &Node, size: u64) -> io::Result<()> {
    let mut records = Records::default();
    let mut header = Header::new_ustar();
    records.text("path", name, &mut header.as_old_mut().name);
    if node.kind == NodeKind::Symlink {
        records.text("linkpath", node.link_target(), &mut header.as_old_mut().linkname);
    }
    header.set_entry_type(match node.kind {
        NodeKind::Dir => EntryType::Directory,
        NodeKind::Symlink => EntryType::Symlink,
        _ => EntryType::Regular,
    });
    header.set_mode(to_chmod(node.mode));
    header.set_uid(records.number("uid", node.uid.into(), MAX_ID.into()));
    header.set_gid(records.number("gid", node.gid.into(), MAX_ID.into()));
    header.set_size(records.number("size", size, MAX_SIZE));
    header.set_mtime(records.mtime(&node.mtime));
    if let Some(ustar) = header.as_ustar_mut() {
        records.text("uname", node.user.as_deref().unwrap_or_default().as_bytes(), &mut ustar.uname);
        records.text("gname", node.group.as_deref().unwrap_or_default().as_bytes(), &mut ustar.gname);
        ustar.set_device_major(0);
        ustar.set_device_minor(0);
    }
    records.other_time("atime", &node.atime);
    records.other_time("ctime", &node.ctime);
    records.attributes(node);
    let pairs = records.0.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
    archive.append_pax_extensions(pairs)?;
    header.set_cksum();
    archive.get_mut().write_all(header.as_bytes())
}

/// Pax records of one entry.
#[derive(Default)]
struct Records(Vec<(String, Vec<u8>)>);

impl Records {
    fn push(&mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.0.push((key.into(), value.into()));
    }

    /// Puts text into its field, as far as it fits; a record has the whole if it does not.
    fn text(&mut self, key: &str, text: &[u8], field: &mut [u8]) {
        let length = text.len().min(field.len());
        field[..length].copy_from_slice(&text[..length]);
        if length < text.len() {
            self.push(key, text);
        }
    }

    /// The number for a field that takes up to `most`; a record has it if it is larger.
    fn number(&mut self, key: &str, number: u64, most: u64) -> u64 {
        if number <= most {
            return number;
        }
        self.push(key, number.to_string());
        0
    }

    /// The seconds for the field; a record has what the field cannot hold.
    fn mtime(&mut self, time: &Time) -> u64 {
        let seconds = u64::try_from(time.seconds()).ok().filter(|seconds| *seconds <= MAX_SIZE);
        if seconds.is_none() || time.nanoseconds() != 0 {
            self.push("mtime", decimal(time));
        }
        seconds.unwrap_or(0)
    }

    /// A time that the header has no field for; one that was never stored is left out.
    fn other_time(&mut self, key: &str, time: &Time) {
        if !time.same_instant(&Time::ZERO) {
            self.push(key, decimal(time));
        }
    }

    fn attributes(&mut self, node: &Node) {
        for attribute in node.extended_attributes() {
            let value = attribute.value.as_deref().unwrap_or_default();
            let list = match &*attribute.name {
                b"system.posix_acl_access" => acl::text(value).map(|text| ("SCHILY.acl.access", text)),
                b"system.posix_acl_default" => acl::text(value).map(|text| ("SCHILY.acl.default", text)),
                _ => None,
            };
            match (list, std::str::from_utf8(&attribute.name)) {
                (Some((key, text)), _) => self.push(key, text),
                // A record's key ends at the first `=`, so a name with one cannot be told.
                (None, Ok(name)) if !name.contains('=') => self.push(format!("SCHILY.xattr.{name}"), value),
                _ => {}
            }
        }
    }
}

/// Seconds since 1970 with their fraction.
fn decimal(time: &Time) -> String {
    let nanoseconds = i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.nanoseconds());
    let (sign, magnitude) = (if nanoseconds < 0 { "-" } else { "" }, nanoseconds.unsigned_abs());
    let (whole, fraction) = (magnitude / 1_000_000_000, magnitude % 1_000_000_000);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{fraction:09}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_count_backwards() {
        for (seconds, nanoseconds, expected) in [
            (0, 0, "0"),
            (1, 500_000_000, "1.5"),
            (-1, 0, "-1"),
            (-2, 500_000_000, "-1.5"),
            (-1, 999_999_999, "-0.000000001"),
            (10_000_000_000, 1, "10000000000.000000001"),
        ] {
            assert_eq!(decimal(&Time::utc(seconds, nanoseconds)), expected);
        }
    }
}
