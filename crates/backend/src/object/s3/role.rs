//! A role taken on with the credentials that were found: what AWS calls AssumeRole.

use crate::net::xml;
use crate::object::encode;
use bytes::Bytes;
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::{Context, Error, ProvideCredential, ProvideCredentialChain, Result, Signer};
use sha2::{Digest, Sha256};

/// The version of the service's interface.
const VERSION: &str = "2011-06-15";

/// Which role is taken on, and from whom.
#[derive(Clone, Default)]
pub struct Role {
    /// Its name.
    pub arn: String,
    /// What the session is called in the service's records; without it, by our name.
    pub session: Option<String>,
    /// A word that the owner of the role wants to hear.
    pub external_id: Option<String>,
    /// A policy that narrows what the session may do.
    pub policy: Option<String>,
    /// The region of the service that gives out roles; without it, that of the bucket.
    pub region: Option<String>,
    /// Its URL; without it, the one of its region.
    pub endpoint: Option<String>,
}

/// Gives out the credentials of a role.
pub(super) struct Assumed {
    role: Role,
    region: Option<String>,
    own: ProvideCredentialChain<Credential>,
}

impl std::fmt::Debug for Assumed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Assumed")
    }
}

impl Assumed {
    /// `role` as taken on by who `own` says we are, for a bucket in `region`.
    pub(super) fn new(role: &Role, region: Option<&str>, own: ProvideCredentialChain<Credential>) -> Self {
        let region = role.region.clone().or_else(|| region.map(str::to_owned));
        Assumed { role: role.clone(), region, own }
    }

    fn endpoint(&self) -> String {
        match (&self.role.endpoint, &self.region) {
            (Some(endpoint), _) => format!("{}/", endpoint.trim_end_matches('/')),
            (None, Some(region)) if region.starts_with("cn-") => {
                format!("https://sts.{region}.amazonaws.com.cn/")
            }
            (None, Some(region)) => format!("https://sts.{region}.amazonaws.com/"),
            (None, None) => "https://sts.amazonaws.com/".to_owned(),
        }
    }

    fn form(&self) -> String {
        let role = &self.role;
        let fields = [
            ("Action", Some("AssumeRole")),
            ("Version", Some(VERSION)),
            ("RoleArn", Some(role.arn.as_str())),
            ("RoleSessionName", Some(role.session.as_deref().unwrap_or("tresor"))),
            ("ExternalId", role.external_id.as_deref()),
            ("Policy", role.policy.as_deref()),
        ];
        let fields =
            fields.iter().filter_map(|(name, value)| Some(format!("{name}={}", encode::part((*value)?))));
        fields.collect::<Vec<_>>().join("&")
    }
}

impl ProvideCredential for Assumed {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> Result<Option<Credential>> {
        let Some(own) = self.own.provide_credential(context).await? else { return Ok(None) };
        let form = self.form();
        let hash: [u8; 32] = Sha256::digest(form.as_bytes()).into();
        let request = ::http::Request::post(self.endpoint())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-amz-content-sha256", crate::Id::from_bytes(hash).hex())
            .body(Bytes::from(form))
            .map_err(|error| Error::config_invalid("the endpoint for roles is no URL").with_source(error))?;
        let (mut parts, body) = request.into_parts();
        let region = self.region.as_deref().unwrap_or(super::DEFAULT_REGION);
        let known = Known(own);
        Signer::new(context.clone(), known, RequestSigner::new("sts", region)).sign(&mut parts, None).await?;
        let answer = context.http_send(::http::Request::from_parts(parts, body)).await?;
        read(answer.status(), answer.body()).map(Some)
    }
}

/// Credentials that are at hand.
struct Known(Credential);

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known")
    }
}

impl ProvideCredential for Known {
    type Credential = Credential;

    async fn provide_credential(&self, _: &Context) -> Result<Option<Credential>> {
        Ok(Some(self.0.clone()))
    }
}

/// Reads the service's answer.
fn read(status: ::http::StatusCode, body: &[u8]) -> Result<Credential> {
    let fields = xml::read(body, "").map(|document| document.fields).unwrap_or_default();
    let field = |name: &str| fields.get(name).filter(|text| !text.is_empty());
    if !status.is_success() {
        let said = field("Error/Message").map_or_else(|| status.to_string(), String::clone);
        let error = Error::permission_denied(format!("the role is refused: {said}"));
        return Err(error.set_retryable(status.is_server_error()));
    }
    let given = |name: &str| {
        field(&format!("AssumeRoleResult/Credentials/{name}")).map(|text| text.trim().to_owned())
    };
    let missing = || Error::unexpected("the answer to a role holds no credentials");
    Ok(Credential {
        access_key_id: given("AccessKeyId").ok_or_else(missing)?,
        secret_access_key: given("SecretAccessKey").ok_or_else(missing)?,
        session_token: given("SessionToken"),
        expires_in: given("Expiration").and_then(|time| time.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::StatusCode;

    fn assumed(region: Option<&str>, role: Role) -> Assumed {
        Assumed::new(&role, region, ProvideCredentialChain::new())
    }

    #[test]
    fn the_service_is_the_one_of_the_region_unless_another_is_named() {
        let role = Role { arn: "arn:x:role/y z".into(), policy: Some("{}".into()), ..Role::default() };
        assert_eq!(assumed(None, role.clone()).endpoint(), "https://sts.amazonaws.com/");
        assert_eq!(
            assumed(Some("eu-west-1"), role.clone()).endpoint(),
            "https://sts.eu-west-1.amazonaws.com/"
        );
        assert_eq!(
            assumed(Some("cn-north-1"), role.clone()).endpoint(),
            "https://sts.cn-north-1.amazonaws.com.cn/"
        );
        let own =
            Role { endpoint: Some("http://here:1".into()), region: Some("there".into()), ..role.clone() };
        assert_eq!(assumed(Some("eu-west-1"), own).endpoint(), "http://here:1/");
        assert_eq!(
            assumed(None, role).form(),
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Ax%3Arole%2Fy%20z&RoleSessionName=tresor&Policy=%7B%7D"
        );
    }

    #[test]
    fn an_answer_holds_all_of_it_or_is_an_error() {
        let inner = "<AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken>\
                     <Expiration>2030-01-01T00:00:00Z</Expiration>";
        let whole = |inner: &str| {
            format!("<R><AssumeRoleResult><Credentials>{inner}</Credentials></AssumeRoleResult></R>")
                .into_bytes()
        };
        let credential = read(StatusCode::OK, &whole(inner)).unwrap();
        assert_eq!(
            (credential.access_key_id.as_str(), credential.session_token.as_deref()),
            ("a", Some("c"))
        );
        assert!(credential.expires_in.is_some());
        assert!(read(StatusCode::OK, &whole("")).is_err());
        let refused = b"<ErrorResponse><Error><Message>no</Message></Error></ErrorResponse>";
        assert!(
            read(StatusCode::FORBIDDEN, refused).unwrap_err().to_string().contains("the role is refused: no")
        );
    }
}
