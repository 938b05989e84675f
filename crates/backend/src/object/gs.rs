//! Google Cloud Storage, by its JSON interface.

use super::environment::Surroundings;
use super::{Ask, Objects, Outcome, Page, Refused, Service, Verdict, dial, encode, signed};
use crate::net::download;
use crate::net::failure::{Failure, kind_of};
use crate::net::http::{Answer, Http};
use crate::{Backend, ErrorKind, Result, net};
use ::http::Method;
use ::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqsign_core::{Context, ProvideCredential, Signer};
use reqsign_google::{
    Credential, DefaultCredentialProvider, RequestSigner, ServiceAccountTokenCredentialProvider,
    TokenCredentialProvider,
};
use reqwest::RequestBuilder;
use serde::Deserialize;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The public service.
const SERVICE: &str = "https://storage.googleapis.com";
/// What Google calls the right to read and write objects.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
/// What parts the description of an upload from its content; ids have no such letters in a row.
const BOUNDARY: &str = "tresor-part";
/// How long the description of an object may be.
const LONGEST_DESCRIPTION: u64 = 1024 * 1024;

/// What can be chosen about Google Cloud Storage.
#[derive(Clone, Default)]
pub struct Options {
    /// A token somebody got for us, instead of looking for credentials.
    pub token: Option<String>,
    /// The project of a new bucket.
    pub project: Option<String>,
    /// Where a new bucket is; without it `us`.
    pub region: Option<String>,
    /// The URL of an emulator instead of the service's.
    pub service_url: Option<String>,
    /// Where credentials are looked for.
    pub surroundings: Surroundings,
}

/// A bucket.
struct Gs {
    service: String,
    bucket: String,
    signer: Signer<Credential>,
    options: Options,
}

/// The repository in a bucket, shown to people as `shown`.
///
/// # Errors
/// Those of making a connection ready.
pub(crate) fn open(
    bucket: &str,
    prefix: &str,
    shown: String,
    options: &Options,
    connections: NonZeroUsize,
    network: &net::Options,
) -> Result<Arc<dyn Backend>> {
    let http = dial(network, connections)?;
    let context = options.surroundings.context(&http);
    let signer = RequestSigner::new("storage").with_scope(SCOPE);
    let signer = match &options.token {
        Some(token) => Signer::new(context, TokenCredentialProvider::new(token), signer),
        None => Signer::new(context, Tokens(DefaultCredentialProvider::new()), signer),
    };
    let service = match &options.service_url {
        Some(url) if url.contains("://") => url.trim_end_matches('/').to_owned(),
        Some(host) => format!("http://{host}"),
        None => SERVICE.to_owned(),
    };
    http.will_ask(&service, &shown)?;
    let service = Gs { service, bucket: bucket.to_owned(), signer, options: options.clone() };
    Ok(Arc::new(Objects { service, http, prefix: prefix.to_owned(), shown, connections }))
}

/// Whoever is found, and for a service account a token: the signer keeps that, but would exchange an account for
/// a new token with every request.
#[derive(Debug)]
struct Tokens(DefaultCredentialProvider);

impl ProvideCredential for Tokens {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> reqsign_core::Result<Option<Credential>> {
        let Some(mut found) = self.0.provide_credential(context).await? else { return Ok(None) };
        match found.service_account.take() {
            Some(account) if found.token.is_none() => {
                let exchange = ServiceAccountTokenCredentialProvider::new(account).with_scope(SCOPE);
                exchange.provide_credential(context).await
            }
            _ => Ok(Some(found)),
        }
    }
}

/// What Google says of an object or of a page of them; sizes are texts.
#[derive(Deserialize)]
struct Item {
    name: Option<String>,
    size: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Items {
    kind: String,
    #[serde(default)]
    items: Vec<Item>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    error: SaidError,
}

#[derive(Deserialize)]
struct SaidError {
    message: String,
}

impl Service for Gs {
    const MD5: bool = true;

    fn request(&self, http: &Http, ask: &Ask) -> Outcome<RequestBuilder> {
        let bucket = format!("b/{}", encode::part(&self.bucket));
        let path = match (&ask.key, &ask.method) {
            (Some(_), &Method::POST) => format!("/upload/storage/v1/{bucket}/o"),
            (Some(key), _) => format!("/storage/v1/{bucket}/o/{}", encode::part(key)),
            (None, &Method::POST) => "/storage/v1/b".to_owned(),
            (None, _) if ask.query.is_empty() => format!("/storage/v1/{bucket}"),
            (None, _) => format!("/storage/v1/{bucket}/o"),
        };
        let mut headers = ask.headers.clone();
        if ask.key.is_none() && ask.method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let url = format!("{}{path}{}", self.service, encode::query(&ask.query));
        signed(http, ask, &url, headers, Some(&self.signer), unsigned)
    }

    fn verdict(&self, _: &Http, refused: &Refused) -> Verdict {
        let failure = match serde_json::from_slice::<Said>(&refused.said) {
            Ok(Said { error }) if refused.status.as_u16() == 409 && refused.method == Method::POST => {
                Failure::refused(ErrorKind::AlreadyExists, &error.message)
            }
            Ok(Said { error }) if refused.status.as_u16() == 404 && error.message.contains("bucket") => {
                Failure::refused(ErrorKind::Unusable, &error.message)
            }
            Ok(Said { error }) if !error.message.is_empty() => {
                Failure::refused(kind_of(refused.status), &error.message)
            }
            _ => Failure::status(refused.status, &refused.said),
        };
        Verdict { failure, again: false }
    }

    fn put(&self, key: String, _: bool) -> Ask {
        let ask = Ask::object(Method::POST, key).query("uploadType", "multipart").query("fields", "size");
        ask.header(CONTENT_TYPE, &format!("multipart/related; boundary={BOUNDARY}"))
    }

    fn frame(&self, ask: &mut Ask) -> Option<(Vec<u8>, Vec<u8>)> {
        let payload = ask.payload?;
        let description = serde_json::json!({
            "name": ask.key,
            "md5Hash": payload.md5.map(|md5| STANDARD.encode(md5)),
        });
        let before = format!(
            "--{BOUNDARY}\r\nContent-Type: application/json\r\n\r\n{description}\r\n--{BOUNDARY}\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let after = format!("\r\n--{BOUNDARY}--\r\n");
        let length = payload.length + (before.len() + after.len()) as u64;
        ask.headers.insert(CONTENT_LENGTH, length.into());
        Some((before.into_bytes(), after.into_bytes()))
    }

    fn get(&self, key: String) -> Ask {
        Ask::object(Method::GET, key).query("alt", "media")
    }

    fn head(&self, key: String) -> Ask {
        Ask::object(Method::GET, key).query("fields", "name,size")
    }

    fn length(&self, answer: Answer<'_>) -> Outcome<u64> {
        let mut body = Vec::new();
        download::whole(answer, LONGEST_DESCRIPTION, &mut body)?;
        let item = serde_json::from_slice::<Item>(&body).ok();
        let size = item.and_then(|item| item.size?.parse().ok());
        size.ok_or(Failure::Answer("does not say how long the file is"))
    }

    fn list(&self, folder: &str, next: Option<&str>) -> Ask {
        let ask = Ask::bucket(Method::GET).query("prefix", folder);
        match next {
            Some(token) => ask.query("pageToken", token),
            None => ask,
        }
    }

    fn page(&self, body: &[u8]) -> Outcome<Page> {
        page(body)
    }

    fn probe(&self) -> Ask {
        Ask::bucket(Method::GET)
    }

    fn make(&self) -> Ask {
        let mut ask = Ask::bucket(Method::POST);
        if let Some(project) = &self.options.project {
            ask = ask.query("project", project);
        }
        let location = self.options.region.as_deref().unwrap_or("us");
        ask.body = serde_json::json!({ "name": self.bucket, "location": location }).to_string().into_bytes();
        ask
    }
}

/// Reads a page of a listing.
fn page(body: &[u8]) -> Outcome<Page> {
    let bad = Failure::Answer("is no listing");
    let Ok(items) = serde_json::from_slice::<Items>(body) else { return Err(bad) };
    if items.kind != "storage#objects" {
        return Err(bad);
    }
    let mut page =
        Page { objects: Vec::new(), next: items.next_page_token.filter(|token| !token.is_empty()) };
    for item in items.items {
        let size = item.size.and_then(|size| size.parse().ok());
        let (Some(name), Some(size)) = (item.name, size) else {
            return Err(Failure::Answer("is a listing of something without name or size"));
        };
        page.objects.push((name, size));
    }
    Ok(page)
}

/// What a signature that could not be made is.
fn unsigned(error: &reqsign_core::Error) -> Failure {
    super::unsigned(
        error,
        "could not find default credentials: set $GOOGLE_APPLICATION_CREDENTIALS, or $GOOGLE_ACCESS_TOKEN",
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
    fn a_page_is_whole_or_an_error() {
        let one = br#"{"kind":"storage#objects","nextPageToken":"t","items":[{"name":"a","size":"3"}]}"#;
        let read = page(one).unwrap();
        assert_eq!((read.objects, read.next.as_deref()), (vec![("a".to_owned(), 3)], Some("t")));
        assert!(page(br#"{"kind":"storage#objects"}"#).unwrap().objects.is_empty());
        for bad in [
            &b""[..],
            b"{}",
            br#"{"kind":"storage#object"}"#,
            br#"{"kind":"storage#objects","items":[{"name":"a"}]}"#,
            br#"{"error":{"message":"x"}}"#,
        ] {
            assert!(page(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
