//! tresor and the real restic in turns on repositories behind real servers.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod exchange;
mod dns_spoof;
mod far;
mod killed;

mod b2;
mod rclone;
mod object;
mod plain;
mod rest;
mod secret_grep;
mod sftp;
mod ssh_inject;
mod swift;
mod tls_show;
mod webdav;
