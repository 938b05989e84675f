//! An error and its causes in words.

use std::error::Error as StdError;

/// An error and its causes in one line: `what: why: why`.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = said(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = said(error);
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// One error's own words, without the line ends of other programs; those of the system without their number, in lower case as restic prints them.
fn said(error: &(dyn StdError + 'static)) -> String {
    let text = error.to_string().trim_end().to_owned();
    let Some((words, _)) = text.split_once(" (os error ") else { return text };
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_program_said_ends_without_its_line_end() {
        let error = std::io::Error::other("fusermount3: option allow_other only allowed if …\n");
        assert_eq!(chain(&error), "fusermount3: option allow_other only allowed if …");
    }

    #[test]
    fn a_chain_says_each_cause_once() {
        let file = tresor_backend::FileName::CONFIG;
        let io = std::io::Error::from_raw_os_error(13);
        let error = tresor_backend::Error::new(tresor_backend::ErrorKind::Denied, "load", file).caused_by(io);
        assert_eq!(chain(&error), "cannot load <config/>: permission denied");
    }
}
