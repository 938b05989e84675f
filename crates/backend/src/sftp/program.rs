//! The command line of the program that speaks SFTP: the user's ssh, or what stands in for it.
//!
//! A location may come from somebody else: a wrapper's form, a copied command. So nothing of it can become an
//! option of ssh or mean something to a shell that ssh starts (`ProxyCommand`, `Match exec`).

use super::sharing::Sharing;
use crate::location;
use std::ffi::OsString;
use std::path::Path;

/// Settings that come first, so that they win over the user's: a conversation needs no other connection and
/// no command of this machine.
const ALWAYS: [&str; 2] = ["PermitLocalCommand=no", "ClearAllForwardings=yes"];

/// A part of a location that ssh, or a shell that it starts, could take for something else than a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoName {
    /// It begins with a hyphen.
    #[error("a {0} that begins with a hyphen is refused: ssh could take it for an option")]
    LooksLikeAnOption(&'static str),
    /// It has a character that names do not have.
    #[error(
        "a {0} with the character {1:?} is refused: it could be taken for a command (a name for it can stand in ~/.ssh/config)"
    )]
    Character(&'static str, char),
    /// There is nothing.
    #[error("the {0} is empty")]
    Empty(&'static str),
}

/// A command line: what comes first, and what comes last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: OsString,
    /// What comes behind the options that we add.
    arguments: Vec<OsString>,
    /// The host that ssh connects to; none if it is another program.
    host: Option<OsString>,
}

impl Program {
    /// Another program than ssh.
    pub(super) fn given(command: &[OsString]) -> Self {
        let (name, arguments) =
            command.split_first().map_or((OsString::new(), &[][..]), |(name, rest)| (name.clone(), rest));
        Program { name, arguments: arguments.to_vec(), host: None }
    }

    /// ssh to a place, with further arguments.
    ///
    /// # Errors
    /// [`NoName`] for a host or user that is none.
    pub(super) fn ssh(place: &location::Sftp, arguments: &[OsString]) -> Result<Self, NoName> {
        checked("host", &place.host, "._-:%")?;
        let mut words: Vec<OsString> =
            ALWAYS.iter().flat_map(|option| ["-o".into(), option.into()]).collect();
        if let Some(port) = place.port {
            words.extend(["-p".into(), port.to_string().into()]);
        }
        if let Some(user) = &place.user {
            checked("user", user, "._-+@=~/\\")?;
            words.extend(["-l".into(), user.into()]);
        }
        words.extend_from_slice(arguments);
        Ok(Program { name: "ssh".into(), arguments: words, host: Some(place.host.clone().into()) })
    }

    /// Name, options, arguments; at last where to, and what is wanted there.
    pub(super) fn words(&self, options: &[OsString]) -> Vec<OsString> {
        let first = std::slice::from_ref(&self.name);
        let last = self.host.iter().flat_map(|host| ["-s".into(), "--".into(), host.clone(), "sftp".into()]);
        first.iter().chain(options).chain(&self.arguments).cloned().chain(last).collect()
    }

    /// How its connection can be shared, if it is ssh.
    pub(super) fn share(&self, folder: &Path) -> Option<Sharing> {
        let host = self.host.clone()?;
        let arguments = [&self.arguments[..], &["--".into(), host]].concat();
        Sharing::prepare(&self.name, &arguments, folder)
    }
}

/// Whether a name has nothing but letters, digits and these characters, and cannot be an option.
fn checked(what: &'static str, name: &str, more: &str) -> Result<(), NoName> {
    if name.is_empty() {
        return Err(NoName::Empty(what));
    }
    if name.starts_with('-') {
        return Err(NoName::LooksLikeAnOption(what));
    }
    match name.chars().find(|&c| !c.is_alphanumeric() && !more.contains(c)) {
        Some(c) => Err(NoName::Character(what, c)),
        // The shell would join what follows.
        None if name.ends_with('\\') => Err(NoName::Character(what, '\\')),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Location;
    use crate::location::Place;
    use std::ffi::OsStr;

    fn ssh(text: &str, arguments: &[&str]) -> Result<String, NoName> {
        let location = Location::parse(OsStr::new(text)).unwrap();
        let Place::Sftp(place) = location.place() else { panic!("{text} is {location:?}") };
        let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
        let words = Program::ssh(place, &arguments)?.words(&[]);
        Ok(words.join(OsStr::new(" ")).into_string().unwrap())
    }

    #[test]
    fn ssh_is_told_where_to_go_and_nothing_behind_that_is_an_option() {
        let first = "ssh -o PermitLocalCommand=no -o ClearAllForwardings=yes";
        for (text, arguments, rest) in [
            ("sftp:host:path", &[][..], "-s -- host sftp"),
            ("sftp:user@host:/abs", &[], "-l user -s -- host sftp"),
            ("sftp:user@domain@host:/abs", &[], "-l user@domain -s -- host sftp"),
            ("sftp:DOMAIN\\user@host:/abs", &[], "-l DOMAIN\\user -s -- host sftp"),
            ("sftp://user@host:2222/rel", &[], "-p 2222 -l user -s -- host sftp"),
            ("sftp://user@[::1]:2222//abs", &[], "-p 2222 -l user -s -- ::1 sftp"),
            ("sftp://[fe80::1%eth0]//abs", &[], "-s -- fe80::1%eth0 sftp"),
            ("sftp:häuschen_1.example:path", &["-i", "a key"], "-i a key -s -- häuschen_1.example sftp"),
        ] {
            assert_eq!(ssh(text, arguments).unwrap(), format!("{first} {rest}"), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["sftp:-oProxyCommand=touch x:path", "sftp:-luser@host:path", "sftp://-v/path"] {
            assert!(matches!(ssh(text, &[]), Err(NoName::LooksLikeAnOption(_))), "{text}");
        }
        for text in ["sftp:a b:p", "sftp:$(x)@host:p", "sftp:`x`:p", "sftp:a;b@host:p", "sftp:\\@h:p"] {
            assert!(matches!(ssh(text, &[]), Err(NoName::Character(..))), "{text}");
        }
        assert_eq!(ssh("sftp:@host:p", &[]), Err(NoName::Empty("user")));
    }
}
