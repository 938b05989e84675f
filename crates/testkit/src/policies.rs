//! Random snapshot lists and forget policies, decided by restic and by tresor, which must agree.

use crate::fixtures::{self, Unpacked};
use crate::{Client, Random, Run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tresor_repo::time::Time;

/// Zones that both programs run in: their changes of the clocks count for spans.
const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"];

/// Offsets that snapshots are made with, in seconds east of UTC.
const OFFSETS: [i32; 12] = [0, 0, 3600, 3600, 7200, 7200, -18_000, -14_400, 19_800, 37_800, 39_600, 46_800];

/// Moments with something special about them: ends of years and Februaries, weeks, changes of clocks, now.
const MOMENTS: [&str; 12] = [
    "2024-02-29T12:00:00Z",
    "2023-02-28T23:30:00Z",
    "2024-12-30T00:30:00Z",
    "2021-01-03T23:00:00Z",
    "2020-12-31T23:59:59Z",
    "2024-03-31T01:00:00Z",
    "2024-10-27T01:00:00Z",
    "2024-11-03T06:00:00Z",
    "2024-03-31T10:00:00Z",
    "2025-07-04T09:26:53Z",
    "1999-12-31T23:00:00Z",
    "2300-01-01T00:00:00Z",
];

/// Lists of snapshots, each of a host of its own, in one repository.
pub struct Lists {
    repository: Unpacked,
    /// For each host whether its snapshots can be put into one order only.
    ordered: BTreeMap<String, bool>,
}

impl Lists {
    /// Writes `count` random lists into an empty repository.
    pub fn plant(random: &mut Random, count: usize) -> Lists {
        let repository = fixtures::empty_repository();
        let store = fixtures::open(&repository.path).expect("the fixture has this password");
        let mut ordered = BTreeMap::new();
        for number in 0..count {
            let host = format!("host{number:03}");
            let times = times(random);
            let with_twins = random.below(4) == 0;
            ordered.insert(host.clone(), !with_twins);
            for time in &times {
                let tags = tags(random);
                for _ in 0..if with_twins { random.within(1..=2) } else { 1 } {
                    store
                        .save_snapshot(snapshot(random, &host, time, &tags).as_bytes())
                        .expect("it can be saved");
                }
            }
        }
        Lists { repository, ordered }
    }

    /// Lets both programs decide all lists by one random policy; returns how many lists that were.
    ///
    /// # Errors
    /// They do not agree; with all that is needed to see why.
    pub fn compare(&self, tresor: &Path, random: &mut Random) -> Result<usize, String> {
        let zone = random.pick(&ZONES);
        let restic = Client::restic(&self.repository.path).variable("TZ", zone);
        let tresor = Client::tresor(tresor, &self.repository.path).called("restic").variable("TZ", zone);
        let both = |words: &[String]| (restic.run(words), tresor.run(words));
        let words = |flags: &[String], more: &[&str]| {
            let base = ["forget", "--dry-run", "--no-lock"].into_iter().chain(more.iter().copied());
            base.map(str::to_owned).chain(flags.iter().cloned()).collect::<Vec<_>>()
        };
        let policy = policy(random);
        let differ = |what: &str, (theirs, ours): &(Run, Run)| format!("{what} in {zone}:\n{theirs}\n{ours}");

        let runs = both(&words(&policy, &["--group-by", "host", "--json"]));
        let (theirs, ours) = (decisions(&runs.0)?, decisions(&runs.1)?);
        if theirs.len() != self.ordered.len() {
            return Err(differ("not every list was decided", &runs));
        }
        if let Some((host, theirs)) = theirs.iter().find(|(host, theirs)| ours.get(*host) != Some(*theirs)) {
            let ours = ours.get(host);
            return Err(format!("{policy:?} in {zone}, {host}:\nrestic {theirs:#?}\ntresor {ours:#?}"));
        }
        // In words, and a policy of tags alone, which may refuse: a list at a time.
        let hosts: Vec<&String> =
            self.ordered.iter().filter(|(_, ordered)| **ordered).map(|(host, _)| host).collect();
        for (flags, how) in [(policy, "-v"), (vec![format!("--keep-tag={}", tag_list(random))], "--compact")]
        {
            let runs =
                both(&words(&flags, &["--host", random.pick(&hosts).as_str(), "--group-by", "host", how]));
            let (theirs, ours) = &runs;
            if (theirs.code, &theirs.stdout, &theirs.stderr) != (ours.code, &ours.stdout, &ours.stderr) {
                return Err(differ("the texts are not the same", &runs));
            }
        }
        Ok(theirs.len())
    }
}

/// Up to forty different times around one or two moments, at all distances.
fn times(random: &mut Random) -> Vec<Time> {
    let moments: Vec<Time> =
        (0..random.within(1..=2)).map(|_| random.pick(&MOMENTS).parse().expect("a time")).collect();
    let reach = *random.pick(&[7_200, 200_000, 3_000_000, 40_000_000, 400_000_000]);
    let mut times = BTreeMap::new();
    for _ in 0..random.within(1..=40) {
        let moment = random.pick(&moments);
        let unit = *random.pick(&[1, 60, 3600, 86_400, 7 * 86_400]);
        let distance = random.below(reach) / unit * unit;
        let nanoseconds = *random.pick(&[0, 0, 1, 999_999_999]);
        let seconds = moment.seconds() - i64::try_from(distance).expect("below four hundred millions");
        times.insert((seconds, nanoseconds), Time::new(seconds, nanoseconds, *random.pick(&OFFSETS)));
    }
    times.into_values().collect()
}

fn tags(random: &mut Random) -> Vec<&'static str> {
    ["a", "b", "c d"].into_iter().filter(|_| random.below(3) == 0).collect()
}

fn tag_list(random: &mut Random) -> &'static str {
    random.pick::<&str>(&["a", "a,b", "c d", "", "b,a,c d", "b,", ",a", " a , b", "x"])
}

fn snapshot(random: &mut Random, host: &str, time: &Time, tags: &[&str]) -> String {
    let mut json = serde_json::json!({
        "time": time.to_string(),
        "tree": format!("{:064x}", random.word()),
        "paths": ["/"],
        "hostname": host,
        "username": "tester",
    });
    if !tags.is_empty() {
        json["tags"] = tags.into();
    }
    json.to_string()
}

/// Flags of a policy that keeps the newest of every list at least.
fn policy(random: &mut Random) -> Vec<String> {
    let periods = ["last", "hourly", "daily", "weekly", "monthly", "yearly"];
    let mut flags = Vec::new();
    while flags.is_empty() {
        for period in periods {
            if random.below(4) == 0 {
                let count = random.within(1..=12).to_string();
                let count = if random.below(6) == 0 { "unlimited".to_owned() } else { count };
                flags.push(format!("--keep-{period}={count}"));
            }
        }
        for period in &periods[1..] {
            if random.below(6) == 0 {
                flags.push(format!("--keep-within-{period}={}", span(random)));
            }
        }
        if random.below(4) == 0 {
            flags.push(format!("--keep-within={}", span(random)));
        }
    }
    for _ in 0..random.below(3) {
        flags.push(format!("--keep-tag={}", tag_list(random)));
    }
    flags
}

fn span(random: &mut Random) -> String {
    let mut span = String::new();
    while span.is_empty() {
        for (unit, most) in [('y', 3), ('m', 14), ('d', 70), ('h', 50)] {
            if random.below(2) == 0 {
                span.push_str(&format!("{}{unit}", random.within(1..=most)));
            }
        }
    }
    span
}

/// For each host what is kept and why, and what is removed; twins are told apart by nothing.
fn decisions(run: &Run) -> Result<BTreeMap<String, Vec<String>>, String> {
    if run.code != Some(0) {
        return Err(run.to_string());
    }
    let json = run.json();
    let groups = json.as_array().ok_or_else(|| run.to_string())?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let told = groups.iter().map(|group| {
        let name = |snapshot: &Value| format!("{} {}", snapshot["time"], snapshot["tags"]);
        let kept = list(&group["keep"])
            .iter()
            .map(name)
            .collect::<Vec<_>>()
            .into_iter()
            .map(|name| "keep ".to_owned() + &name);
        let reasons = list(&group["reasons"]);
        let reasons =
            reasons.iter().map(|reason| format!("{}: {}", name(&reason["snapshot"]), reason["matches"]));
        let removed = list(&group["remove"]);
        let removed = removed.iter().map(|snapshot| format!("remove {}", name(snapshot)));
        (group["host"].as_str().unwrap_or_default().to_owned(), kept.chain(reasons).chain(removed).collect())
    });
    Ok(told.collect())
}
