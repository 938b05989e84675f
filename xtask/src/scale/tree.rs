//! The JSON of trees and snapshots as restic writes it, with invented metadata.

use super::sealed::push_hex;
use super::shape::{Id, Stream, noise};
use crate::Result;
use std::io::Write;

/// Midnight before the month in which everything was changed: January 2019.
const MONTH: u64 = 1_546_300_800;
const DAY: u64 = 24 * 3600;

/// When what has this inode was changed: seconds and nanoseconds since 1970.
pub(super) fn moment(inode: u64) -> (u64, u32) {
    let mut noise = noise(Stream::Files, inode);
    // The last digit is not 0, as it would not be written.
    (MONTH + noise.below(31 * DAY), noise.below(99_999_999) as u32 * 10 + 1)
}

fn written(inode: u64) -> String {
    let (seconds, nanosecond) = moment(inode);
    let (day, second) = ((seconds - MONTH) / DAY + 1, seconds % DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("2019-01-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanosecond:09}Z")
}

/// A tree that gets its nodes in the order of their names.
pub(super) struct TreeText {
    text: Vec<u8>,
    device: u64,
}

impl TreeText {
    /// A tree without nodes, of a folder on this device.
    pub(super) fn new(device: u64) -> Self {
        TreeText { text: Vec::new(), device }
    }

    pub(super) fn file(
        &mut self,
        name: &str,
        inode: u64,
        size: u64,
        blobs: impl Iterator<Item = Id>,
    ) -> Result<()> {
        self.node(name, "file", 0o644, inode)?;
        let text = &mut self.text;
        if size > 0 {
            write!(text, r#","size":{size}"#)?;
        }
        text.extend_from_slice(br#","links":1,"content":["#);
        for (place, blob) in blobs.enumerate() {
            text.extend_from_slice(if place == 0 { br#"""# } else { br#",""# });
            push_hex(&blob, text);
            text.push(b'"');
        }
        text.extend_from_slice(b"]}");
        Ok(())
    }

    pub(super) fn folder(&mut self, name: &str, inode: u64, tree: &Id) -> Result<()> {
        self.node(name, "dir", (1 << 31) | 0o755, inode)?;
        self.text.extend_from_slice(br#","content":null,"subtree":""#);
        push_hex(tree, &mut self.text);
        self.text.extend_from_slice(br#""}"#);
        Ok(())
    }

    /// What every node begins with.
    fn node(&mut self, name: &str, kind: &str, mode: u32, inode: u64) -> Result<()> {
        let (text, time) = (&mut self.text, written(inode));
        text.extend_from_slice(if text.is_empty() { br#"{"nodes":["# } else { b"," });
        write!(text, r#"{{"name":"{name}","type":"{kind}","mode":{mode},"mtime":"{time}","atime":"{time}""#)?;
        write!(text, r#","ctime":"{time}","uid":0,"gid":0,"user":"root","group":"root""#)?;
        write!(text, r#","inode":{inode},"device_id":{}"#, self.device)?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.text.extend_from_slice(b"]}\n");
        self.text
    }
}

/// The JSON of a snapshot, taken an hour after the one before; months have 28 days.
pub(super) fn snapshot(number: u64, root: &Id, path: &str) -> Result<String> {
    let (hour, day, month) = (number % 24, number / 24 % 28 + 1, number / 672 % 12 + 1);
    let time = format!("{}-{month:02}-{day:02}T{hour:02}:00:00Z", 2020 + number / 8064);
    let mut tree = Vec::new();
    push_hex(root, &mut tree);
    let tree = String::from_utf8(tree)?;
    let who = r#""hostname":"scale","username":"root","program_version":"restic 0.19.1""#;
    let files = r#""files_new":1,"files_changed":2,"files_unmodified":3"#;
    let folders = r#""dirs_new":1,"dirs_changed":2,"dirs_unmodified":3"#;
    let added = r#""data_blobs":200,"tree_blobs":4,"data_added":123456789,"data_added_packed":98765432"#;
    let all = r#""total_files_processed":6,"total_bytes_processed":1234567890"#;
    let summary =
        format!(r#"{{"backup_start":"{time}","backup_end":"{time}",{files},{folders},{added},{all}}}"#);
    Ok(format!(r#"{{"time":"{time}","tree":"{tree}","paths":["{path}"],{who},"summary":{summary}}}"#))
}
