//! Azure Blob Storage.
//!
//! Requests are signed by an account's key, carry a shared access signature, or a token of the default chain.

use super::environment::Surroundings;
use super::{Ask, Objects, Outcome, Page, Refused, Service, Verdict, dial, encode, signed};
use crate::net::failure::{Failure, kind_of};
use crate::net::http::Http;
use crate::net::xml;
use crate::{Backend, Error, ErrorKind, Result, net};
use ::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use ::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqsign_azure_storage::{
    AzureCliCredentialProvider, Credential, DefaultCredentialProvider, RequestSigner,
    StaticCredentialProvider,
};
use reqsign_core::Signer;
use reqwest::RequestBuilder;
use std::num::NonZeroUsize;
use std::sync::Arc;

const VERSION: HeaderName = HeaderName::from_static("x-ms-version");
/// The version of the protocol we speak: the first with all access tiers.
const OURS: HeaderValue = HeaderValue::from_static("2021-12-02");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const BLOB_TYPE: HeaderName = HeaderName::from_static("x-ms-blob-type");
const ACCESS_TIER: HeaderName = HeaderName::from_static("x-ms-access-tier");
const ERROR_CODE: &str = "x-ms-error-code";

/// Where blobs of everybody are who says nothing else.
const DEFAULT_SUFFIX: &str = "core.windows.net";

/// What can be chosen about Azure.
#[derive(Clone, Default)]
pub struct Options {
    /// The name of the account.
    pub account: String,
    /// Its key.
    pub key: Option<String>,
    /// A shared access signature, if there is no key.
    pub sas: Option<String>,
    /// Ask the program `az` for a token, and nobody else.
    pub only_cli: bool,
    /// The end of the service's name; without it that of the public cloud.
    pub endpoint_suffix: Option<String>,
    /// The whole URL of the account instead: an emulator's.
    pub service_url: Option<String>,
    /// The access tier of new blobs; `Archive` is for packs only.
    pub access_tier: Option<String>,
    /// Where tokens are looked for.
    pub surroundings: Surroundings,
}

/// A container of an account.
struct Azure {
    /// The URL of the container.
    url: String,
    signer: Signer<Credential>,
    access_tier: Option<String>,
}

/// The repository in a container, shown to people as `shown`.
///
/// # Errors
/// [`ErrorKind::Unusable`] without an account.
pub(crate) fn open(
    container: &str,
    prefix: &str,
    shown: String,
    options: &Options,
    connections: NonZeroUsize,
    network: &net::Options,
) -> Result<Arc<dyn Backend>> {
    if options.account.is_empty() {
        let failure = Failure::refused(
            ErrorKind::Unusable,
            "Fatal: azure.accountName is empty: set $AZURE_ACCOUNT_NAME",
        );
        return Err(Error::about(ErrorKind::Unusable, "open", shown).caused_by(failure));
    }
    let http = dial(network, connections)?;
    let context = options.surroundings.context(&http);
    let service = options.service_url.clone().unwrap_or_else(|| {
        let suffix = options.endpoint_suffix.as_deref().unwrap_or(DEFAULT_SUFFIX);
        format!("https://{}.blob.{suffix}", options.account)
    });
    let url = format!("{}/{}", service.trim_end_matches('/'), encode::part(container));
    http.will_ask(&url, &shown)?;
    let signer = RequestSigner::new();
    let signer = match (&options.key, &options.sas) {
        (Some(key), _) => {
            Signer::new(context, StaticCredentialProvider::new_shared_key(&options.account, key), signer)
        }
        (None, Some(sas)) => {
            let sas = sas.strip_prefix('?').unwrap_or(sas);
            Signer::new(context, StaticCredentialProvider::new_sas_token(sas), signer)
        }
        (None, None) if options.only_cli => Signer::new(context, AzureCliCredentialProvider::new(), signer),
        (None, None) => Signer::new(context, DefaultCredentialProvider::new(), signer),
    };
    let service = Azure { url, signer, access_tier: options.access_tier.clone() };
    Ok(Arc::new(Objects { service, http, prefix: prefix.to_owned(), shown, connections }))
}

impl Service for Azure {
    const MD5: bool = true;

    fn request(&self, http: &Http, ask: &Ask) -> Outcome<RequestBuilder> {
        let key = ask.key.as_deref().map(|key| format!("/{}", encode::path(key))).unwrap_or_default();
        let mut headers = ask.headers.clone();
        headers.insert(VERSION, OURS);
        if let Some(md5) = ask.payload.and_then(|payload| payload.md5) {
            headers.insert(CONTENT_MD5, super::ascii(&STANDARD.encode(md5)));
        }
        if ask.method == Method::PUT {
            headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
        }
        let url = format!("{}{key}{}", self.url, encode::query(&ask.query));
        signed(http, ask, &url, headers, Some(&self.signer), unsigned)
    }

    fn verdict(&self, _: &Http, refused: &Refused) -> Verdict {
        let fields = xml::read(&refused.said, "").map(|document| document.fields).unwrap_or_default();
        let header = refused.headers.get(ERROR_CODE).and_then(|code| code.to_str().ok());
        let code = header.or_else(|| fields.get("Code").map(String::as_str)).unwrap_or_default();
        // The rest is a number and a time.
        let message = fields.get("Message").and_then(|text| text.lines().next()).unwrap_or_default();
        let kind = kind(code, refused.status);
        let failure = match (code, message) {
            ("", _) => Failure::status(refused.status, &refused.said),
            (code, "") => Failure::refused(kind, code),
            (code, message) => Failure::refused(kind, &format!("{message} ({code})")),
        };
        Verdict { failure, again: false }
    }

    fn put(&self, key: String, archivable: bool) -> Ask {
        let ask = Ask::object(Method::PUT, key).header(BLOB_TYPE, "BlockBlob");
        match &self.access_tier {
            Some(tier) if archivable || tier != "Archive" => ask.header(ACCESS_TIER, tier),
            _ => ask,
        }
    }

    fn list(&self, folder: &str, next: Option<&str>) -> Ask {
        let ask = container(Method::GET).query("comp", "list").query("prefix", folder);
        match next {
            Some(marker) => ask.query("marker", marker),
            None => ask,
        }
    }

    fn page(&self, body: &[u8]) -> Outcome<Page> {
        page(body)
    }

    fn probe(&self) -> Ask {
        container(Method::HEAD)
    }

    fn make(&self) -> Ask {
        container(Method::PUT)
    }
}

/// What is asked of the container itself.
fn container(method: Method) -> Ask {
    Ask::bucket(method).query("restype", "container")
}

/// Reads a page of a listing. The service says where the next one begins, with nothing for the last.
fn page(body: &[u8]) -> Outcome<Page> {
    let document = xml::read(body, "Blobs/Blob")?;
    if document.root != "EnumerationResults" {
        return Err(Failure::Answer("is no listing"));
    }
    let mut page = Page::default();
    for record in &document.records {
        let size = record.get("Properties/Content-Length").and_then(|size| size.trim().parse().ok());
        let (Some(name), Some(size)) = (record.get("Name"), size) else {
            return Err(Failure::Answer("is a listing of something without name or size"));
        };
        page.objects.push((name.clone(), size));
    }
    let next = document.fields.get("NextMarker");
    let next = next.ok_or(Failure::Answer("is a listing that does not say whether it ends"))?;
    page.next = (!next.is_empty()).then(|| next.clone());
    Ok(page)
}

/// What a code means for us; for the others the status tells.
fn kind(code: &str, status: StatusCode) -> ErrorKind {
    match code {
        "BlobNotFound" | "ResourceNotFound" => ErrorKind::NotFound,
        "ContainerNotFound"
        | "InvalidResourceName"
        | "BlobArchived"
        | "UnsupportedHeader"
        | "InvalidHeaderValue" => ErrorKind::Unusable,
        "ContainerAlreadyExists" => ErrorKind::AlreadyExists,
        "InvalidRange" => ErrorKind::WrongSize,
        "ContainerBeingDeleted" | "Md5Mismatch" | "OperationTimedOut" | "ServerBusy" | "InternalError" => {
            ErrorKind::Temporary
        }
        _ => kind_of(status),
    }
}

/// What a signature that could not be made is.
fn unsigned(error: &reqsign_core::Error) -> Failure {
    super::unsigned(
        error,
        "no credentials found: set $AZURE_ACCOUNT_KEY or $AZURE_ACCOUNT_SAS, or log in with `az`",
    )
}

/// For [`fuzz`](crate::fuzz).
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    super::assert_bounded(page(bytes), bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_the_next_begins() {
        let listing =
            |inner: &str| page(format!("<EnumerationResults>{inner}</EnumerationResults>").as_bytes());
        let blob = "<Blobs><Blob><Name>a b</Name><Properties><Content-Length>7</Content-Length></Properties></Blob></Blobs>";
        let last = listing(&format!("{blob}<NextMarker/>")).unwrap();
        assert_eq!((last.objects, last.next), (vec![("a b".to_owned(), 7)], None));
        assert_eq!(listing("<Blobs/><NextMarker>x</NextMarker>").unwrap().next.as_deref(), Some("x"));
        for bad in [blob, "<Blobs><Blob><Name>a</Name></Blob></Blobs><NextMarker/>"] {
            assert!(listing(bad).is_err(), "{bad}");
        }
        assert!(page(b"<Error><Code>ServerBusy</Code></Error>").is_err());
    }

    #[test]
    fn codes_say_more_than_the_status() {
        assert_eq!(kind("ContainerNotFound", StatusCode::NOT_FOUND), ErrorKind::Unusable);
        assert_eq!(kind("BlobNotFound", StatusCode::NOT_FOUND), ErrorKind::NotFound);
        assert_eq!(kind("AuthenticationFailed", StatusCode::FORBIDDEN), ErrorKind::Denied);
        assert!(kind("ContainerBeingDeleted", StatusCode::CONFLICT).is_temporary());
        assert!(kind("ServerBusy", StatusCode::SERVICE_UNAVAILABLE).is_temporary());
    }
}
