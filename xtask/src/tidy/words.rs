//! Nothing in the project names a place outside of it.

use super::{Complaints, House};
use crate::Result;

/// Split, so that this file does not hold them.
const PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("../sha", "red"),
    concat!("deb.deb", "ian.org"),
    concat!("index.cra", "tes.io"),
];

pub(super) fn check(house: &House) -> Result<Complaints> {
    let mut complaints = Vec::new();
    for file in house.files.iter().filter(|file| !file.path.ends_with("Cargo.lock")) {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(place) = PLACES.iter().find(|place| names(line, place)) {
                complaints.push(format!("{}:{}: names {place}", file.path.display(), number + 1));
            }
        }
    }
    Ok(complaints)
}

/// Whether `place` stands in `line`, and not as the end of a longer path.
fn names(line: &str, place: &str) -> bool {
    let mut hits = line.match_indices(place).map(|(at, _)| &line[..at]);
    hits.any(|before| !before.ends_with(|c: char| c.is_alphanumeric() || "/_-.~".contains(c)))
}
