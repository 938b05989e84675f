//! The times that `find` reads: dates of two forms, with or without time and zone.

use tresor_repo::time::{Time, Zone};

/// Reads `2006-01-02` or `02.01.2006`, perhaps with ` 15:04` or ` 15:04:05`, the latter perhaps with ` -0700` or
/// ` MST`; or `Mon Jan 2 15:04:05 -0700 MST 2006`. Without a zone it is the clock of `zone`.
pub(super) fn parse(text: &str, zone: &Zone) -> Option<Time> {
    let words: Vec<&str> = text.split(' ').collect();
    let (date, clock, offset) = match words[..] {
        [date] => (numeric_date(date)?, "00:00:00".to_owned(), None),
        [date, clock] if clock.len() == 5 => (numeric_date(date)?, format!("{clock}:00"), None),
        [date, clock] => (numeric_date(date)?, clock.to_owned(), None),
        [date, clock, offset] if clock.len() == 8 => (numeric_date(date)?, clock.to_owned(), Some(offset)),
        [weekday, month, day, clock, offset, name, year] => {
            if !is_weekday(weekday) || !is_zone_name(name) {
                return None;
            }
            (date_in_words(day, month, year)?, clock.to_owned(), Some(offset))
        }
        _ => return None,
    };
    let local = zone.parse_local(&format!("{date} {clock}"))?;
    let Some(offset) = offset else { return Some(local) };
    let as_utc = Zone::utc().parse_local(&format!("{date} {clock}"))?;
    let offset = match numeric_offset(offset) {
        Some(offset) => offset,
        None if !is_zone_name(offset) => return None,
        None if zone.abbreviation_at(local.seconds()) == offset => local.offset(),
        None => 0,
    };
    Some(Time::new(as_utc.seconds() - i64::from(offset), 0, offset))
}

/// Brings either form to `2006-01-02`.
fn numeric_date(text: &str) -> Option<String> {
    match text.split('.').collect::<Vec<_>>()[..] {
        [date] => Some(date.to_owned()),
        [day, month, year] => Some(format!("{year}-{month}-{day}")),
        _ => None,
    }
}

fn date_in_words(day: &str, month: &str, year: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? + 1;
    (day.len() <= 2).then(|| format!("{year}-{month:02}-{day:0>2}"))
}

fn is_weekday(text: &str) -> bool {
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].iter().any(|day| day.eq_ignore_ascii_case(text))
}

/// `-0700`, in seconds east of UTC.
fn numeric_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number =
        |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok());
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| digits.len() == 4)?;
    let (hours, minutes): (i32, i32) = (number(hours)??, number(minutes)??);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn is_zone_name(text: &str) -> bool {
    (3..=5).contains(&text.len()) && text.bytes().all(|letter| letter.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let zone = Zone::named("Europe/Berlin").unwrap();
        let parse = |text| super::parse(text, &zone).map(|time| time.to_string());
        for text in ["2024-02-01", "01.02.2024", "2024-02-01 00:00", "01.02.2024 00:00:00"] {
            assert_eq!(parse(text).unwrap(), "2024-02-01T00:00:00+01:00", "{text}");
        }
        assert_eq!(parse("2024-02-01 10:00:00 -0730").unwrap(), "2024-02-01T10:00:00-07:30");
        assert_eq!(parse("2024-02-01 10:00:00 CET").unwrap(), "2024-02-01T10:00:00+01:00");
        assert_eq!(parse("2024-02-01 10:00:00 UTC").unwrap(), "2024-02-01T10:00:00Z");
        assert_eq!(parse("Thu Feb 1 10:00:00 +0000 UTC 2024").unwrap(), "2024-02-01T10:00:00Z");
        for text in [
            "",
            "zz",
            "2024-2-1",
            "2024-02-01T10:00:00",
            "2024-02-01 10",
            "02/01/2024",
            "2024-02-30",
            "2024-02-01 +0100",
            "2024-02-01 10:00 -0700",
            "2024-02-01 10:00:00 -7",
            "2024-02-01 10:00:00 ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
