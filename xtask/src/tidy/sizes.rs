//! Files are of a size to be read in one go.

use super::{Complaints, House};
use crate::Result;

/// Lines of a file without its inline tests.
const FILE: usize = 600;
/// Lines of inline tests; beyond it they move to a file of their own.
const TESTS: usize = 300;

/// Files that may be longer, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

pub(super) fn check(house: &House) -> Result<Complaints> {
    let mut complaints = Vec::new();
    for file in house.rust() {
        let name = file.path.display().to_string();
        let (all, code) = (file.text.lines().count(), file.without_tests().lines().count());
        if code > FILE && !EXCEPTIONS.iter().any(|(path, _)| *path == name) {
            complaints.push(format!("{name}: {code} lines; {FILE} are the most"));
        }
        if all - code > TESTS {
            complaints.push(format!("{name}: {} lines of inline tests; {TESTS} are the most", all - code));
        }
    }
    Ok(complaints)
}
