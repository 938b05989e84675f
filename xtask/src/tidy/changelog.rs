//! Each fragment of the changelog says what changed for a user, and in which way.

use super::{Complaints, House};
use crate::Result;

/// What a fragment's first line begins with.
const KINDS: &[&str] = &["Add: ", "Change: ", "Fix: ", "Security: "];

pub(super) fn check(house: &House) -> Result<Complaints> {
    let mut complaints = Vec::new();
    for file in house.files.iter().filter(|file| file.path.starts_with("changelog/unreleased")) {
        if let Err(wrong) = parse(&file.text) {
            complaints.push(format!("{}: {wrong}", file.path.display()));
        }
    }
    if house.find("changelog/TEMPLATE.md").is_none_or(|template| parse(&template.text).is_err()) {
        complaints.push("changelog/TEMPLATE.md is missing, or is no fragment itself".to_owned());
    }
    Ok(complaints)
}

/// The first line's sentence and the text below.
fn parse(fragment: &str) -> Result<(&str, &str), &'static str> {
    let (title, body) = fragment.split_once("\n\n").ok_or("a blank line has to follow the first one")?;
    if !KINDS.iter().any(|kind| title.starts_with(kind)) {
        return Err("the first line begins with none of Add, Change, Fix, Security and a colon");
    }
    if title.contains('\n') || title.chars().count() > 100 || title.ends_with('.') {
        return Err("the title is one line of at most 100 characters, without a full stop");
    }
    if body.trim().is_empty() {
        return Err("it says no more than its title");
    }
    Ok((title, body))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_fragment_has_a_kind_a_title_and_a_text() {
        assert!(parse("Fix: Keep the sun from rising twice\n\nIt did. tresor now waits.\n").is_ok());
        for wrong in [
            "Fix: no text\n",
            "Fix: no text\n\n \n",
            "Mend: x\n\ny\n",
            "Add: Stop.\n\ny\n",
            "Add: a\nb\n\nc\n",
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
