//! Spans such as `1y5m7d2h`: years, months and days of the calendar, and hours.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tresor_repo::time::{Time, Zone};

/// How far back a rule reaches; each part may be negative when it was read, which no rule accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepDuration {
    /// Of the calendar.
    pub years: i64,
    /// Of the calendar.
    pub months: i64,
    /// Of the calendar: a day may have 23 hours.
    pub days: i64,
    /// Of sixty minutes.
    pub hours: i64,
}

/// Text that is no span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// A letter or anything else stands where a number should.
    #[error("no number found")]
    NoNumber,
    /// The text ends with a number.
    #[error("no unit found after number {0}")]
    NoUnit(i64),
    /// The letter after a number is none of y, m, d, h.
    #[error("invalid unit {unit:?} found after number {number}")]
    BadUnit {
        /// The number before it.
        number: i64,
        /// What stands there.
        unit: char,
    },
    /// A number beyond all measure.
    #[error("number {0} is out of range")]
    TooLarge(String),
}

impl KeepDuration {
    /// Whether it reaches nowhere, so that its rule is off.
    pub fn is_zero(&self) -> bool {
        *self == KeepDuration::default()
    }

    /// Whether a part is below zero.
    pub fn is_negative(&self) -> bool {
        [self.years, self.months, self.days, self.hours].iter().any(|part| *part < 0)
    }

    /// The moment that lies this span before `time`, by the calendar of the zone that the time was made in.
    ///
    /// That is `zone` if it had the time's offset at that moment. Offset 0 means UTC.
    pub(super) fn before(&self, time: &Time, zone: &Zone) -> Time {
        let own = match time.offset() {
            0 => Zone::utc(),
            offset if zone.offset_at(time.seconds()) == offset => zone.clone(),
            offset => Zone::fixed(offset),
        };
        let day = time.minus_calendar(self.years, self.months, self.days, &own);
        day.minus(Duration::from_secs(u64::try_from(self.hours).unwrap_or(0).saturating_mul(3600)))
    }
}

/// Reads numbers with units in any order; of a repeated unit the last counts. Nothing at all is no time.
impl FromStr for KeepDuration {
    type Err = BadDuration;

    fn from_str(text: &str) -> Result<KeepDuration, BadDuration> {
        let mut span = KeepDuration::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (number, after) = number(rest)?;
            let mut letters = after.chars();
            let part = match letters.next().ok_or(BadDuration::NoUnit(number))? {
                'y' => &mut span.years,
                'm' => &mut span.months,
                'd' => &mut span.days,
                'h' => &mut span.hours,
                unit => return Err(BadDuration::BadUnit { number, unit }),
            };
            *part = number;
            rest = letters.as_str();
        }
        Ok(span)
    }
}

/// Splits off a number, which may have a minus sign.
fn number(text: &str) -> Result<(i64, &str), BadDuration> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = unsigned.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(unsigned.len());
    if digits == 0 {
        return Err(BadDuration::NoNumber);
    }
    let (number, rest) = text.split_at(text.len() - unsigned.len() + digits);
    number.parse().map(|value| (value, rest)).map_err(|_| BadDuration::TooLarge(number.into()))
}

/// The parts that are not zero, from the longest unit down: `1y5m7d2h`.
impl fmt::Display for KeepDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')];
        parts
            .iter()
            .filter(|(number, _)| *number != 0)
            .try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
    }
}

/// For [`fuzz`](crate::fuzz): a span that is read is shown as itself, and every one reaches back to some moment.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    let Ok(span) = String::from_utf8_lossy(bytes).parse::<KeepDuration>() else { return };
    assert_eq!(span.to_string().parse(), Ok(span));
    if !span.is_negative() {
        let _ = span.before(&Time::ZERO, &Zone::utc());
    }
}
