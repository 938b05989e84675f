//! OpenStack Swift: containers of an account that a login tells.

use super::environment::Surroundings;
use super::keystone::{self, Session, TOKEN};
use super::{Ask, Objects, Outcome, Page, Refused, Service, Verdict, dial, encode};
use crate::id::hex;
use crate::net::failure::Failure;
use crate::net::http::{Answer, Http};
use crate::{Backend, Error, ErrorKind, Result, net};
use ::http::header::{ETAG, HeaderName};
use ::http::{Method, StatusCode};
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

/// The storage policy of a new container.
const POLICY: HeaderName = HeaderName::from_static("x-storage-policy");

/// What can be chosen about Swift.
#[derive(Clone, Default)]
pub struct Options {
    /// The variables that say who we are and where to log in: `OS_…`, `ST_…`.
    pub surroundings: Surroundings,
    /// The storage policy of a new container.
    pub policy: Option<String>,
}

/// A container.
struct Swift {
    container: String,
    options: Options,
    /// The token in use, until the service refuses it.
    session: Mutex<Option<Session>>,
}

/// The repository in a container, shown to people as `shown`.
///
/// # Errors
/// [`ErrorKind::Unusable`] if nothing says where to log in; those of making a connection ready.
pub(crate) fn open(
    container: &str,
    prefix: &str,
    shown: String,
    options: &Options,
    connections: NonZeroUsize,
    network: &net::Options,
) -> Result<Arc<dyn Backend>> {
    let given = |name| options.surroundings.get(name);
    let session = match (given("OS_STORAGE_URL"), given("OS_AUTH_TOKEN")) {
        (Some(store), Some(token)) => Some(Session::new(token, store)),
        _ => None,
    };
    let session = session.transpose().map_err(|failure| failure.about("open", &shown))?;
    if container.contains('/') {
        return Err(Error::about(ErrorKind::Unusable, "open", shown)
            .caused_by(Failure::refused(ErrorKind::Unusable, "the name of a container has no slash")));
    }
    let http = dial(network, connections)?;
    let address = session.as_ref().map(|session| &*session.store);
    if let Some(address) = address.or_else(|| keystone::address(&options.surroundings)) {
        http.will_ask(address, &shown)?;
    }
    let service =
        Swift { container: container.to_owned(), options: options.clone(), session: Mutex::new(session) };
    Ok(Arc::new(Objects { service, http, prefix: prefix.to_owned(), shown, connections }))
}

impl Swift {
    /// The token in use, or a new one; who needs one at the same time waits for it.
    fn session(&self, http: &Http) -> Outcome<Session> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        Ok(session.insert(keystone::log_in(http, &self.options.surroundings)?).clone())
    }
}

/// One object of a page.
#[derive(Deserialize)]
struct Object {
    name: String,
    bytes: u64,
}

impl Service for Swift {
    const MD5: bool = true;
    /// An object is stored first, and then entered into the container's list.
    const LISTS_ALL: bool = false;

    fn request(&self, http: &Http, ask: &Ask) -> Outcome<RequestBuilder> {
        let Session { token, store } = self.session(http)?;
        let mut url = format!("{store}/{}", encode::part(&self.container));
        if let Some(key) = &ask.key {
            url = format!("{url}/{}", encode::path(key));
        }
        url += &encode::query(&ask.query);
        let url = Url::parse(&url).map_err(|_| Failure::Answer("cannot be asked for: that is no URL"))?;
        let request = http.client.request(ask.method.clone(), url).headers(ask.headers.clone());
        let request = request.header(TOKEN, token);
        Ok(match ask.payload.and_then(|payload| payload.md5) {
            Some(md5) => request.header(ETAG, hex(&md5)),
            None => request,
        })
    }

    fn verdict(&self, _: &Http, refused: &Refused) -> Verdict {
        let said = String::from_utf8_lossy(&refused.said);
        let failure = match refused.status {
            // A name that is too long; a storage policy that is none.
            StatusCode::PRECONDITION_FAILED => Failure::refused(ErrorKind::Unusable, &said),
            StatusCode::BAD_REQUEST if said.contains("Storage-Policy") => {
                Failure::refused(ErrorKind::Unusable, &said)
            }
            // Nobody needs to hear a token again that was refused.
            StatusCode::UNAUTHORIZED => Failure::status(refused.status, b""),
            status => Failure::status(status, &refused.said),
        };
        // Tokens grow old: the next request gets a new one.
        let again = refused.status == StatusCode::UNAUTHORIZED
            && keystone::address(&self.options.surroundings).is_some();
        if again {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody else may have got that new one already, while we waited for our answer.
            session.take_if(|session| refused.asked.get(TOKEN) == Some(&session.token));
        }
        Verdict { failure, again }
    }

    fn put(&self, key: String, _: bool) -> Ask {
        Ask::object(Method::PUT, key)
    }

    fn confirm(&self, ask: &Ask, answer: &Answer<'_>) -> Outcome<()> {
        let Some(md5) = ask.payload.and_then(|payload| payload.md5) else { return Ok(()) };
        let told = answer.headers().get(ETAG).and_then(|told| told.to_str().ok());
        match told.map(|told| told.trim_matches('"')) {
            Some(told) if !told.eq_ignore_ascii_case(&hex(&md5)) => {
                Err(Failure::Answer("says that something else arrived than was sent"))
            }
            _ => Ok(()), // the service has compared, too
        }
    }

    fn list(&self, folder: &str, next: Option<&str>) -> Ask {
        let ask = Ask::bucket(Method::GET).query("format", "json").query("prefix", folder);
        match next {
            Some(marker) => ask.query("marker", marker),
            None => ask,
        }
    }

    /// A page does not say whether it is the last one, and services have limits of their own: the end is an
    /// empty page.
    fn page(&self, body: &[u8]) -> Outcome<Page> {
        page(body)
    }

    fn probe(&self) -> Ask {
        Ask::bucket(Method::HEAD)
    }

    fn make(&self) -> Ask {
        let ask = Ask::bucket(Method::PUT);
        match &self.options.policy {
            Some(policy) => ask.header(POLICY, policy),
            None => ask,
        }
    }
}

/// Reads a page of a listing.
fn page(body: &[u8]) -> Outcome<Page> {
    let objects: Vec<Object> = serde_json::from_slice(body).map_err(|_| Failure::Answer("is no listing"))?;
    let objects: Vec<_> = objects.into_iter().map(|object| (object.name, object.bytes)).collect();
    Ok(Page { next: objects.last().map(|(name, _)| name.clone()), objects })
}

/// For [`fuzz`](crate::fuzz).
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    super::assert_bounded(page(bytes), bytes);
}
