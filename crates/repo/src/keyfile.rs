//! A key file: the master key sealed by a password (format: "Key files").
