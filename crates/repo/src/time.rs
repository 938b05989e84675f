//! Points in time with the zone offset they were written in, and their text forms.
//!
//! Every time stored in a repository is text with an offset, and re-encoding a
//! stored object must give the same bytes: so the offset is part of the value.

mod zone;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::{Duration, SystemTime};

pub use zone::Zone;

const SECONDS_PER_DAY: i64 = 86_400;
const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// An instant with nanoseconds and the offset of the wall clock that named it.
///
/// `==` compares the offset too, as re-encoding needs it; [`Time::same_instant`]
/// is the question change detection asks. The order is by instant, then offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    seconds: i64,
    nanoseconds: u32,
    offset: i32,
}

/// Text that is no time in RFC 3339 form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time of the form 2006-01-02T15:04:05Z")]
pub struct ParseTimeError;

/// The fields of a wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Civil {
    /// Astronomical year; 0 is 1 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59; there are no leap seconds.
    pub second: u8,
}

impl Time {
    /// The first second of year 1 in UTC: what a missing time means.
    pub const ZERO: Time = Time { seconds: -62_135_596_800, nanoseconds: 0, offset: 0 };

    /// Makes a time from seconds since 1970, nanoseconds and seconds east of UTC.
    ///
    /// Nanoseconds beyond a second are carried over.
    pub const fn new(seconds: i64, nanoseconds: u32, offset: i32) -> Time {
        let carried = (nanoseconds / NANOSECONDS_PER_SECOND) as i64;
        Time {
            seconds: seconds.saturating_add(carried),
            nanoseconds: nanoseconds % NANOSECONDS_PER_SECOND,
            offset,
        }
    }

    /// Makes a time in UTC.
    pub const fn utc(seconds: i64, nanoseconds: u32) -> Time {
        Time::new(seconds, nanoseconds, 0)
    }

    /// Converts what the operating system's clock says, in UTC.
    pub fn from_system(time: SystemTime) -> Time {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Time::utc(i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
            Err(before) => Time::utc(0, 0).minus(before.duration()),
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second, below 10⁹.
    pub const fn nanoseconds(&self) -> u32 {
        self.nanoseconds
    }

    /// Seconds east of UTC.
    pub const fn offset(&self) -> i32 {
        self.offset
    }

    /// Says whether both name the same instant, whatever their offsets.
    pub const fn same_instant(&self, other: &Time) -> bool {
        self.seconds == other.seconds && self.nanoseconds == other.nanoseconds
    }

    /// The same instant as another zone's clock shows it.
    pub fn in_zone(&self, zone: &Zone) -> Time {
        zone.local(self.seconds, self.nanoseconds)
    }

    /// The same wall clock second without its fraction.
    pub const fn whole_seconds(&self) -> Time {
        Time { nanoseconds: 0, ..*self }
    }

    /// The time later by `span`.
    pub fn plus(&self, span: Duration) -> Time {
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        Time::new(self.seconds.saturating_add(seconds), self.nanoseconds + span.subsec_nanos(), self.offset)
    }

    /// The time earlier by `span`.
    pub fn minus(&self, span: Duration) -> Time {
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        let borrow = self.nanoseconds < span.subsec_nanos();
        let nanoseconds = self.nanoseconds + u32::from(borrow) * NANOSECONDS_PER_SECOND - span.subsec_nanos();
        let seconds = self.seconds.saturating_sub(seconds).saturating_sub(i64::from(borrow));
        Time::new(seconds, nanoseconds, self.offset)
    }

    /// The same clock reading so many years, months and days earlier, on the clock of `zone`.
    ///
    /// A day that the month reached lacks is carried into the next one (31 March less a month is 3 March, or
    /// 2 in a leap year), and a clock reading that the zone skips or repeats is taken as the peer takes it.
    pub fn minus_calendar(&self, years: i64, months: i64, days: i64, zone: &Zone) -> Time {
        // Farther than any time that can be stored, and near enough to count in seconds.
        const MOST_MONTHS: i64 = 12 * 1_000_000;
        const MOST_DAYS: i64 = 366 * 1_000_000;
        let local = self.in_zone(zone);
        let civil = local.civil();
        let back = years.saturating_mul(12).saturating_add(months).clamp(-MOST_MONTHS, MOST_MONTHS);
        let months = civil.year * 12 + i64::from(civil.month) - 1 - back;
        let month = months.rem_euclid(12) as u32 + 1;
        let first = day_of_date(months.div_euclid(12), month, 1);
        let day = first + i64::from(civil.day) - 1 - days.clamp(-MOST_DAYS, MOST_DAYS);
        let clock = (local.seconds + i64::from(local.offset)).rem_euclid(SECONDS_PER_DAY);
        zone.at_wall_clock(day * SECONDS_PER_DAY + clock, self.nanoseconds)
    }

    /// Days since 1970-01-01 on the wall clock in the time's own offset.
    pub fn civil_day(&self) -> i64 {
        self.seconds.saturating_add(i64::from(self.offset)).div_euclid(SECONDS_PER_DAY)
    }

    /// How long this is after `earlier`; nothing if it is not.
    pub fn since(&self, earlier: &Time) -> Duration {
        let nanoseconds =
            |time: &Time| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
        let span = u128::try_from(nanoseconds(self) - nanoseconds(earlier)).unwrap_or(0);
        let seconds = u64::try_from(span / 1_000_000_000).unwrap_or(u64::MAX);
        Duration::new(seconds, (span % 1_000_000_000) as u32)
    }

    /// The wall clock in the time's own offset.
    pub fn civil(&self) -> Civil {
        let wall = self.seconds.saturating_add(i64::from(self.offset));
        let (year, month, day) = date_of_day(wall.div_euclid(SECONDS_PER_DAY));
        let second = wall.rem_euclid(SECONDS_PER_DAY) as u32;
        Civil {
            year,
            month,
            day,
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
        }
    }

    /// Reads RFC 3339 text: `T` and `Z` upper case, years of four digits, only days that exist.
    ///
    /// A comma may stand for the point, and digits beyond the ninth are dropped.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Time, ParseTimeError> {
        parse(text.as_ref()).ok_or(ParseTimeError)
    }

    /// Appends the stored form: no trailing zeros in the fraction, `Z` for offset 0.
    ///
    /// Years before 0 or after 9999, which the form cannot hold, become 0 or 9999.
    /// An offset's seconds are cut off while the wall clock keeps them.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut text = self.civil_text(b'T');
        push_fraction(self.nanoseconds, &mut text);
        if self.offset == 0 {
            text.push(b"Z");
        } else {
            push_offset(self.offset, b":", &mut text);
        }
        out.extend_from_slice(text.as_bytes());
    }

    /// `2006-01-02 15:04:05` on the clock of `zone`.
    pub fn local_text(&self, zone: &Zone) -> String {
        self.in_zone(zone).civil_text(b' ').into_string()
    }

    /// The long form for people: `2024-02-03 10:00:00.5 +0000 UTC`.
    ///
    /// The last word is the zone's name if `zone` has the time's offset at that
    /// instant, `UTC` for offset 0, and else the offset again.
    pub fn long_text(&self, zone: &Zone) -> String {
        let mut text = self.civil_text(b' ');
        push_fraction(self.nanoseconds, &mut text);
        text.push(b" ");
        push_offset(self.offset, b"", &mut text);
        text.push(b" ");
        let mut text = match self.offset {
            0 => return text.into_string() + "UTC",
            offset if zone.offset_at(self.seconds) == offset => {
                return text.into_string() + &zone.abbreviation_at(self.seconds);
            }
            _ => text,
        };
        push_offset(self.offset, b"", &mut text);
        text.into_string()
    }

    /// Date and clock with `separator` between them, the year clamped to four digits.
    fn civil_text(&self, separator: u8) -> Text {
        let mut civil = self.civil();
        let year = civil.year.clamp(0, 9999);
        if year != civil.year && civil.month == 2 && civil.day == 29 && !is_leap_year(year) {
            (civil.month, civil.day) = (3, 1);
        }
        let mut text = Text::new();
        text.push(&pair(year as u32 / 100));
        text.push(&pair(year as u32 % 100));
        for (before, value) in [
            (b'-', civil.month),
            (b'-', civil.day),
            (separator, civil.hour),
            (b':', civil.minute),
            (b':', civil.second),
        ] {
            let [tens, ones] = pair(u32::from(value));
            text.push(&[before, tens, ones]);
        }
        text
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(Text::CAPACITY);
        self.write(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Time {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Time, ParseTimeError> {
        Time::parse(text)
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        struct Rfc3339;
        impl serde::de::Visitor<'_> for Rfc3339 {
            type Value = Time;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time in RFC 3339 form")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Time, E> {
                Time::parse(text).map_err(E::custom)
            }
            fn visit_bytes<E: serde::de::Error>(self, text: &[u8]) -> Result<Time, E> {
                Time::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Rfc3339)
    }
}

/// A short text built in place: a time's longest form is 35 bytes.
struct Text {
    bytes: [u8; Text::CAPACITY],
    len: usize,
}

impl Text {
    const CAPACITY: usize = 48;

    fn new() -> Text {
        Text { bytes: [0; Text::CAPACITY], len: 0 }
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn into_string(self) -> String {
        String::from_utf8_lossy(self.as_bytes()).into_owned()
    }
}

fn pair(value: u32) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

/// `.` and the nanoseconds without trailing zeros; nothing for zero.
fn push_fraction(nanoseconds: u32, text: &mut Text) {
    if nanoseconds == 0 {
        return;
    }
    let mut digits = *b".000000000";
    let mut rest = nanoseconds;
    for digit in digits[1..].iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    let end = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
    text.push(&digits[..end]);
}

/// `+hh:mm`, cut toward zero to whole minutes.
fn push_offset(offset: i32, separator: &[u8], text: &mut Text) {
    let minutes = offset / 60;
    text.push(if minutes < 0 { b"-" } else { b"+" });
    text.push(&pair(minutes.unsigned_abs() / 60));
    text.push(separator);
    text.push(&pair(minutes.unsigned_abs() % 60));
}

fn parse(text: &[u8]) -> Option<Time> {
    let (date_and_clock, rest) = text.split_at_checked(19)?;
    let wall = parse_wall_clock(date_and_clock, b'T')?;
    let (nanoseconds, rest) = parse_fraction(rest)?;
    let offset = match *rest {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = i32::try_from(hours * 3600 + minutes * 60).ok()?;
            if sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    Some(Time { seconds: wall - i64::from(offset), nanoseconds, offset })
}

/// Reads `2006-01-02T15:04:05` as if it were UTC.
fn parse_wall_clock(text: &[u8], separator: u8) -> Option<i64> {
    let &[y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, between, h1, h2, b':', m1, m2, b':', s1, s2] = text
    else {
        return None;
    };
    let year = i64::from(number(&[y1, y2, y3, y4])?);
    let (month, day) = (number(&[o1, o2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    let exists = between == separator
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let clock = i64::from(hour * 3600 + minute * 60 + second);
    exists.then(|| day_of_date(year, month, day) * SECONDS_PER_DAY + clock)
}

/// Splits off an optional fraction of a second and gives its nanoseconds.
fn parse_fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some((b'.' | b',', digits)) = text.split_first() else {
        return Some((0, text));
    };
    let len = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at(len);
    if digits.is_empty() {
        return None;
    }
    let nanoseconds = (0..9).fold(0, |sum, place| {
        let digit = digits.get(place).map_or(0, |digit| digit - b'0');
        sum * 10 + u32::from(digit)
    });
    Some((nanoseconds, rest))
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
}

const fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year.
const fn day_of_date(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = ((month + 9) % 12) as i64;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as i64 - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`day_of_date`].
const fn date_of_day(day: i64) -> (i64, u8, u8) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month as u8, day as u8)
}
