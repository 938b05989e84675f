//! Reading snapshots as tolerantly as Go does.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use tresor_repo::BlobId;
use tresor_repo::time::Time;

use super::{Snapshot, SnapshotSummary};
use crate::gojson::{self, MaybeText, RawJson};

/// Reads one object; what stands after it is an error, as a snapshot is a file of its own.
pub(super) fn snapshot(bytes: &[u8]) -> serde_json::Result<Snapshot> {
    let text = gojson::input(bytes);
    let Wire(SnapshotParts { mut snapshot, tree }) = serde_json::from_str(&text)?;
    snapshot.tree = tree.ok_or_else(|| de::Error::missing_field("tree"))?;
    Ok(snapshot)
}

/// So many members that we do not know are kept; more than anybody has, and each costs a hundred bytes of memory.
const MOST_UNKNOWN: usize = 1 << 20;

/// A value that is read member by member.
trait Members: Sized {
    const EXPECTED: &'static str;

    fn empty() -> Self;

    /// Reads the member of this name, given in lower case; gives `false` if it is not known.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<bool, A::Error>;

    fn keep_unknown(&mut self, name: Box<str>, value: RawJson);
}

struct Wire<T>(T);

impl<'de, T: Members> Deserialize<'de> for Wire<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Members> Visitor<'de> for Object<T> {
            type Value = Wire<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Wire<T>, A::Error> {
                let (mut value, mut unknown_members) = (T::empty(), 0);
                while let Some(name) = members.next_key::<Box<str>>()? {
                    if !value.read(&name.to_ascii_lowercase(), &mut members)? {
                        unknown_members += 1;
                        if unknown_members > MOST_UNKNOWN {
                            let why = format_args!("more than {MOST_UNKNOWN} members that are not known");
                            return Err(de::Error::custom(why));
                        }
                        let unknown: &RawValue = members.next_value()?;
                        value.keep_unknown(name, RawJson::from(unknown));
                    }
                }
                Ok(Wire(value))
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// A snapshot and the tree it may turn out not to have.
struct SnapshotParts {
    snapshot: Snapshot,
    tree: Option<BlobId>,
}

impl Members for SnapshotParts {
    const EXPECTED: &'static str = "a snapshot";

    fn empty() -> Self {
        let nowhere = BlobId::from_bytes([0; 32]);
        SnapshotParts { snapshot: Snapshot::new(nowhere, Time::ZERO, Vec::new()), tree: None }
    }

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<bool, A::Error> {
        let snapshot = &mut self.snapshot;
        match name {
            "time" => assign(&mut snapshot.time, members)?,
            "parent" => snapshot.parent = members.next_value()?,
            "tree" => self.tree = members.next_value()?,
            "paths" => snapshot.paths = texts(members)?,
            "hostname" => assign_text(&mut snapshot.hostname, members)?,
            "username" => assign_text(&mut snapshot.username, members)?,
            "uid" => assign(&mut snapshot.uid, members)?,
            "gid" => assign(&mut snapshot.gid, members)?,
            "excludes" => snapshot.excludes = texts(members)?,
            "tags" => snapshot.tags = texts(members)?,
            "original" => snapshot.original = members.next_value()?,
            "program_version" => assign_text(&mut snapshot.program_version, members)?,
            "summary" => {
                let summary: Option<Wire<SnapshotSummary>> = members.next_value()?;
                snapshot.summary = summary.map(|wire| wire.0);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn keep_unknown(&mut self, name: Box<str>, value: RawJson) {
        self.snapshot.unknown.push((name, value));
    }
}

impl Members for SnapshotSummary {
    const EXPECTED: &'static str = "a summary";

    fn empty() -> Self {
        SnapshotSummary::new(Time::ZERO, Time::ZERO)
    }

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<bool, A::Error> {
        match name {
            "backup_start" => assign(&mut self.backup_start, members)?,
            "backup_end" => assign(&mut self.backup_end, members)?,
            "files_new" => assign(&mut self.files_new, members)?,
            "files_changed" => assign(&mut self.files_changed, members)?,
            "files_unmodified" => assign(&mut self.files_unmodified, members)?,
            "dirs_new" => assign(&mut self.dirs_new, members)?,
            "dirs_changed" => assign(&mut self.dirs_changed, members)?,
            "dirs_unmodified" => assign(&mut self.dirs_unmodified, members)?,
            "data_blobs" => assign(&mut self.data_blobs, members)?,
            "tree_blobs" => assign(&mut self.tree_blobs, members)?,
            "data_added" => assign(&mut self.data_added, members)?,
            "data_added_packed" => assign(&mut self.data_added_packed, members)?,
            "total_files_processed" => assign(&mut self.total_files_processed, members)?,
            "total_bytes_processed" => assign(&mut self.total_bytes_processed, members)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn keep_unknown(&mut self, name: Box<str>, value: RawJson) {
        self.unknown.push((name, value));
    }
}

/// Reads a value unless it is `null`, which leaves things as they are.
fn assign<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    place: &mut T,
    members: &mut A,
) -> Result<(), A::Error> {
    if let Some(value) = members.next_value()? {
        *place = value;
    }
    Ok(())
}

fn assign_text<'de, A: MapAccess<'de>>(place: &mut String, members: &mut A) -> Result<(), A::Error> {
    if let Some(text) = members.next_value::<MaybeText<'de>>()?.0 {
        *place = text.into_owned();
    }
    Ok(())
}

fn texts<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Vec<String>, A::Error> {
    let texts: Option<Vec<MaybeText<'de>>> = members.next_value()?;
    let owned = |text: MaybeText<'de>| text.0.unwrap_or_default().into_owned();
    Ok(texts.unwrap_or_default().into_iter().map(owned).collect())
}
