//! Snapshots in their stored form, byte for byte.

use super::*;
use crate::gojson::RawJson;

const ID: &str = "c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2";

fn full() -> String {
    format!(
        concat!(
            r#"{{"time":"2025-02-01T00:30:00+05:30","parent":"{id}","tree":"{id}","paths":["/a\u003c","/b"],"#,
            r#""hostname":"h","username":"u","uid":1,"gid":2,"excludes":["*.o"],"tags":["x","x"],"original":"{id}","#,
            r#""program_version":"restic 0.19.1","summary":{summary},"x_label":{{ "a" : 1}}}}"#
        ),
        id = ID,
        summary = concat!(
            r#"{"backup_start":"2025-02-01T00:30:00.1Z","backup_end":"2025-02-01T00:30:01Z","files_new":1,"#,
            r#""files_changed":2,"files_unmodified":3,"dirs_new":4,"dirs_changed":5,"dirs_unmodified":6,"#,
            r#""data_blobs":7,"tree_blobs":8,"data_added":9,"data_added_packed":10,"#,
            r#""total_files_processed":11,"total_bytes_processed":12,"x_more":null}"#
        )
    )
}

fn id() -> SnapshotId {
    SnapshotId::from_hex(ID.as_bytes()).unwrap()
}

#[test]
fn stored_snapshots_survive() {
    let snapshot = Snapshot::decode(full().as_bytes()).unwrap();
    assert_eq!(String::from_utf8(snapshot.encode()).unwrap(), full());
    assert_eq!(snapshot.summary.unwrap().total_bytes_processed, 12);
    assert_eq!(snapshot.unknown, [("x_label".into(), RawJson::parse(r#"{ "a" : 1}"#).unwrap())]);
}

#[test]
fn what_is_empty_is_left_out() {
    let short = format!(r#"{{"time":"0001-01-01T00:00:00Z","tree":"{ID}","paths":[]}}"#);
    let sparse = format!(
        r#" {{"TREE":"{ID}","parent":null,"paths":null,"uid":null,"tags":[],"summary":null,"hostname":""}} "#
    );
    assert_eq!(Snapshot::decode(sparse.as_bytes()).unwrap().encode(), short.as_bytes());
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let refused = [
        String::new(),
        "null".into(),
        "[]".into(),
        "{}".into(),
        r#"{"tree":null}"#.into(),
        format!(r#"{{"tree":"{ID}"}} x"#),
        format!(r#"{{"tree":"{ID}","paths":"a"}}"#),
        format!(r#"{{"tree":"{ID}","uid":-1}}"#),
        format!(r#"{{"tree":"{ID}","time":"now"}}"#),
    ];
    for text in refused {
        assert!(matches!(Snapshot::decode(text.as_bytes()), Err(Error::DecodeSnapshot { .. })), "{text}");
    }
}

#[test]
fn commands_print_the_id_and_not_what_is_unknown() {
    let snapshot = Snapshot::decode(full().as_bytes()).unwrap();
    let mut out = Vec::new();
    snapshot.write_with_id(&id(), &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("x_label"), "{text}");
    assert!(text.ends_with(&format!(r#","id":"{ID}","short_id":"c3ab8ff1"}}"#)), "{text}");
}

#[test]
fn a_snapshot_is_described_in_a_line() {
    let snapshot = Snapshot::decode(full().as_bytes()).unwrap();
    assert_eq!(
        snapshot.describe(&id(), &Zone::utc()),
        "snapshot c3ab8ff1 of [/a< /b] at 2025-02-01 00:30:00 +0530 +0530 by u@h"
    );
}
