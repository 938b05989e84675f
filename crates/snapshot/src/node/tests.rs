//! Nodes in their stored form, byte for byte.

use proptest::prelude::*;
use serde::de::DeserializeSeed;

use super::*;

fn read(json: &str) -> serde_json::Result<Node> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    NodeSeed { owners: &mut Owners::default() }.deserialize(&mut deserializer)
}

fn written(node: &Node) -> String {
    let mut out = Vec::new();
    node.write(&mut out);
    String::from_utf8(out).unwrap()
}

fn check_same(json: &str) {
    assert_eq!(written(&read(json).unwrap()), json);
}

const TIMES: &str =
    r#""mtime":"0001-01-01T00:00:00Z","atime":"0001-01-01T00:00:00Z","ctime":"0001-01-01T00:00:00Z""#;

#[test]
fn members_stand_in_order() {
    let id = "c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2";
    check_same(&format!(
        concat!(
            r#"{{"name":"\\xff\u003c\\\"","type":"file","mode":420,"mtime":"2025-02-01T00:30:00.5+05:30","#,
            r#""atime":"2025-02-01T00:30:00Z","ctime":"2025-02-01T00:30:00Z","uid":1,"gid":2,"user":"me","group":"us","#,
            r#""inode":3,"device_id":18446744073709551615,"size":5,"links":6,"linktarget":"a\ufffd","#,
            r#""linktarget_raw":"Yf8=","extended_attributes":[{{"name":"user.a","value":"eA=="}},"#,
            r#"{{"name":"user.b","value":""}},{{"name":"user.c","value":null}}],"#,
            r#""generic_attributes":{{"a":1,"b":{{"c":null}}}},"device":7,"content":["{id}","{id}"],"#,
            r#""subtree":"{id}","error":"e","x_one":{{ "b" : 2,"a":1.50}},"x_two":[]}}"#,
        ),
        id = id
    ));
}

#[test]
fn what_is_empty_is_left_out() {
    let json = format!(r#"{{"name":"a","type":"fifo",{TIMES},"uid":0,"gid":0,"content":null}}"#);
    check_same(&json);
    let verbose = json.replace(
        r#""uid":0"#,
        concat!(
            r#""mode":0,"uid":0,"user":"","group":"","inode":0,"device_id":0,"size":0,"links":0,"linktarget":"","#,
            r#""extended_attributes":[],"generic_attributes":{},"device":0,"error":"""#
        ),
    );
    assert_eq!(written(&read(&verbose).unwrap()), json);
    assert_eq!(written(&read(r#"{"name":"a","type":"fifo"}"#).unwrap()), json);
}

#[test]
fn null_changes_nothing() {
    let fields = [
        "name",
        "type",
        "mode",
        "mtime",
        "atime",
        "ctime",
        "uid",
        "gid",
        "user",
        "group",
        "inode",
        "device_id",
        "size",
        "links",
        "linktarget",
        "linktarget_raw",
        "extended_attributes",
        "generic_attributes",
        "device",
        "content",
        "subtree",
        "error",
    ];
    let nulls = fields.map(|field| format!("\"{field}\":null")).join(",");
    let json = format!(r#"{{"name":"a","type":"dir","mode":5,"size":7,{nulls}}}"#);
    let expect =
        format!(r#"{{"name":"a","type":"dir","mode":5,{TIMES},"uid":0,"gid":0,"size":7,"content":null}}"#);
    assert_eq!(written(&read(&json).unwrap()), expect);
}

#[test]
fn case_does_not_matter_and_the_last_wins() {
    let node = read(r#"{"Type":"file","SIZE":1,"name":"a","NAME":"b","size":2,"type":"dir"}"#).unwrap();
    assert_eq!((&*node.name, node.kind, node.size, node.rare), (&b"b"[..], NodeKind::Dir, 2, None));
}

#[test]
fn kinds_we_do_not_know_survive() {
    check_same(&format!(r#"{{"name":"a","type":"door\u003e",{TIMES},"uid":0,"gid":0,"content":[]}}"#));
    check_same(&format!(r#"{{"name":"","type":"",{TIMES},"uid":0,"gid":0,"content":null}}"#));
}

#[test]
fn the_raw_link_target_overrides() {
    let node = read(r#"{"linktarget_raw":"Yf8=","linktarget":"a\ufffd"}"#).unwrap();
    assert_eq!(node.link_target(), b"a\xff");
    let node = read(r#"{"linktarget":"b","linktarget_raw":""}"#).unwrap();
    assert_eq!(node.link_target(), b"b");
    let node = read(r#"{"linktarget":"\ud800"}"#).unwrap();
    assert_eq!(node.link_target(), "\u{fffd}".as_bytes());
}

#[test]
fn wrong_members_are_refused() {
    for json in [
        r#"{"name":"\\q"}"#,
        r#"{"name":"a\"b"}"#,
        r#"{"name":1}"#,
        r#"{"mode":-1}"#,
        r#"{"mode":4294967296}"#,
        r#"{"size":18446744073709551616}"#,
        r#"{"size":1.5}"#,
        r#"{"size":1e3}"#,
        r#"{"size":"1"}"#,
        r#"{"mtime":"yesterday"}"#,
        r#"{"content":["abc"]}"#,
        r#"{"content":[null]}"#,
        r#"{"content":"abc"}"#,
        r#"{"subtree":"abc"}"#,
        r#"{"linktarget_raw":"Yf8"}"#,
        r#"{"extended_attributes":[{"name":"a","value":"*"}]}"#,
        r#"{"extended_attributes":{}}"#,
        r#"{"generic_attributes":[]}"#,
        r#"{"x":tru}"#,
        r#"[]"#,
    ] {
        assert!(read(json).is_err(), "{json}");
    }
}

#[test]
fn owners_are_shared_within_a_folder() {
    let mut owners = Owners::default();
    let mut node = || {
        let mut json = serde_json::Deserializer::from_str(r#"{"user":"me","group":"us"}"#);
        NodeSeed { owners: &mut owners }.deserialize(&mut json).unwrap()
    };
    let (first, second) = (node(), node());
    assert!(Arc::ptr_eq(&first.user.unwrap(), &second.user.unwrap()));
    assert!(Arc::ptr_eq(&first.group.unwrap(), &second.group.unwrap()));
}

#[test]
fn sameness_is_about_instants() {
    let mut node = Node::new(*b"a", NodeKind::File);
    node.mtime = Time::new(5, 6, 3600);
    let mut other = Node { mtime: Time::utc(5, 6), ..node.clone() };
    assert!(node != other && node.same_as(&other));
    other.uid = 1;
    assert!(!node.same_as(&other));
}

#[test]
fn names_that_lead_out_are_told_apart() {
    for name in ["", ".", "..", "a/b", "/", "a\0"] {
        assert!(!is_entry_name(name.as_bytes()), "{name:?}");
    }
    for name in ["...", "a", " ", "a\\b", "-"] {
        assert!(is_entry_name(name.as_bytes()), "{name:?}");
    }
}

#[test]
fn nodes_stay_small() {
    assert!(size_of::<Node>() <= 232, "{}", size_of::<Node>());
}

fn times() -> impl Strategy<Value = Time> {
    (-62_135_500_000_i64..253_402_000_000, 0..1_000_000_000_u32, -1439..1440_i32)
        .prop_map(|(seconds, nanoseconds, minutes)| Time::new(seconds, nanoseconds, minutes * 60))
        .prop_filter("four digits", |time| (0..=9999).contains(&time.civil().year))
}

fn unknown() -> impl Strategy<Value = Unknown> {
    let value = prop_oneof![Just("null"), Just("[ 1 , {\"a\":[]}]"), Just("\"<\\ud800\""), Just("-1.50e3")];
    proptest::collection::vec(("x_[a-z<é]{0,4}", value), 0..3).prop_map(|members| {
        let member = |(name, value): (String, &str)| (name.into(), RawJson::parse(value).unwrap());
        members.into_iter().map(member).collect()
    })
}

fn rare() -> impl Strategy<Value = Rare> {
    let attribute = (any::<String>(), any::<Option<Vec<u8>>>())
        .prop_map(|(name, value)| ExtendedAttribute { name: name.into_bytes().into(), value });
    (any::<Vec<u8>>(), proptest::collection::vec(attribute, 0..3), any::<u64>(), any::<String>(), unknown())
        .prop_map(|(target, extended_attributes, device, error, unknown)| Rare {
            link_target: target.into(),
            extended_attributes,
            generic_attributes: RawJson::parse(r#"{"windows.file_attributes":32}"#),
            device,
            error: error.into(),
            unknown,
        })
}

fn owner() -> impl Strategy<Value = Option<Arc<str>>> {
    proptest::option::of("[a-z<ü ]{1,5}".prop_map(Arc::from))
}

fn nodes() -> impl Strategy<Value = Node> {
    let kind = prop_oneof![
        Just(NodeKind::File),
        Just(NodeKind::Dir),
        Just(NodeKind::Irregular),
        any::<String>().prop_map(|word| NodeKind::from_word(&word)),
    ];
    let id = any::<[u8; 32]>().prop_map(BlobId::from_bytes);
    let numbers = any::<([u32; 3], [u64; 4])>();
    let content = proptest::option::of(proptest::collection::vec(id.clone(), 0..4));
    (
        (any::<Vec<u8>>(), kind, numbers),
        [times(), times(), times()],
        (owner(), owner()),
        content,
        proptest::option::of(id),
        proptest::option::of(rare().prop_map(Box::new)),
    )
        .prop_map(
            |((name, kind, numbers), [mtime, atime, ctime], (user, group), content, subtree, rare)| {
                let ([mode, uid, gid], [inode, device_id, size, links]) = numbers;
                Node {
                    name: name.into(),
                    kind,
                    mode,
                    mtime,
                    atime,
                    ctime,
                    uid,
                    gid,
                    user,
                    group,
                    inode,
                    device_id,
                    size,
                    links,
                    content,
                    subtree,
                    rare,
                }
            },
        )
}

proptest! {
    #[test]
    fn nodes_survive(node in nodes()) {
        prop_assert_eq!(read(&written(&node)).unwrap(), node);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[{}\\[\\]\":,a-z0-9\\\\ ]{0,60}") {
        let _ = read(&text);
        let _ = crate::tree::Tree::decode(text.as_bytes());
    }
}
