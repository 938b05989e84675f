//! Points in time with their zone offset, as the format writes them.

/// A point in time and the zone offset it was seen in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970-01-01 UTC.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
    /// Seconds east of UTC.
    pub offset: i32,
}
