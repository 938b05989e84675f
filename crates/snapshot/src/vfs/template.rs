//! Path templates: under which paths a snapshot is shown.

use super::Options;
use super::gotime;
use crate::Snapshot;
use tresor_repo::SnapshotId;

/// Longer paths cannot be opened, and deep ones made by others would fill our memory.
const LONGEST_PATH: usize = 4096;
/// A snapshot with more tags than this is shown under the first ones.
const MOST_PATHS: usize = 1024;

/// A place for a snapshot; the two parts together are its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// As the template says, with slashes.
    pub(super) prefix: String,
    /// The time, if the template ends with it: then `latest` stands beside it.
    pub(super) time: String,
}

/// The places that a template gives to a snapshot: none without tags if it asks for them, one for each tag.
pub(super) fn places(template: &str, options: &Options, id: &SnapshotId, snapshot: &Snapshot) -> Vec<Place> {
    let time = || gotime::format(&options.time_template, &snapshot.time, &options.zone);
    let (template, at_end) = match ends_with_time(template) {
        true => (&template[..template.len() - 2], time()),
        false => (template, String::new()),
    };
    let mut prefixes = vec![String::new()];
    let mut letters = template.chars();
    while let Some(letter) = letters.next() {
        let text = match letter {
            '%' => match letters.next() {
                Some('i') => id.short(),
                Some('I') => id.hex(),
                Some('u') => inward(&snapshot.username),
                Some('h') => inward(&snapshot.hostname),
                Some('T') => time(),
                Some('t') => {
                    prefixes = with_tags(&prefixes, &snapshot.tags);
                    continue;
                }
                Some(other) => other.to_string(),
                None => break,
            },
            letter => letter.to_string(),
        };
        prefixes.iter_mut().for_each(|prefix| prefix.push_str(&text));
    }
    prefixes.retain(|prefix| prefix.len() + at_end.len() <= LONGEST_PATH);
    prefixes.into_iter().map(|prefix| Place { prefix, time: at_end.clone() }).collect()
}

/// The part of a template's path before the first folder that depends on the snapshot.
pub(super) fn fixed_prefix(template: &str) -> &str {
    let mut letters = template.char_indices();
    while let Some((place, letter)) = letters.next() {
        if letter == '%' && matches!(letters.next(), Some((_, 'i' | 'I' | 'u' | 'h' | 't' | 'T'))) {
            return template[..place].rfind('/').map_or("", |slash| &template[..slash]);
        }
    }
    ""
}

/// Whether the last two letters are the verb `%T`, and not an escaped `%` with a `T` behind it.
fn ends_with_time(template: &str) -> bool {
    let mut letters = template.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '%' && letters.next() == Some('T') && letters.peek().is_none() {
            return true;
        }
    }
    false
}

fn with_tags(prefixes: &[String], tags: &[String]) -> Vec<String> {
    // A single tag may name several folders, one below the other.
    let names: Vec<String> = match tags {
        [tag] => vec![inward(tag)],
        tags => tags.iter().map(|tag| folder_name(tag)).collect(),
    };
    let all = names.iter().flat_map(|name| prefixes.iter().map(move |prefix| format!("{prefix}{name}")));
    all.take(MOST_PATHS).collect()
}

/// A text as the name of one folder.
fn folder_name(text: &str) -> String {
    match text {
        "" => "_".into(),
        text => inward(&text.replace('/', "_")),
    }
}

/// A text whose slashes separate folders, none of which leads upward.
fn inward(text: &str) -> String {
    let safe = |part: &str| match part {
        "." => "_".into(),
        ".." => "__".into(),
        part => part.replace('\0', "_"),
    };
    text.split('/').map(safe).collect::<Vec<String>>().join("/")
}
