//! The B2 backend: Backblaze's own protocol, version 2, by the name of the bucket.
//!
//! Source: Backblaze's reference of the "B2 Native API". A file that is removed is gone with all its versions; where
//! the key may not delete, it is hidden. Files lie in restic's default layout.

use crate::net::download::ranged;
use crate::net::failure::Failure;
use crate::net::http::{Answer, Dial, Http};
use crate::net::{self, download};
use crate::served::{Outcome, Served};
use crate::{ErrorKind, FileKind, FileName, Listed, Payload, Result, layout};
use ::http::Method;
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
        if let Some(endpoint) = &options.endpoint {
            http.will_ask(endpoint, &shown)?;
        }
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
            account::checked(self.account.http.fetch(ranged(request, range))?)
        })
    }
}

impl Served for B2 {
    /// The newest version is the file, from one moment to the next.
    const ATOMIC_REPLACE: bool = true;

    fn connections(&self) -> NonZeroUsize {
        self.connections
    }

    fn shown(&self) -> &str {
        &self.shown
    }

    fn length(&self, file: FileName) -> Outcome<u64> {
        self.ask(&Method::HEAD, file, None)?.stated_length()
    }

    fn get(&self, file: FileName, range: Option<&str>) -> Outcome<Answer<'_>> {
        self.ask(&Method::GET, file, range)
    }

    /// A file as a whole is what its SHA-1 is about.
    fn whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Outcome<()> {
        let answer = self.get(file, None)?;
        let told = digest::told(answer.headers());
        download::whole(answer, at_most, into)?;
        match told.is_none_or(|told| told == digest::of(into)) {
            true => Ok(()),
            false => Err(Failure::Answer("is not what its SHA-1 says")),
        }
    }

    fn make_ready(&self) -> Outcome<()> {
        self.account.make_bucket()
    }

    fn put(&self, file: FileName, payload: &Payload<'_>) -> Outcome<()> {
        self.uploads.save(&self.account, &self.name(file), payload)
    }

    fn files(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        files::list(&self.account, &self.prefix, kind, each)
    }

    fn delete(&self, file: FileName) -> Outcome<()> {
        files::remove(&self.account, &self.name(file))
    }
}
