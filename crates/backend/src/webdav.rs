//! The WebDAV backend: a folder behind an HTTP server that knows folders.
//!
//! Source: RFC 4918. The layout is that of a folder ([`crate::layout`]), so what lies behind the server is a local
//! repository. A file is uploaded under another name and moved to its own when it is whole: a PUT that breaks off may
//! leave a half.

use crate::net::failure::Failure;
use crate::net::http::{Answer, Dial, Http};
use crate::net::{self, download};
use crate::random::Random;
use crate::rest::{Login, login_of};
use crate::{
    Backend, ByteRange, Capabilities, Error, ErrorKind, FileKind, FileName, Listed, Payload, Result, layout,
};
use ::http::StatusCode;
use ::http::header::{CONTENT_TYPE, HeaderName, RANGE};
use reqwest::{Method, RequestBuilder, Url};
use std::num::NonZeroUsize;

mod listing;

/// How many calls run at once unless told otherwise.
pub const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(5).expect("five is not zero");

const DESTINATION: HeaderName = HeaderName::from_static("destination");
const OVERWRITE: HeaderName = HeaderName::from_static("overwrite");

type Outcome<T> = std::result::Result<T, Failure>;

/// A repository behind a WebDAV server.
pub struct WebDav {
    http: Http,
    url: Url,
    login: Option<Login>,
    shown: String,
    connections: NonZeroUsize,
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
        let mut url = Url::parse(url)
            .map_err(|error| Error::about(ErrorKind::Unusable, "open", shown.clone()).caused_by(error))?;
        let login = login_of(&mut url)
            .or_else(|| (!login.user.is_empty() || !login.password.is_empty()).then(|| login.clone()));
        let dial = Dial { connections: connections.get(), ..Dial::default() };
        Ok(WebDav { http: Http::new(network, dial)?, url, login, shown, connections })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        // Ids and kinds need no escaping, and the URL ends with a slash: joining cannot fail.
        self.request_at(method, self.url.join(path).unwrap_or_else(|_| self.url.clone()))
    }

    fn request_at(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.client.request(method, url);
        match &self.login {
            Some(login) => request.basic_auth(&login.user, Some(&login.password)),
            None => request,
        }
    }

    fn length(&self, file: FileName) -> Outcome<u64> {
        let answer = self.http.fetch(self.request(Method::HEAD, &layout::path(file)))?.success()?;
        answer.length().ok_or(Failure::Answer("does not say how long the file is"))
    }

    fn get(&self, file: FileName, range: Option<String>) -> Outcome<Answer<'_>> {
        let request = self.request(Method::GET, &layout::path(file));
        let request = match range {
            Some(range) => request.header(RANGE, range),
            None => request,
        };
        self.http.fetch(request)?.success()
    }

    /// Makes a folder, and those above it that are missing.
    fn make_folder(&self, url: &Url) -> Outcome<()> {
        let make = || self.http.send(self.request_at(method(b"MKCOL"), url.clone()));
        let made = make()?;
        if !matches!(made.status(), StatusCode::CONFLICT | StatusCode::NOT_FOUND) || url.path() == "/" {
            return there(made);
        }
        made.finish();
        self.make_folder(&above(url))?;
        there(make()?)
    }

    fn make_ready(&self) -> Outcome<()> {
        self.make_folder(&self.url)?;
        for kind in FileKind::WITH_ID {
            self.make_folder(&self.folder(layout::folder(kind)))?;
        }
        Ok(())
    }

    /// The URL of a folder below the repository's.
    fn folder(&self, path: &str) -> Url {
        let slash = if path.is_empty() { "" } else { "/" };
        self.url.join(&format!("{path}{slash}")).unwrap_or_else(|_| self.url.clone())
    }

    /// Uploads to a name that no listing shows; makes the folder if it is missing.
    fn upload(&self, file: FileName, temporary: &str, payload: &Payload<'_>) -> Outcome<()> {
        let put = || {
            let request = self.request(Method::PUT, temporary);
            self.http.upload(request.header(CONTENT_TYPE, "application/octet-stream"), payload)
        };
        let answer = put()?;
        match answer.status() {
            StatusCode::CONFLICT | StatusCode::NOT_FOUND => {
                answer.finish();
                self.make_folder(&self.folder(&layout::parent(file)))?;
                done(put()?)
            }
            _ => done(answer),
        }
    }

    /// Gives an uploaded file its name; never that of another.
    fn rename(&self, temporary: &str, file: FileName) -> Outcome<()> {
        let to = self.folder("").join(&layout::path(file)).map_err(|_| Failure::Answer("has no place"))?;
        let ask = |destination: &str| {
            let request = self.request(method(b"MOVE"), temporary);
            self.http.send(request.header(DESTINATION, destination).header(OVERWRITE, "F"))
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
        done(self.http.send(self.request(method, path))?)
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

impl Backend for WebDav {
    fn capabilities(&self) -> Capabilities {
        // What is there is kept: moving over it would remove it first.
        Capabilities { connections: self.connections.get(), atomic_replace: false }
    }

    fn location(&self) -> String {
        self.shown.clone()
    }

    fn create(&self) -> Result<()> {
        match self.length(FileName::CONFIG) {
            Ok(_) => return Err(Error::new(ErrorKind::AlreadyExists, "create", FileName::CONFIG)),
            Err(failure) if failure.kind() == ErrorKind::NotFound => {}
            Err(failure) => return Err(failure.about("create", &self.shown)),
        }
        self.make_ready().map_err(|failure| failure.about("create", &self.shown))
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        let temporary = format!("{}-tmp-{:016x}", layout::path(file), Random::fresh().next());
        let uploaded = self.upload(file, &temporary, payload);
        uploaded.and_then(|()| self.rename(&temporary, file)).map_err(|failure| {
            // As good as it goes: no listing shows what stays.
            let _ = self.change(Method::DELETE, &temporary);
            failure.of_file("save", file)
        })
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        download::range(range, into, |bytes| self.get(file, Some(bytes)), || self.length(file))
            .map_err(|failure| failure.of_file("load", file))
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let loaded = self.get(file, None).and_then(|answer| download::whole(answer, at_most, into));
        loaded.map_err(|failure| failure.of_file("load", file))
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.length(file).map_err(|failure| failure.of_file("stat", file))
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        if kind == FileKind::Config {
            return Ok(());
        }
        listing::list(self, kind, each)
    }

    fn remove(&self, file: FileName) -> Result<()> {
        self.change(Method::DELETE, &layout::path(file)).map_err(|failure| failure.of_file("remove", file))
    }
}
