//! `version`: say which program this is.

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Result;
use crate::session::{PROGRAM_VERSION, RESTIC_VERSION, Session};

/// Made with the lock file by `cargo xtask generate`; a test fails while it is stale.
const SBOM: &str = include_str!("../../sbom.json");

/// What the restic that we match was compiled with: programs parse it, and refuse a line without it.
const GO_VERSION: &str = "go1.26.4";

/// Print version information
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print what the program was built from, as a CycloneDX document
    #[arg(long)]
    sbom: bool,
    #[arg(hide = true)]
    ignored: Vec<String>,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct Message {
    message_type: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    restic_version: Option<&'static str>,
    go_version: &'static str,
    go_os: &'static str,
    go_arch: &'static str,
}

/// Prints the version; under the name `restic`, programs that demand a restic find the one we match.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let _ = &args.ignored; // restic ignores them too
    if args.sbom {
        session.ui.important(SBOM.trim_end());
        return Ok(());
    }
    let arch = if std::env::consts::ARCH == "x86_64" { "amd64" } else { std::env::consts::ARCH };
    let (name, version, compiler) = match session.program.is_restic() {
        true => ("restic", RESTIC_VERSION, GO_VERSION),
        false => ("tresor", PROGRAM_VERSION, "rust"),
    };
    if session.ui.is_json() {
        let restic_version = (!session.program.is_restic()).then_some(RESTIC_VERSION);
        let (go_os, message_type) = (std::env::consts::OS, "version");
        session.ui.json(&Message {
            message_type,
            version,
            restic_version,
            go_version: compiler,
            go_os,
            go_arch: arch,
        });
        return Ok(());
    }
    let matching =
        if session.program.is_restic() { String::new() } else { format!(" (restic {RESTIC_VERSION})") };
    session.ui.important(&format!(
        "{name} {version}{matching} compiled with {compiler} on {}/{arch}",
        std::env::consts::OS
    ));
    Ok(())
}
