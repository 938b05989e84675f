//! Filters: what is asked of a snapshot's host, tags and paths.

use std::fmt;

use crate::snapshot::Snapshot;

/// Tags that must all be there; an empty one stands for a snapshot without tags.
pub type TagList = Vec<String>;

/// What is asked of snapshots; an empty list asks nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The host must be one of these.
    pub hosts: Vec<String>,
    /// At least one of the lists must fit.
    pub tags: Vec<TagList>,
    /// All of these must be among the paths.
    pub paths: Vec<String>,
}

impl Filter {
    /// Says whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.tags.is_empty() && self.paths.is_empty()
    }

    /// Says whether a snapshot passes.
    pub fn matches(&self, snapshot: &Snapshot) -> bool {
        let host_fits = self.hosts.is_empty() || self.hosts.contains(&snapshot.hostname);
        let tags_fit = self.tags.is_empty() || self.tags.iter().any(|list| has_tags(snapshot, list));
        host_fits && tags_fit && self.paths.iter().all(|path| snapshot.paths.contains(path))
    }
}

/// The filter in words, as error texts show it: `Paths:[/a] Tags:[[x, y] [z]] Hosts:[h]`.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists: Vec<String> = self.tags.iter().map(|list| format!("[{}]", list.join(", "))).collect();
        write!(
            f,
            "Paths:[{}] Tags:[{}] Hosts:[{}]",
            self.paths.join(" "),
            lists.join(" "),
            self.hosts.join(" ")
        )
    }
}

/// Says whether all tags of a list are there, or the list asks for none and there are none.
pub fn has_tags(snapshot: &Snapshot, list: &TagList) -> bool {
    for tag in list {
        if tag.is_empty() && snapshot.tags.is_empty() {
            return true;
        }
        if !snapshot.tags.contains(tag) {
            return false;
        }
    }
    true
}

/// Splits `a,b` at the commas and trims each tag; empty ones stay.
pub fn parse_tag_list(text: &str) -> TagList {
    text.split(',').map(|tag| tag.trim().to_owned()).collect()
}

/// All tags of several lists in order, without the empty ones; the same tag may come twice.
pub fn flatten_tags(lists: &[TagList]) -> Vec<String> {
    lists.iter().flatten().filter(|tag| !tag.is_empty()).cloned().collect()
}
