//! The account: logging in, what we may do, and the calls that need both.

use super::Options;
use super::answers::{self, Authorized, Bucket, Buckets, UploadUrl};
use crate::ErrorKind;
use crate::net::download;
use crate::net::failure::Failure;
use crate::net::http::{self, Answer, Http};
use ::http::Method;
use ::http::header::{AUTHORIZATION, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{RequestBuilder, Url};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Where one logs in.
const BACKBLAZE: &str = "https://api.backblazeb2.com";
/// No answer that is no file is longer.
const LONGEST_ANSWER: u64 = 32 * 1024 * 1024;
/// With how many sessions a call is tried, if each is found too old.
const SESSIONS: usize = 3;
const NO_URL: Failure = Failure::Answer("names an address that is no URL");
/// What stands in a name as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

type Result<T> = std::result::Result<T, Failure>;

/// An account, and one bucket in it.
pub(super) struct Account {
    pub(super) http: Http,
    bucket: String,
    key_id: String,
    key: String,
    login: Url,
    session: Mutex<Option<Arc<Session>>>,
}

/// What logging in told; good for a day.
pub(super) struct Session {
    account_id: String,
    token: HeaderValue,
    api_url: Url,
    download_url: Url,
    may_delete: bool,
    bucket_id: OnceLock<String>,
}

/// A place to upload to: its address, and the token for it.
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) token: HeaderValue,
}

impl Account {
    /// `None` if the address is no URL.
    pub(super) fn new(http: Http, bucket: &str, options: &Options) -> Option<Self> {
        let endpoint = options.endpoint.as_deref().unwrap_or(BACKBLAZE);
        let login = folder(url(endpoint)?).join("b2api/v2/b2_authorize_account").ok()?;
        let (key_id, key) = (options.key_id.clone(), options.key.clone());
        Some(Account { http, bucket: bucket.to_owned(), key_id, key, login, session: Mutex::default() })
    }

    /// Does what needs a session; with a new one if that one is not good any more.
    pub(super) fn authorized<T>(&self, work: impl Fn(&Session) -> Result<T>) -> Result<T> {
        for _ in 1..SESSIONS {
            let session = self.session()?;
            match work(&session) {
                Err(failure) if answers::wants_login(&failure) => self.forget(&session),
                outcome => return outcome,
            }
        }
        work(&*self.session()?)
    }

    /// A call of the API about our bucket, whose id the body is made with.
    pub(super) fn call<T: DeserializeOwned>(&self, name: &str, body: impl Fn(&str) -> Value) -> Result<T> {
        self.authorized(|session| self.call_in(session, name, &body(self.bucket_id(session)?)))
    }

    fn call_in<T: DeserializeOwned>(&self, session: &Session, name: &str, body: &Value) -> Result<T> {
        let url = session.api_url.join(&format!("b2api/v2/{name}"));
        let request = self.request(Method::POST, url, session)?.body(body.to_string());
        parsed(checked(self.http.send(request)?)?)
    }

    /// The request that downloads a file, or asks for its head.
    pub(super) fn download(&self, method: &Method, name: &str, session: &Session) -> Result<RequestBuilder> {
        let path = format!("file/{}/{}", self.bucket, encoded(name));
        self.request(method.clone(), session.download_url.join(&path), session)
    }

    /// A request with the session's token.
    fn request<E>(
        &self,
        method: Method,
        url: std::result::Result<Url, E>,
        session: &Session,
    ) -> Result<RequestBuilder> {
        let url = url.map_err(|_| NO_URL)?;
        Ok(self.http.client.request(method, url).header(AUTHORIZATION, &session.token))
    }

    /// Whether the key may delete versions; if not, files are hidden.
    pub(super) fn may_delete(&self) -> Result<bool> {
        Ok(self.session()?.may_delete)
    }

    /// A place to upload to.
    pub(super) fn target(&self) -> Result<Target> {
        let told: UploadUrl = self.call("b2_get_upload_url", |bucket| json!({ "bucketId": bucket }))?;
        Ok(Target { url: self.address(&told.upload_url)?, token: secret(&told.authorization_token)? })
    }

    /// Makes the bucket if there is none of that name.
    pub(super) fn make_bucket(&self) -> Result<()> {
        self.authorized(|session| match self.bucket_id(session) {
            Err(failure) if failure.kind() == ErrorKind::NotFound => {
                let body = json!({ "accountId": session.account_id, "bucketName": self.bucket,
                    "bucketType": "allPrivate" });
                match self.call_in::<Bucket>(session, "b2_create_bucket", &body) {
                    Ok(made) => session.bucket_id.get_or_init(|| made.bucket_id),
                    // By ourselves a moment ago, or by somebody else whose bucket we cannot see.
                    Err(Failure::Refused { kind: ErrorKind::AlreadyExists, said }) => self
                        .bucket_id(session)
                        .map_err(|_| Failure::Refused { kind: ErrorKind::Unusable, said })?,
                    Err(failure) => return Err(failure),
                };
                Ok(())
            }
            outcome => outcome.map(|_| ()),
        })
    }

    fn bucket_id<'a>(&self, session: &'a Session) -> Result<&'a str> {
        if let Some(id) = session.bucket_id.get() {
            return Ok(id);
        }
        let body = json!({ "accountId": session.account_id, "bucketName": self.bucket });
        let found: Buckets = self.call_in(session, "b2_list_buckets", &body)?;
        let ours = found.buckets.into_iter().find(|bucket| bucket.bucket_name == self.bucket);
        let ours = ours.ok_or_else(|| {
            Failure::refused(
                ErrorKind::NotFound,
                &format!("there is no bucket {} that this key can see", self.bucket),
            )
        })?;
        Ok(session.bucket_id.get_or_init(|| ours.bucket_id))
    }

    /// The session there is, or a new one; only one caller logs in.
    fn session(&self) -> Result<Arc<Session>> {
        let mut session = self.locked();
        if let Some(session) = &*session {
            return Ok(Arc::clone(session));
        }
        let new = Arc::new(self.log_in()?);
        *session = Some(Arc::clone(&new));
        Ok(new)
    }

    fn forget(&self, old: &Arc<Session>) {
        let mut session = self.locked();
        if session.as_ref().is_some_and(|session| Arc::ptr_eq(session, old)) {
            *session = None;
        }
    }

    fn log_in(&self) -> Result<Session> {
        let request = self.http.client.get(self.login.clone()).basic_auth(&self.key_id, Some(&self.key));
        let answer =
            checked(self.http.fetch(request)?).map_err(|failure| match answers::wants_login(&failure) {
                true => {
                    let said = format!("{failure}; are B2_ACCOUNT_ID and B2_ACCOUNT_KEY a key of B2?");
                    Failure::Refused { kind: ErrorKind::Denied, said }
                }
                false => failure,
            })?;
        let authorized: Authorized = parsed(answer)?;
        let allowed = authorized.allowed;
        let session = Session {
            token: secret(&authorized.authorization_token)?,
            api_url: folder(self.address(&authorized.api_url)?),
            download_url: folder(self.address(&authorized.download_url)?),
            account_id: authorized.account_id,
            may_delete: allowed.capabilities.is_none_or(|may| may.iter().any(|what| what == "deleteFiles")),
            bucket_id: OnceLock::new(),
        };
        if let (Some(id), Some(name)) = (allowed.bucket_id, allowed.bucket_name)
            && name == self.bucket
        {
            session.bucket_id.get_or_init(|| id);
        }
        Ok(session)
    }

    /// An address that an answer names; our tokens go out by TLS if the login did.
    fn address(&self, text: &str) -> Result<Url> {
        let url = url(text).ok_or(NO_URL)?;
        match url.scheme() == self.login.scheme() || url.scheme() == "https" {
            true => Ok(url),
            false => Err(Failure::Answer("names an address without TLS")),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Arc<Session>>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address of a server.
fn url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The same address as one that paths can be joined to.
fn folder(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// A name as it stands in URLs and headers.
pub(super) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, PLAIN).to_string()
}

fn secret(token: &str) -> Result<HeaderValue> {
    http::secret(token).ok_or(Failure::Answer("has a token that is none"))
}

/// The answer if it is a success, else what B2 says is wrong.
pub(super) fn checked(mut answer: Answer<'_>) -> Result<Answer<'_>> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let said = answer.said();
    Err(answers::refusal(answer.status(), &said))
}

/// The JSON of an answer.
pub(super) fn parsed<T: DeserializeOwned>(answer: Answer<'_>) -> Result<T> {
    let mut body = Vec::new();
    download::whole(answer, LONGEST_ANSWER, &mut body)?;
    serde_json::from_slice(&body).map_err(|_| Failure::Answer("is not in the form of B2's"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net;
    use crate::net::http::Dial;

    fn account(endpoint: &str) -> Option<Account> {
        let http = Http::new(&net::Options::default(), Dial::default()).unwrap();
        let options = Options { endpoint: Some(endpoint.to_owned()), ..Options::default() };
        Account::new(http, "bucket", &options)
    }

    #[test]
    fn tokens_go_out_by_tls_if_the_login_did() {
        let at_home = account("https://b2.example").unwrap();
        assert!(at_home.address("http://b2.example").is_err());
        assert!(at_home.address("https://another.example/x?y").is_ok());
        assert!(account("http://127.0.0.1:1").unwrap().address("http://127.0.0.1:2").is_ok());
    }

    #[test]
    fn the_login_is_below_the_endpoint() {
        for endpoint in ["https://b2.example", "https://b2.example/"] {
            let login = account(endpoint).unwrap().login;
            assert_eq!(login.as_str(), "https://b2.example/b2api/v2/b2_authorize_account");
        }
        for nothing in ["b2.example", "ftp://b2.example", "", "https://"] {
            assert!(account(nothing).is_none(), "{nothing}");
        }
    }
}
