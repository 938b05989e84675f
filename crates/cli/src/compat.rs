//! Under which name the program runs, and the rules of ours that would stop what works with restic.
//!
//! As `tresor` such a rule refuses and names the one flag that allows it; as `restic` it warns and goes on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// Under which name the program was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// Our own.
    Tresor,
    /// As a stand-in for restic: called so, or by `TRESOR_COMPAT=restic`.
    Restic,
}

impl Program {
    /// What this process was started as.
    pub(crate) fn of_process(environment: &Environment) -> Self {
        let path = std::env::args_os().next().map(PathBuf::from);
        Program::called(path.as_deref(), environment)
    }

    fn called(path: Option<&Path>, environment: &Environment) -> Self {
        let name = path.and_then(Path::file_name).and_then(OsStr::to_str);
        let variable = environment.get("TRESOR_COMPAT").and_then(OsStr::to_str);
        if name == Some("restic") || variable == Some("restic") { Program::Restic } else { Program::Tresor }
    }

    /// How the program calls itself.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Program::Tresor => "tresor",
            Program::Restic => "restic",
        }
    }

    /// Whether it stands in for restic.
    pub(crate) fn is_restic(self) -> bool {
        self == Program::Restic
    }

    /// Whether hints follow errors: not where other programs expect restic's lines.
    pub(crate) fn has_hints(self) -> bool {
        self == Program::Tresor
    }

    /// Whether a command line that a rule would stop goes on with a warning: if its flag is `given`, or as restic.
    pub(crate) fn goes_on(self, given: bool) -> bool {
        given || self.is_restic()
    }
}

/// A rule that restic does not have.
pub(crate) struct Rule {
    /// What is refused.
    pub(crate) refused: &'static str,
    /// Why.
    pub(crate) because: &'static str,
    /// The flag that allows it.
    pub(crate) flag: &'static str,
    /// What to do, when it was refused.
    pub(crate) hint: &'static str,
}

/// Servers spoken to over plain HTTP.
pub(crate) const PLAINTEXT: Rule = Rule {
    refused: "a server that is spoken to over plain HTTP (`rest:http://…`, `s3:http://…`, `opendal:webdav:http://…`, \
              an `http://` address of Azure, Google, B2, Swift or of a service that gives out their tokens), unless it \
              is this machine (`localhost`, `127.0.0.0/8`, `::1`) or behind a unix socket",
    because: "user and password are read by everybody on the way, and whoever answers can take the server's place",
    flag: "--insecure-plaintext",
    hint: "`--insecure-plaintext` goes on without encryption; better, use https (`--cacert` names your own authority)",
};

/// New passwords that are soon guessed.
pub(crate) const WEAK_PASSWORD: Rule = Rule {
    refused: "a new password (`init`, `backup --init`, `key add`, `key passwd`) that fewer than 100 million guesses find \
              by the estimate of `zxcvbn`, which knows common passwords, names, dates, patterns of the keyboard, your \
              user and host name and the words of the repository's location",
    because: "whoever has a copy of the repository can try passwords for as long as they like: 100 million take a \
              processor core about a year, and cores are for rent",
    flag: "--allow-weak-password",
    hint: "`tresor key generate` prints a strong one; `--allow-weak-password` takes this one all the same",
};

/// Password files that others can read or replace.
pub(crate) const OPEN_PASSWORD_FILE: Rule = Rule {
    refused: "a password file that the group or everybody may read or write, that belongs to another user (not root, \
              nor who called `sudo`), that is reached through another user's symbolic link, or that lies in or below a \
              folder that everybody may write to without the sticky bit; pipes and descriptors (`<(…)`, `/dev/stdin`) \
              are fine",
    because: "others on this machine can read the password, or put one that they know in its place",
    flag: "--allow-open-password-file",
    hint: "`chmod 600` and a folder of your own close it; `--allow-open-password-file` reads it all the same",
};

/// The credentials of a service, lent to the password command.
pub(crate) const LENT_CREDENTIALS: Rule = Rule {
    refused: "a password command that asks with the credentials of the repository's own service: for a repository in S3 \
              `AWS_SECRET_ACCESS_KEY` is not in its environment, and so on (those of other services are); under the name \
              `restic` they are left to it without a word",
    because: "a program gets the secrets that it needs, and no others",
    flag: "--lend-credentials",
    hint: "the command does not see the credentials of the repository's service; `--lend-credentials` leaves them to it",
};

/// Every such rule, for the manual.
pub(crate) const RULES: &[&Rule] = &[&PLAINTEXT, &WEAK_PASSWORD, &OPEN_PASSWORD_FILE, &LENT_CREDENTIALS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_and_the_variable_mean_the_same() {
        let called = |path: &str, variable: &str| {
            Program::called(Some(Path::new(path)), &Environment::from([("TRESOR_COMPAT", variable)]))
        };
        assert_eq!(called("/usr/bin/tresor", ""), Program::Tresor);
        assert_eq!(called("/opt/tresor/restic", ""), Program::Restic);
        assert_eq!(called("/usr/bin/tresor", "restic"), Program::Restic);
        assert_eq!(called("/usr/bin/tresor", "borg"), Program::Tresor);
        assert_eq!(called("restic", "tresor"), Program::Restic);
    }

    #[test]
    fn a_refusal_names_the_flag_that_allows_it() {
        for rule in RULES {
            assert!(rule.flag.starts_with("--") && rule.hint.contains(rule.flag), "{}", rule.refused);
        }
        assert!(Program::Restic.goes_on(false) && Program::Tresor.goes_on(true));
        assert!(!Program::Tresor.goes_on(false));
    }
}
