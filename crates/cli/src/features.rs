//! Feature flags: restic's names are understood, and one of them changes what we do: `s3-restore`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::environment::Environment;
use crate::exit::{Failure, Result};
use crate::ui::Ui;

/// A feature flag of restic.
#[derive(Clone, Copy, JsonSchema, Serialize)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    /// alpha, beta or stable; a stable one stays as it is.
    #[serde(rename = "type")]
    pub(crate) stage: &'static str,
    pub(crate) default: bool,
    pub(crate) description: &'static str,
}

/// Every flag that restic knows, by name.
pub(crate) const FLAGS: [Flag; 7] = [
    flag(
        "backend-error-redesign",
        "beta",
        true,
        "requests that make no progress are given up and tried again",
    ),
    flag(
        "deprecate-legacy-index",
        "stable",
        true,
        "the index format of restic 0.1.0 is refused; `repair index` writes a new one",
    ),
    flag("deprecate-s3-legacy-layout", "stable", true, "the S3 layout of restic 0.7.0 and older is refused"),
    flag("device-id-for-hardlinks", "alpha", false, "nodes name their device only where they are hard links"),
    flag(
        "explicit-s3-anonymous-auth",
        "stable",
        true,
        "S3 without credentials needs `-o s3.unsafe-anonymous-auth=true`",
    ),
    flag(
        "s3-restore",
        "alpha",
        false,
        "objects are brought back from cold storage with `-o s3.enable-restore=true`",
    ),
    flag(
        "safe-forget-keep-tags",
        "stable",
        true,
        "a policy of `forget` whose tags match no snapshot does not remove them all",
    ),
];

const fn flag(name: &'static str, stage: &'static str, default: bool, description: &'static str) -> Flag {
    Flag { name, stage, default, description }
}

/// Reads `a=true,b=false,c` from the environment, before anything else is looked at.
///
/// # Errors
/// A name that restic does not know, or a value that is no truth value.
pub(crate) fn check(environment: &Environment, ui: &Ui) -> Result<()> {
    let Some(text) = environment.text("FEATURES") else { return Ok(()) };
    for word in text.split(',') {
        let (name, value) = word.split_once('=').unwrap_or((word, "true"));
        let Some(flag) = FLAGS.iter().find(|flag| flag.name == name) else {
            return Err(Failure::plain(format!("unknown feature flag {name:?}")));
        };
        crate::gonumber::bool(value).map_err(|reason| {
            Failure::plain(format!("failed to parse value {value:?} for feature flag {name}: {reason}"))
        })?;
        if flag.stage == "stable" {
            ui.error(&format!(
                "feature flag {name:?} is always enabled and will be removed in a future release"
            ));
        }
    }
    Ok(())
}

/// Whether the flag is on, by the environment or by default; the text was checked before.
pub(crate) fn is_on(name: &str, environment: &Environment) -> bool {
    let text = environment.text("FEATURES").unwrap_or_default();
    let mut told = text.split(',').map(|word| word.split_once('=').unwrap_or((word, "true")));
    let told = told.rfind(|(word, _)| *word == name);
    match told.map(|(_, value)| crate::gonumber::bool(value)) {
        Some(Ok(on)) => on,
        _ => FLAGS.iter().any(|flag| flag.name == name && flag.default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Style, Ui};

    #[test]
    fn a_flag_is_on_by_default_or_because_somebody_says_so() {
        let on = |name, text| is_on(name, &Environment::from([("RESTIC_FEATURES", text)]));
        assert!(!on("s3-restore", "") && on("backend-error-redesign", ""));
        assert!(on("s3-restore", "s3-restore") && on("s3-restore", "backend-error-redesign=0,s3-restore=1"));
        assert!(!on("s3-restore", "s3-restore=false") && !on("s3-restore", "s3-restore,s3-restore=f"));
    }

    #[test]
    fn unknown_names_and_odd_values_are_refused() {
        let check = |text: &str| {
            let style = Style::plain(1);
            let ui = Ui::new(style, tresor_backend::Cancel::new());
            check(&Environment::from([("RESTIC_FEATURES", text)]), &ui).map_err(|failure| failure.message)
        };
        assert_eq!(check("s3-restore=true,backend-error-redesign=0,device-id-for-hardlinks"), Ok(()));
        assert_eq!(check("bogus"), Err("unknown feature flag \"bogus\"".into()));
        assert!(check("s3-restore=maybe").unwrap_err().contains("maybe"));
    }
}
