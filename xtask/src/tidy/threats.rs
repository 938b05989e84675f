//! Every line of the threat model names tests, and each of them is there.

use super::{Complaints, House};
use crate::Result;
use std::collections::HashSet;

const PAGE: &str = "docs/src/security/threats.md";

pub(super) fn check(house: &House) -> Result<Complaints> {
    let page = house.find(PAGE).ok_or_else(|| format!("{PAGE} is missing"))?;
    let there: HashSet<&str> = house.rust().flat_map(|file| tests(&file.text)).collect();
    Ok(complaints(&page.text, &there))
}

/// What is wrong with the page where these tests are all there are.
fn complaints(page: &str, there: &HashSet<&str>) -> Complaints {
    let mut complaints = Vec::new();
    for (number, line) in page.lines().enumerate() {
        let Some(threat) = line.strip_prefix("| ").filter(|row| !row.starts_with("threat |")) else {
            continue;
        };
        let last = threat.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            complaints.push(format!("{PAGE}:{}: names no test", number + 1));
        }
        let gone = named.into_iter().filter(|test| !there.contains(test));
        complaints.extend(gone.map(|test| format!("{PAGE}:{}: there is no test {test}", number + 1)));
    }
    complaints
}

/// The names of a file's tests.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[test]").skip(1).filter_map(|after| after.split_once("fn ")?.1.split('(').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_gate() {
        let there =
            tests("#[test]\nfn a_test() {}\nfn none() {}\n#[test]\n#[cfg(x)]\nfn b_test() {}").collect();
        let told = |rows: &str| complaints(&format!("| threat | x | tests |\n|---|---|---|\n{rows}"), &there);
        assert_eq!(told("| it | holds | `a_test`, `b_test` |\n"), [""; 0]);
        assert_eq!(told("| it | holds | none |\n"), [format!("{PAGE}:3: names no test")]);
        assert_eq!(told("| it | `a_test` | |\n"), [format!("{PAGE}:3: names no test")]);
        assert_eq!(told("| it | holds | `a_test`, `none` |\n"), [format!("{PAGE}:3: there is no test none")]);
    }
}
