//! Which paths are asked for.

use super::*;

fn query(patterns: &[&str], case: Case) -> Query {
    Query::new(patterns, case).unwrap()
}

#[test]
fn patterns_match_as_everywhere_but_without_negation() {
    let node = Node::new(&b"f"[..], NodeKind::File);
    let matches =
        |pattern: &str, path: &str| query(&[pattern], Case::Sensitive).matches(path.as_bytes(), &node);
    assert!(matches("f", "/a/f/b"));
    assert!(matches("!f", "/a/f"));
    assert!(matches("", "/anything"));
    assert!(!matches(".", "/a"));
    assert!(!matches("F", "/f"));
    assert!(query(&["F"], Case::Insensitive).matches(b"/f", &node));
    assert!(query(&["f"], Case::Insensitive).matches(b"/F", &node));
    assert_eq!(Query::new(&["a", "["], Case::Sensitive).unwrap_err().0, b"[");
}

#[test]
fn times_include_their_limits() {
    let mut node = Node::new(&b"f"[..], NodeKind::File);
    node.mtime = Time::new(10, 5, 3600);
    let asked = |oldest: Option<Time>, newest: Option<Time>| {
        Query { oldest, newest, ..query(&[""], Case::Sensitive) }.matches(b"/f", &node)
    };
    assert!(asked(Some(Time::utc(10, 5)), Some(Time::utc(10, 5))));
    assert!(!asked(Some(Time::utc(10, 6)), None));
    assert!(!asked(None, Some(Time::utc(10, 4))));
}

#[test]
fn ids_count_in_full_or_by_eight_digits() {
    let id = BlobId::from_bytes([0xab; 32]);
    let contains = |text: &str| {
        let mut wanted = Wanted::default();
        wanted.add_text(text);
        wanted.contains(&id)
    };
    assert!(contains(&id.hex()));
    assert!(contains("abababab"));
    for text in ["", "ab", "ababab", "ABABABAB", "ababababa", "abababag"] {
        assert!(!contains(text), "{text}");
    }
}
