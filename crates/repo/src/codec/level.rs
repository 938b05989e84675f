//! How hard to compress: restic's words, and zstd's own levels as an extension.

use std::fmt;
use std::str::FromStr;

/// How hard to compress new blobs (repository version 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// zstd's default level.
    #[default]
    Auto,
    /// Data blobs are stored raw; trees and files are compressed all the same.
    Off,
    /// Faster than default, larger.
    Fastest,
    /// Slower than default, smaller.
    Better,
    /// Slowest of the named ones, smallest.
    Max,
    /// A level of zstd's own; an extension.
    Zstd(ZstdLevel),
}

/// A level of zstd: from 1, fast and large, to 22, very slow and small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZstdLevel(u8);

/// What stands before a level in the words of [`Compression`].
const PREFIX: &str = "zstd:";

/// A text that names no way to compress.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCompression {
    /// Not a word either.
    #[error("invalid compression mode {0:?}, must be one of (auto|off|fastest|better|max)")]
    Mode(String),
    /// It begins like a level of zstd.
    #[error("invalid compression mode {0:?}, zstd's levels are zstd:1 to zstd:22")]
    Level(String),
}

impl ZstdLevel {
    /// The level that stands there in digits and nothing else, if zstd has it.
    fn of_digits(digits: &str) -> Option<Self> {
        let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
        digits.parse().ok().filter(|number| is_plain && (1..=22).contains(number)).map(ZstdLevel)
    }
}

impl Compression {
    /// Whether nobody asked for a level.
    pub(crate) fn is_default(self) -> bool {
        matches!(self, Compression::Auto | Compression::Off)
    }

    pub(super) fn number(self) -> i32 {
        match self {
            Compression::Fastest => 1,
            Compression::Auto | Compression::Off => 3,
            Compression::Better => 7,
            Compression::Max => 12,
            Compression::Zstd(ZstdLevel(level)) => level.into(),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compression::Auto => f.write_str("auto"),
            Compression::Off => f.write_str("off"),
            Compression::Fastest => f.write_str("fastest"),
            Compression::Better => f.write_str("better"),
            Compression::Max => f.write_str("max"),
            Compression::Zstd(ZstdLevel(level)) => write!(f, "{PREFIX}{level}"),
        }
    }
}

impl FromStr for Compression {
    type Err = NoCompression;

    fn from_str(text: &str) -> Result<Self, NoCompression> {
        Ok(match text {
            "auto" => Compression::Auto,
            "off" => Compression::Off,
            "fastest" => Compression::Fastest,
            "better" => Compression::Better,
            "max" => Compression::Max,
            other => match other.strip_prefix(PREFIX) {
                None => return Err(NoCompression::Mode(other.to_owned())),
                Some(digits) => ZstdLevel::of_digits(digits)
                    .map(Compression::Zstd)
                    .ok_or_else(|| NoCompression::Level(other.to_owned()))?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_compress_is_read_as_it_is_written() {
        for text in ["auto", "off", "fastest", "better", "max", "zstd:1", "zstd:9", "zstd:22"] {
            assert_eq!(text.parse::<Compression>().unwrap().to_string(), text);
        }
        for text in ["", "Auto", "auto ", "zstd", "3"] {
            assert_eq!(text.parse::<Compression>(), Err(NoCompression::Mode(text.to_owned())));
        }
        for text in ["zstd:", "zstd:0", "zstd:23", "zstd:-1", "zstd:+3", "zstd:03", "zstd:256"] {
            assert_eq!(text.parse::<Compression>(), Err(NoCompression::Level(text.to_owned())));
        }
    }
}
