//! The 32 bytes that name a repository file or a blob.

use std::fmt;
use std::str::FromStr;

/// 32 bytes, written as 64 lower-case hexadecimal digits: a SHA-256 wherever the format uses one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 32]);

impl Id {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Wraps the bytes as they are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Id(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The full text form, 64 digits.
    pub fn hex(&self) -> String {
        self.to_string()
    }

    /// The first 8 digits, as shown to people.
    pub fn short(&self) -> String {
        self.hex()[..8].to_owned()
    }

    /// Writes the 64 digits into `out` without allocating.
    pub fn write_hex(&self, out: &mut Vec<u8>) {
        out.reserve(64);
        for byte in self.0 {
            out.extend_from_slice(&digits(byte));
        }
    }

    /// Reads exactly 64 lower-case digits; anything else is no id.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let digits: &[u8; 64] = text.try_into().ok()?;
        let (mut bytes, mut all) = ([0; 32], 0);
        for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks().0) {
            let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
            all |= high | low;
            *byte = high << 4 | low & 15;
        }
        (all < NO_DIGIT).then_some(Id(bytes))
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| digits(*byte)).map(char::from).collect()
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn digits(byte: u8) -> [u8; 2] {
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// What [`VALUES`] says of a byte that is no lower-case hexadecimal digit.
const NO_DIGIT: u8 = 16;

/// The value of each digit: indexes hold millions of ids, and a table is several times faster than comparing.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(64);
        self.write_hex(&mut text);
        f.pad(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short())
    }
}

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of 64 lower-case hexadecimal digits")]
pub struct NotAnId;

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Id::from_hex(text.as_bytes()).ok_or(NotAnId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_everything_else() {
        let id = Id::from_bytes(std::array::from_fn(|i| i as u8 * 7));
        assert_eq!(id.hex().parse::<Id>(), Ok(id));
        assert_eq!(id.short(), "00070e15");
        for bad in ["", "00", &id.hex().to_uppercase(), &format!("{id}0"), &"g".repeat(64)] {
            assert_eq!(bad.parse::<Id>(), Err(NotAnId), "{bad}");
        }
    }
}
