//! Integration tests of the backends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod full_disk;
mod hostile;
mod rest;
mod tls;
mod sftp;
