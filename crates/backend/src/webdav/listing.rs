//! The listings of a WebDAV server: folder by folder, each whole or an error.

use super::{Outcome, WebDav, method};
use crate::net::failure::{Failure, kind_of};
use crate::net::{download, xml};
use crate::{ErrorKind, FileKind, FileName, Id, Listed, Result, layout};
use ::http::StatusCode;
use ::http::header::{CONTENT_TYPE, HeaderName};
use percent_encoding::percent_decode_str;

const DEPTH: HeaderName = HeaderName::from_static("depth");
/// What we want to know of each file.
const QUESTION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><D:propfind xmlns:D=\"DAV:\"><D:prop>\
                        <D:resourcetype/><D:getcontentlength/></D:prop></D:propfind>";
/// How long an answer may be.
const LONGEST: u64 = 64 * 1024 * 1024;

/// One member of a folder.
#[derive(Debug, PartialEq, Eq)]
enum Member {
    Folder(String),
    /// With the length that was told, whatever it is.
    File(String, String),
}

/// Tells `each` of the files of `kind`.
pub(super) fn list(dav: &WebDav, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
    let failed = |failure: Failure| failure.about("list", kind.word());
    let Some(members) = top(dav, layout::folder(kind)).map_err(failed)? else { return Ok(()) };
    if kind != FileKind::Pack {
        return tell(kind, layout::folder(kind), members, each);
    }
    let mut folders: Vec<String> = (0..=u8::MAX).map(layout::pack_folder).collect();
    folders.retain(|folder| {
        members
            .iter()
            .any(|member| matches!(member, Member::Folder(name) if folder.ends_with(&format!("/{name}"))))
    });
    for some in folders.chunks(dav.connections.get()) {
        let listed: Vec<_> = std::thread::scope(|scope| {
            let asked: Vec<_> =
                some.iter().map(|folder| scope.spawn(move || members_of(dav, folder))).collect();
            asked.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
        });
        for (folder, members) in some.iter().zip(listed) {
            let members = members.unwrap_or(Err(Failure::Answer("was lost"))).map_err(failed)?;
            tell(kind, folder, members, each)?;
        }
    }
    Ok(())
}

/// Tells `each` of the files that belong into this folder.
fn tell(
    kind: FileKind,
    folder: &str,
    members: Vec<Member>,
    each: &mut dyn FnMut(Listed) -> Result<()>,
) -> Result<()> {
    for member in members {
        let Member::File(name, size) = member else { continue };
        let Some(id) = Id::from_hex(name.as_bytes()) else { continue };
        if layout::parent(FileName::new(kind, id)) != folder {
            continue;
        }
        let size = size
            .trim()
            .parse()
            .map_err(|_| Failure::Answer("does not say how long a file is").about("list", kind.word()))?;
        each(Listed { id, size })?;
    }
    Ok(())
}

/// What is in the folder of a kind; nothing if that was never made, and the repository's own folder is there.
fn top(dav: &WebDav, folder: &str) -> Outcome<Option<Vec<Member>>> {
    match members_of(dav, folder) {
        Err(failure) if failure.kind() == ErrorKind::NotFound => {
            ask(dav, "", "0").map(|_| None) // else nothing can be said about what is in it
        }
        members => members.map(Some),
    }
}

fn members_of(dav: &WebDav, folder: &str) -> Outcome<Vec<Member>> {
    members(&ask(dav, folder, "1")?, folder.rsplit('/').next().unwrap_or_default())
}

/// The description of a folder, and of what is in it for depth 1.
fn ask(dav: &WebDav, folder: &str, depth: &str) -> Outcome<Vec<u8>> {
    let request = dav.site.request_at(method(b"PROPFIND"), dav.folder(folder));
    let request = request.header(DEPTH, depth).header(CONTENT_TYPE, "application/xml").body(QUESTION);
    let answer = dav.site.http.send(request)?.success()?;
    if answer.status() != StatusCode::MULTI_STATUS {
        return Err(Failure::Answer("is no listing"));
    }
    let mut body = Vec::new();
    download::whole(answer, LONGEST, &mut body)?;
    Ok(body)
}

/// Reads the answer for the folder of this name: what is in it.
fn members(body: &[u8], folder: &str) -> Outcome<Vec<Member>> {
    let document = xml::read(body, "response")?;
    if document.root != "multistatus" || document.records.is_empty() {
        return Err(Failure::Answer("is no listing"));
    }
    let (mut members, mut has_itself) = (Vec::new(), false);
    for mut fields in document.records {
        let href =
            fields.remove("href").ok_or(Failure::Answer("is a listing of something without a name"))?;
        if let Some(status) = fields.get("status") {
            failed_part(status)?;
        }
        let path = percent_decode_str(href.trim()).decode_utf8_lossy();
        let mut parts = path.trim_end_matches('/').rsplit('/');
        let (name, parent) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let is_folder = fields.contains_key("propstat/prop/resourcetype/collection");
        if parent == folder {
            members.push(match is_folder {
                true => Member::Folder(name.to_owned()),
                false => {
                    let size = fields.remove("propstat/prop/getcontentlength").unwrap_or_default();
                    Member::File(name.to_owned(), size)
                }
            });
        } else if name == folder && is_folder {
            has_itself = true;
        } else {
            return Err(Failure::Answer("is a listing of another folder"));
        }
    }
    if has_itself { Ok(members) } else { Err(Failure::Answer("is a listing without the folder itself")) }
}

/// The status of a part: one that failed makes the listing incomplete.
fn failed_part(status: &str) -> Outcome<()> {
    let code = status.split_whitespace().nth(1).and_then(|code| StatusCode::from_bytes(code.as_bytes()).ok());
    match code {
        Some(code) if code.is_success() => Ok(()),
        Some(code) if !kind_of(code).is_temporary() && code != StatusCode::NOT_FOUND => {
            Err(Failure::status(code, b"a part of the listing"))
        }
        _ => Err(Failure::Answer("is a listing with parts that failed")),
    }
}

/// For [`fuzz`](crate::fuzz).
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    let _ = members(bytes, "keys");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(href: &str, inside: &str) -> String {
        format!("<D:response><D:href>{href}</D:href>{inside}</D:response>")
    }

    fn file(href: &str, size: &str) -> String {
        let prop =
            format!("<D:prop><D:getcontentlength>{size}</D:getcontentlength><D:resourcetype/></D:prop>");
        response(href, &format!("<D:propstat>{prop}<D:status>HTTP/1.1 200 OK</D:status></D:propstat>"))
    }

    fn folder(href: &str) -> String {
        let prop = "<D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop>";
        let missing = "<D:propstat><D:prop><D:getcontentlength/></D:prop>\
                       <D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>";
        response(
            href,
            &format!("<D:propstat>{prop}<D:status>HTTP/1.1 200 OK</D:status></D:propstat>{missing}"),
        )
    }

    fn read(responses: &[String]) -> Outcome<Vec<Member>> {
        let body = format!(
            "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">{}</D:multistatus>",
            responses.concat()
        );
        members(body.as_bytes(), "keys")
    }

    #[test]
    fn members_are_found_however_the_server_writes_their_addresses() {
        for base in ["/dav/keys", "http://host:1/dav/keys", "/dav/%6Beys"] {
            let itself = folder(&format!("{base}/"));
            let members =
                read(&[itself, file(&format!("{base}/a%62"), "7"), folder(&format!("{base}/x/"))]).unwrap();
            assert_eq!(
                members,
                [Member::File("ab".into(), "7".into()), Member::Folder("x".into())],
                "{base}"
            );
        }
    }

    #[test]
    fn a_listing_is_of_the_folder_asked_for_and_whole() {
        let itself = || folder("/dav/keys/");
        assert!(read(&[itself()]).unwrap().is_empty());
        let full = response("/dav/keys/", "<D:status>HTTP/1.1 507 Insufficient Storage</D:status>");
        let busy = response("/dav/keys/x", "<D:status>HTTP/1.1 503 Busy</D:status>");
        for bad in [vec![], vec![file("/dav/keys/a", "1")], vec![itself(), file("/dav/other/a", "1")]] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
        assert!(read(&[itself(), busy]).unwrap_err().kind().is_temporary());
        assert!(read(&[itself(), full]).is_err());
        assert!(read(&[itself(), response("", "")]).is_err());
        for bad in ["", "<html/>", "<D:multistatus xmlns:D=\"DAV:\"><D:response>", "<multistatus/>"] {
            assert!(members(bad.as_bytes(), "keys").is_err(), "{bad}");
        }
    }
}
