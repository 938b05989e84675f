//! What keeps passwords for us: the desktop's keyring, or systemd's credentials of a service.

use std::path::Path;
use std::str::FromStr;
use tresor_secmem::SecretBytes;

use crate::printer::{self, Surroundings};
use crate::{passwordfile, textfile};

/// A password that something keeps under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// The Secret Service (GNOME's keyring, KDE's wallet, KeePassXC), asked by `secret-tool`.
    Keyring(String),
    /// A credential that systemd handed to the service we run in.
    Systemd(String),
}

impl FromStr for Keeper {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (keeper, name) = text.split_once(':').unwrap_or((text, ""));
        let is_file_name = !name.contains(['/', '\0']) && name != "." && name != "..";
        match keeper {
            "keyring" if !name.is_empty() && !name.contains('\0') => Ok(Keeper::Keyring(name.to_owned())),
            "systemd" if !name.is_empty() && is_file_name => Ok(Keeper::Systemd(name.to_owned())),
            _ => Err("must be keyring:NAME or systemd:NAME"),
        }
    }
}

impl Keeper {
    /// The password, trimmed; `credentials` is the folder that systemd names.
    ///
    /// # Errors
    /// It is not there, or cannot be asked for.
    pub(crate) fn ask(
        &self,
        around: &Surroundings<'_>,
        credentials: Option<&Path>,
    ) -> Result<SecretBytes, String> {
        match self {
            Keeper::Keyring(name) => {
                let words = ["secret-tool", "lookup", "service", "tresor", "name", name].map(str::to_owned);
                let printed = printer::output(&words, around);
                let printed = printed.map_err(|reason| format!("the keyring gives no {name:?}: {reason}"))?;
                Ok(textfile::trim_secret(printed))
            }
            Keeper::Systemd(name) => {
                let folder = credentials.ok_or_else(|| {
                    format!("the credential {name:?} is not here: systemd sets no $CREDENTIALS_DIRECTORY")
                })?;
                // systemd made the folder for this service alone; its mode bits may be those of an access list.
                let read = passwordfile::read(&folder.join(name), &[]);
                read.map(|read| read.password).map_err(|failure| failure.message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keeper_and_a_name_are_said() {
        assert_eq!("keyring:a b:c".parse(), Ok(Keeper::Keyring("a b:c".into())));
        assert_eq!("systemd:backup.pw".parse(), Ok(Keeper::Systemd("backup.pw".into())));
        for bad in ["", "keyring", "keyring:", "systemd:", "systemd:../x", "systemd:..", "kwallet:x", "x"] {
            assert!(bad.parse::<Keeper>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_credential_is_a_file_in_the_folder_that_systemd_names() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pw"), "secret\n").unwrap();
        let ask = |name: &str, folder: Option<&Path>| {
            let around = Surroundings { path: None, withheld: &[] };
            Keeper::Systemd(name.into()).ask(&around, folder)
        };
        assert_eq!(ask("pw", Some(folder.path())).unwrap()[..], *b"secret");
        assert!(ask("no", Some(folder.path())).err().unwrap().contains("does not exist"));
        assert!(ask("pw", None).err().unwrap().contains("$CREDENTIALS_DIRECTORY"));
    }
}
