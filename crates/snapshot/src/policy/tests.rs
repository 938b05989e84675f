//! Policies by hand; random ones are compared with the real restic by the program's tests.

use super::*;
use tresor_repo::{BlobId, SnapshotId};

fn snapshots(times: &[&str]) -> Vec<Listed> {
    let tree = BlobId::from_bytes([1; 32]);
    let listed = times.iter().enumerate().map(|(place, time)| {
        let snapshot = Snapshot::new(tree, time.parse().unwrap(), vec!["/".into()]);
        (SnapshotId::from_bytes([place as u8 + 1; 32]), snapshot)
    });
    listed.collect()
}

fn policy(rules: &[(Period, Count)]) -> Policy {
    let mut policy = Policy::default();
    for (period, count) in rules {
        policy.counts[*period as usize] = *count;
    }
    policy
}

fn decided(times: &[&str], policy: &Policy) -> Vec<(String, String)> {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let decision = apply(snapshots(times), policy, now, &Zone::utc());
    assert_eq!(decision.keep.len() + decision.remove.len(), times.len());
    let told = |kept: Kept| (kept.snapshot.1.time.to_string(), kept.reasons.join("; "));
    decision.keep.into_iter().map(told).collect()
}

fn kept(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(time, reasons)| ((*time).into(), (*reasons).into())).collect()
}

#[test]
fn the_newest_of_each_period_is_kept_and_the_oldest_of_all() {
    let times =
        ["2024-01-01T10:00:00Z", "2024-01-01T11:00:00Z", "2024-01-02T10:00:00Z", "2024-02-03T10:00:00Z"];
    assert_eq!(
        decided(&times, &policy(&[(Period::Daily, Count::AtMost(2)), (Period::Monthly, Count::Unlimited)])),
        kept(&[
            ("2024-02-03T10:00:00Z", "daily snapshot; monthly snapshot"),
            ("2024-01-02T10:00:00Z", "daily snapshot; monthly snapshot"),
            ("2024-01-01T10:00:00Z", "oldest monthly snapshot"),
        ])
    );
    assert_eq!(decided(&times, &Policy::default()), []);
    assert_eq!(decided(&[], &policy(&[(Period::Last, Count::Unlimited)])), []);
}

#[test]
fn days_are_those_of_the_clock_the_snapshot_was_made_by() {
    let times = ["2024-01-01T23:30:00+02:00", "2024-01-01T23:00:00Z"];
    let days = decided(&times, &policy(&[(Period::Daily, Count::AtMost(9))]));
    assert_eq!(days.last().unwrap().1, "oldest daily snapshot", "one day by both clocks");
    let times = ["2024-01-01T22:30:00Z", "2024-01-02T00:31:00+02:00"];
    let days = decided(&times, &policy(&[(Period::Daily, Count::AtMost(9))]));
    assert_eq!(days.last().unwrap().1, "daily snapshot", "two days by their clocks, a minute apart");
}

#[test]
fn weeks_begin_on_monday_and_do_not_end_with_the_year() {
    let times =
        ["2024-12-29T12:00:00Z", "2024-12-30T12:00:00Z", "2025-01-05T12:00:00Z", "2025-01-06T12:00:00Z"];
    let weeks = decided(&times, &policy(&[(Period::Weekly, Count::Unlimited)]));
    let weeks: Vec<&str> = weeks.iter().map(|(time, _)| &time[..10]).collect();
    assert_eq!(weeks, ["2025-01-06", "2025-01-05", "2024-12-29"]);
}

#[test]
fn spans_count_back_from_the_newest_that_is_not_in_the_future() {
    let times = [
        "2100-01-01T00:00:00Z",
        "2025-03-31T10:00:00Z",
        "2025-03-03T10:00:00.000000001Z",
        "2025-03-03T10:00:00Z",
    ];
    let within = Policy { within: "1m".parse().unwrap(), ..Policy::default() };
    let reason = "within 1m";
    assert_eq!(
        decided(&times, &within),
        kept(&[(times[0], reason), (times[1], reason), (times[2], reason)]),
        "the day less a month is 31 February, so 3 March; the limit itself is outside"
    );
    let mut daily = Policy::default();
    daily.periods_within[1] = "30d".parse().unwrap();
    assert_eq!(
        decided(&times, &daily).last().unwrap(),
        &("2025-03-03T10:00:00Z".into(), "oldest daily within 30d".into())
    );
    let all = decided(&["2100-01-01T00:00:00Z", "2100-01-02T00:00:00Z"], &within);
    assert_eq!(all.len(), 2, "with all of them in the future every one is after the limit");
}

#[test]
fn tags_keep_whatever_the_age() {
    let mut tagged = snapshots(&["2001-01-01T00:00:00Z", "2002-01-01T00:00:00Z", "2003-01-01T00:00:00Z"]);
    tagged[0].1.tags = vec!["a".into(), "b".into()];
    tagged[1].1.tags = vec!["a".into()];
    let lists = vec![vec!["a".into(), "b".into()], vec!["a".into()], vec![String::new()]];
    let policy = Policy { tags: lists, ..Policy::default() };
    let decision = apply(tagged, &policy, Time::utc(0, 0), &Zone::utc());
    let reasons: Vec<String> = decision.keep.iter().map(|kept| kept.reasons.join("; ")).collect();
    assert_eq!(reasons, ["has tags []", "has tags [a]", "has tags [a, b]; has tags [a]"]);
}

#[test]
fn policies_in_words() {
    assert_eq!(Policy::default().to_string(), "remove");
    let mut policy = policy(&[(Period::Last, Count::Unlimited), (Period::Daily, Count::AtMost(3))]);
    assert_eq!(policy.to_string(), "keep all latest, 3 daily snapshots");
    policy.periods_within[0] = "5d".parse().unwrap();
    policy.periods_within[4] = "3d1y".parse().unwrap();
    policy.tags = vec![vec!["x".into(), "a".into()], vec![String::new()]];
    policy.within = "1h1h2h".parse().unwrap();
    assert_eq!(
        policy.to_string(),
        "keep all latest, 3 daily snapshots, hourly snapshots within 5d, yearly snapshots within 1y3d \
         and all snapshots with tags [[x, a] []] and all snapshots within 2h of the newest"
    );
}

#[test]
fn counts_and_spans_that_are_none_say_why() {
    let count = |text: &str| text.parse::<Count>();
    assert_eq!(count("unlimited"), Ok(Count::Unlimited));
    assert_eq!(count("+7"), Ok(Count::AtMost(7)));
    assert_eq!(count("-1").unwrap_err().to_string(), "negative values not allowed, use 'unlimited' instead");
    assert_eq!(count("x").unwrap_err().to_string(), "strconv.ParseInt: parsing \"x\": invalid syntax");
    let span = |text: &str| text.parse::<KeepDuration>();
    assert!(span("").unwrap().is_zero());
    assert!(span("1y-3d").unwrap().is_negative());
    for (text, told) in [
        ("3", "no unit found after number 3"),
        ("1y-3x", "invalid unit 'x' found after number -3"),
        ("d", "no number found"),
        ("1d-", "no number found"),
        ("99999999999999999999d", "number 99999999999999999999 is out of range"),
    ] {
        assert_eq!(span(text).unwrap_err().to_string(), told);
    }
}
