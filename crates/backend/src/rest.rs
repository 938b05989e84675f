//! The REST backend: restic's own protocol over HTTP, as rest-server and rclone speak it.
//!
//! Source: restic's documentation, "REST Backend", versions 1 and 2. Files lie flat under their kind; what is
//! asked for is version 2, whose listings have sizes.

use crate::net::download::ranged;
use crate::net::failure::Failure;
use crate::net::http::{Answer, Dial};
use crate::net::pipe::Pipe;
use crate::net::{self, Login, Site};
use crate::served::{Outcome, Served};
use crate::{Error, ErrorKind, FileKind, FileName, Listed, Payload, Result};
use ::http::header::{ACCEPT, CONTENT_TYPE, SERVER};
use reqwest::{Method, RequestBuilder};
use std::num::NonZeroUsize;
use std::path::PathBuf;

mod listing;

#[cfg(feature = "fuzzing")]
pub(crate) use listing::fuzz;
#[cfg(test)]
mod tests;

/// How many calls run at once unless told otherwise.
pub const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(5).expect("five is not zero");

/// The content type of version 2; asking for it gets listings with sizes.
const VERSION_2: &str = "application/vnd.x.restic.rest.v2";

/// A repository behind a REST server.
pub struct Rest {
    site: Site,
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
        let dial = Dial { socket, http2: true, connections: connections.get(), pipe: None };
        Ok(Rest { site: Site::open(&address, &shown, login, network, dial)?, shown, connections })
    }

    /// The repository that a program serves on its standard streams.
    pub(crate) fn through(
        pipe: Pipe,
        shown: String,
        connections: NonZeroUsize,
        network: &net::Options,
    ) -> Result<Self> {
        let dial = Dial { pipe: Some(pipe), ..Dial::default() };
        let site = Site::open("http://localhost/", &shown, &Login::default(), network, dial)?;
        Ok(Rest { site, shown, connections })
    }

    /// Asks for a file that is not there; any answer will do.
    pub(crate) fn greet(&self, path: &str) -> Outcome<()> {
        self.site.http.fetch(self.request(Method::GET, path))?.finish();
        Ok(())
    }

    /// How long an answer may take from now on.
    pub(crate) fn patience(&mut self, stuck_after: std::time::Duration) {
        self.site.http.stuck_after = stuck_after;
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.site.request(method, path).header(ACCEPT, VERSION_2)
    }

    fn change(&self, method: Method, path: &str) -> Outcome<()> {
        self.site.http.send(self.request(method, path))?.success()?.finish();
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

impl Served for Rest {
    /// Servers keep what is there: saving over it is refused.
    const ATOMIC_REPLACE: bool = false;

    fn connections(&self) -> NonZeroUsize {
        self.connections
    }

    fn shown(&self) -> &str {
        &self.shown
    }

    fn length(&self, file: FileName) -> Outcome<u64> {
        self.site.http.fetch(self.request(Method::HEAD, &path(file)))?.success()?.stated_length()
    }

    fn get(&self, file: FileName, range: Option<&str>) -> Outcome<Answer<'_>> {
        self.site.http.fetch(ranged(self.request(Method::GET, &path(file)), range))?.success()
    }

    fn make_ready(&self) -> Outcome<()> {
        self.change(Method::POST, "?create=true")
    }

    fn put(&self, file: FileName, payload: &Payload<'_>) -> Outcome<()> {
        let request =
            self.request(Method::POST, &path(file)).header(CONTENT_TYPE, "application/octet-stream");
        self.site.http.upload(request, payload).and_then(Answer::success).map(Answer::finish)
    }

    fn not_saved(&self, file: FileName, failure: Failure) -> Error {
        match failure.kind() {
            // Forbidden: because of the name, or because we may not write at all?
            ErrorKind::Denied if self.length(file).is_ok() => {
                Error::new(ErrorKind::AlreadyExists, "save", file)
            }
            _ => failure.of_file("save", file),
        }
    }

    fn files(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        listing::list(self, kind, each)
    }

    fn delete(&self, file: FileName) -> Outcome<()> {
        self.change(Method::DELETE, &path(file))
    }
}
