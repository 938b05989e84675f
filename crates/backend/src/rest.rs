//! The REST backend: restic's own protocol over HTTP, as rest-server and rclone speak it.
//!
//! Source: restic's documentation, "REST Backend", versions 1 and 2. Files lie flat under their kind; what is
//! asked for is version 2, whose listings have sizes.

use crate::net::failure::Failure;
use crate::net::http::{Answer, Dial, Http};
use crate::net::pipe::Pipe;
use crate::net::{self, download};
use crate::{
    Backend, ByteRange, Capabilities, Error, ErrorKind, FileKind, FileName, Listed, Payload, Result,
};
use ::http::header::{ACCEPT, CONTENT_TYPE, RANGE, SERVER};
use reqwest::{Method, RequestBuilder, Url};
use std::num::NonZeroUsize;
use std::path::PathBuf;

mod listing;
#[cfg(test)]
mod tests;

/// How many calls run at once unless told otherwise.
pub const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(5).expect("five is not zero");

/// The content type of version 2; asking for it gets listings with sizes.
const VERSION_2: &str = "application/vnd.x.restic.rest.v2";

/// Name and password for the server, if its URL has none.
#[derive(Clone, Default)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// A repository behind a REST server.
pub struct Rest {
    http: Http,
    url: Url,
    login: Option<Login>,
    shown: String,
    connections: NonZeroUsize,
}

impl Rest {
    /// The repository at `url` (as in [`crate::location::Place::Rest`]), shown to people as `shown`.
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
        let unusable = |reason: &'static str| {
            Error::about(ErrorKind::Unusable, "open", shown.clone()).caused_by(Failure::Answer(reason))
        };
        let (address, socket) = address(url).ok_or_else(|| unusable("cannot be asked for: no socket"))?;
        let mut url = Url::parse(&address)
            .map_err(|error| Error::about(ErrorKind::Unusable, "open", shown.clone()).caused_by(error))?;
        let login = login_of(&mut url)
            .or_else(|| (!login.user.is_empty() || !login.password.is_empty()).then(|| login.clone()));
        let dial = Dial { socket, http2: true, connections: connections.get(), pipe: None };
        Ok(Rest { http: Http::new(network, dial)?, url, login, shown, connections })
    }

    /// The repository that a program serves on its standard streams.
    pub(crate) fn through(
        pipe: Pipe,
        shown: String,
        connections: NonZeroUsize,
        network: &net::Options,
    ) -> Result<Self> {
        let url = Url::parse("http://localhost/")
            .map_err(|error| Error::about(ErrorKind::Unusable, "open", shown.clone()).caused_by(error))?;
        let dial = Dial { pipe: Some(pipe), ..Dial::default() };
        Ok(Rest { http: Http::new(network, dial)?, url, login: None, shown, connections })
    }

    /// Asks for a file that is not there; any answer will do.
    pub(crate) fn greet(&self, path: &str) -> std::result::Result<(), Failure> {
        self.http.fetch(self.request(Method::GET, path))?.finish();
        Ok(())
    }

    /// How long an answer may take from now on.
    pub(crate) fn patience(&mut self, stuck_after: std::time::Duration) {
        self.http.stuck_after = stuck_after;
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        // Ids and kinds need no escaping, and the URL ends with a slash: joining cannot fail.
        let url = self.url.join(path).unwrap_or_else(|_| self.url.clone());
        let request = self.http.client.request(method, url).header(ACCEPT, VERSION_2);
        match &self.login {
            Some(login) => request.basic_auth(&login.user, Some(&login.password)),
            None => request,
        }
    }

    fn length(&self, file: FileName) -> std::result::Result<u64, Failure> {
        let answer = self.http.fetch(self.request(Method::HEAD, &path(file)))?.success()?;
        answer.length().ok_or(Failure::Answer("does not say how long the file is"))
    }

    fn get(&self, file: FileName, range: Option<String>) -> std::result::Result<Answer<'_>, Failure> {
        let request = self.request(Method::GET, &path(file));
        let request = match range {
            Some(range) => request.header(RANGE, range),
            None => request,
        };
        self.http.fetch(request)?.success()
    }

    fn change(&self, method: Method, path: &str) -> std::result::Result<(), Failure> {
        self.http.send(self.request(method, path))?.success()?.finish();
        Ok(())
    }
}

/// The URL to connect to, and the socket to do it through, if that is what the text names.
fn address(url: &str) -> Option<(String, Option<PathBuf>)> {
    for (scheme, plain) in [("http+unix://", "http"), ("https+unix://", "https")] {
        let Some(rest) = url.strip_prefix(scheme) else { continue };
        let (socket, path) = rest.split_once(':').unwrap_or((rest, "/"));
        let socket = socket.trim_end_matches('/');
        if socket.is_empty() {
            return None;
        }
        return Some((format!("{plain}://localhost/{}", path.trim_start_matches('/')), Some(socket.into())));
    }
    Some((url.to_owned(), None))
}

/// Takes name and password out of a URL.
pub(crate) fn login_of(url: &mut Url) -> Option<Login> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login =
        Login { user: decoded(url.username()), password: decoded(url.password().unwrap_or_default()) };
    // These fail only for URLs without a host, and this one has one.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(login)
}

/// Where a file is, below the repository's URL.
fn path(file: FileName) -> String {
    match file.kind() {
        FileKind::Config => "config".to_owned(),
        kind => format!("{}{}", folder(kind), file.id()),
    }
}

fn folder(kind: FileKind) -> String {
    format!("{}/", crate::layout::folder(kind))
}

impl Backend for Rest {
    fn capabilities(&self) -> Capabilities {
        // Servers keep what is there: saving over it is refused.
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
        self.change(Method::POST, "?create=true").map_err(|failure| failure.about("create", &self.shown))
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        let request =
            self.request(Method::POST, &path(file)).header(CONTENT_TYPE, "application/octet-stream");
        let saved = self.http.upload(request, payload).and_then(Answer::success).map(Answer::finish);
        saved.map_err(|failure| match failure.kind() {
            // Forbidden: because of the name, or because we may not write at all?
            ErrorKind::Denied if self.length(file).is_ok() => {
                Error::new(ErrorKind::AlreadyExists, "save", file)
            }
            _ => failure.of_file("save", file),
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
        self.change(Method::DELETE, &path(file)).map_err(|failure| failure.of_file("remove", file))
    }
}
