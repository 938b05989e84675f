//! Amazon S3, and the many services that speak its protocol.
//!
//! Requests are signed by signature version 4, with the hash of what is sent: a file's name is the SHA-256 of its
//! content, so servers check uploads without our reading them twice. A region that nobody told is learned from the
//! first refusal.

use super::environment::Surroundings;
use super::{Ask, Objects, Outcome, Page, Refused, Service, Verdict, ascii, dial, encode, signed};
use crate::net::failure::{Failure, kind_of};
use crate::net::http::Http;
use crate::net::xml;
use crate::{Availability, Backend, Error, ErrorKind, Result, location, net};
use ::http::header::{HeaderMap, HeaderName, HeaderValue};
use ::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::Signer;
use reqwest::RequestBuilder;
use sha2::{Digest, Sha256};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod archive;
mod credentials;
mod endpoint;
mod role;
/// For [`fuzz`](crate::fuzz): both versions of listings.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    for v1 in [false, true] {
        super::assert_bounded(page(bytes, v1), bytes);
    }
}

#[cfg(test)]
mod tests;

use endpoint::Endpoint;
pub use role::Role;

const HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");
const ALGORITHM: HeaderName = HeaderName::from_static("x-amz-sdk-checksum-algorithm");
const STORAGE_CLASS: HeaderName = HeaderName::from_static("x-amz-storage-class");
const BUCKET_REGION: &str = "x-amz-bucket-region";
/// The region of those who have none.
const DEFAULT_REGION: &str = "us-east-1";

/// How the bucket is put into the URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lookup {
    /// Before the host for the services known to want that, else in the path.
    #[default]
    Auto,
    /// Before the host.
    Dns,
    /// In the path.
    Path,
}

/// What can be chosen about S3.
#[derive(Clone, Default)]
pub struct Options {
    /// The region; without it, what the endpoint's name or the service says.
    pub region: Option<String>,
    /// How the bucket is addressed.
    pub lookup: Lookup,
    /// Speak without credentials.
    pub anonymous: bool,
    /// Ask for listings of version 1.
    pub list_v1: bool,
    /// The storage class of new objects; the archives' are for packs only.
    pub storage_class: Option<String>,
    /// Whether objects in an archive are brought back before they are read, and how.
    pub bring_back: Option<BringBack>,
    /// A role to take on.
    pub role: Option<Role>,
    /// Where credentials are looked for.
    pub surroundings: Surroundings,
}

/// How objects are brought back from an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BringBack {
    /// For how many days; without it, for as long as the service says (archives of Intelligent-Tiering want that).
    pub days: Option<NonZeroU32>,
    /// How fast: `Standard`, `Bulk` or `Expedited`.
    pub tier: String,
    /// How long to wait for one.
    pub patience: Duration,
}

/// The region to sign for, and who signs.
struct Identity {
    region: String,
    signer: Option<Signer<Credential>>,
}

/// A bucket of an S3 service.
struct S3 {
    endpoint: Endpoint,
    identity: Mutex<Identity>,
    /// The region was chosen, and is not to be learned.
    fixed: bool,
    options: Options,
}

/// The repository in a bucket, shown to people as `shown`.
///
/// # Errors
/// [`ErrorKind::Unusable`] for credentials of which half is missing.
pub(crate) fn open(
    place: &location::S3,
    shown: String,
    options: &Options,
    connections: NonZeroUsize,
    network: &net::Options,
) -> Result<Arc<dyn Backend>> {
    let http = dial(network, connections)?;
    let endpoint = Endpoint::new(place, options.lookup);
    http.will_ask(&endpoint.url(DEFAULT_REGION, None), &shown)?;
    let fixed = options.region.is_some() || endpoint.region().is_some();
    let region =
        options.region.clone().or_else(|| endpoint.region()).unwrap_or_else(|| DEFAULT_REGION.to_owned());
    let signer = match options.anonymous {
        true => None,
        false => {
            let provider = credentials::provider(
                &options.surroundings,
                options.role.as_ref(),
                fixed.then_some(&*region),
            )
            .map_err(|failure| Error::about(ErrorKind::Unusable, "open", shown.clone()).caused_by(failure))?;
            let context = options.surroundings.context(&http);
            Some(Signer::new(context, provider, RequestSigner::new("s3", &region)))
        }
    };
    let service =
        S3 { endpoint, identity: Mutex::new(Identity { region, signer }), fixed, options: options.clone() };
    Ok(Arc::new(Objects { service, http, prefix: place.prefix.clone(), shown, connections }))
}

impl S3 {
    fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on signs for this region; whether that is news.
    fn learn(&self, region: &str) -> bool {
        let plain = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        let mut identity = self.identity();
        if self.fixed || !plain || region.is_empty() || identity.region == region {
            return false;
        }
        let signer = identity.signer.take();
        identity.signer = signer.map(|signer| signer.with_request_signer(RequestSigner::new("s3", region)));
        region.clone_into(&mut identity.region);
        true
    }

    /// Asks where the bucket is. Every service answers that to the default region.
    fn ask_for_region(&self, http: &Http) -> Option<String> {
        let ask = Ask::bucket(Method::GET).query("location", "");
        let mut answer = http.send(self.request(http, &ask).ok()?).ok()?;
        let status = answer.status();
        let document = xml::read(&answer.said(), "").ok()?;
        let field = if status.is_success() { "" } else { "Region" };
        let region = document.fields.get(field)?.trim();
        Some(match region {
            "" => DEFAULT_REGION.to_owned(),
            "EU" => "eu-west-1".to_owned(),
            region => region.to_owned(),
        })
    }
}

impl Service for S3 {
    const MD5: bool = false;

    fn request(&self, http: &Http, ask: &Ask) -> Outcome<RequestBuilder> {
        let (region, signer) = {
            let identity = self.identity();
            (identity.region.clone(), identity.signer.clone())
        };
        let url = format!("{}{}", self.endpoint.url(&region, ask.key.as_deref()), encode::query(&ask.query));
        let mut headers = ask.headers.clone();
        let hash = ask.payload.map_or_else(|| Sha256::digest(&ask.body).into(), |payload| payload.sha256);
        headers.insert(HASH, ascii(&crate::Id::from_bytes(hash).hex()));
        if ask.payload.is_some() {
            headers.insert(CHECKSUM, ascii(&STANDARD.encode(hash)));
            // Buckets with object lock insist on hearing which checksum it is.
            headers.insert(ALGORITHM, HeaderValue::from_static("SHA256"));
        }
        signed(http, ask, &url, headers, signer.as_ref(), credentials::failure)
    }

    fn verdict(&self, http: &Http, refused: &Refused) -> Verdict {
        let fields = xml::read(&refused.said, "").map(|document| document.fields).unwrap_or_default();
        let field = |name: &str| fields.get(name).map_or("", |text| text.trim());
        let (code, message) = (field("Code"), field("Message"));
        let header = refused.headers.get(BUCKET_REGION).and_then(|region| region.to_str().ok());
        let told = header.or_else(|| fields.get("Region").map(String::as_str));
        let elsewhere = matches!(refused.status.as_u16(), 301 | 307 | 400 | 403);
        let again = elsewhere
            && match told {
                Some(region) => self.learn(region),
                None if refused.method == Method::HEAD && matches!(refused.status.as_u16(), 301 | 400) => {
                    !self.fixed && self.ask_for_region(http).is_some_and(|region| self.learn(&region))
                }
                None => false,
            };
        let failure = match (code, message) {
            ("", _) => Failure::status(refused.status, &refused.said),
            (code, "") => Failure::refused(kind(code, refused.status), code),
            ("InvalidObjectState", message) => archive::cannot_be_read(message),
            (code, message) => Failure::refused(kind(code, refused.status), &format!("{message} ({code})")),
        };
        Verdict { failure, again }
    }

    fn put(&self, key: String, archivable: bool) -> Ask {
        let ask = Ask::object(Method::PUT, key);
        match &self.options.storage_class {
            Some(class) if archivable || !archive::is_archive(class) => ask.header(STORAGE_CLASS, class),
            _ => ask,
        }
    }

    fn archive(&self) -> Option<Duration> {
        self.options.bring_back.as_ref().map(|how| how.patience)
    }

    fn availability(&self, headers: &HeaderMap) -> Outcome<Option<Availability>> {
        archive::availability(headers)
    }

    fn bring_back(&self, key: String) -> Ask {
        let ask = Ask::object(Method::POST, key).query("restore", "");
        let body = self.options.bring_back.as_ref().map(archive::order).unwrap_or_default();
        Ask { body, ..ask }
    }

    fn list(&self, folder: &str, next: Option<&str>) -> Ask {
        let mut ask = Ask::bucket(Method::GET).query("encoding-type", "url").query("prefix", folder);
        if self.options.list_v1 {
            if let Some(marker) = next {
                ask = ask.query("marker", marker);
            }
            return ask;
        }
        if let Some(token) = next {
            ask = ask.query("continuation-token", token);
        }
        ask.query("list-type", "2")
    }

    fn page(&self, body: &[u8]) -> Outcome<Page> {
        page(body, self.options.list_v1)
    }

    fn probe(&self) -> Ask {
        Ask::bucket(Method::HEAD)
    }

    fn make(&self) -> Ask {
        let region = self.identity().region.clone();
        let mut ask = Ask::bucket(Method::PUT);
        if region != DEFAULT_REGION {
            // A region is made of letters, digits and hyphens, or the service will say so.
            ask.body = format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{}\
                 </LocationConstraint></CreateBucketConfiguration>",
                quick_xml::escape::escape(&region)
            )
            .into_bytes();
        }
        ask
    }
}

/// Reads a page of a listing; one that is cut off without saying how to go on is none.
fn page(body: &[u8], v1: bool) -> Outcome<Page> {
    let document = xml::read(body, "Contents")?;
    if document.root != "ListBucketResult" {
        return Err(Failure::Answer("is no listing"));
    }
    let encoded = document.fields.get("EncodingType").is_some_and(|encoding| encoding == "url");
    let decoded = |text: &str| match encoded {
        true => {
            let text = text.replace('+', " ");
            percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
        }
        false => text.to_owned(),
    };
    let mut page = Page::default();
    for record in &document.records {
        let size = record.get("Size").and_then(|size| size.trim().parse().ok());
        let (Some(key), Some(size)) = (record.get("Key"), size) else {
            return Err(Failure::Answer("is a listing of something without name or size"));
        };
        page.objects.push((decoded(key), size));
    }
    let field = |name: &str| document.fields.get(name).filter(|text| !text.is_empty());
    if field("IsTruncated").is_some_and(|truncated| truncated.trim() == "true") {
        page.next = match v1 {
            true => field("NextMarker")
                .map(|marker| decoded(marker))
                .or_else(|| page.objects.last().map(|(key, _)| key.clone())),
            false => field("NextContinuationToken").cloned(),
        };
        if page.next.is_none() {
            return Err(Failure::Answer("is a part of a listing that does not say how to go on"));
        }
    }
    Ok(page)
}

/// What a code means for us; for the others the status tells.
fn kind(code: &str, status: StatusCode) -> ErrorKind {
    match code {
        "NoSuchKey" => ErrorKind::NotFound,
        "NoSuchBucket"
        | "InvalidBucketName"
        | "InvalidStorageClass"
        | "InvalidObjectState"
        | "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "InvalidLocationConstraint"
        | "NotImplemented" => ErrorKind::Unusable,
        "AccessDenied"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed"
        | "AccountProblem"
        | "AllAccessDisabled"
        | "ExpiredToken"
        | "InvalidToken"
        | "InvalidSecurity" => ErrorKind::Denied,
        "BucketAlreadyOwnedByYou" | "RestoreAlreadyInProgress" => ErrorKind::AlreadyExists,
        "BucketAlreadyExists" => ErrorKind::Denied,
        "InvalidRange" => ErrorKind::WrongSize,
        "QuotaExceeded" | "EntityTooLarge" | "XMinioStorageFull" => ErrorKind::NoSpace,
        "RequestTimeout"
        | "SlowDown"
        | "InternalError"
        | "ServiceUnavailable"
        | "OperationAborted"
        | "BadDigest"
        | "XAmzContentSHA256Mismatch"
        | "IncompleteBody" => ErrorKind::Temporary,
        _ => kind_of(status),
    }
}
