//! Uploads: each to an address that B2 hands out for one upload at a time.

use super::account::{Account, Target, checked, encoded, parsed};
use super::answers::Uploaded;
use super::digest;
use crate::Payload;
use crate::net::failure::Failure;
use ::http::StatusCode;
use ::http::header::{AUTHORIZATION, CONTENT_TYPE};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many addresses are tried before the upload has failed: a busy one means "take another".
const TARGETS: usize = 4;

/// The addresses that nobody is uploading to at the moment.
#[derive(Default)]
pub(super) struct Uploads(Mutex<Vec<Target>>);

impl Uploads {
    /// Saves a file whole; B2 checks what came by its SHA-1. An address that failed is not used again.
    pub(super) fn save(&self, account: &Account, name: &str, payload: &Payload<'_>) -> Result<(), Failure> {
        let (name, sha1) = (encoded(name), digest::of_payload(payload)?);
        let mut known = self.locked().pop();
        let mut left = TARGETS;
        loop {
            // Only the first try takes one from before: if its token is too old, those of the others are, too.
            let target = known.take().map_or_else(|| account.target(), Ok)?;
            let request = account
                .http
                .client
                .post(target.url.clone())
                .header(AUTHORIZATION, &target.token)
                .header(CONTENT_TYPE, "application/octet-stream")
                .header("X-Bz-File-Name", &name)
                .header(digest::HEADER, &sha1);
            left -= 1;
            let answer = account.http.upload(request, payload);
            let renew = left > 0 && answer.as_ref().is_ok_and(|answer| is_of_no_use(answer.status()));
            match answer.and_then(checked).and_then(parsed::<Uploaded>) {
                Ok(uploaded) if uploaded.is(&sha1, payload.len()) => {
                    self.locked().push(target);
                    return Ok(());
                }
                Ok(_) => return Err(Failure::Answer("is about another file than was sent")),
                Err(_) if renew => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Target>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an address cannot be used any more, and another one can: it is busy, or its token is too old.
fn is_of_no_use(status: StatusCode) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::UNAUTHORIZED)
}
