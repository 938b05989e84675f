//! The messages that every command may write to stderr.

use schemars::JsonSchema;
use serde::Serialize;

/// Something that people should know; the run goes on.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Warning<'a> {
    pub(super) message_type: &'static str,
    pub(super) message: &'a str,
}

/// Why the run ends, and with which exit code; always the last line.
#[derive(JsonSchema, Serialize)]
pub(crate) struct ExitError<'a> {
    pub(super) message_type: &'static str,
    pub(super) code: u8,
    pub(super) message: &'a str,
    /// What to do about it; not under the name `restic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<&'a str>,
}
