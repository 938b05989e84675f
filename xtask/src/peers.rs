//! Puts real restic, rest-server, rclone and servers beside the project; installs nothing.

use crate::{Result, process, project, servers};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tresor_testkit::peers::{PINNED_RESTIC, version_of};

/// The suite that has the newest restic.
const NEWEST: &str = "sid";
/// The rustic that the benchmark compares with.
const PINNED_RUSTIC: &str = "0.11.4";
/// The keys of Debian's archive, wherever its own sources look for them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Peers beyond those the tests need: `rustic` is built from its crate, in about eight minutes.
    #[arg(value_parser = ["rustic"])]
    extra: Vec<String>,
}

/// Makes what is missing and keeps what is there.
///
/// The folder is `TRESOR_PEERS` or `.peers`; programs lie in its `bin`, and `versions` says what they are.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = tresor_testkit::peers::folder();
    let bin = folder.join("bin");
    fs::create_dir_all(&bin)?;
    let folder = folder.canonicalize()?;
    from_debian(&folder)?;
    servers::install(&folder)?;
    if arguments.extra.iter().any(|name| name == "rustic") && !bin.join("rustic").is_file() {
        build_rustic(&folder)?;
    }
    record_versions(&folder)
}

/// Where a peer comes from: the name it gets, the suite, the package, its path in there.
struct Origin<'a> {
    name: &'a str,
    suite: &'a str,
    package: &'a str,
    path: &'a str,
}

fn from_debian(folder: &Path) -> Result<()> {
    let release = release()?;
    let origin = |name, suite, package, path| Origin { name, suite, package, path };
    let peers = [
        origin("restic", NEWEST, "restic", "usr/bin/restic"),
        origin("rest-server", NEWEST, "restic-rest-server", "usr/bin/restic-rest-server"),
        origin("rclone", NEWEST, "rclone", "usr/bin/rclone"),
        origin("restic-old", &release, "restic", "usr/bin/restic"),
    ];
    for suite in [NEWEST, &release] {
        let missing = |peer: &&Origin| peer.suite == suite && !folder.join("bin").join(peer.name).is_file();
        let missing: Vec<&Origin> = peers.iter().filter(missing).collect();
        if missing.is_empty() {
            continue;
        }
        let packages: Vec<&str> = missing.iter().map(|peer| peer.package).collect();
        println!("getting {} of Debian {suite}", packages.join(", "));
        unpack_from(suite, &release, &packages, &folder.join(suite))?;
        for peer in missing {
            link(&Path::new("..").join(suite).join(peer.path), &folder.join("bin").join(peer.name))?;
        }
    }
    Ok(())
}

/// Downloads packages of `suite` by apt, with lists and caches of our own, and unpacks them into `target`.
fn unpack_from(suite: &str, release: &str, packages: &[&str], target: &Path) -> Result<()> {
    let scratch = tempfile::Builder::new().prefix("apt-").tempdir()?;
    let (lists, cache) = (scratch.path().join("lists"), scratch.path().join("cache"));
    fs::create_dir_all(lists.join("partial"))?;
    fs::create_dir_all(cache.join("archives/partial"))?;
    fs::create_dir_all(target)?;
    let sources = scratch.path().join("sources.list");
    let signed_by =
        if Path::new(KEYRING).is_file() { format!("[signed-by={KEYRING}] ") } else { String::new() };
    fs::write(&sources, format!("deb {signed_by}{} {suite} main\n", mirror(release)?))?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.arg("-qq").current_dir(scratch.path());
        apt.arg(format!("-oDir::Etc::SourceList={}", sources.display()))
            .arg("-oDir::Etc::SourceParts=/dev/null");
        apt.arg(format!("-oDir::State::Lists={}", lists.display()));
        apt.arg(format!("-oDir::Cache={}", cache.display()))
            .args(["-oAPT::Sandbox::User=root", "-oAcquire::Retries=3"]);
        apt.args(["-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false", "-oAcquire::Languages=none"]);
        apt
    };
    process::run(apt().arg("update"))?;
    process::run(apt().arg("download").args(packages))?;
    for file in fs::read_dir(scratch.path())? {
        let file = file?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            process::run(Command::new("dpkg-deb").arg("-x").arg(&file).arg(target))?;
        }
    }
    Ok(())
}

/// The address of the Debian mirror this system uses: apt itself reads its sources, whatever their format.
fn mirror(release: &str) -> Result<String> {
    let format = "$(RELEASE) $(COMPONENT) $(REPO_URI)";
    let targets = process::output(Command::new("apt-get").args(["indextargets", "--format", format]))?;
    let mirror = mirror_of(&targets, release);
    mirror.ok_or_else(|| format!("apt has no source for Debian {release} main").into())
}

/// Finds in lines of release, component and address the one for `release` itself.
fn mirror_of(targets: &str, release: &str) -> Option<String> {
    let lines = targets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut found = lines.filter_map(|words| match words[..] {
        [suite, "main", address] if suite == release => Some(address.to_owned()),
        _ => None,
    });
    found.next()
}

/// The code name of the running Debian.
fn release() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release")?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.ok_or("this is no Debian: /etc/os-release names no release")?;
    Ok(name.trim_matches('"').to_owned())
}

fn link(target: &Path, path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        fs::remove_file(path)?;
    }
    Ok(std::os::unix::fs::symlink(target, path)?)
}

fn build_rustic(folder: &Path) -> Result<()> {
    println!("building rustic {PINNED_RUSTIC}");
    let mut cargo = Command::new("cargo");
    cargo.args(["install", "rustic-rs", "--version", PINNED_RUSTIC, "--locked", "--root"]).arg(folder);
    process::run(cargo.env_remove("CARGO_TARGET_DIR"))
}

/// Writes and shows a line for each peer, and says so when restic is not the pinned one.
fn record_versions(folder: &Path) -> Result<()> {
    let mut lines = String::new();
    let mut programs: Vec<PathBuf> =
        fs::read_dir(folder.join("bin"))?.map(|e| Ok(e?.path())).collect::<Result<_>>()?;
    programs.sort();
    for program in programs {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let version = match name.as_str() {
            "rest-server" | "rustic" => process::output(Command::new(&program).arg("--version"))?,
            _ => version_of(&program),
        };
        let version = version
            .split_whitespace()
            .find(|word| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()));
        lines += &format!("{name} {}\n", version.unwrap_or("unknown"));
    }
    fs::write(folder.join("versions"), &lines)?;
    print!("{lines}");
    let restic = version_of(&folder.join("bin/restic"));
    if restic != PINNED_RESTIC {
        println!(
            "note: Debian {NEWEST} has restic {restic}, not {PINNED_RESTIC}: byte-for-byte tests will be left out"
        );
    }
    println!(
        "in {}",
        if folder.starts_with(project::folder()) { ".peers".into() } else { folder.display().to_string() }
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::mirror_of;

    #[test]
    fn the_mirror_is_the_one_of_the_release_itself() {
        let targets = "nodistro main https://a/\nbookworm-security main https://b/\nbookworm stable https://c/\n\
                       bookworm main https://d/debian/\nbookworm main https://e/\n";
        assert_eq!(mirror_of(targets, "bookworm").as_deref(), Some("https://d/debian/"));
        assert_eq!(mirror_of(targets, "trixie"), None);
    }
}
