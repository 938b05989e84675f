//! Integration tests of the backends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archive;
mod b2;
mod conformance;
mod credentials;
mod logins;
mod full_disk;
mod hostile;
mod object;
mod rest;
mod tls;
mod tls_matrix;
mod scripted_s3;
mod swift;
mod webdav;
mod sftp;
