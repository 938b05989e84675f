//! Forget policies: which snapshots of a group are kept, and why; the others are to be removed.
//!
//! A pure function of the snapshots, the policy and the time of day. `duration` reads and prints the spans
//! that rules reach back; what a policy says in words is its `Display`.

mod duration;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use tresor_repo::time::{Time, Zone};

use crate::select::{Listed, TagList, has_tags, sort_newest_first};
use crate::snapshot::Snapshot;

#[cfg(feature = "fuzzing")]
pub(crate) use duration::fuzz;
pub use duration::{BadDuration, KeepDuration};

/// How many snapshots a counting rule keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// At most so many; with 0 the rule is off.
    AtMost(u64),
    /// All that the rule applies to.
    Unlimited,
}

impl Default for Count {
    fn default() -> Count {
        Count::AtMost(0)
    }
}

/// Text that is no count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCount {
    /// Below zero.
    #[error("negative values not allowed, use 'unlimited' instead")]
    Negative,
    /// Not a number.
    #[error("strconv.ParseInt: parsing {0:?}: invalid syntax")]
    NoNumber(String),
    /// A number beyond all measure.
    #[error("strconv.ParseInt: parsing {0:?}: value out of range")]
    TooLarge(String),
}

impl FromStr for Count {
    type Err = BadCount;

    fn from_str(text: &str) -> Result<Count, BadCount> {
        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
        if text == "unlimited" {
            return Ok(Count::Unlimited);
        }
        match text.parse::<i64>() {
            Ok(number) => u64::try_from(number).map(Count::AtMost).map_err(|_| BadCount::Negative),
            Err(error) if matches!(error.kind(), PosOverflow | NegOverflow) => {
                Err(BadCount::TooLarge(text.into()))
            }
            Err(_) => Err(BadCount::NoNumber(text.into())),
        }
    }
}

/// What is kept; a snapshot that several rules keep is kept for several reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// So many of each period, in the order of [`Period::ALL`].
    pub counts: [Count; 6],
    /// One of each period within this span before the newest snapshot, in the order of [`Period::WITHIN`].
    pub periods_within: [KeepDuration; 5],
    /// All that have the tags of one of these lists.
    pub tags: Vec<TagList>,
    /// All within this span before the newest snapshot.
    pub within: KeepDuration,
}

impl Policy {
    /// Whether it has no rule, so that nothing would be kept.
    pub fn is_empty(&self) -> bool {
        *self == Policy::default()
    }
}

/// Of what a rule keeps the newest snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Period {
    Last,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Period {
    /// Every period, in the order of the rules.
    pub const ALL: [Period; 6] =
        [Period::Last, Period::Hourly, Period::Daily, Period::Weekly, Period::Monthly, Period::Yearly];
    /// Those that can be bounded by a span.
    pub const WITHIN: [Period; 5] =
        [Period::Hourly, Period::Daily, Period::Weekly, Period::Monthly, Period::Yearly];

    /// The word in reasons.
    pub fn word(self) -> &'static str {
        match self {
            Period::Last => "last",
            Period::Hourly => "hourly",
            Period::Daily => "daily",
            Period::Weekly => "weekly",
            Period::Monthly => "monthly",
            Period::Yearly => "yearly",
        }
    }

    /// A number that snapshots of one period share, by the clock that each was made by.
    ///
    /// `place` is the snapshot's among the newest; every one is a period of its own for [`Period::Last`].
    fn bucket(self, time: &Time, place: usize) -> i64 {
        let (civil, day) = (time.civil(), time.civil_day());
        match self {
            Period::Last => place as i64,
            Period::Hourly => day * 24 + i64::from(civil.hour),
            Period::Daily => day,
            Period::Weekly => (day + 3).div_euclid(7), // weeks begin on Monday; 1970 began on a Thursday
            Period::Monthly => civil.year * 12 + i64::from(civil.month),
            Period::Yearly => civil.year,
        }
    }
}

/// A snapshot that is kept.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub snapshot: Listed,
    /// Why, in the order of the rules.
    pub reasons: Vec<String>,
}

/// What a policy does to a group.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The newest first.
    pub keep: Vec<Kept>,
    /// The newest first.
    pub remove: Vec<Listed>,
}

/// Applies a policy to the snapshots of a group.
///
/// Spans count back from the newest snapshot that is not later than `now`. The times of snapshots made with
/// the offset that `zone` has at that moment are times in that zone, with its changes of the clocks; all
/// others keep their offset.
pub fn apply(mut snapshots: Vec<Listed>, policy: &Policy, now: Time, zone: &Zone) -> Decision {
    sort_newest_first(&mut snapshots);
    let newest = snapshots.iter().map(|(_, snapshot)| snapshot.time).find(|time| !is_later(time, &now));
    let newest = newest.unwrap_or(Time::ZERO);
    let mut rules = Rules::new(policy, &newest, zone);
    let last_place = snapshots.len().saturating_sub(1);
    let mut decision = Decision::default();
    for (place, listed) in snapshots.into_iter().enumerate() {
        let reasons = rules.reasons(&listed.1, place, place == last_place);
        match reasons.is_empty() {
            true => decision.remove.push(listed),
            false => decision.keep.push(Kept { snapshot: listed, reasons }),
        }
    }
    decision
}

fn is_later(time: &Time, than: &Time) -> bool {
    (time.seconds(), time.nanoseconds()) > (than.seconds(), than.nanoseconds())
}

/// The rules of a policy while the snapshots pass by, the newest first.
struct Rules<'a> {
    policy: &'a Policy,
    /// All after this moment are kept.
    within: Option<Time>,
    counted: Vec<PeriodRule>,
    bounded: Vec<(Time, PeriodRule)>,
}

/// Keeps the first snapshot that passes by of each period.
struct PeriodRule {
    period: Period,
    /// How many it may still keep.
    left: Count,
    /// The period of the one it kept last.
    bucket: Option<i64>,
    /// What it says of a snapshot that it keeps.
    reason: String,
}

impl<'a> Rules<'a> {
    fn new(policy: &'a Policy, newest: &Time, zone: &Zone) -> Rules<'a> {
        let rule = |period, left, reason| PeriodRule { period, left, bucket: None, reason };
        let counted =
            Period::ALL.into_iter().zip(policy.counts).filter(|(_, count)| *count != Count::default());
        let bounded =
            Period::WITHIN.into_iter().zip(policy.periods_within).filter(|(_, span)| !span.is_zero());
        Rules {
            policy,
            within: (!policy.within.is_zero()).then(|| policy.within.before(newest, zone)),
            counted: counted
                .map(|(period, count)| rule(period, count, format!("{} snapshot", period.word())))
                .collect(),
            bounded: bounded
                .map(|(period, span)| {
                    let reason = format!("{} within {span}", period.word());
                    (span.before(newest, zone), rule(period, Count::Unlimited, reason))
                })
                .collect(),
        }
    }

    fn reasons(&mut self, snapshot: &Snapshot, place: usize, is_oldest: bool) -> Vec<String> {
        let time = &snapshot.time;
        let tags = self.policy.tags.iter().filter(|list| has_tags(snapshot, list));
        let mut reasons: Vec<String> = tags.map(|list| format!("has tags {}", in_brackets(list))).collect();
        if self.within.is_some_and(|limit| is_later(time, &limit)) {
            reasons.push(format!("within {}", self.policy.within));
        }
        reasons.extend(self.counted.iter_mut().filter_map(|rule| rule.keeps(time, place, is_oldest)));
        let bounded = self.bounded.iter_mut().filter(|(limit, _)| is_later(time, limit));
        reasons.extend(bounded.filter_map(|(_, rule)| rule.keeps(time, place, is_oldest)));
        reasons
    }
}

impl PeriodRule {
    /// Why the rule keeps the snapshot, if it does. The oldest of all is kept though its period is not new,
    /// so that a rule which is not used up yet reaches back as far as there is anything.
    fn keeps(&mut self, time: &Time, place: usize, is_oldest: bool) -> Option<String> {
        let bucket = self.period.bucket(time, place);
        let is_new = self.bucket != Some(bucket);
        match &mut self.left {
            Count::AtMost(0) => return None,
            _ if !is_new && !is_oldest => return None,
            Count::AtMost(left) => *left -= 1,
            Count::Unlimited => {}
        }
        self.bucket = Some(bucket);
        Some(if is_new { self.reason.clone() } else { format!("oldest {}", self.reason) })
    }
}

/// A list as texts show it: `[a, b]`.
fn in_brackets(tags: &TagList) -> String {
    format!("[{}]", tags.join(", "))
}

/// In words: `keep 2 daily, all monthly snapshots`; a policy without rules is `remove`.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = Period::ALL.iter().zip(self.counts).filter_map(count_in_words).collect();
        let spans = Period::WITHIN.iter().zip(self.periods_within).filter(|(_, span)| !span.is_zero());
        let spans = spans.map(|(period, span)| format!("{} snapshots within {span}", period.word()));
        let counts = (!counts.is_empty()).then(|| format!("{} snapshots", counts.join(", ")));
        let periods: Vec<String> = counts.into_iter().chain(spans).collect();
        let mut parts = Vec::new();
        if !periods.is_empty() {
            parts.push(periods.join(", "));
        }
        if !self.tags.is_empty() {
            let lists: Vec<String> = self.tags.iter().map(in_brackets).collect();
            parts.push(format!("all snapshots with tags [{}]", lists.join(" ")));
        }
        if !self.within.is_zero() {
            parts.push(format!("all snapshots within {} of the newest", self.within));
        }
        match parts.is_empty() {
            true => f.write_str("remove"),
            false => write!(f, "keep {}", parts.join(" and ")),
        }
    }
}

fn count_in_words((period, count): (&Period, Count)) -> Option<String> {
    let word = if *period == Period::Last { "latest" } else { period.word() };
    match count {
        Count::AtMost(0) => None,
        Count::AtMost(count) => Some(format!("{count} {word}")),
        Count::Unlimited => Some(format!("all {word}")),
    }
}
