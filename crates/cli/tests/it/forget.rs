//! `forget`: policies and ids, tables and JSON, beside the real restic.

use crate::pair::{Pair, TRESOR};
use std::path::Path;
use tresor_testkit::policies::Lists;
use tresor_testkit::{Client, Random, TestTree, fixtures};

#[test]
fn random_policies_decide_random_lists_as_restic_does() {
    // `cargo xtask campaign policies` does the same a thousand times.
    let mut random = Random::new(20);
    let lists = Lists::plant(&mut random, 25);
    lists.compare(Path::new(TRESOR), &mut random).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_dry_run_says_what_restic_says() {
    let pair = Pair::on("v2-multi");
    // Half of the lines under restic's lock, half without any.
    for (nr, line) in [
        "--keep-last 1 --host gamma",
        "--keep-daily 2 --keep-monthly unlimited --host alpha --group-by host",
        "--keep-last 1 --host alpha --group-by host -v",
        "--keep-last 1 --host alpha --group-by host -vv -c",
        "--keep-last 1 --host alpha --group-by= -v",
        "--keep-last 1 --host alpha --group-by host -q",
        "--keep-last 1 --host alpha --json --group-by host",
        "--keep-last 1 --host alpha -g host,tags,paths --tag nosuch",
        "--keep-last 1 --host none",
        "--keep-last 1 --host none --json",
        "--keep-within 1y2d3h --keep-within-hourly 5d --keep-tag daily,x --keep-tag= --host gamma",
        "-l 1 -H 2 -d 3 -w 4 -m 5 -y 6 --host gamma",
        "--keep-tag nosuch --host gamma",
        "--keep-tag nosuch --host gamma -g host,tags --unsafe-allow-remove-all",
        "--keep-tag nosuch --host gamma -g tags,paths",
        "--unsafe-allow-remove-all --host gamma",
        "--unsafe-allow-remove-all",
        "--hostname gamma --keep-last 1",
        "18231c9c zzzz --keep-last 99",
        "18231c9c --json",
        "latest latest:x --host alpha",
        "18231c9c -q",
    ]
    .into_iter()
    .enumerate()
    {
        let lock = if nr % 2 == 0 { "--no-lock" } else { "" };
        pair.same(&format!("forget -n {lock} {line}"));
    }
    pair.same("snapshots --host alpha --json");
}

#[test]
fn wrong_input_is_refused_as_restic_refuses_it() {
    let pair = Pair::on("v2-multi");
    for line in [
        "",
        "--unsafe-allow-remove-all",
        "--keep-last -1",
        "--keep-last x",
        "--keep-last=",
        "--keep-last 99999999999999999999",
        "--keep-within 3",
        "--keep-within 3x",
        "--keep-within d",
        "--keep-within=",
        "--keep-within -3d",
        "--keep-within-weekly -3d --max-unused zz",
        "--keep-last 1 --max-unused zz",
        "--keep-last 1 -g foo",
        "--keep-last 1 --no-lock",
        "--keep-last 1 --no-lock --max-unused zz",
    ] {
        pair.same(&format!("forget {line}")).exits(1);
    }
}

#[test]
fn what_is_removed_is_gone_and_nothing_else() {
    let pair = Pair::apart("v2-multi");
    for line in [
        "forget --keep-last 1 --host alpha -g host -vv",
        "forget --host alpha --keep-last 1 --json -g host",
        "forget latest --host beta",
        "forget ffff --json",
        "forget --keep-yearly 1 --group-by= -q",
        "forget --unsafe-allow-remove-all --host gamma --host alpha --host beta -g host -c",
    ] {
        pair.same_lines(line);
        pair.same_lines("list snapshots");
        assert_eq!(pair.tresor.ok(["list", "locks"]).text(), "");
    }
    Client::restic(pair.tresor.repository()).ok(["check"]);
}

#[test]
fn rows_with_several_paths_stand_apart() {
    let (repository, source) =
        (fixtures::empty_repository(), TestTree::new().file("b/f", "1").file("a", "2"));
    let pair = Pair::at(&repository.path).within(source.path());
    for day in ["2024-01-01", "2024-01-02", "2024-01-09"] {
        let time = format!("{day} 10:00:00");
        pair.restic.ok(["backup", "b", "a", "--host", "h", "--tag", "z,a", "--time", &time]);
        pair.restic.ok(["backup", "a", "--host", "h", "--time", &time.replace("10", "11")]);
    }
    for line in [
        "--keep-daily 1 --group-by=",
        "--keep-within 1h --group-by=",
        "--keep-within 1d --group-by=",
        "--keep-daily 1 --json -g host,tags --path x",
    ] {
        pair.same(&format!("forget -n {line}"));
    }
    pair.same("forget -n --keep-daily 1 -g tags --tag a --json");
    pair.same("forget -n --keep-daily 1 -g paths --tag a --json");
    pair.same("forget -n --keep-tag x -g tags --tag a");
    pair.same("forget -n --keep-tag x -g host,paths,tags --tag a");
}
