//! A server by its URL, and who we are there.

use super::Options;
use super::http::{Dial, Http};
use crate::{Error, ErrorKind, Result};
use reqwest::{Method, RequestBuilder, Url};

/// Name and password for a server whose URL has none.
#[derive(Clone, Default)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// A folder of a server, of which requests are made.
pub(crate) struct Site {
    pub(crate) http: Http,
    pub(crate) url: Url,
    login: Option<Login>,
}

impl Site {
    /// The folder at `url`, which ends with a slash; `login` is for a URL without a name and a password.
    ///
    /// # Errors
    /// [`ErrorKind::Unusable`] if that is no URL, of the repository that people know as `shown`.
    pub(crate) fn open(url: &str, shown: &str, login: &Login, network: &Options, dial: Dial) -> Result<Self> {
        let mut url = Url::parse(url)
            .map_err(|error| Error::about(ErrorKind::Unusable, "open", shown).caused_by(error))?;
        let login = login_of(&mut url)
            .or_else(|| (!login.user.is_empty() || !login.password.is_empty()).then(|| login.clone()));
        let http = Http::new(network, dial)?;
        http.will_ask(url.as_str(), shown)?;
        Ok(Site { http, url, login })
    }

    /// A request for what is at `path` below.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        // Ids and kinds need no escaping, and the URL ends with a slash: joining cannot fail.
        self.request_at(method, self.url.join(path).unwrap_or_else(|_| self.url.clone()))
    }

    /// A request for a URL of the server.
    pub(crate) fn request_at(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.client.request(method, url);
        match &self.login {
            Some(login) => request.basic_auth(&login.user, Some(&login.password)),
            None => request,
        }
    }
}

/// Takes name and password out of a URL.
fn login_of(url: &mut Url) -> Option<Login> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_taken_out_of_the_url() {
        let mut url = Url::parse("https://us%40er:pa%2Fss@host:1/r/").unwrap();
        let login = login_of(&mut url).unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("us@er", "pa/ss"));
        assert_eq!(url.as_str(), "https://host:1/r/");
        assert!(login_of(&mut url).is_none());
    }
}
