//! The environment, read once: `TRESOR_X` wins over `RESTIC_X`.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

/// A copy of the process's environment variables.
pub(crate) struct Environment(HashMap<OsString, OsString>);

impl Environment {
    /// The environment of this process.
    pub(crate) fn of_process() -> Self {
        Environment(std::env::vars_os().collect())
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
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Environment(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(environment.text("PASSWORD"), None);
    }
}
