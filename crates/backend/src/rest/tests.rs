//! What the URL says, and what is sent.

use super::*;
use crate::Id;

#[test]
fn a_socket_and_a_login_are_taken_out_of_the_url() {
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

    let mut url = Url::parse("https://us%40er:pa%2Fss@host:1/r/").unwrap();
    let login = login_of(&mut url).unwrap();
    assert_eq!((login.user.as_str(), login.password.as_str()), ("us@er", "pa/ss"));
    assert_eq!(url.as_str(), "https://host:1/r/");
    assert!(login_of(&mut url).is_none());
}

#[test]
fn files_lie_flat_under_their_kind() {
    let id = Id::from_bytes([0xab; 32]);
    let hex = "ab".repeat(32);
    assert_eq!(path(FileName::new(FileKind::Pack, id)), format!("data/{hex}"));
    assert_eq!(path(FileName::new(FileKind::Lock, id)), format!("locks/{hex}"));
    assert_eq!(path(FileName::CONFIG), "config");
}
