//! What the command line and the environment say about object stores.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::time::Duration;
use tresor_backend::b2;
use tresor_backend::net::Login;
use tresor_backend::object::environment::Surroundings;
use tresor_backend::object::s3::{self, BringBack, Lookup, Role};
use tresor_backend::object::{azure, gs, swift};

use crate::environment::Environment;
use crate::exit::{Failure, Result};
use crate::{gonumber, units};

/// The variables that say who we are to S3 services, and how to find that out.
const S3_VARIABLES: [&str; 24] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "MINIO_ACCESS_KEY",
    "MINIO_ALIAS",
    "MINIO_ROOT_PASSWORD",
    "MINIO_ROOT_USER",
    "MINIO_SECRET_KEY",
    "MINIO_SHARED_CREDENTIALS_FILE",
];

/// For how many days packs are brought back from an archive.
const DAYS: i64 = 7;
/// How long to wait for one.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// The options of S3.
///
/// # Errors
/// An extended option that makes no sense.
pub(crate) fn s3(values: &BTreeMap<&str, &str>, environment: &Environment) -> Result<s3::Options> {
    if let Some(text) = values.get("retries") {
        gonumber::uint(text).map_err(Failure::plain)?;
    }
    let region = text(values, "region").or_else(|| variable(environment, "AWS_DEFAULT_REGION"));
    Ok(s3::Options {
        region,
        lookup: match values.get("bucket-lookup").copied().unwrap_or_default() {
            "" | "auto" => Lookup::Auto,
            "dns" => Lookup::Dns,
            "path" => Lookup::Path,
            other => {
                return Err(Failure::fatal(format!(
                    "bad bucket-lookup style {other:?} must be \"auto\", \"path\" or \"dns\""
                )));
            }
        },
        anonymous: flag(values, "unsafe-anonymous-auth")?,
        list_v1: flag(values, "list-objects-v1")?,
        storage_class: text(values, "storage-class"),
        bring_back: bring_back(values)?,
        role: role(environment),
        surroundings: surroundings(environment, &S3_VARIABLES),
    })
}

/// Whether and how packs are brought back from an archive. What is said about it must make sense in any case.
fn bring_back(values: &BTreeMap<&str, &str>) -> Result<Option<BringBack>> {
    let days =
        values.get("restore-days").map_or(Ok(DAYS), |text| gonumber::int(text).map_err(Failure::plain))?;
    let patience = match values.get("restore-timeout") {
        Some(text) => units::parse_duration(text).map_err(Failure::plain)?,
        None => PATIENCE,
    };
    let days = u32::try_from(days)
        .map_err(|_| Failure::fatal(format!("s3.restore-days: {days} is no number of days")))?;
    let tier = values.get("restore-tier").copied().unwrap_or("Standard").to_owned();
    let how = BringBack { days: NonZeroU32::new(days), tier, patience };
    Ok(flag(values, "enable-restore")?.then_some(how))
}

/// The role to take on, if one is named.
fn role(environment: &Environment) -> Option<Role> {
    let setting = |name: &str| environment.text(&format!("AWS_ASSUME_ROLE_{name}"));
    Some(Role {
        arn: setting("ARN")?,
        session: setting("SESSION_NAME"),
        external_id: setting("EXTERNAL_ID"),
        policy: setting("POLICY"),
        region: setting("REGION"),
        endpoint: setting("STS_ENDPOINT"),
    })
}

/// The variables by which tokens for Azure are found.
const AZURE_VARIABLES: [&str; 8] = [
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TENANT_ID",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
];

/// The options of Azure.
///
/// # Errors
/// An extended option or a variable that makes no sense.
pub(crate) fn azure(values: &BTreeMap<&str, &str>, environment: &Environment) -> Result<azure::Options> {
    let access_tier = match text(values, "access-tier") {
        None => None,
        Some(tier) => {
            let known = ["Hot", "Cool", "Cold", "Archive"].into_iter();
            let found = known.into_iter().find(|known| known.eq_ignore_ascii_case(&tier));
            let found =
                found.ok_or_else(|| Failure::fatal(format!("azure: access tier {tier:?} does not exist")))?;
            Some(found.to_owned())
        }
    };
    let only_cli = match variable(environment, "AZURE_FORCE_CLI_CREDENTIAL") {
        Some(text) => gonumber::bool(&text)
            .map_err(|error| Failure::fatal(format!("AZURE_FORCE_CLI_CREDENTIAL: {error}")))?,
        None => false,
    };
    Ok(azure::Options {
        account: variable(environment, "AZURE_ACCOUNT_NAME").unwrap_or_default(),
        key: variable(environment, "AZURE_ACCOUNT_KEY"),
        sas: variable(environment, "AZURE_ACCOUNT_SAS"),
        only_cli,
        endpoint_suffix: variable(environment, "AZURE_ENDPOINT_SUFFIX"),
        service_url: None,
        access_tier,
        surroundings: surroundings(environment, &AZURE_VARIABLES),
    })
}

/// The options of Google Cloud Storage.
pub(crate) fn gs(values: &BTreeMap<&str, &str>, environment: &Environment) -> gs::Options {
    gs::Options {
        token: variable(environment, "GOOGLE_ACCESS_TOKEN"),
        project: variable(environment, "GOOGLE_PROJECT_ID"),
        region: text(values, "region"),
        service_url: variable(environment, "STORAGE_EMULATOR_HOST"),
        surroundings: surroundings(
            environment,
            &["GOOGLE_APPLICATION_CREDENTIALS", "HOME", "XDG_CONFIG_HOME"],
        ),
    }
}

/// The variables that say who we are to OpenStack, and where to log in.
const SWIFT_VARIABLES: [&str; 21] = [
    "OS_APPLICATION_CREDENTIAL_ID",
    "OS_APPLICATION_CREDENTIAL_NAME",
    "OS_APPLICATION_CREDENTIAL_SECRET",
    "OS_AUTH_TOKEN",
    "OS_AUTH_URL",
    "OS_PASSWORD",
    "OS_PROJECT_DOMAIN_ID",
    "OS_PROJECT_DOMAIN_NAME",
    "OS_PROJECT_NAME",
    "OS_REGION_NAME",
    "OS_STORAGE_URL",
    "OS_TENANT_ID",
    "OS_TENANT_NAME",
    "OS_TRUST_ID",
    "OS_USERNAME",
    "OS_USER_DOMAIN_ID",
    "OS_USER_DOMAIN_NAME",
    "OS_USER_ID",
    "ST_AUTH",
    "ST_KEY",
    "ST_USER",
];

/// The options of Swift.
pub(crate) fn swift(environment: &Environment) -> swift::Options {
    swift::Options {
        surroundings: surroundings(environment, &SWIFT_VARIABLES),
        policy: variable(environment, "SWIFT_DEFAULT_CONTAINER_POLICY").filter(|policy| !policy.is_empty()),
    }
}

/// The options of B2.
pub(crate) fn b2(values: &BTreeMap<&str, &str>, environment: &Environment) -> b2::Options {
    b2::Options {
        key_id: variable(environment, "B2_ACCOUNT_ID").unwrap_or_default(),
        key: variable(environment, "B2_ACCOUNT_KEY").unwrap_or_default(),
        endpoint: text(values, "endpoint"),
    }
}

/// Who we are to a WebDAV server whose URL does not say so.
pub(crate) fn webdav(environment: &Environment) -> Login {
    let text = |name| variable(environment, name).unwrap_or_default();
    Login { user: text("OPENDAL_WEBDAV_USERNAME"), password: text("OPENDAL_WEBDAV_PASSWORD") }
}

fn flag(values: &BTreeMap<&str, &str>, name: &str) -> Result<bool> {
    values.get(name).map_or(Ok(false), |text| gonumber::bool(text).map_err(Failure::plain))
}

fn text(values: &BTreeMap<&str, &str>, name: &str) -> Option<String> {
    values.get(name).filter(|text| !text.is_empty()).map(|text| (*text).to_owned())
}

fn variable(environment: &Environment, name: &str) -> Option<String> {
    environment.get(name).map(|value| value.to_string_lossy().into_owned())
}

/// Copies of these variables, and the user's home folder.
fn surroundings(environment: &Environment, names: &[&str]) -> Surroundings {
    let variables: HashMap<String, String> =
        names.iter().filter_map(|&name| Some((name.to_owned(), variable(environment, name)?))).collect();
    Surroundings { variables, home: environment.get("HOME").map(Into::into) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(values: &[(&'static str, &'static str)]) -> Result<s3::Options> {
        let environment = Environment::from([
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("UNRELATED", "x"),
            ("HOME", "/home/me"),
        ]);
        s3(&values.iter().copied().collect(), &environment)
    }

    #[test]
    fn options_and_variables_are_told_as_values() {
        let plain = options(&[]).unwrap();
        assert_eq!(plain.region.as_deref(), Some("eu-west-1"));
        assert_eq!(plain.surroundings.variables, HashMap::from([("AWS_ACCESS_KEY_ID".into(), "id".into())]));
        assert_eq!(plain.surroundings.home.as_deref(), Some("/home/me".as_ref()));
        let chosen = options(&[
            ("region", "here"),
            ("bucket-lookup", "dns"),
            ("unsafe-anonymous-auth", "true"),
            ("list-objects-v1", "1"),
            ("storage-class", "STANDARD_IA"),
        ])
        .unwrap();
        assert_eq!(chosen.region.as_deref(), Some("here"));
        assert_eq!(chosen.storage_class.as_deref(), Some("STANDARD_IA"));
        assert!(chosen.lookup == Lookup::Dns && chosen.anonymous && chosen.list_v1);
    }

    #[test]
    fn azure_and_google_have_their_own() {
        let environment = Environment::from([
            ("AZURE_ACCOUNT_NAME", "account"),
            ("AZURE_FORCE_CLI_CREDENTIAL", "true"),
            ("GOOGLE_ACCESS_TOKEN", "token"),
        ]);
        let chosen = azure(&BTreeMap::from([("access-tier", "cool")]), &environment).unwrap();
        assert_eq!((chosen.account.as_str(), chosen.access_tier.as_deref()), ("account", Some("Cool")));
        assert!(chosen.only_cli);
        assert!(azure(&BTreeMap::from([("access-tier", "warm")]), &environment).is_err());
        let chosen = gs(&BTreeMap::from([("region", "eu")]), &environment);
        assert_eq!((chosen.region.as_deref(), chosen.token.as_deref()), (Some("eu"), Some("token")));
    }

    #[test]
    fn what_makes_no_sense_is_refused_as_restic_refuses_it() {
        let message = |values| options(values).err().unwrap().message;
        assert_eq!(
            message(&[("bucket-lookup", "x")]),
            "Fatal: bad bucket-lookup style \"x\" must be \"auto\", \"path\" or \"dns\""
        );
        assert_eq!(message(&[("retries", "x")]), "strconv.ParseUint: parsing \"x\": invalid syntax");
        assert_eq!(message(&[("restore-days", "x")]), "strconv.ParseInt: parsing \"x\": invalid syntax");
        assert_eq!(message(&[("restore-timeout", "x")]), "time: invalid duration \"x\"");
        assert_eq!(message(&[("list-objects-v1", "x")]), "strconv.ParseBool: parsing \"x\": invalid syntax");
    }
}
