//! Who we are to an S3 service, looked for in restic's order.

use super::role::{Assumed, Role};
use crate::ErrorKind;
use crate::net::failure::Failure;
use crate::object::environment::Surroundings;
use reqsign_aws_v4::{
    AssumeRoleWithWebIdentityCredentialProvider, Credential, ECSCredentialProvider, IMDSv2CredentialProvider,
    ProfileCredentialProvider,
};
use reqsign_core::{Context, ProvideCredential, ProvideCredentialChain, ProvideCredentialDyn};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

/// Variables in which a key, its secret and a session's token stand.
const SETS: [[&str; 3]; 4] = [
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
    ["AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN"],
    ["MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", ""],
    ["MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", ""],
];

/// All sources one after the other: variables, files, the machine's own role. With them, `role` is taken on for
/// `region` if one is wanted.
///
/// # Errors
/// A key without its secret, or a secret without its key.
pub(super) fn provider(
    surroundings: &Surroundings,
    role: Option<&Role>,
    region: Option<&str>,
) -> Result<Arc<dyn ProvideCredentialDyn<Credential = Credential>>, Failure> {
    let half = |is: &str, is_not: &str| {
        Failure::refused(
            ErrorKind::Unusable,
            &format!("no credentials found. ${is} is set but ${is_not} is empty"),
        )
    };
    let [id, secret, _] = SETS[0];
    match (surroundings.get(id), surroundings.get(secret)) {
        (Some(_), None) => return Err(half(id, secret)),
        (None, Some(_)) => return Err(half(secret, id)),
        _ => {}
    }
    let own = ProvideCredentialChain::new()
        .push(Variables)
        .push(ProfileCredentialProvider::new())
        .push(MinioFile)
        .push(AssumeRoleWithWebIdentityCredentialProvider::new())
        .push(ECSCredentialProvider::new())
        .push(IMDSv2CredentialProvider::new());
    Ok(match role {
        Some(role) => Arc::new(Assumed::new(role, region, own)),
        None => Arc::new(own),
    })
}

/// What a signature that could not be made is.
pub(super) fn failure(error: &reqsign_core::Error) -> Failure {
    crate::object::unsigned(
        error,
        "no credentials found. Use `-o s3.unsafe-anonymous-auth=true` for anonymous authentication",
    )
}

/// A key in variables of AWS or MinIO.
#[derive(Debug)]
struct Variables;

impl ProvideCredential for Variables {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> reqsign_core::Result<Option<Credential>> {
        Ok(SETS.iter().find_map(|[id, secret, token]| {
            Some(Credential {
                access_key_id: context.env_var(id)?,
                secret_access_key: context.env_var(secret)?,
                session_token: context.env_var(token),
                expires_in: None,
            })
        }))
    }
}

/// The settings of MinIO's client: `~/.mc/config.json`.
#[derive(Debug)]
struct MinioFile;

#[derive(Deserialize)]
struct MinioConfig {
    #[serde(default, alias = "hosts")]
    aliases: HashMap<String, MinioAlias>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MinioAlias {
    access_key: String,
    secret_key: String,
}

impl ProvideCredential for MinioFile {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> reqsign_core::Result<Option<Credential>> {
        let path = context.env_var("MINIO_SHARED_CREDENTIALS_FILE");
        let path = path.or_else(|| Some(context.home_dir()?.join(".mc/config.json").to_str()?.to_owned()));
        let Some(path) = path else { return Ok(None) };
        let Ok(text) = context.file_read(&path).await else { return Ok(None) };
        let Ok(mut config) = serde_json::from_slice::<MinioConfig>(&text) else { return Ok(None) };
        let alias = context.env_var("MINIO_ALIAS").unwrap_or_else(|| "s3".to_owned());
        let found = config.aliases.remove(&alias).filter(|found| !found.access_key.is_empty());
        Ok(found.map(|found| Credential {
            access_key_id: found.access_key,
            secret_access_key: found.secret_key,
            session_token: None,
            expires_in: None,
        }))
    }
}
