//! Names of files, and at which look each was met: compact enough to be kept by the ten thousand.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use tresor_backend::Id;

/// The first half of a file's id: nobody makes two files that begin alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name([u8; Name::BYTES]);

impl Name {
    const BYTES: usize = 16;

    /// The first 8 digits, as shown to people.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }

    fn from_hex(digits: &[u8]) -> Option<Self> {
        // The other half is any: only the first is kept.
        let whole = [digits, &[b'0'; 2 * Name::BYTES]].concat();
        Id::from_hex(&whole).map(Name::from)
    }
}

impl From<Id> for Name {
    fn from(id: Id) -> Self {
        let mut name = [0; Name::BYTES];
        name.copy_from_slice(&id.as_bytes()[..Name::BYTES]);
        Name(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names, and the look at which each of them was first met (or missed).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<u32, String>", into = "BTreeMap<u32, String>")]
pub(crate) struct Names(HashMap<Name, u32>);

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, name: &Name) -> bool {
        self.0.contains_key(name)
    }

    /// The look of a name.
    pub(crate) fn look(&self, name: &Name) -> Option<u32> {
        self.0.get(name).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Name, u32)> {
        self.0.iter().map(|(name, look)| (name, *look))
    }

    /// Adds a name at a look, unless it is there or there are `most` already.
    pub(crate) fn add(&mut self, name: Name, look: u32, most: usize) {
        if self.len() < most {
            self.0.entry(name).or_insert(look);
        }
    }

    pub(crate) fn remove(&mut self, name: &Name) {
        self.0.remove(name);
    }

    /// Keeps no more than `most`, those of the latest looks.
    pub(crate) fn keep_latest(&mut self, most: usize) {
        if self.len() <= most {
            return;
        }
        let mut looks: Vec<(u32, Name)> = self.0.iter().map(|(name, look)| (*look, *name)).collect();
        looks.sort_unstable_by(|a, b| b.cmp(a));
        self.0 = looks.into_iter().take(most).map(|(look, name)| (name, look)).collect();
    }
}

impl FromIterator<(Name, u32)> for Names {
    fn from_iter<I: IntoIterator<Item = (Name, u32)>>(names: I) -> Self {
        Names(names.into_iter().collect())
    }
}

impl From<Names> for BTreeMap<u32, String> {
    fn from(names: Names) -> Self {
        let mut sorted: Vec<(u32, Name)> = names.0.into_iter().map(|(name, look)| (look, name)).collect();
        sorted.sort_unstable();
        let mut groups = BTreeMap::<u32, String>::new();
        for (look, name) in sorted {
            let _ = write!(groups.entry(look).or_default(), "{name}"); // a string takes everything
        }
        groups
    }
}

/// Digits that are no names.
#[derive(Debug, thiserror::Error)]
#[error("names are not of {} hexadecimal digits each", 2 * Name::BYTES)]
pub(crate) struct NoNames;

impl TryFrom<BTreeMap<u32, String>> for Names {
    type Error = NoNames;

    fn try_from(groups: BTreeMap<u32, String>) -> Result<Self, NoNames> {
        let mut names = HashMap::new();
        for (look, digits) in &groups {
            for name in digits.as_bytes().chunks(2 * Name::BYTES) {
                names.entry(Name::from_hex(name).ok_or(NoNames)?).or_insert(*look);
            }
        }
        Ok(Names(names))
    }
}
