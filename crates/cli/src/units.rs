//! Numbers as restic prints and reads them: sizes, percentages, durations.

use std::time::Duration;

/// `17 B`, `9.037 KiB`, … with three decimals from a KiB up.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) => format!("{:.3} {name}", count as f64 / *unit as f64),
        None => format!("{count} B"),
    }
}

/// `12.34%`, at most 100; empty when there is nothing to compare with.
pub(crate) fn percent(part: u64, total: u64) -> String {
    match total {
        0 => String::new(),
        _ => format!("{:.2}%", (100.0 * part as f64 / total as f64).min(100.0)),
    }
}

/// `m:ss`, or `h:mm:ss` from an hour up.
pub(crate) fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A whole number that is not negative, in decimal digits; complaints are worded as Go words them.
pub(crate) fn parse_unsigned(text: &str) -> Result<u32, String> {
    let complaint = |what| format!("strconv.ParseUint: parsing {text:?}: {what}");
    match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        true => text.parse().map_err(|_| complaint("value out of range")),
        false => Err(complaint("invalid syntax")),
    }
}

/// A size argument: a whole number with at most one letter of b, k, m, g, t (powers of 1024).
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let shift = match text.as_bytes().last() {
        None => return Err("expected size, got empty string".into()),
        Some(b'b' | b'B') => Some(0),
        Some(b'k' | b'K') => Some(10),
        Some(b'm' | b'M') => Some(20),
        Some(b'g' | b'G') => Some(30),
        Some(b't' | b'T') => Some(40),
        Some(_) => None,
    };
    let digits = if shift.is_some() { &text[..text.len() - 1] } else { text };
    let number: i64 = crate::gonumber::signed_decimal(digits)?;
    let size = i128::from(number) << shift.unwrap_or(0);
    i64::try_from(size)
        .ok()
        .and_then(|size| u64::try_from(size).ok())
        .ok_or_else(|| format!("ParseSize: {text:?}: value out of range"))
}

/// A duration in Go's form: `1h30m`, `5m`, `1.5s`, `300ms`; a bare number but 0 is an error.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if let Some(positive) = rest.strip_prefix('-') {
        // Less than no time is no time.
        let positive = Some(positive).filter(|text| !text.starts_with(['-', '+'])).ok_or_else(invalid)?;
        return parse_duration(positive).map(|_| Duration::ZERO).map_err(|_| invalid());
    }
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "" => return Err(format!("time: missing unit in duration {text:?}")),
                unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
            };
        rest = &rest[letters..];
    }
    if text.is_empty() {
        return Err(invalid());
    }
    Duration::try_from_secs_f64(total).map_err(|_| invalid())
}

/// A duration as Go prints it: `0s`, `1m30s`, `2h0m0s`, `3.848389288s`.
pub(crate) fn go_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (h, m) = (seconds / 3600, seconds / 60 % 60);
    let fraction = match time.subsec_nanos() {
        0 => String::new(),
        nanos => format!(".{}", format!("{nanos:09}").trim_end_matches('0')),
    };
    match (h, m) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, _) => format!("{m}m{}{fraction}s", seconds % 60),
        _ => format!("{h}h{m}m{}{fraction}s", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_decimals_from_a_kib_up() {
        for (count, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.000 KiB"), (9254, "9.037 KiB"), (1 << 40, "1.000 TiB")]
        {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn unsigned_numbers_have_digits_only() {
        assert_eq!(parse_unsigned("042"), Ok(42));
        for (bad, what) in
            [("", "invalid syntax"), ("-1", "invalid syntax"), ("99999999999", "value out of range")]
        {
            assert!(parse_unsigned(bad).unwrap_err().ends_with(what), "{bad}");
        }
    }

    #[test]
    fn sizes_take_one_letter() {
        for (text, size) in
            [("0", 0), ("17b", 17), ("3k", 3072), ("2M", 2 << 20), ("1g", 1 << 30), ("1T", 1 << 40)]
        {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
        for bad in ["", "k", "1.5M", "1KiB", "-1", "99999999999999T"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, seconds) in [("0", 0.0), ("5m", 300.0), ("1h30m", 5400.0), ("1.5s", 1.5), ("250ms", 0.25)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for bad in ["", "5", "5x", "m", "--1s", "1h5"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn elapsed_shows_hours_only_when_there_are_some() {
        assert_eq!(elapsed(Duration::from_secs(0)), "0:00");
        assert_eq!(elapsed(Duration::from_secs(75)), "1:15");
        assert_eq!(elapsed(Duration::from_secs(3675)), "1:01:15");
    }

    #[test]
    fn durations_are_printed_as_go_prints_them() {
        for (ms, text) in [(0, "0s"), (90_000, "1m30s"), (7_200_000, "2h0m0s"), (3_848, "3.848s")] {
            assert_eq!(go_duration(Duration::from_millis(ms)), text);
        }
    }
}
