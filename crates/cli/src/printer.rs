//! A program that prints a secret: found, started without a shell, and read.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tresor_backend::child;
use tresor_secmem::SecretBytes;

use crate::causes::chain;

/// More than this is no secret.
const LONGEST: usize = 64 * 1024;

/// What the program may know.
pub(crate) struct Surroundings<'a> {
    /// `PATH`.
    pub(crate) path: Option<&'a OsStr>,
    /// Variables that it does not get, besides those that no program of ours gets.
    pub(crate) withheld: &'a [&'static str],
}

/// What a program prints; its standard error passes through, and its standard input is empty.
///
/// A name without a slash is looked up in `PATH`, in its absolute folders alone: what lies in the current folder
/// was perhaps put there by somebody else. A name with a slash is taken as it is.
///
/// # Errors
/// It cannot be started, fails, or prints more than 64 KiB; in restic's words.
pub(crate) fn output(words: &[String], around: &Surroundings<'_>) -> Result<SecretBytes, String> {
    let (name, arguments) = words.split_first().ok_or("command string is empty")?;
    let program = find(name, around.path)?;
    let mut command = child::command(program.as_os_str());
    std::os::unix::process::CommandExt::arg0(&mut command, name);
    command.args(arguments).env_remove(crate::shells::VARIABLE);
    for variable in around.withheld {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut process = command.spawn().map_err(|error| format!("fork/exec {name}: {}", chain(&error)))?;
    let pipe = process.stdout.take().expect("the program was started with a pipe for its output");
    let printed = SecretBytes::read_from(&mut pipe.take(LONGEST as u64 + 1));
    let is_too_long = printed.as_ref().is_ok_and(|printed| printed.len() > LONGEST);
    if is_too_long {
        let _ = process.kill(); // it may have ended by itself
    }
    let status = process.wait().map_err(|error| chain(&error))?;
    if is_too_long {
        return Err(format!("{name} prints more than {LONGEST} bytes"));
    }
    let printed = printed.map_err(|error| chain(&error))?;
    match status.code() {
        Some(0) => Ok(printed),
        Some(code) => Err(format!("exit status {code}")),
        None => Err(status.to_string()),
    }
}

/// The file of a program.
fn find(name: &str, path: Option<&OsStr>) -> Result<PathBuf, String> {
    if name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    let mut is_near = false;
    for folder in std::env::split_paths(path.unwrap_or_default()) {
        let file = folder.join(name);
        if !is_program(&file) {
        } else if folder.is_absolute() {
            return Ok(file);
        } else {
            is_near = true;
        }
    }
    Err(match is_near {
        true => format!("exec: {name:?}: cannot run executable found relative to current directory"),
        false => format!("exec: {name:?}: executable file not found in $PATH"),
    })
}

fn is_program(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn printed(words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let around = Surroundings { path: Some(OsStr::new("/usr/bin:/bin")), withheld: &["HOME"] };
        output(&words, &around).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn arguments_arrive_as_they_are() {
        let odd = ["a b", "'", "\"", ";", "$(id)", "`id`", "*", "", "-n", "ä"];
        let words = [&["printf", "%s\n"], &odd[..]].concat();
        assert_eq!(printed(&words).unwrap().lines().collect::<Vec<_>>(), odd);
    }

    #[test]
    fn it_sees_what_is_for_it_and_no_input() {
        assert_eq!(printed(&["sh", "-c", "echo ${HOME-none}; cat"]).unwrap(), "none\n");
    }

    #[test]
    fn what_it_prints_is_bounded() {
        let full = printed(&["head", "-c", "65536", "/dev/zero"]).unwrap();
        assert_eq!(full.len(), LONGEST);
        for endless in [&["cat", "/dev/zero"][..], &["head", "-c", "65537", "/dev/zero"]] {
            assert!(printed(endless).unwrap_err().ends_with("prints more than 65536 bytes"));
        }
        assert_eq!(printed(&["sh", "-c", "exit 3"]).unwrap_err(), "exit status 3");
    }

    #[test]
    fn a_name_is_found_in_absolute_folders_alone() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("pass");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        let path = |text: String| find("pass", Some(OsStr::new(&text)));
        let absolute = folder.path().display().to_string();
        assert!(path(absolute.clone()).unwrap_err().ends_with("not found in $PATH"), "it is no program yet");
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(path(absolute.clone()).as_deref(), Ok(program.as_path()));
        let up = "../".repeat(std::env::current_dir().unwrap().components().count() - 1);
        let relative = format!("{up}{}", &absolute[1..]);
        assert_eq!(path(format!("{relative}:{absolute}")).as_deref(), Ok(program.as_path()));
        assert!(path(format!("/bin:{relative}:")).unwrap_err().contains("relative to current directory"));
        assert_eq!(find("./pass", None).as_deref(), Ok(Path::new("./pass")));
        assert!(find("pass", None).is_err());
    }
}
