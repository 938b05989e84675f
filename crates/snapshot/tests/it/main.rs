//! What the storey does as a whole, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod stored_forms;
