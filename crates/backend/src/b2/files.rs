//! What is in the bucket: the files of a folder, and all the versions of one file.

use super::account::Account;
use super::answers::{Action, Done, Files};
use crate::net::failure::Failure;
use crate::served::Outcome;
use crate::{ErrorKind, FileKind, Listed, Result, layout};
use serde_json::json;

/// How many files a page of a listing may have: a call may return that many.
const PAGE: u32 = 10_000;
/// How many versions a page may have.
const VERSIONS: u32 = 1000;
/// No file has more pages of versions: it would have been saved as often, or somebody wants to keep us busy.
const MOST_PAGES: usize = 100;

/// Tells `each` of every file of `kind` below `prefix`; names and pages have to go forward.
pub(super) fn list(
    account: &Account,
    prefix: &str,
    kind: FileKind,
    each: &mut dyn FnMut(Listed) -> Result<()>,
) -> Result<()> {
    let failed = |failure: Failure| failure.about("list", kind.word());
    let folder = format!("{prefix}{}/", layout::folder(kind));
    let (mut last, mut next) = (String::new(), None);
    loop {
        let page: Files = account
            .call("b2_list_file_names", |bucket| {
                let mut body = json!({ "bucketId": bucket, "prefix": folder, "maxFileCount": PAGE });
                if let Some(next) = &next {
                    body["startFileName"] = json!(next);
                }
                body
            })
            .map_err(failed)?;
        for file in page.files {
            let name = file.file_name.strip_prefix(prefix).and_then(|path| layout::at(kind, path));
            let (Some(name), Action::Upload) = (name, file.action) else { continue };
            if file.file_name <= last {
                return Err(failed(Failure::Answer("tells of a file twice")));
            }
            let size = file.content_length;
            let size = size.ok_or_else(|| failed(Failure::Answer("does not say how long a file is")))?;
            each(Listed { id: name.id(), size })?;
            last = file.file_name;
        }
        match page.next_file_name {
            None => return Ok(()),
            Some(name) if next.as_ref().is_none_or(|next| name > *next) => next = Some(name),
            Some(_) => return Err(failed(Failure::Answer("is a page of the listing that came before"))),
        }
    }
}

/// Removes a file with all its versions; hides it if the key may not delete.
pub(super) fn remove(account: &Account, name: &str) -> Outcome<()> {
    match account.may_delete()? {
        true => delete(account, name),
        false => {
            let body = |bucket: &str| json!({ "bucketId": bucket, "fileName": name });
            account.call("b2_hide_file", body).map(|Done {}| ())
        }
    }
}

/// Deletes the oldest version first, so that none comes to light in between.
fn delete(account: &Account, name: &str) -> Outcome<()> {
    let versions = versions(account, name)?;
    if versions.first().is_none_or(|(action, _)| *action != Action::Upload) {
        return Err(Failure::refused(ErrorKind::NotFound, "there is no such file"));
    }
    for (_, id) in versions.iter().rev() {
        let body = |_: &str| json!({ "fileName": name, "fileId": id });
        match account.call("b2_delete_file_version", body) {
            Ok(Done {}) => {}
            // Somebody else was faster.
            Err(Failure::Refused { kind: ErrorKind::NotFound, .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// Every version of a file with its id, newest first; uploads in parts that never ended are none.
fn versions(account: &Account, name: &str) -> Outcome<Vec<(Action, String)>> {
    let mut all: Vec<(Action, String)> = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let page: Files = account.call("b2_list_file_versions", |bucket| {
            let mut body = json!({ "bucketId": bucket, "prefix": name, "startFileName": name,
                "maxFileCount": VERSIONS });
            if let Some(id) = &next {
                body["startFileId"] = json!(id);
            }
            body
        })?;
        for file in page.files.into_iter().filter(|file| file.file_name == name) {
            match (file.action, file.file_id) {
                (Action::Other, _) => {}
                (action, Some(id)) => all.push((action, id)),
                (_, None) => return Err(Failure::Answer("does not say the id of a version")),
            }
        }
        let id = page.next_file_id.filter(|_| page.next_file_name.as_deref() == Some(name));
        let Some(id) = id else { return Ok(all) };
        // The next page begins with a version that has not been told yet.
        if all.iter().any(|(_, told)| *told == id) {
            break;
        }
        next = Some(id);
    }
    Err(Failure::Answer("lists versions without end"))
}
