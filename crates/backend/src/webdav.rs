//! The WebDAV backend: a folder behind an HTTP server that knows folders.
//!
//! Source: RFC 4918. The layout is that of a folder ([`crate::layout`]), so what lies behind the server is a local
//! repository. A file is uploaded under another name and moved to its own when it is whole: a PUT that breaks off may
//! leave a half.

use crate::net::download::ranged;
use crate::net::failure::Failure;
use crate::net::http::{Answer, Dial};
use crate::net::{self, Login, Site};
use crate::random::Random;
use crate::served::{Outcome, Served};
use crate::{ErrorKind, FileKind, FileName, Listed, Payload, Result, layout};
use ::http::StatusCode;
use ::http::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Method, Url};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

mod listing;

#[cfg(feature = "fuzzing")]
pub(crate) use listing::fuzz;

/// How many calls run at once unless told otherwise.
pub const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(5).expect("five is not zero");

const DESTINATION: HeaderName = HeaderName::from_static("destination");
const OVERWRITE: HeaderName = HeaderName::from_static("overwrite");

/// A repository behind a WebDAV server.
pub struct WebDav {
    site: Site,
    shown: String,
    connections: NonZeroUsize,
    /// Held while folders are made: WsgiDAV answers 500 and rclone 423 to who makes one that another is just making.
    making: Mutex<()>,
}

impl WebDav {
    /// The repository at `url` (as in [`crate::location::Place::WebDav`]), shown to people as `shown`.
    ///
    /// # Errors
    /// [`ErrorKind::Unusable`] if that is no URL of a server.
    pub fn open(
        url: &str,
        shown: String,
        login: &Login,
        connections: NonZeroUsize,
        network: &net::Options,
    ) -> Result<Self> {
        let dial = Dial { connections: connections.get(), ..Dial::default() };
        Ok(WebDav {
            site: Site::open(url, &shown, login, network, dial)?,
            shown,
            connections,
            making: Mutex::default(),
        })
    }

    /// Makes a folder, and those above it that are missing.
    fn make_folder(&self, url: &Url) -> Outcome<()> {
        let make = || self.site.http.send(self.site.request_at(method(b"MKCOL"), url.clone()));
        let made = make()?;
        if !matches!(made.status(), StatusCode::CONFLICT | StatusCode::NOT_FOUND) || url.path() == "/" {
            return there(made);
        }
        made.finish();
        self.make_folder(&above(url))?;
        there(make()?)
    }

    /// The URL of a folder below the repository's.
    fn folder(&self, path: &str) -> Url {
        let slash = if path.is_empty() { "" } else { "/" };
        self.site.url.join(&format!("{path}{slash}")).unwrap_or_else(|_| self.site.url.clone())
    }

    /// Uploads to a name that no listing shows; makes the folder if it is missing.
    fn upload(&self, file: FileName, temporary: &str, payload: &Payload<'_>) -> Outcome<()> {
        let put = || {
            let request = self.site.request(Method::PUT, temporary);
            self.site.http.upload(request.header(CONTENT_TYPE, "application/octet-stream"), payload)
        };
        let answer = put()?;
        match answer.status() {
            StatusCode::CONFLICT | StatusCode::NOT_FOUND => {
                answer.finish();
                let making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
                self.make_folder(&self.folder(&layout::parent(file)))?;
                drop(making);
                done(put()?)
            }
            _ => done(answer),
        }
    }

    /// Gives an uploaded file its name; never that of another.
    fn rename(&self, temporary: &str, file: FileName) -> Outcome<()> {
        let to = self.folder("").join(&layout::path(file)).map_err(|_| Failure::Answer("has no place"))?;
        let ask = |destination: &str| {
            let request = self.site.request(method(b"MOVE"), temporary);
            self.site.http.send(request.header(DESTINATION, destination).header(OVERWRITE, "F"))
        };
        // The path alone works behind a proxy that speaks TLS for the server, too; some want the whole URL.
        let mut moved = ask(to.path())?;
        if matches!(moved.status(), StatusCode::BAD_REQUEST | StatusCode::BAD_GATEWAY) {
            moved.finish();
            moved = ask(to.as_str())?;
        }
        match moved.status() {
            StatusCode::PRECONDITION_FAILED => {
                Err(Failure::refused(ErrorKind::AlreadyExists, "a file of that name exists already"))
            }
            StatusCode::NOT_FOUND => Err(Failure::Answer("says that what was uploaded is not there")),
            _ => done(moved),
        }
    }

    fn change(&self, method: Method, path: &str) -> Outcome<()> {
        done(self.site.http.send(self.site.request(method, path))?)
    }
}

/// A method of RFC 4918.
fn method(name: &'static [u8]) -> Method {
    // Letters make a method; the default is GET, which changes nothing.
    Method::from_bytes(name).unwrap_or_default()
}

/// The folder above this one; the root is above itself.
fn above(url: &Url) -> Url {
    url.join("..").unwrap_or_else(|_| url.clone())
}

/// Whether a folder was made, or something of that name was there.
fn there(answer: Answer<'_>) -> Outcome<()> {
    match answer.status() {
        StatusCode::METHOD_NOT_ALLOWED => {
            answer.finish();
            Ok(())
        }
        _ => done(answer),
    }
}

/// Whether an answer says that what was asked for is done. "Accepted" does not, nor does a list of what failed.
fn done(answer: Answer<'_>) -> Outcome<()> {
    let answer = answer.success()?;
    match answer.status() {
        StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => {
            answer.finish();
            Ok(())
        }
        _ => Err(Failure::Answer("does not say that it is done")),
    }
}

impl Served for WebDav {
    /// What is there is kept: moving over it would remove it first.
    const ATOMIC_REPLACE: bool = false;

    fn connections(&self) -> NonZeroUsize {
        self.connections
    }

    fn shown(&self) -> &str {
        &self.shown
    }

    fn length(&self, file: FileName) -> Outcome<u64> {
        let request = self.site.request(Method::HEAD, &layout::path(file));
        self.site.http.fetch(request)?.success()?.stated_length()
    }

    fn get(&self, file: FileName, range: Option<&str>) -> Outcome<Answer<'_>> {
        let request = self.site.request(Method::GET, &layout::path(file));
        self.site.http.fetch(ranged(request, range))?.success()
    }

    fn make_ready(&self) -> Outcome<()> {
        self.make_folder(&self.site.url)?;
        for kind in FileKind::WITH_ID {
            self.make_folder(&self.folder(layout::folder(kind)))?;
        }
        Ok(())
    }

    fn put(&self, file: FileName, payload: &Payload<'_>) -> Outcome<()> {
        let temporary = format!("{}-tmp-{:016x}", layout::path(file), Random::fresh().next());
        let uploaded = self.upload(file, &temporary, payload);
        uploaded.and_then(|()| self.rename(&temporary, file)).inspect_err(|_| {
            // As good as it goes: no listing shows what stays.
            let _ = self.change(Method::DELETE, &temporary);
        })
    }

    fn files(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        listing::list(self, kind, each)
    }

    fn delete(&self, file: FileName) -> Outcome<()> {
        self.change(Method::DELETE, &layout::path(file))
    }
}
