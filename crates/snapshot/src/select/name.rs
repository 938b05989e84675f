//! What names a snapshot: an id, the beginning of one, `latest`; for us a count or a date too.

use std::fmt;
use std::time::Duration;

use tresor_repo::time::{Time, Zone};

use super::LATEST;

/// Which names are understood.
#[derive(Debug, Clone, Copy)]
pub enum Names<'a> {
    /// Ids and beginnings of ids.
    Ids,
    /// These and `latest`, as the peer understands them.
    Peer,
    /// All that we understand, dates on this zone's clock.
    Own(&'a Zone),
}

/// A name of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// An id or the beginning of one; whatever is nothing else.
    Id(String),
    /// `latest`, or `latest~N`: the newest, or so many before it.
    Latest(usize),
    /// A date, perhaps with a time: the newest that is not later.
    AsOf {
        /// As it was given.
        text: String,
        /// The last instant of what was given: of the day, the minute or the second.
        until: Time,
    },
}

impl Name {
    /// Splits a request at the `:` that begins a folder, and reads what is before it.
    pub(super) fn split<'t>(text: &'t str, names: Names<'_>) -> (Name, Option<&'t str>) {
        if let Names::Own(zone) = names
            && let Some(found) = split_date(text, zone)
        {
            return found;
        }
        let (name, folder) = match text.split_once(':') {
            Some((name, folder)) => (name, Some(folder)),
            None => (text, None),
        };
        let count = match names {
            Names::Ids => None,
            Names::Peer => (name == LATEST).then_some(0),
            Names::Own(_) => count(name),
        };
        (count.map_or_else(|| Name::Id(name.to_owned()), Name::Latest), folder)
    }
}

/// As it can be given.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Id(text) | Name::AsOf { text, .. } => f.write_str(text),
            Name::Latest(0) => f.write_str(LATEST),
            Name::Latest(before) => write!(f, "{LATEST}~{before}"),
        }
    }
}

/// Reads `latest` or `latest~N`.
fn count(name: &str) -> Option<usize> {
    match name.strip_prefix(LATEST)? {
        "" => Some(0),
        rest => rest.strip_prefix('~').filter(|digits| !digits.starts_with('+'))?.parse().ok(),
    }
}

/// Splits off a date: its time has colons too, so that the longest form counts.
fn split_date<'t>(text: &'t str, zone: &Zone) -> Option<(Name, Option<&'t str>)> {
    const FORMS: [(usize, &str); 3] = [(19, ""), (16, ":59"), (10, " 23:59:59")];
    FORMS.iter().find_map(|(length, last)| {
        let (date, rest) = text.split_at_checked(*length)?;
        let folder = match rest.strip_prefix(':') {
            None if !rest.is_empty() => return None,
            folder => folder,
        };
        let second = zone.parse_local(&format!("{}{last}", date.replacen('T', " ", 1)))?;
        let until = second.plus(Duration::from_nanos(999_999_999));
        Some((Name::AsOf { text: date.to_owned(), until }, folder))
    })
}
