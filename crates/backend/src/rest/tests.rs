//! What the URL says, and what is sent.

use super::*;
use crate::Id;

#[test]
fn a_socket_is_taken_out_of_the_url() {
    assert_eq!(
        address("http+unix:///run/s.sock:/r/"),
        Some(("http://localhost/r/".into(), Some("/run/s.sock".into())))
    );
    assert_eq!(
        address("http+unix:///run/s.sock/"),
        Some(("http://localhost/".into(), Some("/run/s.sock".into())))
    );
    assert_eq!(address("http+unix:///"), None);
    assert_eq!(address("https://host/r/"), Some(("https://host/r/".into(), None)));
}

#[test]
fn files_lie_flat_under_their_kind() {
    let id = Id::from_bytes([0xab; 32]);
    let hex = "ab".repeat(32);
    assert_eq!(path(FileName::new(FileKind::Pack, id)), format!("data/{hex}"));
    assert_eq!(path(FileName::new(FileKind::Lock, id)), format!("locks/{hex}"));
    assert_eq!(path(FileName::CONFIG), "config");
}
