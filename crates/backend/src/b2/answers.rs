//! What B2 answers, as far as we look at it, and what its refusals mean.

use crate::ErrorKind;
use crate::net::failure::{Failure, kind_of};
use ::http::StatusCode;
use serde::Deserialize;

/// Of `b2_authorize_account`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authorized {
    pub(super) account_id: String,
    pub(super) authorization_token: String,
    pub(super) api_url: String,
    pub(super) download_url: String,
    #[serde(default)]
    pub(super) allowed: Allowed,
}

/// What the key may do, and where.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Allowed {
    pub(super) capabilities: Option<Vec<String>>,
    pub(super) bucket_id: Option<String>,
    pub(super) bucket_name: Option<String>,
}

/// Of `b2_list_buckets`.
#[derive(Deserialize)]
pub(super) struct Buckets {
    pub(super) buckets: Vec<Bucket>,
}

/// Of `b2_create_bucket`, too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bucket {
    pub(super) bucket_id: String,
    pub(super) bucket_name: String,
}

/// Of `b2_get_upload_url`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UploadUrl {
    pub(super) upload_url: String,
    pub(super) authorization_token: String,
}

/// Of an upload.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Uploaded {
    content_length: u64,
    content_sha1: Option<String>,
}

impl Uploaded {
    /// Whether it is about what was sent.
    pub(super) fn is(&self, sha1: &str, length: u64) -> bool {
        let theirs = self.content_sha1.as_ref();
        self.content_length == length && theirs.is_none_or(|theirs| theirs.eq_ignore_ascii_case(sha1))
    }
}

/// Of a call that only has to work; it must be an object.
#[derive(Deserialize)]
pub(super) struct Done {}

/// A page of files or of versions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Files {
    pub(super) files: Vec<File>,
    // It has to be told, even if it is `null`: a page without it is not known to be the last.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) next_file_name: Option<String>,
    #[serde(default)]
    pub(super) next_file_id: Option<String>,
}

/// A file, or a version of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct File {
    pub(super) file_name: String,
    pub(super) file_id: Option<String>,
    pub(super) action: Action,
    pub(super) content_length: Option<u64>,
}

/// What a version did.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Upload,
    Hide,
    /// The beginning of an upload in parts, or a folder, which is no version.
    #[serde(other)]
    Other,
}

/// What a refusal says.
#[derive(Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    message: String,
}

/// What remains of a refusal of our token, if new ones are refused for the same reason: that may pass.
const TOO_OLD: &str = "is that our token is too old";

/// Whether it may help to log in again; never for what is about what the key may do.
pub(super) fn wants_login(failure: &Failure) -> bool {
    matches!(failure, Failure::Status { status: StatusCode::UNAUTHORIZED, .. } | Failure::Answer(TOO_OLD))
}

/// The failure that a refusal is.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else { return Failure::status(status, body) };
    let kind = match refusal.code.as_str() {
        "file_not_present" | "no_such_file" | "already_hidden" | "bad_bucket_id" | "not_found" => {
            ErrorKind::NotFound
        }
        "duplicate_bucket_name" => ErrorKind::AlreadyExists,
        "too_many_buckets" => ErrorKind::Unusable,
        "storage_cap_exceeded" | "cap_exceeded" => ErrorKind::NoSpace,
        "unauthorized" | "access_denied" | "transaction_cap_exceeded" | "download_cap_exceeded" => {
            ErrorKind::Denied
        }
        "expired_auth_token" => return Failure::Answer(TOO_OLD),
        _ if status == StatusCode::UNAUTHORIZED => return Failure::status(status, refusal.said().as_bytes()),
        _ => kind_of(status),
    };
    Failure::refused(kind, &refusal.said())
}

impl Refusal {
    fn said(&self) -> String {
        match self.message.is_empty() {
            true => self.code.clone(),
            false => format!("{} ({})", self.message, self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_of_the_kind_its_code_tells() {
        let kind = |status, code: &str| {
            let body = format!(r#"{{"status":{status},"code":"{code}","message":"words"}}"#);
            let failure = refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            (failure.kind(), wants_login(&failure))
        };
        assert_eq!(kind(401, "expired_auth_token"), (ErrorKind::Temporary, true));
        assert_eq!(kind(401, "bad_auth_token"), (ErrorKind::Denied, true));
        assert_eq!(kind(401, "unauthorized"), (ErrorKind::Denied, false));
        assert_eq!(kind(403, "storage_cap_exceeded"), (ErrorKind::NoSpace, false));
        assert_eq!(kind(400, "file_not_present"), (ErrorKind::NotFound, false));
        assert_eq!(kind(400, "bad_request"), (ErrorKind::Temporary, false));
        assert_eq!(kind(400, "duplicate_bucket_name"), (ErrorKind::AlreadyExists, false));
        assert_eq!(kind(503, "service_unavailable"), (ErrorKind::Temporary, false));
        let text = refusal(StatusCode::BAD_REQUEST, br#"{"code":"x","message":"a\u001b[1mb"}"#).to_string();
        assert_eq!(text, "a\\x1b[1mb (x)");
    }

    #[test]
    fn a_page_that_does_not_say_whether_it_is_the_last_is_none() {
        assert!(serde_json::from_str::<Files>(r#"{"files":[]}"#).is_err());
        assert!(serde_json::from_str::<Files>(r#"{"files":[],"nextFileName":null}"#).is_ok());
    }

    #[test]
    fn what_a_version_did_need_not_be_known() {
        let file = |action: &str| -> File {
            serde_json::from_str(&format!(r#"{{"fileName":"x","fileId":null,"action":"{action}"}}"#)).unwrap()
        };
        assert!(file("upload").action == Action::Upload && file("hide").action == Action::Hide);
        assert!(file("start").action == Action::Other && file("copy").action == Action::Other);
    }
}
