//! Feature flags: restic's names are understood, none of them changes what we do.

use crate::environment::Environment;
use crate::exit::{Failure, Result};
use crate::ui::Ui;

/// restic's flags, and whether each is stable: one that is stays as it is.
const FLAGS: [(&str, bool); 7] = [
    ("backend-error-redesign", false),
    ("deprecate-legacy-index", true),
    ("deprecate-s3-legacy-layout", true),
    ("device-id-for-hardlinks", false),
    ("explicit-s3-anonymous-auth", true),
    ("s3-restore", false),
    ("safe-forget-keep-tags", true),
];

/// Reads `a=true,b=false,c` from the environment, before anything else is looked at.
///
/// # Errors
/// A name that restic does not know, or a value that is no truth value.
pub(crate) fn check(environment: &Environment, ui: &Ui) -> Result<()> {
    let Some(text) = environment.text("FEATURES") else { return Ok(()) };
    for word in text.split(',') {
        let (name, value) = word.split_once('=').unwrap_or((word, "true"));
        let Some((_, stable)) = FLAGS.iter().find(|(flag, _)| *flag == name) else {
            return Err(Failure::plain(format!("unknown feature flag {name:?}")));
        };
        if !matches!(
            value,
            "1" | "t" | "T" | "true" | "TRUE" | "True" | "0" | "f" | "F" | "false" | "FALSE" | "False"
        ) {
            return Err(Failure::plain(format!(
                "failed to parse value {value:?} for feature flag {name}: strconv.ParseBool: parsing {value:?}: invalid syntax"
            )));
        }
        if *stable {
            ui.error(&format!(
                "feature flag {name:?} is always enabled and will be removed in a future release"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Style, Ui};

    #[test]
    fn unknown_names_and_odd_values_are_refused() {
        let check = |text: &str| {
            let style = Style {
                verbosity: 1,
                json: false,
                json_replaces_text: false,
                fps: None,
                terminal: None,
                stdout_is_terminal: false,
                hints: false,
            };
            let ui = Ui::new(style, tresor_backend::Cancel::new());
            check(&Environment::from([("RESTIC_FEATURES", text)]), &ui).map_err(|failure| failure.message)
        };
        assert_eq!(check("s3-restore=true,backend-error-redesign=0,device-id-for-hardlinks"), Ok(()));
        assert_eq!(check("bogus"), Err("unknown feature flag \"bogus\"".into()));
        assert!(check("s3-restore=maybe").unwrap_err().contains("maybe"));
    }
}
