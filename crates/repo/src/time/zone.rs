//! Time zones: which offset a place's clocks have at an instant, found quickly.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Time, parse_wall_clock};

/// Instants from here on (2200-01-01T00:00:00Z) are looked up in the zone's rules themselves.
const TABLE_END: i64 = 7_258_118_400;

/// A time zone; cloning it is cheap.
///
/// A backup asks three times a file, so all transitions until 2200 are laid out
/// in one sorted table that any number of threads may read.
#[derive(Debug, Clone)]
pub struct Zone {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rules: TimeZone,
    name: Option<Box<str>>,
    /// The offset before the first transition.
    first: i32,
    /// (instant, offset from then on), ascending.
    transitions: Vec<(i64, i32)>,
}

impl Zone {
    /// Universal time.
    pub fn utc() -> Zone {
        Zone::with_rules(TimeZone::UTC, Some("UTC"))
    }

    /// A zone that keeps one offset, in seconds east of UTC, for ever.
    pub fn fixed(offset: i32) -> Zone {
        let rules = jiff::tz::Offset::from_seconds(offset).map_or(TimeZone::UTC, TimeZone::fixed);
        let inner = Inner { rules, name: None, first: offset, transitions: Vec::new() };
        Zone { inner: Arc::new(inner) }
    }

    /// The zone of this machine, given what its variable `TZ` says.
    ///
    /// Unset means the system's own setting. A name that the zone database does
    /// not have means UTC, and so does an empty one: rules written out as in
    /// `CET-1CEST` are not understood, as the peer does not understand them.
    pub fn system(variable: Option<&str>) -> Zone {
        let Some(variable) = variable else {
            return TimeZone::try_system()
                .map_or_else(|_| Zone::utc(), |rules| Zone::with_rules(rules, None));
        };
        let name = variable.strip_prefix(':').unwrap_or(variable);
        if name.starts_with('/') {
            let rules = std::fs::read(name).ok().and_then(|data| TimeZone::tzif(name, &data).ok());
            return rules.map_or_else(Zone::utc, |rules| Zone::with_rules(rules, Some(name)));
        }
        Zone::named(name).unwrap_or_else(Zone::utc)
    }

    /// The zone of the database's name, such as `America/New_York`.
    pub fn named(name: &str) -> Option<Zone> {
        let rules = TimeZone::get(name).ok()?;
        Some(Zone::with_rules(rules, Some(name)))
    }

    fn with_rules(rules: TimeZone, name: Option<&str>) -> Zone {
        let transitions: Vec<(i64, i32)> = rules
            .following(Timestamp::MIN)
            .map(|transition| (transition.timestamp().as_second(), transition.offset().seconds()))
            .take_while(|&(start, _)| start < TABLE_END)
            .collect();
        let first = rules.to_offset(Timestamp::MIN).seconds();
        Zone { inner: Arc::new(Inner { rules, name: name.map(Box::from), first, transitions }) }
    }

    /// The zone's name, or none if it is the system's own setting.
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// Every change of the offset until 2200, and the offset in seconds east of UTC from then on; the first is for ever before.
    pub fn transitions(&self) -> impl Iterator<Item = (i64, i32)> + '_ {
        std::iter::once((i64::MIN, self.inner.first)).chain(self.inner.transitions.iter().copied())
    }

    /// The instant as this zone's clock shows it.
    pub fn local(&self, seconds: i64, nanoseconds: u32) -> Time {
        let time = Time::utc(seconds, nanoseconds);
        Time { offset: self.offset_at(time.seconds), ..time }
    }

    /// Seconds east of UTC at an instant given in seconds since 1970.
    pub fn offset_at(&self, seconds: i64) -> i32 {
        let inner = &*self.inner;
        if seconds >= TABLE_END && !inner.transitions.is_empty() {
            return inner.rules.to_offset(timestamp(seconds)).seconds();
        }
        let after = inner.transitions.partition_point(|&(start, _)| start <= seconds);
        match after.checked_sub(1) {
            Some(last) => inner.transitions[last].1,
            None => inner.first,
        }
    }

    /// The zone's short name at an instant, such as `EDT`.
    pub fn abbreviation_at(&self, seconds: i64) -> String {
        self.inner.rules.to_offset_info(timestamp(seconds)).abbreviation().to_owned()
    }

    /// Reads `2006-01-02 15:04:05` on this zone's clock.
    ///
    /// A clock reading that a change of the clocks skips or repeats is taken with
    /// one of the two offsets, the same one the peer takes.
    pub fn parse_local(&self, text: &str) -> Option<Time> {
        let wall = parse_wall_clock(text.as_bytes(), b' ')?;
        Some(self.at_wall_clock(wall, 0))
    }

    /// The instant at which this zone's clock shows `wall`, given as if it were UTC.
    pub(super) fn at_wall_clock(&self, wall: i64, nanoseconds: u32) -> Time {
        let guess = wall - i64::from(self.offset_at(wall));
        self.local(wall - i64::from(self.offset_at(guess)), nanoseconds)
    }
}

/// The nearest instant the zone rules know: they end with the year 9999.
fn timestamp(seconds: i64) -> Timestamp {
    let seconds = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
