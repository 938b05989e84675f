//! Numbers in arguments as Go's `strconv` reads them, and its words for what it cannot read.

/// A truth value.
///
/// # Errors
/// Any other word.
pub(crate) fn bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(refusal("ParseBool", text, "invalid syntax")),
    }
}

/// A whole number of 64 bits, signed, in any base that its prefix names.
///
/// # Errors
/// No number, or one that is too large.
pub(crate) fn int(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let magnitude = magnitude(digits).ok_or_else(|| refusal("ParseInt", text, "invalid syntax"))?;
    let magnitude = i128::from(magnitude.unwrap_or(u64::MAX));
    let value = if negative { -magnitude } else { magnitude };
    i64::try_from(value).map_err(|_| refusal("ParseInt", text, "value out of range"))
}

/// A whole number of 64 bits, in any base that its prefix names.
///
/// # Errors
/// No number, one with a sign, or one that is too large.
pub(crate) fn uint(text: &str) -> Result<u64, String> {
    let magnitude = magnitude(text).ok_or_else(|| refusal("ParseUint", text, "invalid syntax"))?;
    magnitude.ok_or_else(|| refusal("ParseUint", text, "value out of range"))
}

/// A decimal number of `bits`, as variables hold it.
///
/// # Errors
/// As [`uint`].
pub(crate) fn decimal(text: &str, bits: u32) -> Result<u64, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refusal("ParseUint", text, "invalid syntax"));
    }
    let value = text.parse::<u64>().ok().filter(|value| bits >= 64 || value >> bits == 0);
    value.ok_or_else(|| refusal("ParseUint", text, "value out of range"))
}

/// A decimal number of 64 bits, signed.
///
/// # Errors
/// As [`int`].
pub(crate) fn signed_decimal(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refusal("ParseInt", text, "invalid syntax"));
    }
    text.parse().map_err(|_| refusal("ParseInt", text, "value out of range"))
}

fn refusal(function: &str, text: &str, why: &str) -> String {
    format!("strconv.{function}: parsing {text:?}: {why}")
}

/// The number's size, within `Some(None)` if it has more than 64 bits; `None` if it is no number.
fn magnitude(text: &str) -> Option<Option<u64>> {
    let lower = text.to_ascii_lowercase();
    let (base, digits, prefixed) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..], true),
        [b'0', b'b', ..] => (2, &lower[2..], true),
        [b'0', b'o', ..] => (8, &lower[2..], true),
        [b'0', _, ..] => (8, &lower[1..], true),
        _ => (10, lower.as_str(), false),
    };
    // Underscores part digits: they follow a digit or the prefix, and a digit follows them.
    let parted = if prefixed { digits.strip_prefix('_').unwrap_or(digits) } else { digits };
    let groups: Vec<&str> = parted.split('_').collect();
    let is_number = groups.iter().all(|group| !group.is_empty() && group.chars().all(|c| c.is_digit(base)));
    is_number.then(|| u64::from_str_radix(&groups.concat(), base).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_the_base_they_name() {
        for (text, value) in
            [("0", 0), ("17", 17), ("0x1F", 31), ("0b11", 3), ("0o17", 15), ("017", 15), ("1_6", 16)]
        {
            assert_eq!(uint(text), Ok(value), "{text}");
            assert_eq!(int(&format!("-{text}")), Ok(-(value as i64)), "{text}");
        }
        assert_eq!(int("-9223372036854775808"), Ok(i64::MIN));
    }

    #[test]
    fn what_is_none_is_refused_in_the_words_of_go() {
        for text in ["", "abc", "1.5", "_1", "1__6", "0x", "08", "+", "é"] {
            assert_eq!(
                int(text),
                Err(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")),
                "{text}"
            );
        }
        assert_eq!(uint("-1").unwrap_err(), "strconv.ParseUint: parsing \"-1\": invalid syntax");
        assert_eq!(
            uint("99999999999999999999").unwrap_err(),
            "strconv.ParseUint: parsing \"99999999999999999999\": value out of range"
        );
        assert_eq!(
            decimal("4294967296", 32).unwrap_err(),
            "strconv.ParseUint: parsing \"4294967296\": value out of range"
        );
        assert!(decimal("0x10", 32).is_err());
        assert_eq!(bool("maybe").unwrap_err(), "strconv.ParseBool: parsing \"maybe\": invalid syntax");
    }
}
