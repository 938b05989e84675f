//! From a password to a key: scrypt, its lanes on several cores (format: "Key files").
