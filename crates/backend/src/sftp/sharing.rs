//! How further conversations go through the connection of one ssh, without a second login.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// The longest path of a folder in which ssh can make its socket: 108 bytes less what it appends for a while.
const LONGEST_FOLDER: usize = 70;

/// What ssh is told besides, so that its connection is shared.
#[derive(Debug)]
pub(super) struct Sharing {
    /// The ssh that connects.
    pub(super) first: Vec<OsString>,
    /// Every other one, which may only use that connection.
    pub(super) further: Vec<OsString>,
    /// Where its socket is, if it is not the user's own.
    _folder: Option<TempDir>,
}

impl Sharing {
    /// Through the socket that the user has configured for this host, else through one in a new folder in `folder`.
    ///
    /// `None` where ssh cannot say what is configured, or no socket can be there. Cost: one run of `ssh -G`.
    pub(super) fn prepare(program: &OsStr, arguments: &[OsString], folder: &Path) -> Option<Self> {
        if has_socket_of_its_own(&configuration(program, arguments)?) {
            return Some(Sharing { first: Vec::new(), further: options(&[]), _folder: None });
        }
        let made = tempfile::Builder::new().prefix("tresor-ssh-").tempdir_in(folder).ok()?;
        let path = made.path().to_str().filter(|path| is_plain(path) && path.len() <= LONGEST_FOLDER)?;
        let socket = format!("ControlPath={path}/s");
        let first = ["ControlMaster=auto", "ControlPersist=no", &socket].map(|option| ["-o", option]);
        let first = first.concat().into_iter().map(OsString::from).collect();
        Some(Sharing { first, further: options(&[&socket]), _folder: Some(made) })
    }
}

#[cfg(test)]
impl Sharing {
    /// No option at all.
    pub(super) fn nothing() -> Self {
        Sharing { first: Vec::new(), further: Vec::new(), _folder: None }
    }
}

/// Nothing to ask, nothing to say, and no way but the shared connection: another one would need a login.
fn options(more: &[&str]) -> Vec<OsString> {
    let all = ["ControlMaster=no", "BatchMode=yes", "LogLevel=QUIET", "ProxyCommand=false"];
    all.iter().chain(more).flat_map(|option| ["-o".into(), (*option).into()]).collect()
}

/// Whether ssh takes this for itself and nothing else.
fn is_plain(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
}

/// What ssh would do with these arguments, one setting a line.
fn configuration(program: &OsStr, arguments: &[OsString]) -> Option<String> {
    let mut asked = crate::child::command(program);
    asked.arg("-G").args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    let told = asked.output().ok().filter(|told| told.status.success())?;
    Some(String::from_utf8_lossy(&told.stdout).into_owned())
}

fn has_socket_of_its_own(configuration: &str) -> bool {
    let path = configuration.lines().find_map(|line| line.strip_prefix("controlpath "));
    path.is_some_and(|path| path != "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(told: &str, folder: &Path) -> Option<Sharing> {
        let script = folder.join("ssh");
        std::fs::write(&script, format!("echo '{told}'; test \"$1\" = -G")).unwrap();
        Sharing::prepare(OsStr::new("sh"), &[], folder).or_else(|| {
            // `sh -G` knows no such option; the script does.
            let arguments = [OsString::from("host")];
            let program = folder.join("program");
            std::fs::write(&program, format!("#!/bin/sh\n. {}\n", script.display())).unwrap();
            let mut mode = std::fs::metadata(&program).unwrap().permissions();
            std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o700);
            std::fs::set_permissions(&program, mode).unwrap();
            Sharing::prepare(program.as_os_str(), &arguments, folder)
        })
    }

    #[test]
    fn a_socket_of_the_users_own_is_used() {
        let folder = TempDir::new().unwrap();
        let own = prepared("user me\ncontrolpath /home/me/.ssh/%C", folder.path()).unwrap();
        assert!(own.first.is_empty() && own._folder.is_none());
        assert!(!own.further.iter().any(|word| word.to_str().unwrap().starts_with("ControlPath")));
        for told in ["controlmaster false", "controlpath none"] {
            let ours = prepared(told, folder.path()).unwrap();
            let socket = ours.first.last().unwrap();
            assert!(socket.to_str().unwrap().starts_with("ControlPath=/") && ours.further.contains(socket));
        }
    }

    #[test]
    fn where_no_socket_can_be_nothing_is_shared() {
        let folder = TempDir::new().unwrap();
        for name in ["with space", "%h", &"long".repeat(20)] {
            let folder = folder.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            assert!(prepared("controlpath none", &folder).is_none(), "{name}");
        }
        assert!(Sharing::prepare(OsStr::new("false"), &[], folder.path()).is_none());
    }
}
