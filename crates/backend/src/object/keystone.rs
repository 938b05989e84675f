//! Logging in to OpenStack: the three versions of its identity service.
//!
//! Source: the public descriptions of Swift's own authentication (version 1) and of Keystone (2 and 3). Which
//! variable counts for what, and which wins, is restic's rule; the version is read from the URL, as there.

use super::Outcome;
use super::environment::Surroundings;
use crate::ErrorKind;
use crate::net::download;
use crate::net::failure::Failure;
use crate::net::http::{self, Answer, Http};
use ::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Url};
use serde_json::{Map, Value, json};

/// The header that shows a token.
pub(super) const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
/// How long a catalog of services may be.
const LONGEST_CATALOG: u64 = 16 * 1024 * 1024;

/// What a login gives: a token, and where the object store is.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) token: HeaderValue,
    /// The URL of the account, without a slash at its end.
    pub(super) store: String,
}

impl Session {
    /// With a token and a URL that a server or a person told.
    pub(super) fn new(token: &str, store: &str) -> Outcome<Self> {
        let token = secret(token)?;
        match Url::parse(store) {
            Ok(url) if url.has_host() => Ok(Session { token, store: store.trim_end_matches('/').to_owned() }),
            _ => Err(unusable("the address of the object store is no URL")),
        }
    }
}

/// Logs in with what the variables say.
pub(super) fn log_in(http: &Http, known: &Surroundings) -> Outcome<Session> {
    let who = Who(known);
    let address = who.address().ok_or_else(|| {
        unusable("no credentials found: set $OS_AUTH_URL or $ST_AUTH, or $OS_STORAGE_URL with $OS_AUTH_TOKEN")
    })?;
    let logged_in = match version(address) {
        Some(3) => version_3(http, &who, address),
        Some(2) => version_2(http, &who, address),
        Some(_) => version_1(http, &who, address),
        None => Err(unusable(
            "the address to log in at ($OS_AUTH_URL or $ST_AUTH) names no version: v1, v2 or v3",
        )),
    };
    logged_in.map_err(|failure| {
        let kind = match failure.kind() {
            // Not the repository is missing.
            ErrorKind::NotFound => ErrorKind::Unusable,
            kind => kind,
        };
        match failure {
            Failure::Status { .. } | Failure::Answer(_) => {
                Failure::refused(kind, &format!("cannot log in to the object store: {failure}"))
            }
            failure => failure,
        }
    })
}

/// Where the variables say that one logs in.
pub(super) fn address(known: &Surroundings) -> Option<&str> {
    Who(known).address()
}

/// What the variables say, in restic's order.
struct Who<'a>(&'a Surroundings);

impl<'a> Who<'a> {
    /// The first of these that is set.
    fn first(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.0.get(name))
    }

    fn address(&self) -> Option<&'a str> {
        self.first(&["OS_AUTH_URL", "ST_AUTH"])
    }

    fn user(&self) -> Option<&'a str> {
        self.first(&["OS_USERNAME", "ST_USER"])
    }

    fn password(&self) -> &'a str {
        self.first(&["OS_PASSWORD", "ST_KEY"]).unwrap_or_default()
    }

    fn project(&self) -> Option<&'a str> {
        self.first(&["OS_PROJECT_NAME", "OS_TENANT_NAME"])
    }

    /// A domain by its name, else by its id.
    fn domain(&self, name: &str, id: &str) -> Option<Value> {
        let named = self.0.get(name).map(|name| json!({ "name": name }));
        named.or_else(|| self.0.get(id).map(|id| json!({ "id": id })))
    }

    fn user_domain(&self) -> Option<Value> {
        self.domain("OS_USER_DOMAIN_NAME", "OS_USER_DOMAIN_ID")
    }

    /// The user of a password or of a named application credential, without a secret.
    fn described(&self) -> Map<String, Value> {
        let mut user = Map::new();
        if let Some(id) = self.0.get("OS_USER_ID") {
            user.insert("id".to_owned(), id.into());
        } else {
            user.insert("name".to_owned(), self.user().into());
            user.insert("domain".to_owned(), self.user_domain().unwrap_or_else(default_domain));
        }
        user
    }

    /// How to say who we are.
    fn identity(&self) -> Value {
        let (id, name) = ("OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_NAME");
        let secret = || self.0.get("OS_APPLICATION_CREDENTIAL_SECRET");
        let credential = match (self.0.get(id), self.0.get(name)) {
            (Some(id), _) => json!({ "id": id, "secret": secret() }),
            (None, Some(name)) => json!({ "name": name, "secret": secret(), "user": self.described() }),
            (None, None) if self.user().is_none() && self.0.get("OS_USER_ID").is_none() => {
                // Nobody: then the password is a token.
                return json!({ "methods": ["token"], "token": { "id": self.password() } });
            }
            (None, None) => {
                let mut user = self.described();
                user.insert("password".to_owned(), self.password().into());
                return json!({ "methods": ["password"], "password": { "user": user } });
            }
        };
        json!({ "methods": ["application_credential"], "application_credential": credential })
    }

    /// What the token is to be good for; an application credential knows that itself.
    fn scope(&self) -> Option<Value> {
        if self.first(&["OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_NAME"]).is_some() {
            return None;
        }
        if let Some(trust) = self.0.get("OS_TRUST_ID") {
            return Some(json!({ "OS-TRUST:trust": { "id": trust } }));
        }
        if let Some(id) = self.0.get("OS_TENANT_ID") {
            return Some(json!({ "project": { "id": id } }));
        }
        let domain = self.domain("OS_PROJECT_DOMAIN_NAME", "OS_PROJECT_DOMAIN_ID");
        let domain = domain.or_else(|| self.user_domain()).unwrap_or_else(default_domain);
        self.project().map(|name| json!({ "project": { "name": name, "domain": domain } }))
    }
}

/// The domain of an OpenStack that has only one.
fn default_domain() -> Value {
    json!({ "name": "Default" })
}

/// The version that the URL of an identity service names.
fn version(url: &str) -> Option<u8> {
    [("v3", 3), ("v2", 2), ("v1", 1)]
        .into_iter()
        .find_map(|(name, version)| url.contains(name).then_some(version))
}

/// User and key in headers, token and URL in headers.
fn version_1(http: &Http, who: &Who<'_>, address: &str) -> Outcome<Session> {
    let mut headers = HeaderMap::new();
    headers.insert("x-auth-user", secret(who.user().unwrap_or_default())?);
    headers.insert("x-auth-key", secret(who.password())?);
    let answer = http.send(http.client.get(parsed(address)?).headers(headers))?.success()?;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    match (header("x-auth-token"), header("x-storage-url")) {
        (Some(token), Some(store)) => Session::new(token, store),
        _ => Err(Failure::Answer("has no token and no address")),
    }
}

fn version_2(http: &Http, who: &Who<'_>, address: &str) -> Outcome<Session> {
    let mut auth = json!({ "passwordCredentials": { "username": who.user(), "password": who.password() } });
    for (name, value) in [("tenantName", who.project()), ("tenantId", who.0.get("OS_TENANT_ID"))] {
        if let Some(value) = value {
            auth[name] = value.into();
        }
    }
    let answer = posted(http, address, "tokens", &json!({ "auth": auth }))?;
    let access = &told(answer)?["access"];
    let token = access["token"]["id"].as_str().ok_or(Failure::Answer("has no token"))?;
    let store = endpoint(&access["serviceCatalog"], who.0.get("OS_REGION_NAME"), |endpoint| {
        endpoint["publicURL"].as_str()
    })?;
    Session::new(token, store)
}

fn version_3(http: &Http, who: &Who<'_>, address: &str) -> Outcome<Session> {
    let mut auth = json!({ "identity": who.identity() });
    if let Some(scope) = who.scope() {
        auth["scope"] = scope;
    }
    let answer = posted(http, address, "auth/tokens", &json!({ "auth": auth }))?;
    let token =
        answer.headers().get("x-subject-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
    let token = token.ok_or(Failure::Answer("has no token"))?;
    let catalog = &told(answer)?["token"]["catalog"];
    let store = endpoint(catalog, who.0.get("OS_REGION_NAME"), |endpoint| {
        (endpoint["interface"] == "public").then_some(endpoint["url"].as_str()?)
    })?;
    Session::new(&token, store)
}

/// Posts a description of who we are.
fn posted<'a>(http: &'a Http, address: &str, path: &str, body: &Value) -> Outcome<Answer<'a>> {
    let url = parsed(&format!("{}/{path}", address.trim_end_matches('/')))?;
    let request: RequestBuilder = http.client.post(url).header(CONTENT_TYPE, "application/json");
    http.send(request.body(body.to_string()))?.success()
}

/// The JSON of an answer.
fn told(answer: Answer<'_>) -> Outcome<Value> {
    let mut body = Vec::new();
    download::whole(answer, LONGEST_CATALOG, &mut body)?;
    serde_json::from_slice(&body).map_err(|_| Failure::Answer("is no JSON"))
}

/// Where the object store of this region is, or of the first region; `address` reads it from an endpoint.
fn endpoint<'a>(
    catalog: &'a Value,
    region: Option<&str>,
    address: impl Fn(&'a Value) -> Option<&'a str>,
) -> Outcome<&'a str> {
    let services =
        catalog.as_array().into_iter().flatten().filter(|service| service["type"] == "object-store");
    let mut endpoints = services.filter_map(|service| service["endpoints"].as_array()).flatten();
    let here = |endpoint: &Value| region.is_none_or(|region| endpoint["region"] == region);
    let found = endpoints.find_map(|endpoint| here(endpoint).then(|| address(endpoint)).flatten());
    found.ok_or_else(|| match region {
        Some(region) => unusable(&format!("this login has no object store in the region {region}")),
        None => unusable("this login has no object store"),
    })
}

fn parsed(url: &str) -> Outcome<Url> {
    let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| unusable("the address to log in at ($OS_AUTH_URL or $ST_AUTH) is no URL"))
}

fn secret(text: &str) -> Outcome<HeaderValue> {
    http::secret(text).ok_or_else(|| unusable("a name, key or token has characters that no header may have"))
}

fn unusable(said: &str) -> Failure {
    Failure::refused(ErrorKind::Unusable, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(variables: &[(&str, &str)]) -> Surroundings {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Surroundings { variables: variables.collect(), home: None }
    }

    fn asked(variables: &[(&str, &str)]) -> (Value, Option<Value>) {
        let known = known(variables);
        let who = Who(&known);
        (who.identity(), who.scope())
    }

    #[test]
    fn the_first_variable_that_is_set_wins() {
        let known =
            known(&[("OS_USERNAME", ""), ("ST_USER", "old"), ("OS_PASSWORD", "new"), ("ST_KEY", "old")]);
        let who = Who(&known);
        assert_eq!((who.user(), who.password(), who.address()), (Some("old"), "new", None));
    }

    #[test]
    fn version_3_says_who_and_for_what() {
        let (identity, scope) = asked(&[
            ("OS_USERNAME", "me"),
            ("OS_PASSWORD", "secret"),
            ("OS_USER_DOMAIN_NAME", "mine"),
            ("OS_PROJECT_NAME", "project"),
        ]);
        let user = json!({ "name": "me", "domain": { "name": "mine" }, "password": "secret" });
        assert_eq!(identity, json!({ "methods": ["password"], "password": { "user": user } }));
        let project = json!({ "name": "project", "domain": { "name": "mine" } });
        assert_eq!(scope, Some(json!({ "project": project })));

        let by_id =
            [("OS_USER_ID", "7"), ("OS_PASSWORD", "p"), ("OS_TENANT_ID", "8"), ("OS_PROJECT_NAME", "x")];
        let (identity, scope) = asked(&by_id);
        assert_eq!(identity["password"]["user"], json!({ "id": "7", "password": "p" }));
        assert_eq!(scope, Some(json!({ "project": { "id": "8" } })));

        let (_, scope) = asked(&[("OS_USERNAME", "me"), ("OS_TRUST_ID", "9"), ("OS_TENANT_ID", "8")]);
        assert_eq!(scope, Some(json!({ "OS-TRUST:trust": { "id": "9" } })));

        let (identity, _) = asked(&[("OS_PASSWORD", "a-token")]);
        assert_eq!(identity, json!({ "methods": ["token"], "token": { "id": "a-token" } }));
    }

    #[test]
    fn an_application_credential_needs_no_scope_and_by_name_a_user() {
        let secret = ("OS_APPLICATION_CREDENTIAL_SECRET", "s");
        let (identity, scope) = asked(&[
            ("OS_APPLICATION_CREDENTIAL_ID", "c"),
            secret,
            ("OS_USERNAME", "me"),
            ("OS_TENANT_ID", "8"),
        ]);
        assert_eq!(identity["application_credential"], json!({ "id": "c", "secret": "s" }));
        assert_eq!(scope, None);
        let (identity, _) = asked(&[
            ("OS_APPLICATION_CREDENTIAL_NAME", "c"),
            secret,
            ("OS_USERNAME", "me"),
            ("OS_USER_DOMAIN_ID", "d"),
        ]);
        let user = json!({ "name": "me", "domain": { "id": "d" } });
        assert_eq!(identity["application_credential"], json!({ "name": "c", "secret": "s", "user": user }));
    }

    #[test]
    fn the_region_is_looked_for_and_else_the_first_is_taken() {
        let catalog = json!([
            { "type": "image", "endpoints": [{ "region": "a", "publicURL": "http://image" }] },
            { "type": "object-store", "endpoints": [
                { "region": "a", "publicURL": "http://a" }, { "region": "b", "publicURL": "http://b" },
            ] },
        ]);
        let find = |region| endpoint(&catalog, region, |endpoint| endpoint["publicURL"].as_str());
        assert_eq!((find(None).unwrap(), find(Some("b")).unwrap()), ("http://a", "http://b"));
        assert_eq!(find(Some("c")).unwrap_err().kind(), ErrorKind::Unusable);
        assert_eq!(
            ["http://h/auth/v1.0", "http://h/v2.0", "http://h/v3", "http://h/"].map(version),
            [Some(1), Some(2), Some(3), None]
        );
    }
}
