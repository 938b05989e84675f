//! What bytes of strangers are fed to the parsers of this storey.

use crate::filter::{Pattern, parse_pattern_file};
use crate::gojson::RawJson;
use crate::select::{GroupBy, Names, Request, flatten_tags, parse_tag_list};
use crate::tree::{NodeReader, Tree};
use crate::{Node, Snapshot, policy, quote};
use tresor_repo::fuzz::Target;
use tresor_repo::time::Zone;

/// The parsers.
pub const TARGETS: &[Target] = &[
    Target { name: "duration", feed: policy::fuzz, seeds: &[b"1y5m7d2h", b"-3d9223372036854775807h"] },
    Target {
        name: "json-object",
        feed: json_object,
        seeds: &[br#"{"b":[1,2.5e3,null,"\ud83d"],"a":{"A":true}}"#],
    },
    Target {
        name: "pattern",
        feed: pattern,
        seeds: &[b"/home/**/*.[co]\n/home/u/x/y.c", b"!a\\*?b\na*xb", b"**/**/*/**\na/b/c/d"],
    },
    Target { name: "pattern-file", feed: pattern_file, seeds: &[b"# x\n  *.tmp \n$HOME/${x}\n!keep\r\n\n"] },
    Target { name: "quoted-name", feed: quoted_name, seeds: &[b"a\"b\\n\\xff\\u20ac\\U0001f600\\377"] },
    Target {
        name: "request",
        feed: request,
        seeds: &[b"latest~3:/a/../b", b"2024-02-03 10:00:00:dir", b"0123abcd", b"latest:"],
    },
    Target { name: "snapshot", feed: snapshot, seeds: SNAPSHOTS },
    Target { name: "tags", feed: tags, seeds: &[b"a, b,,c", b"host,paths"] },
    Target { name: "tree", feed: tree, seeds: TREES },
];

const SNAPSHOTS: &[&[u8]] = &[br#"{"time":"2024-02-03T10:00:00.5+01:00","parent":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","tree":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","paths":["/home"],"hostname":"h","username":"u","uid":1,"gid":1,"excludes":["*.o"],"tags":["t"],"original":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","program_version":"restic 0.19.1","summary":{"backup_start":"2024-02-03T10:00:00Z","backup_end":"2024-02-03T10:00:01Z","files_new":1,"data_added":7},"more":{"x":[1]}}"#];

const TREES: &[&[u8]] = &[
    br#"{"nodes":[{"name":"a\\xff","type":"file","mode":420,"mtime":"2024-02-03T10:00:00Z","atime":"2024-02-03T10:00:00Z","ctime":"2024-02-03T10:00:00Z","uid":1,"gid":1,"user":"u","group":"g","inode":5,"device_id":6,"size":7,"links":2,"content":["0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"],"extended_attributes":[{"name":"user.x","value":"AAE="}],"generic_attributes":{"windows.x":"y"}}]}
"#,
    br#"{"nodes":[{"name":"d","type":"dir","mode":2147484141,"subtree":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","content":null},{"name":"l","type":"symlink","linktarget":"x","linktarget_raw":"eP8="}],"more":1}
"#,
    br#"{"nodes":null}"#,
];

/// At once or from a stream, a tree has the same nodes; in order, they are written as they were read.
fn tree(bytes: &[u8]) {
    let whole = Tree::decode(bytes);
    let mut reader = NodeReader::new(bytes);
    let mut nodes: Vec<Node> = Vec::new();
    let ended = loop {
        match reader.next_node() {
            Ok(Some(node)) => nodes.push(node),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    let Ok(whole) = whole else { return };
    assert!(ended, "what is read at once is read from a stream");
    assert_eq!(whole.nodes, nodes);
    if let Ok(written) = whole.encode() {
        let again = Tree::decode(&written).expect("what we write, we read");
        assert_eq!(again.encode().expect("the order is the same"), written);
    }
}

/// A snapshot that is read is the same when written and read again.
fn snapshot(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::decode(bytes) else { return };
    let written = snapshot.encode();
    let again = Snapshot::decode(&written).expect("what we write, we read");
    assert_eq!(again.encode(), written);
}

/// The first line is a pattern, the rest a path.
fn pattern(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (text, path) = bytes.split_at(end);
    if let Ok(Some(pattern)) = Pattern::parse(text) {
        let path = path.get(1..).unwrap_or_default();
        let matches = pattern.matches(path);
        let below = [path, b"/x"].concat();
        assert!(
            !pattern.matches(&below) || matches || pattern.may_match_below(path),
            "a match was not looked for"
        );
    }
}

fn pattern_file(bytes: &[u8]) {
    let patterns = parse_pattern_file(bytes, |name| (name == b"HOME").then(|| b"/root".to_vec()));
    assert!(patterns.len() <= bytes.len());
}

/// A name that is read is the same when quoted and read again.
fn quoted_name(bytes: &[u8]) {
    if let Ok(name) = quote::unquote(&String::from_utf8_lossy(bytes)) {
        let mut quoted = Vec::new();
        quote::quote(&name, &mut quoted);
        assert_eq!(quote::unquote(&String::from_utf8_lossy(&quoted)), Ok(name));
    }
}

fn request(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for names in [Names::Ids, Names::Peer, Names::Own(&Zone::utc())] {
        let request = Request::parse(&text, names);
        let folder = request.subfolder.unwrap_or_default();
        assert!(folder.iter().all(|name| !name.is_empty() && name != "."), "{folder:?}");
    }
}

fn tags(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = flatten_tags(&[parse_tag_list(&text)]);
    if let Ok(by) = text.parse::<GroupBy>() {
        assert_eq!(by.to_string().parse::<GroupBy>().expect("it is shown as it is read"), by);
    }
}

/// What is kept of strangers' members is JSON that reads as itself.
fn json_object(bytes: &[u8]) {
    let Some(json) = RawJson::parse(&String::from_utf8_lossy(bytes)) else { return };
    assert_eq!(RawJson::parse(json.as_str()).as_ref().map(RawJson::as_str), Some(json.as_str()));
}
