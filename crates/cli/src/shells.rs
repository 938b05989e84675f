//! The scripts that make shells complete our command lines.

use clap_complete::env::{Bash, EnvCompleter, Fish, Powershell, Zsh};

/// Set by the scripts to the name of the shell that asks.
pub(crate) const VARIABLE: &str = "TRESOR_COMPLETE";

/// How to talk with a shell: bash, fish, powershell or zsh.
pub(crate) fn find(name: &str) -> Option<&'static dyn EnvCompleter> {
    let shells: [&'static dyn EnvCompleter; 4] = [&Bash, &Fish, &Powershell, &Zsh];
    shells.into_iter().find(|shell| shell.is(name))
}

/// The script that makes a shell complete the command line of `program`; empty for a shell nobody knows.
pub(crate) fn script(shell: &str, program: &str) -> Vec<u8> {
    let mut script = Vec::new();
    if let Some(shell) = find(shell) {
        // Writing to a vector does not fail.
        let _ = shell.write_registration(VARIABLE, program, program, program, &mut script);
    }
    script
}
