//! The B2 backend: Backblaze's own protocol, version 2, by the name of the bucket.
//!
//! Source: Backblaze's reference of the "B2 Native API". A file that is removed is gone with all its versions; where
//! the key may not delete, it is hidden. Files lie in restic's default layout.

use crate::net::failure::Failure;
use crate::net::http::{Answer, Dial, Http};
use crate::net::{self, download};
use crate::{
    Backend, ByteRange, Capabilities, Error, ErrorKind, FileKind, FileName, Listed, Payload, Result, layout,
};
use ::http::Method;
use ::http::header::RANGE;
use std::num::NonZeroUsize;

mod answers;
mod account;
mod digest;
mod files;
mod upload;

use account::Account;
use upload::Uploads;

/// How many calls run at once unless told otherwise.
pub const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(5).expect("five is not zero");

/// Who we are for B2.
#[derive(Clone, Default)]
pub struct Options {
    /// The id of the application key.
    pub key_id: String,
    /// The application key.
    pub key: String,
    /// Where to log in, if not at Backblaze.
    pub endpoint: Option<String>,
}

/// A repository in a bucket of B2.
pub struct B2 {
    account: Account,
    uploads: Uploads,
    prefix: String,
    shown: String,
    connections: NonZeroUsize,
}

type Outcome<T> = std::result::Result<T, Failure>;

impl B2 {
    /// The repository below `prefix` in `bucket`, shown to people as `shown`. Nobody is asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::Unusable`] if the key is missing or the address is no URL.
    pub fn open(
        bucket: &str,
        prefix: &str,
        shown: String,
        options: &Options,
        connections: NonZeroUsize,
        network: &net::Options,
    ) -> Result<Self> {
        let unusable = |what: &str| Failure::refused(ErrorKind::Unusable, what).about("open", &shown);
        if options.key_id.is_empty() {
            return Err(unusable("the id of the key is missing: set B2_ACCOUNT_ID"));
        }
        if options.key.is_empty() {
            return Err(unusable("the key is missing: set B2_ACCOUNT_KEY"));
        }
        let http = Http::new(network, Dial { connections: connections.get(), ..Dial::default() })?;
        let account = Account::new(http, bucket, options);
        let account = account.ok_or_else(|| unusable("the address to log in at (b2.endpoint) is no URL"))?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(B2 { account, uploads: Uploads::default(), prefix, shown, connections })
    }

    fn name(&self, file: FileName) -> String {
        format!("{}{}", self.prefix, layout::path(file))
    }

    fn ask(&self, method: &Method, file: FileName, range: Option<&str>) -> Outcome<Answer<'_>> {
        let name = self.name(file);
        self.account.authorized(|session| {
            let request = self.account.download(method, &name, session)?;
            let request = match range {
                Some(range) => request.header(RANGE, range),
                None => request,
            };
            account::checked(self.account.http.fetch(request)?)
        })
    }

    fn length(&self, file: FileName) -> Outcome<u64> {
        let answer = self.ask(&Method::HEAD, file, None)?;
        answer.length().ok_or(Failure::Answer("does not say how long the file is"))
    }

    /// A file as a whole, which is what its SHA-1 is about.
    fn whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Outcome<()> {
        let answer = self.ask(&Method::GET, file, None)?;
        let told = digest::told(answer.headers());
        download::whole(answer, at_most, into)?;
        match told.is_none_or(|told| told == digest::of(into)) {
            true => Ok(()),
            false => Err(Failure::Answer("is not what its SHA-1 says")),
        }
    }
}

impl Backend for B2 {
    fn capabilities(&self) -> Capabilities {
        // The newest version is the file, from one moment to the next.
        Capabilities { connections: self.connections.get(), atomic_replace: true }
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
        self.account.make_bucket().map_err(|failure| failure.about("create", &self.shown))
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        let saved = self.uploads.save(&self.account, &self.name(file), payload);
        saved.map_err(|failure| failure.of_file("save", file))
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let get = |bytes: String| self.ask(&Method::GET, file, Some(&bytes));
        let loaded = download::range(range, into, get, || self.length(file));
        loaded.map_err(|failure| failure.of_file("load", file))
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        self.whole(file, at_most, into).map_err(|failure| failure.of_file("load", file))
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.length(file).map_err(|failure| failure.of_file("stat", file))
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        match kind {
            FileKind::Config => Ok(()),
            _ => files::list(&self.account, &self.prefix, kind, each),
        }
    }

    fn remove(&self, file: FileName) -> Result<()> {
        let removed = files::remove(&self.account, &self.name(file));
        removed.map_err(|failure| failure.of_file("remove", file))
    }
}
