//! The environment, read once: `TRESOR_X` wins over `RESTIC_X`.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use tresor_backend::Location;
use tresor_backend::child::Withheld;
use tresor_secmem::SecretBytes;
use tresor_secmem::process::take_variable;

/// Settings that are secrets of ours.
const SECRETS: [&str; 3] = ["PASSWORD", "FROM_PASSWORD", "REST_PASSWORD"];
/// Settings that are locations, in which a password may stand.
const LOCATIONS: [&str; 2] = ["REPOSITORY", "FROM_REPOSITORY"];
/// The secrets of services, by the scheme of their repositories.
const OF_SERVICES: &[(&str, &[&str])] = &[
    ("s3", &["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MINIO_ROOT_PASSWORD"]),
    ("azure", &["AZURE_ACCOUNT_KEY", "AZURE_ACCOUNT_SAS"]),
    ("gs", &["GOOGLE_ACCESS_TOKEN"]),
    ("b2", &["B2_ACCOUNT_KEY"]),
    ("swift", &["OS_PASSWORD", "OS_APPLICATION_CREDENTIAL_SECRET", "OS_AUTH_TOKEN", "ST_KEY"]),
    ("opendal", &["OPENDAL_WEBDAV_PASSWORD"]),
];

/// A copy of the process's environment variables, the passwords in secret memory.
#[derive(Clone)]
pub(crate) struct Environment {
    variables: HashMap<OsString, OsString>,
    password: Option<Arc<SecretBytes>>,
    /// That of the repository that a command copies from.
    from_password: Option<Arc<SecretBytes>>,
}

impl Environment {
    /// The environment of this process, from which the passwords are taken away. Once, before there is a second thread.
    pub(crate) fn of_process() -> Self {
        let take = |name: &str| {
            let both = ["TRESOR_", "RESTIC_"].map(|prefix| taken(&format!("{prefix}{name}")));
            both.into_iter().flatten().find(|value| !value.is_empty()).map(Arc::new)
        };
        let (password, from_password) = (take("PASSWORD"), take("FROM_PASSWORD"));
        Environment { variables: std::env::vars_os().collect(), password, from_password }
    }

    /// The password of the repository, if a variable gave it.
    pub(crate) fn password(&self) -> Option<Arc<SecretBytes>> {
        self.password.clone()
    }

    /// Our own setting `name` (without prefix): `TRESOR_NAME`, else `RESTIC_NAME`; empty counts as unset.
    pub(crate) fn setting(&self, name: &str) -> Option<&OsStr> {
        ["TRESOR_", "RESTIC_"].iter().find_map(|prefix| self.get(&format!("{prefix}{name}")))
    }

    /// Like [`setting`](Self::setting), as text; bytes that are no UTF-8 are replaced.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.setting(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// Any variable; empty counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.as_set(name).filter(|value| !value.is_empty())
    }

    /// Any variable, even one that is set to nothing (`TZ=` means UTC).
    pub(crate) fn as_set(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// What no program that we start is to see: our passwords, and those in locations.
    pub(crate) fn withheld(&self) -> Withheld {
        let ours = |names: &[&str]| -> Vec<String> {
            let both = |name: &&str| ["TRESOR_", "RESTIC_"].map(|prefix| format!("{prefix}{name}"));
            names.iter().flat_map(both).filter(|name| self.get(name).is_some()).collect()
        };
        let masked = |name: String| {
            let shown = Location::parse(self.get(&name)?).ok()?.to_string();
            shown.contains(":***@").then(|| (name.into(), shown.into()))
        };
        Withheld {
            removed: ours(&SECRETS).into_iter().map(OsString::from).collect(),
            replaced: ours(&LOCATIONS).into_iter().filter_map(masked).collect(),
        }
    }

    /// The environment as the secondary repository of a command sees it: its `FROM_` settings are the settings.
    pub(crate) fn secondary(&self) -> Environment {
        let settings = [
            "REPOSITORY",
            "REPOSITORY_FILE",
            "PASSWORD_FILE",
            "PASSWORD_COMMAND",
            "PASSWORD_FROM",
            "KEY_HINT",
        ];
        let mut variables = self.variables.clone();
        for setting in settings {
            for prefix in ["TRESOR_", "RESTIC_"] {
                variables.remove(OsStr::new(&format!("{prefix}{setting}")));
            }
            if let Some(value) = self.setting(&format!("FROM_{setting}")) {
                variables.insert(format!("TRESOR_{setting}").into(), value.to_owned());
            }
        }
        Environment { variables, password: self.from_password.clone(), from_password: None }
    }
}

/// A variable's value, taken out of the environment where the system lets us.
fn taken(name: &str) -> Option<SecretBytes> {
    take_variable(name).or_else(|| Some(SecretBytes::copied(std::env::var_os(name)?.as_bytes())))
}

/// The variables that hold secrets of the service behind repositories of this scheme.
pub(crate) fn secrets_of_service(scheme: &str) -> &'static [&'static str] {
    OF_SERVICES.iter().find(|(service, _)| *service == scheme).map_or(&[], |(_, names)| names)
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Environment { variables, password: None, from_password: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secondary_repository_has_settings_of_its_own() {
        let mut environment = Environment::from([
            ("RESTIC_REPOSITORY", "here"),
            ("RESTIC_FROM_REPOSITORY", "there"),
            ("RESTIC_HOST", "h"),
        ]);
        let secret = |text: &str| Some(Arc::new(SecretBytes::copied(text.as_bytes())));
        (environment.password, environment.from_password) = (secret("ours"), secret("theirs"));
        let secondary = environment.secondary();
        assert!(secondary.password().is_some_and(|password| password[..] == *b"theirs"));
        assert!(secondary.secondary().password().is_none());
        assert_eq!(secondary.text("REPOSITORY").as_deref(), Some("there"));
        assert_eq!(secondary.text("HOST").as_deref(), Some("h"));
    }

    #[test]
    fn our_secrets_are_for_nobody_else() {
        let environment = Environment::from([
            ("RESTIC_PASSWORD", "secret"),
            ("TRESOR_REST_PASSWORD", "secret"),
            ("RESTIC_REPOSITORY", "rest:https://me:secret@host/"),
            ("TRESOR_FROM_REPOSITORY", "/srv/me:x@y"),
            ("RCLONE_CONFIG_PASS", "for rclone"),
        ]);
        let mut withheld = environment.withheld();
        withheld.removed.sort();
        assert_eq!(withheld.removed, ["RESTIC_PASSWORD", "TRESOR_REST_PASSWORD"]);
        assert_eq!(
            withheld.replaced,
            [("RESTIC_REPOSITORY".into(), OsString::from("rest:https://me:***@host/"))]
        );
        assert!(secrets_of_service("s3").contains(&"AWS_SECRET_ACCESS_KEY"));
        assert!(secrets_of_service("sftp").is_empty());
    }

    #[test]
    fn our_name_wins_and_empty_is_unset() {
        let environment = Environment::from([
            ("RESTIC_HOST", "theirs"),
            ("TRESOR_HOST", "ours"),
            ("RESTIC_REPOSITORY", "r"),
            ("TRESOR_REPOSITORY", ""),
        ]);
        assert_eq!(environment.text("HOST").as_deref(), Some("ours"));
        assert_eq!(environment.text("REPOSITORY").as_deref(), Some("r"));
        assert_eq!(environment.text("KEY_HINT"), None);
    }
}
