//! Files as objects in the buckets of S3, Azure, Google and Swift: what they have in common.
//!
//! A service is five requests to us: put, get, head, delete, list. [`s3`], [`azure`], [`gs`] and [`swift`] say how
//! theirs look and what their refusals mean ([`Service`]); [`Objects`] does the rest over [`crate::net`]. Listings are complete or
//! an error. The layout is that of a folder ([`crate::layout`]).

use crate::net::failure::Failure;
use crate::net::http::{Answer, Http};
use crate::net::{self, download};
use crate::served::{Outcome, Served};
use crate::{Availability, ErrorKind, FileKind, FileName, Listed, Payload, Result, layout};
use ::http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RANGE};
use ::http::{Method, StatusCode};
use md5::Md5;
use reqsign_core::{Signer, SigningCredential};
use reqwest::RequestBuilder;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::time::Duration;

pub mod azure;
mod encode;
pub mod environment;
pub mod gs;
mod keystone;
pub mod s3;
pub mod swift;

/// How many calls run at once unless told otherwise.
pub const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(5).expect("five is not zero");
/// How many bytes a page of a listing may have.
const LONGEST_PAGE: u64 = 64 * 1024 * 1024;

/// What is asked of a service, before it is signed.
struct Ask {
    method: Method,
    /// The object, or nothing for the bucket itself.
    key: Option<String>,
    query: Vec<(&'static str, String)>,
    headers: HeaderMap,
    body: Vec<u8>,
    /// What a body that is a payload is like.
    payload: Option<Digests>,
}

/// How long a payload is, and what services check it by.
#[derive(Clone, Copy)]
struct Digests {
    length: u64,
    sha256: [u8; 32],
    /// Only for services that check by that.
    md5: Option<[u8; 16]>,
}

impl Ask {
    fn object(method: Method, key: String) -> Self {
        Ask { key: Some(key), ..Ask::bucket(method) }
    }

    fn bucket(method: Method) -> Self {
        Ask {
            method,
            key: None,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Vec::new(),
            payload: None,
        }
    }

    fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// With a header; a value that cannot be one is left out, and the service will say what it misses.
    fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// An answer that is no success.
struct Refused {
    method: Method,
    /// The headers of the request.
    asked: HeaderMap,
    status: StatusCode,
    headers: HeaderMap,
    said: Vec<u8>,
}

/// What a refusal is, and whether the same may be asked again at once, because the service learned from it.
struct Verdict {
    failure: Failure,
    again: bool,
}

/// One page of a listing.
#[derive(Debug, Default)]
struct Page {
    /// Keys and sizes.
    objects: Vec<(String, u64)>,
    /// How to ask for the next page, if there is one.
    next: Option<String>,
}

/// For [`fuzz`](crate::fuzz): an object of a page takes a byte at least.
#[cfg(feature = "fuzzing")]
fn assert_bounded(page: Outcome<Page>, bytes: &[u8]) {
    assert!(page.map_or(0, |page| page.objects.len()) <= bytes.len());
}

/// What differs from service to service.
trait Service: Send + Sync {
    /// Whether it checks uploads by their MD5.
    const MD5: bool;
    /// See [`crate::Capabilities::lists_all`].
    const LISTS_ALL: bool = true;

    /// The request for this, signed.
    fn request(&self, http: &Http, ask: &Ask) -> Outcome<RequestBuilder>;
    /// What a refusal means.
    fn verdict(&self, http: &Http, refused: &Refused) -> Verdict;
    /// The request that saves an object, without its payload; only what is `archivable` may go to an archive.
    fn put(&self, key: String, archivable: bool) -> Ask;
    /// What has to stand before and behind a payload, if there is something.
    fn frame(&self, _: &mut Ask) -> Option<(Vec<u8>, Vec<u8>)> {
        None
    }
    /// Whether the answer to a save says that what was sent has arrived.
    fn confirm(&self, _: &Ask, _: &Answer<'_>) -> Outcome<()> {
        Ok(())
    }
    /// The request for an object or a part of it, without its range.
    fn get(&self, key: String) -> Ask {
        Ask::object(Method::GET, key)
    }
    /// The request for an object's length.
    fn head(&self, key: String) -> Ask {
        Ask::object(Method::HEAD, key)
    }
    /// An object's length, by the answer to that.
    fn length(&self, answer: Answer<'_>) -> Outcome<u64> {
        answer.stated_length()
    }
    /// How long to wait for objects to come back from an archive, if they are to be brought back.
    fn archive(&self) -> Option<Duration> {
        None
    }
    /// Whether an object can be read, by the answer to `head`; nothing if it has to be brought back first.
    fn availability(&self, _: &HeaderMap) -> Outcome<Option<Availability>> {
        Ok(Some(Availability::Now))
    }
    /// The request that brings an object back from an archive.
    fn bring_back(&self, key: String) -> Ask {
        self.head(key)
    }
    /// The request for what is below `folder`.
    fn list(&self, folder: &str, next: Option<&str>) -> Ask;
    /// Reads the answer to that.
    fn page(&self, body: &[u8]) -> Outcome<Page>;
    /// Asks whether the bucket is there.
    fn probe(&self) -> Ask;
    /// Makes the bucket.
    fn make(&self) -> Ask;
}

/// A repository in a bucket.
struct Objects<S> {
    service: S,
    http: Http,
    prefix: String,
    shown: String,
    connections: NonZeroUsize,
}

impl<S: Service> Objects<S> {
    fn key(&self, path: &str) -> String {
        if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) }
    }

    fn key_of(&self, file: FileName) -> String {
        self.key(&layout::path(file))
    }

    /// Asks, with what `payload` holds as the body if there is one; only a success is an answer.
    fn ask(&self, ask: &Ask, payload: Option<&Payload<'_>>) -> Outcome<Answer<'_>> {
        let mut tries = 0;
        loop {
            let (client, request) = self.service.request(&self.http, ask)?.build_split();
            let request = request.map_err(Failure::of)?;
            let asked = request.headers().clone();
            let request = RequestBuilder::from_parts(client, request);
            let mut answer = match payload {
                Some(payload) => self.http.upload(request, payload)?,
                None => self.http.send(request)?,
            };
            if answer.status().is_success() {
                return Ok(answer);
            }
            let said = answer.said();
            let (method, status, headers) = (ask.method.clone(), answer.status(), answer.headers().clone());
            let Verdict { failure, again } =
                self.service.verdict(&self.http, &Refused { method, asked, status, headers, said });
            tries += 1;
            if !again || tries == 3 {
                return Err(failure);
            }
        }
    }

    /// Asks for a change. Some services begin a success before they know, and tell the failure in its body.
    fn change(&self, ask: &Ask, payload: Option<&Payload<'_>>) -> Outcome<()> {
        let mut answer = self.ask(ask, payload)?;
        self.service.confirm(ask, &answer)?;
        let said = answer.said();
        if said.windows(6).any(|window| window == b"<Error") {
            let (method, headers) = (ask.method.clone(), answer.headers().clone());
            let (asked, status) = (ask.headers.clone(), StatusCode::INTERNAL_SERVER_ERROR);
            let refused = Refused { method, asked, status, headers, said };
            return Err(self.service.verdict(&self.http, &refused).failure);
        }
        answer.finish();
        Ok(())
    }

    /// Whether the bucket itself is missing; what cannot be told counts as no.
    fn is_without_bucket(&self) -> bool {
        let probed = self.ask(&self.service.probe(), None);
        probed.is_err_and(|failure| matches!(failure.kind(), ErrorKind::NotFound | ErrorKind::Unusable))
    }
}

/// Reads a payload for what services check it by. Its SHA-256 is its file's name, but for the config.
fn digests(file: FileName, payload: &Payload<'_>, with_md5: bool) -> Outcome<Digests> {
    let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
    let named = file.kind() != FileKind::Config;
    if with_md5 || !named {
        payload.unpaced().for_each_piece(|piece| {
            if !named {
                sha256.update(piece);
            }
            if with_md5 {
                md5.update(piece);
            }
            Ok(())
        })?;
    }
    Ok(Digests {
        length: payload.len(),
        sha256: if named { *file.id().as_bytes() } else { sha256.finalize().into() },
        md5: with_md5.then(|| md5.finalize().into()),
    })
}

impl<S: Service> Served for Objects<S> {
    const ATOMIC_REPLACE: bool = true;
    const LISTS_ALL: bool = S::LISTS_ALL;

    fn connections(&self) -> NonZeroUsize {
        self.connections
    }

    fn shown(&self) -> &str {
        &self.shown
    }

    fn length(&self, file: FileName) -> Outcome<u64> {
        self.service.length(self.ask(&self.service.head(self.key_of(file)), None)?)
    }

    fn get(&self, file: FileName, range: Option<&str>) -> Outcome<Answer<'_>> {
        let mut ask = self.service.get(self.key_of(file));
        if let Some(range) = range {
            ask = ask.header(RANGE, range);
        }
        self.ask(&ask, None)
    }

    fn archive(&self) -> Option<Duration> {
        self.service.archive()
    }

    fn available(&self, file: FileName) -> Outcome<Availability> {
        let key = self.key_of(file);
        let answer = self.ask(&self.service.head(key.clone()), None)?;
        if let Some(known) = self.service.availability(answer.headers())? {
            return Ok(known);
        }
        answer.finish();
        match self.change(&self.service.bring_back(key), None) {
            // Somebody else was faster.
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => Ok(Availability::Later),
            ordered => ordered.map(|()| Availability::Later),
        }
    }

    fn is_absent(failure: &Failure) -> bool {
        matches!(failure.kind(), ErrorKind::NotFound | ErrorKind::Unusable)
    }

    fn make_ready(&self) -> Outcome<()> {
        if self.is_without_bucket() {
            match self.change(&self.service.make(), None) {
                Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {}
                made => made?,
            }
        }
        Ok(())
    }

    fn put(&self, file: FileName, payload: &Payload<'_>) -> Outcome<()> {
        let archivable = file.kind() == FileKind::Pack && !payload.is_for_everyday();
        let mut ask = self.service.put(self.key_of(file), archivable);
        ask.payload = Some(digests(file, payload, S::MD5)?);
        ask.headers.insert(CONTENT_LENGTH, payload.len().into());
        match self.service.frame(&mut ask) {
            Some((before, after)) => self.change(&ask, Some(&payload.framed(&before, &after))),
            None => self.change(&ask, Some(payload)),
        }
    }

    fn files(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        let failed = |failure: Failure| failure.about("list", kind.word());
        let (prefix, folder) = (self.key(""), self.key(&format!("{}/", layout::folder(kind))));
        let mut seen = HashSet::new();
        let mut next = None;
        loop {
            let mut body = Vec::new();
            let answer = self.ask(&self.service.list(&folder, next.as_deref()), None).map_err(failed)?;
            download::whole(answer, LONGEST_PAGE, &mut body).map_err(failed)?;
            let page = self.service.page(&body).map_err(failed)?;
            for (key, size) in page.objects {
                if let Some(file) = key.strip_prefix(&prefix).and_then(|path| layout::at(kind, path)) {
                    each(Listed { id: file.id(), size })?;
                }
            }
            next = page.next;
            match &next {
                None => return Ok(()),
                Some(token) if seen.insert(token.clone()) => {}
                Some(_) => return Err(failed(Failure::Answer("is a page of the listing that came before"))),
            }
        }
    }

    fn delete(&self, file: FileName) -> Outcome<()> {
        self.change(&Ask::object(Method::DELETE, self.key_of(file)), None)
    }
}

/// The request for `url` with these headers, signed.
fn signed<C: SigningCredential>(
    http: &Http,
    ask: &Ask,
    url: &str,
    headers: HeaderMap,
    signer: Option<&Signer<C>>,
    unsigned: fn(&reqsign_core::Error) -> Failure,
) -> Outcome<RequestBuilder> {
    let mut request = ::http::Request::new(reqwest::Body::from(ask.body.clone()));
    *request.method_mut() = ask.method.clone();
    *request.uri_mut() =
        url.parse().map_err(|_| Failure::Answer("cannot be asked for: that is no name of a host"))?;
    *request.headers_mut() = headers;
    let (mut parts, body) = request.into_parts();
    if let Some(signer) = signer {
        http.run(signer.sign(&mut parts, None))?.map_err(|error| unsigned(&error))?;
    }
    let request =
        reqwest::Request::try_from(::http::Request::from_parts(parts, body)).map_err(Failure::of)?;
    Ok(RequestBuilder::from_parts(http.client.clone(), request))
}

/// What a signature that could not be made is; `without` says what to do without credentials.
fn unsigned(error: &reqsign_core::Error, without: &str) -> Failure {
    let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    if let Some(Failure::Plaintext(refused)) = causes.find_map(|cause| cause.downcast_ref()) {
        return Failure::Plaintext(refused.clone());
    }
    let text = error.to_string();
    if text.contains("failed to load signing credential") {
        return Failure::refused(ErrorKind::Unusable, without);
    }
    let kind = if error.is_retryable() { ErrorKind::Temporary } else { ErrorKind::Unusable };
    Failure::refused(kind, &format!("the request cannot be signed: {text}"))
}

/// A header value of letters and digits.
fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// A connection to an object store: HTTP/1.1, since many connections beat one that is shared.
fn dial(network: &net::Options, connections: NonZeroUsize) -> Result<Http> {
    let dial = net::http::Dial { connections: connections.get(), ..net::http::Dial::default() };
    Http::new(network, dial)
}
