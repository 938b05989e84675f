//! Times written after an example of 2 January 2006, 15:04:05, as Go's `time.Format` does.

use tresor_repo::time::{Civil, Time, Zone};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A part of a layout that stands for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Month { long: bool },
    MonthNumber { padded: bool },
    Weekday { long: bool },
    Day { pad: Option<char> },
    DayOfYear { pad: char },
    Year { long: bool },
    Hour24,
    Hour12 { padded: bool },
    Minute { padded: bool },
    Second { padded: bool },
    HalfOfDay { upper: bool },
    ZoneName,
    Offset { utc_is_z: bool, colons: bool, fields: u8 },
    Fraction { separator: char, digits: usize, trimmed: bool },
}

/// What each word of a layout stands for; of those that fit, the first in this list counts.
const WORDS: [(&str, Part); 33] = [
    ("January", Part::Month { long: true }),
    ("Jan", Part::Month { long: false }),
    ("Monday", Part::Weekday { long: true }),
    ("Mon", Part::Weekday { long: false }),
    ("MST", Part::ZoneName),
    ("01", Part::MonthNumber { padded: true }),
    ("02", Part::Day { pad: Some('0') }),
    ("03", Part::Hour12 { padded: true }),
    ("04", Part::Minute { padded: true }),
    ("05", Part::Second { padded: true }),
    ("06", Part::Year { long: false }),
    ("002", Part::DayOfYear { pad: '0' }),
    ("15", Part::Hour24),
    ("1", Part::MonthNumber { padded: false }),
    ("2006", Part::Year { long: true }),
    ("2", Part::Day { pad: None }),
    ("_2", Part::Day { pad: Some(' ') }),
    ("__2", Part::DayOfYear { pad: ' ' }),
    ("3", Part::Hour12 { padded: false }),
    ("4", Part::Minute { padded: false }),
    ("5", Part::Second { padded: false }),
    ("PM", Part::HalfOfDay { upper: true }),
    ("pm", Part::HalfOfDay { upper: false }),
    ("-070000", Part::Offset { utc_is_z: false, colons: false, fields: 3 }),
    ("-07:00:00", Part::Offset { utc_is_z: false, colons: true, fields: 3 }),
    ("-0700", Part::Offset { utc_is_z: false, colons: false, fields: 2 }),
    ("-07:00", Part::Offset { utc_is_z: false, colons: true, fields: 2 }),
    ("-07", Part::Offset { utc_is_z: false, colons: false, fields: 1 }),
    ("Z070000", Part::Offset { utc_is_z: true, colons: false, fields: 3 }),
    ("Z07:00:00", Part::Offset { utc_is_z: true, colons: true, fields: 3 }),
    ("Z0700", Part::Offset { utc_is_z: true, colons: false, fields: 2 }),
    ("Z07:00", Part::Offset { utc_is_z: true, colons: true, fields: 2 }),
    ("Z07", Part::Offset { utc_is_z: true, colons: false, fields: 1 }),
];

/// Writes a time as the layout says, on the wall clock of the time's own offset.
pub(super) fn format(layout: &str, time: &Time, zone: &Zone) -> String {
    let mut out = String::new();
    let mut rest = layout;
    while let Some(next) = rest.chars().next() {
        match part_at(rest) {
            Some((length, part)) => {
                write(part, time, zone, &mut out);
                rest = &rest[length..];
            }
            None => {
                out.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    out
}

/// The part that a layout begins with, and its length in bytes.
fn part_at(layout: &str) -> Option<(usize, Part)> {
    if let Some(found) = fraction(layout) {
        return Some(found);
    }
    // `_2006` is a year after an underscore, not a day.
    if layout.starts_with("_2006") {
        return None;
    }
    let (word, part) = WORDS.iter().find(|(word, _)| layout.starts_with(word))?;
    let goes_on = layout[word.len()..].starts_with(|next: char| next.is_ascii_lowercase());
    match part {
        // "Month" and "Janet" are words of their own.
        Part::Month { long: false } | Part::Weekday { long: false } if goes_on => None,
        _ => Some((word.len(), *part)),
    }
}

/// `.000` or `,999`: a separator and equal digits, with no other digit after them.
fn fraction(layout: &str) -> Option<(usize, Part)> {
    let separator = layout.chars().next().filter(|first| matches!(first, '.' | ','))?;
    let digit = layout[1..].chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let digits = layout[1..].chars().take_while(|next| *next == digit).count();
    let ends = !layout[1 + digits..].starts_with(|next: char| next.is_ascii_digit());
    ends.then_some((1 + digits, Part::Fraction { separator, digits, trimmed: digit == '9' }))
}

fn write(part: Part, time: &Time, zone: &Zone, out: &mut String) {
    let civil = time.civil();
    match part {
        Part::Month { long } => out.push_str(shortened(MONTHS[usize::from(civil.month - 1) % 12], long)),
        Part::MonthNumber { padded } => number(civil.month.into(), if padded { 2 } else { 0 }, '0', out),
        Part::Weekday { long } => {
            let day = (time.civil_day() + 4).rem_euclid(7) as usize; // day 0 was a Thursday
            out.push_str(shortened(WEEKDAYS[day], long));
        }
        Part::Day { pad } => {
            number(civil.day.into(), 2 * usize::from(pad.is_some()), pad.unwrap_or('0'), out)
        }
        Part::DayOfYear { pad } => number(day_of_year(&civil), 3, pad, out),
        Part::Year { long: true } => number(civil.year, 4, '0', out),
        Part::Year { long: false } => number(civil.year.max(0) % 100, 2, '0', out),
        Part::Hour24 => number(civil.hour.into(), 2, '0', out),
        Part::Hour12 { padded } => {
            number(i64::from((civil.hour + 11) % 12 + 1), if padded { 2 } else { 0 }, '0', out);
        }
        Part::Minute { padded } => number(civil.minute.into(), if padded { 2 } else { 0 }, '0', out),
        Part::Second { padded } => number(civil.second.into(), if padded { 2 } else { 0 }, '0', out),
        Part::HalfOfDay { upper } => out.push_str(match (civil.hour >= 12, upper) {
            (true, true) => "PM",
            (true, false) => "pm",
            (false, true) => "AM",
            (false, false) => "am",
        }),
        Part::ZoneName => zone_name(time, zone, out),
        Part::Offset { utc_is_z: true, .. } if time.offset() == 0 => out.push('Z'),
        Part::Offset { colons, fields, .. } => {
            offset(time.offset(), if colons { ":" } else { "" }, fields, out)
        }
        Part::Fraction { separator, digits, trimmed } => {
            let mut text: String = format!("{:09}", time.nanoseconds()).chars().take(digits).collect();
            text.extend(std::iter::repeat_n('0', digits.saturating_sub(9)));
            let text = if trimmed { text.trim_end_matches('0') } else { &text };
            if !(trimmed && text.is_empty()) {
                out.push(separator);
                out.push_str(text);
            }
        }
    }
}

fn shortened(name: &str, long: bool) -> &str {
    if long { name } else { &name[..3] }
}

fn number(value: i64, width: usize, pad: char, out: &mut String) {
    let digits = value.unsigned_abs().to_string();
    if value < 0 {
        out.push('-');
    }
    out.extend(std::iter::repeat_n(pad, width.saturating_sub(digits.len())));
    out.push_str(&digits);
}

fn day_of_year(civil: &Civil) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = civil.year % 4 == 0 && (civil.year % 100 != 0 || civil.year % 400 == 0);
    BEFORE[usize::from(civil.month - 1) % 12] + i64::from(civil.day) + i64::from(leap && civil.month > 2)
}

/// `UTC`, the name that the zone has for the offset at that time, or the offset itself.
fn zone_name(time: &Time, zone: &Zone, out: &mut String) {
    if time.offset() == 0 {
        out.push_str("UTC");
    } else if zone.offset_at(time.seconds()) == time.offset() {
        out.push_str(&zone.abbreviation_at(time.seconds()));
    } else {
        offset(time.offset(), "", 2, out);
    }
}

/// Sign, hours and, by the number of fields, minutes and seconds.
fn offset(offset: i32, separator: &str, fields: u8, out: &mut String) {
    // Below a minute west of UTC there is nothing to put the sign before.
    out.push(if offset / 60 < 0 { '-' } else { '+' });
    let (minutes, seconds) = ((offset / 60).unsigned_abs(), (offset % 60).unsigned_abs());
    let values = [minutes / 60, minutes % 60, seconds];
    for (place, value) in values.iter().take(fields.into()).enumerate() {
        if place > 0 {
            out.push_str(separator);
        }
        number(i64::from(*value), 2, '0', out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_read_as_go_reads_them() {
        let time = Time::new(1_706_931_245, 67_800_000, 19_800); // Saturday
        let check = |layout: &str, expect: &str| {
            assert_eq!(format(layout, &time, &Zone::utc()), expect, "{layout}");
        };
        check("2006-01-02T15:04:05Z07:00", "2024-02-03T09:04:05+05:30");
        check("Mon Jan _2 03:04:05.000 PM MST 06", "Sat Feb  3 09:04:05.067 AM +0530 24");
        check("Monday, January 2 2006 3:4:5pm -07", "Saturday, February 3 2024 9:4:5am +05");
        check("Month Janet 002 __2 _2006 1", "Month Janet 034  34 _2024 2");
        check(".000000000000 ,999 .9999999 .00x .001", ".067800000000 ,067 .0678 .06x .002");
        check("Z07:00:00 Z070000 -07:00 Z07", "+05:30:00 +053000 +05:30 +05");
        check("15h/2006é%", "09h/2024é%");
        let utc = Time::utc(0, 0);
        assert_eq!(format("Z0700 MST -0700 .999|3PM", &utc, &Zone::utc()), "Z UTC +0000 |12AM");
        let west = Time::new(0, 0, -12_600);
        assert_eq!(format("15:04 -07:00 MST", &west, &Zone::fixed(0)), "20:30 -03:30 -0330");
    }
}
