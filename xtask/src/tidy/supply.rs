//! What others wrote: where it is from, its licence, how much of it, and whether it is told.

use super::{Complaints, House};
use crate::{Result, sbom};
use cargo_metadata::{Metadata, Source};

/// How many crates the program may be built from. It may fall; raising it is a decision, with a reason.
const CRATES: usize = 330;
/// How many `unsafe` blocks, functions and implementations we may have; the same holds.
const UNSAFE: usize = 60;

pub(super) fn check(house: &House) -> Result<Complaints> {
    let mut complaints = origins(&sbom::all()?, &allowed(house)?);
    let bill = sbom::make()?;
    if std::fs::read_to_string(sbom::path()).is_ok_and(|lying| lying == bill) {
        complaints.extend(budget("crates", bill.matches("\"type\": \"library\"").count(), CRATES));
    } else {
        complaints.push("crates/cli/sbom.json is stale: run `cargo xtask generate`".to_owned());
    }
    let is_unsafe = |file: &&super::TextFile| !file.is_test() && file.crate_name().is_some();
    let count = house.rust().filter(is_unsafe).map(|file| unsafes(&file.text)).sum();
    complaints.extend(budget("uses of `unsafe`", count, UNSAFE));
    Ok(complaints)
}

/// The licences that `deny.toml` allows.
fn allowed(house: &House) -> Result<Vec<String>> {
    let file = house.find("deny.toml").ok_or("deny.toml is missing")?;
    let (_, list) = file.text.split_once("allow = [").ok_or("deny.toml allows nothing")?;
    let list = list.split(']').next().unwrap_or_default();
    Ok(list.split('"').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Crates from elsewhere, and crates whose licence is not allowed.
fn origins(metadata: &Metadata, allowed: &[String]) -> Complaints {
    let mut complaints = Vec::new();
    let others = metadata.packages.iter().filter(|package| !metadata.workspace_members.contains(&package.id));
    for package in others {
        let name = format!("{} {}", package.name, package.version);
        if !package.source.as_ref().is_some_and(Source::is_crates_io) {
            complaints.push(format!("{name} comes from {:?}", package.source));
        }
        let license = package.license.as_deref().unwrap_or_default();
        if !is_allowed(license, allowed) {
            complaints.push(format!("{name} has the licence {license:?}"));
        }
    }
    complaints
}

/// Whether the expression is true if exactly the allowed licences are.
fn is_allowed(license: &str, allowed: &[String]) -> bool {
    let license = license.replace('/', " OR ");
    let (alternatives, parts) = (split(&license, " OR "), split(&license, " AND "));
    if alternatives.len() > 1 {
        return alternatives.iter().any(|one| is_allowed(one, allowed));
    }
    if parts.len() > 1 {
        return parts.iter().all(|one| is_allowed(one, allowed));
    }
    match license.trim().strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.iter().any(|other| other == license.trim()),
    }
}

/// What stands between these words, those in parentheses apart.
fn split<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let (mut parts, mut from, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, letter) in text.char_indices() {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        if depth == 0 && text[at..].starts_with(word) {
            parts.push(&text[from..at]);
            from = at + word.len();
        }
    }
    parts.push(&text[from..]);
    parts
}

fn budget(what: &str, count: usize, most: usize) -> Option<String> {
    (count > most).then(|| format!("{count} {what}, and {most} were agreed"))
}

/// How often a text uses `unsafe`, comments apart.
fn unsafes(text: &str) -> usize {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.map(|line| {
        ["unsafe {", "unsafe fn", "unsafe impl"].iter().map(|use_| line.matches(use_).count()).sum::<usize>()
    })
    .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supply_gate() {
        let allowed = ["MIT", "Apache-2.0", "ISC"].map(str::to_owned);
        for good in
            ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND ISC", "MIT AND ISC OR GPL-3.0"]
        {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "mit-like"] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
        assert_eq!(budget("crates", 5, 5), None);
        assert_eq!(budget("crates", 6, 5).as_deref(), Some("6 crates, and 5 were agreed"));
        assert_eq!(unsafes("unsafe { a() } // unsafe { b() }\nunsafe fn c() {}\n/// unsafe {\n"), 2);
    }

    /// A lock file with a crate from a git repository, and one under a licence that nobody agreed to.
    #[test]
    fn a_crate_from_elsewhere_is_a_complaint() {
        let mut metadata = sbom::all().unwrap();
        assert!(!origins(&metadata, &["MIT".to_owned()]).is_empty());
        let stranger = metadata.packages.iter_mut().find(|package| package.name.as_str() == "serde").unwrap();
        stranger.source = None;
        let told = origins(&metadata, &["MIT".to_owned(), "Apache-2.0".to_owned()]);
        assert!(
            told.iter().any(|line| line.starts_with("serde ") && line.contains("comes from")),
            "{told:?}"
        );
    }
}
