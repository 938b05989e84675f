//! Index files: what is written, what is read, and what is refused.

use super::*;
use crate::blob::BlobHandle;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// The rows as `kind pack-number offset length uncompressed_length`.
fn shown(json: &str, version: u32) -> Result<Vec<String>, String> {
    let file = decode(json.as_bytes(), version).map_err(|error| error.to_string())?;
    let of = |kind: BlobKind| file.rows[kind as usize].iter().map(move |row| (kind, row.spot));
    let rows = of(BlobKind::Data).chain(of(BlobKind::Tree));
    Ok(rows
        .map(|(kind, spot)| {
            let Spot { pack, offset, length, uncompressed_length } = spot;
            format!("{} {pack} {offset} {length} {uncompressed_length}", kind.word())
        })
        .collect())
}

fn pack(blobs: &str) -> String {
    format!(r#"{{"packs":[{{"id":"{A}","blobs":[{blobs}]}}]}}"#)
}

fn blob(rest: &str) -> String {
    format!(r#"{{"id":"{B}",{rest}}}"#)
}

#[test]
fn what_restic_tolerates_is_read() {
    let ok = |json: &str, expect: &[&str]| assert_eq!(shown(json, 2).unwrap(), expect, "{json}");
    let with_others = r#"{"x":{"packs":[1]},"supersedes":["y"],"PACKS":[]} "#;
    for empty in ["{}", r#"{"packs":null}"#, r#"{"packs":[]}"#, with_others] {
        ok(empty, &[]);
    }
    let plain = blob(r#""type":"tree","offset":7,"length":40,"new":[{"offset":1}]"#);
    ok(&pack(&plain), &["tree 0 7 40 0"]);
    ok(
        &pack(&plain)
            .to_uppercase()
            .replace("TREE", "tree")
            .replace(&A.to_uppercase(), A)
            .replace(&B.to_uppercase(), B),
        &["tree 0 7 40 0"],
    );
    ok(&pack(&blob(r#""type":"data","offset":1,"length":2,"LENGTH":3,"offset":null"#)), &["data 0 1 3 0"]);
    let later = format!(
        r#"{{"packs":[{{"id":"{A}"}},{{"blobs":[{plain}],"id":"{A}","blobs":[]}},{{"blobs":[{plain}],"id":"{A}"}}]}}"#
    );
    ok(&later, &["tree 2 7 40 0"]);
    ok(&format!(r#"{{"packs":[{{"id":"{A}","blobs":[{plain}]}}],"Packs":[]}}"#), &[]);
    ok(
        &pack(&blob(r#""type":"da\u0074a","offset":1,"length":32,"uncompressed_length":9"#)),
        &["data 0 1 32 9"],
    );
}

#[test]
fn what_stops_restic_stops_us() {
    let bad = |json: &str, says: &str| {
        let error = shown(json, 2).expect_err(json);
        assert!(error.contains(says), "{json}: {error}");
    };
    bad("", "EOF");
    bad("[]", "an index file's object");
    bad("{} {}", "trailing");
    bad(r#"{"packs":{}}"#, "a list of packs");
    bad(r#"{"packs":[null]}"#, "a pack");
    bad(r#"{"packs":[{}]}"#, "missing field `id`");
    bad(&pack(&blob(r#""offset":7,"length":40"#)), "missing field `type`");
    bad(&pack(&blob(r#""type":"DATA""#)), "a type of blob");
    bad(&pack(r#"{"id":"abc","type":"data"}"#), "id");
    for number in ["-1", "1.5", "4294967296", "1e99", "18446744073709551616", "\"7\"", "[]"] {
        bad(&pack(&blob(&format!(r#""type":"data","offset":{number}"#))), "line 1");
    }
    bad(&pack(&blob(r#""type":"data","offset":4294967295,"length":1"#)), "4 GiB");
    bad(&pack(&"[".repeat(10_000)), "line 1");
    let compressed = pack(&blob(r#""type":"data","length":40,"uncompressed_length":1"#));
    assert!(shown(&compressed, 1).expect_err("version 1").contains("version 1"));
}

#[test]
fn every_cut_of_a_file_is_an_error() {
    let whole = pack(&blob(r#""type":"tree","offset":7,"length":40,"uncompressed_length":3"#));
    for cut in 0..whole.len() {
        assert!(shown(&whole[..cut], 2).is_err(), "{cut}");
    }
}

#[test]
fn written_bytes_are_those_of_the_format() {
    let id = |text: &str| BlobId::from_hex(text.as_bytes()).unwrap();
    let entry = |kind, uncompressed_length| Entry {
        blob: BlobHandle { kind, id: id(B) },
        offset: 0,
        length: 50,
        uncompressed_length,
    };
    let pack = PackId::from_hex(A.as_bytes()).unwrap();
    let mut json = Vec::new();
    encode(&[(pack, vec![entry(BlobKind::Tree, 0)]), (pack, vec![entry(BlobKind::Data, 9); 2])], &mut json);
    let data = format!(r#"{{"id":"{B}","type":"data","offset":0,"length":50,"uncompressed_length":9}}"#);
    let tree = format!(r#"{{"id":"{B}","type":"tree","offset":0,"length":50}}"#);
    let expect = format!(
        "{{\"packs\":[{{\"id\":\"{A}\",\"blobs\":[{data},{data}]}},{{\"id\":\"{A}\",\"blobs\":[{tree}]}}]}}\n"
    );
    assert_eq!(String::from_utf8(json).unwrap(), expect);
}
