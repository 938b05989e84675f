//! Which snapshot a word, a filter or a parent means.

use tresor_repo::BlobId;
use tresor_repo::time::Zone;

use super::*;

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn snapshot(id: u8, time: i64, host: &str, paths: &[&str], tags: &[&str]) -> Listed {
    let tree = BlobId::from_bytes([0; 32]);
    let snapshot = Snapshot {
        hostname: host.to_owned(),
        tags: texts(tags),
        ..Snapshot::new(tree, Time::utc(time, 0), texts(paths))
    };
    let mut bytes = [0; 32];
    bytes[0] = id;
    (SnapshotId::from_bytes(bytes), snapshot)
}

fn list() -> Vec<Listed> {
    vec![
        snapshot(0x10, 1, "h1", &["/a"], &["x", "y"]),
        snapshot(0x11, 3, "h1", &["/b", "/a"], &["x"]),
        snapshot(0x20, 2, "h2", &["/a"], &[]),
        snapshot(0x30, 3, "h2", &["/a"], &["z"]),
    ]
}

fn ids(listed: &[&Listed]) -> Vec<u8> {
    listed.iter().map(|listed| listed.0.as_bytes()[0]).collect()
}

fn check_filter(filter: &Filter, expect: &[u8]) {
    let list = list();
    let passing: Vec<&Listed> = list.iter().filter(|(_, snapshot)| filter.matches(snapshot)).collect();
    assert_eq!(ids(&passing), expect, "{filter}");
}

#[test]
fn filters_ask_for_all_that_is_given() {
    check_filter(&Filter::default(), &[0x10, 0x11, 0x20, 0x30]);
    check_filter(&Filter { hosts: texts(&["h2", "h3"]), ..Filter::default() }, &[0x20, 0x30]);
    check_filter(&Filter { paths: texts(&["/a", "/b"]), ..Filter::default() }, &[0x11]);
    check_filter(&Filter { paths: texts(&["a"]), ..Filter::default() }, &[]);
    check_filter(
        &Filter { tags: vec![parse_tag_list("x, y"), parse_tag_list("z")], ..Filter::default() },
        &[0x10, 0x30],
    );
    check_filter(&Filter { tags: vec![parse_tag_list("")], ..Filter::default() }, &[0x20]);
    check_filter(&Filter { tags: vec![Vec::new()], ..Filter::default() }, &[0x10, 0x11, 0x20, 0x30]);
    check_filter(
        &Filter { hosts: texts(&["h1"]), tags: vec![texts(&["x"])], paths: texts(&["/b"]) },
        &[0x11],
    );
}

#[test]
fn tag_lists_are_trimmed_and_flattened() {
    assert_eq!(parse_tag_list(" a ,b,,c d "), ["a", "b", "", "c d"]);
    assert_eq!(
        flatten_tags(&[parse_tag_list("x"), parse_tag_list("x,,y"), parse_tag_list("")]),
        ["x", "x", "y"]
    );
}

#[test]
fn the_latest_is_the_newest_that_passes() {
    let list = list();
    let newest = |filter: &Filter, limit| latest(&list, filter, limit).map(|listed| listed.0.as_bytes()[0]);
    assert_eq!(newest(&Filter::default(), None), Some(0x30));
    assert_eq!(newest(&Filter { hosts: texts(&["h1"]), ..Filter::default() }, None), Some(0x11));
    // The limit is an instant: its offset is of no account.
    assert_eq!(newest(&Filter::default(), Some(Time::new(2, 0, -3600))), Some(0x20));
    assert_eq!(newest(&Filter::default(), Some(Time::utc(0, 0))), None);
}

#[test]
fn requests_may_name_a_folder() {
    let parse = |text| {
        let request = Request::parse(text, Names::Peer);
        (request.name.to_string(), request.subfolder.map(|parts| parts.join("/")))
    };
    assert_eq!(parse("abc"), ("abc".into(), None));
    assert_eq!(parse("abc:"), ("abc".into(), Some(String::new())));
    assert_eq!(parse("latest:/home//me/./x/../y:z/"), ("latest".into(), Some("home/me/y:z".into())));
    assert_eq!(parse("a:/../x"), ("a".into(), Some("x".into())));
    assert_eq!(parse("a:../../x"), ("a".into(), Some("../../x".into())));
    assert!(matches!(Request::whole("a:b", Names::Peer), Err(Error::SubfolderNotAllowed)));
}

#[test]
fn prefixes_name_one_snapshot() {
    let list = list();
    let found = |text: &str| {
        find(&list, &Filter::default(), None, &Request::whole(text, Names::Peer)?)
            .map(|listed| listed.0.as_bytes()[0])
    };
    let error = |text: &str| found(text).unwrap_err().to_string();
    assert_eq!(found("2").unwrap(), 0x20);
    assert_eq!(found("10").unwrap(), 0x10);
    assert_eq!(found(&list[3].0.hex()).unwrap(), 0x30);
    assert_eq!(found("latest").unwrap(), 0x30);
    assert_eq!(error("1"), "multiple IDs with prefix \"1\" found");
    assert_eq!(error("zz"), "no matching ID found for prefix \"zz\"");
    assert_eq!(error("latest~1"), "no matching ID found for prefix \"latest~1\"");
    assert_eq!(error("1970-01-01"), "no matching ID found for prefix \"1970-01-01\"");
    assert_eq!(error(&"f".repeat(64)), "snapshot ffffffff does not exist");
    let filter = Filter { hosts: texts(&["nope"]), ..Filter::default() };
    assert_eq!(
        find(&list, &filter, None, &Name::Latest(0)).unwrap_err().to_string(),
        "snapshot filter (Paths:[] Tags:[] Hosts:[nope]): no snapshot found"
    );
}

#[test]
fn places_before_the_latest_count_among_what_passes() {
    let (list, zone) = (list(), Zone::utc());
    let found = |text: &str, filter: &Filter| {
        let name = Request::whole(text, Names::Own(&zone)).unwrap();
        find(&list, filter, None, &name)
            .map(|listed| listed.0.as_bytes()[0])
            .map_err(|error| error.to_string())
    };
    let all = Filter::default();
    let places = ["latest", "latest~0", "latest~1", "latest~2", "latest~3"];
    assert_eq!(places.map(|place| found(place, &all).unwrap()), [0x30, 0x30, 0x11, 0x20, 0x10]);
    assert_eq!(
        found("latest~4", &all).unwrap_err(),
        "snapshot filter (Paths:[] Tags:[] Hosts:[]): no snapshot is latest~4"
    );
    let one = Filter { hosts: texts(&["h1"]), ..Filter::default() };
    assert_eq!(found("latest~1", &one).unwrap(), 0x10);
    for id in ["latest~", "latest~+1", "latest~-1", "latest1", "Latest"] {
        assert_eq!(found(id, &all).unwrap_err(), format!("no matching ID found for prefix {id:?}"));
    }
}

#[test]
fn a_date_means_to_the_end_of_what_was_given() {
    let zone = Zone::named("Europe/Berlin").unwrap();
    let parse = |text| Request::parse(text, Names::Own(&zone));
    let until = |text| match parse(text).name {
        Name::AsOf { until, .. } => Some(until.to_string()),
        _ => None,
    };
    assert_eq!(until("2026-11-24").unwrap(), "2026-11-24T23:59:59.999999999+01:00");
    assert_eq!(until("2026-07-01 10:00").unwrap(), "2026-07-01T10:00:59.999999999+02:00");
    assert_eq!(until("2026-07-01T10:00:07").unwrap(), "2026-07-01T10:00:07.999999999+02:00");
    for id in ["2026-02-30", "2026-11-24x", "2026", "24.11.2026", "2026-11-24 10"] {
        assert_eq!(until(id), None, "{id}");
    }
    let folder = |text| (until(text).unwrap(), parse(text).subfolder.unwrap().join("/"));
    assert_eq!(folder("2026-11-24:/a/b").1, "a/b");
    assert_eq!(folder("2026-11-24 10:00:a:b").1, "a:b");
    let list = list();
    let found = |text: &str, filter: &Filter| {
        find(&list, filter, None, &Name::split(text, Names::Own(&Zone::utc())).0)
            .map(|listed| listed.0.as_bytes()[0])
            .map_err(|error| error.to_string())
    };
    assert_eq!(found("1970-01-01 00:00:02", &Filter::default()).unwrap(), 0x20);
    assert_eq!(found("1970-01-01", &Filter { hosts: texts(&["h1"]), ..Filter::default() }).unwrap(), 0x11);
    assert!(found("1969-12-31", &Filter::default()).unwrap_err().ends_with(": no snapshot is 1969-12-31"));
}

#[test]
fn a_parent_agrees_in_what_is_grouped_by() {
    let list = list();
    let parent = |by: &str, host: &str, paths: &[&str], tags: &[&str]| {
        let filter = parent_filter(by.parse().unwrap(), host, &texts(paths), &texts(tags));
        latest(&list, &filter, Some(Time::utc(3, 0))).map(|listed| listed.0.as_bytes()[0])
    };
    assert_eq!(parent("host,paths", "h1", &["/a"], &[]), Some(0x11));
    assert_eq!(parent("host,paths", "h2", &["/a"], &[]), Some(0x30));
    assert_eq!(parent("host,paths", "h1", &["/c"], &[]), None);
    assert_eq!(parent("host,tags", "h1", &["/c"], &["y"]), Some(0x10));
    assert_eq!(parent("tags", "h1", &["/c"], &[]), Some(0x30));
    assert_eq!(parent("", "h9", &["/c"], &["q"]), Some(0x30));
}

#[test]
fn grouping_is_read_and_shown() {
    assert_eq!("host,paths".parse::<GroupBy>().unwrap(), GroupBy::SOURCE);
    assert_eq!("tag,,hosts".parse::<GroupBy>().unwrap().to_string(), "host,tags");
    assert_eq!("".parse::<GroupBy>().unwrap(), GroupBy::default());
    assert_eq!("user".parse::<GroupBy>().unwrap_err().to_string(), "unknown grouping option: \"user\"");
}

#[test]
fn groups_have_keys() {
    let groups = group(list(), "host,paths,tags".parse().unwrap());
    assert_eq!(groups.len(), 4);
    let (key, members) = &groups[1];
    assert_eq!(key.header().unwrap(), "snapshots for (host [h1], tags [x], paths [/a, /b]):");
    assert_eq!(members[0].1.paths, ["/a", "/b"]);
    let mut json = Vec::new();
    key.write(&mut json);
    assert_eq!(json, br#"{"hostname":"h1","paths":["/a","/b"],"tags":["x"]}"#);

    let groups = group(list(), GroupBy::default());
    assert_eq!((groups.len(), groups[0].1.len()), (1, 4));
    assert_eq!(groups[0].0.header(), None);
    let mut json = Vec::new();
    groups[0].0.write(&mut json);
    assert_eq!(json, br#"{"hostname":"","paths":null,"tags":null}"#);
    // Nothing is grouped by paths, so they stay as given.
    assert_eq!(groups[0].1[1].1.paths, ["/b", "/a"]);
}

#[test]
fn the_newest_of_each_source_are_kept() {
    let mut list = list();
    keep_newest_of_each(&mut list, 1);
    assert_eq!(ids(&list.iter().collect::<Vec<_>>()), [0x11, 0x30, 0x10]);
}
