//! Changes of tags; trees are tested beside the real restic, by the program's tests.

use super::*;

fn tags(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn tags_change_as_the_peer_changes_them() {
    for (set, add, remove, before, after) in [
        ("q q z", "", "", "a", Some("q q z")),
        ("a", "", "", "a", Some("a")),
        ("", "b a", "", "a", Some("a b")),
        ("", "a", "", "a", None),
        ("", "", "a", "a b c a", Some("a b c")),
        ("", "x", "x", "a", Some("a")),
        ("", "", "x", "a", None),
        ("", "", "", "a", None),
    ] {
        let change = TagChange { set: tags(set), add: tags(add), remove: tags(remove) };
        let mut found = tags(before);
        let changed = change.apply(&mut found);
        assert_eq!((changed, found), (after.is_some(), tags(after.unwrap_or(before))), "{change:?}");
    }
}
