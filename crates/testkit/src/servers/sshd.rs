//! OpenSSH: its SFTP server alone, and whole with keys of its own.

use super::{Mortal, Server, far_away, free_address};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The program that speaks SFTP on its standard input and output.
///
/// # Panics
/// If it is missing.
pub fn sftp_server() -> PathBuf {
    let places = ["/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/lib/ssh/sftp-server"];
    let found = places.map(PathBuf::from).into_iter().find(|program| program.is_file());
    found.expect("sftp-server is missing: install openssh-sftp-server")
}

/// An `sshd` for the user who runs the test, and what `ssh` needs to reach it under the name `backup-host`.
#[derive(Debug)]
pub struct Sshd {
    server: Server,
    folder: TempDir,
}

impl Sshd {
    /// With the whole file system behind it.
    pub fn start() -> Self {
        Sshd::start_with("")
    }

    /// The same with further settings for `sshd`.
    pub fn start_with(settings: &str) -> Self {
        let noted = "echo >>\"$SESSIONS\"; exec";
        Sshd::with(&format!("Subsystem sftp {noted} {}\n{settings}", sftp_server().display()))
    }

    /// With nothing but `root` behind it, which looks like `/`; only the superuser can have that.
    pub fn with_root(root: &Path) -> Self {
        let chroot = format!("ChrootDirectory {}", root.display());
        Sshd::with(&format!("Subsystem sftp internal-sftp\nForceCommand internal-sftp\n{chroot}"))
    }

    fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (path, address) = (folder.path(), free_address());
        for name in ["host", "user", "other"] {
            make_key(&path.join(name));
        }
        let dir = path.display();
        let sessions = format!("SetEnv SESSIONS={dir}/sessions");
        let common = "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
                      KbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 100\nLogLevel ERROR";
        let server = format!(
            "ListenAddress 127.0.0.1\nPort {}\nHostKey {dir}/host\nAuthorizedKeysFile {dir}/user.pub\n{common}\n\
             {sessions}\n{settings}\n",
            address.port()
        );
        let client = format!(
            "Host backup-host\nHostName 127.0.0.1\nPort {}\nIdentityFile {dir}/user\nIdentitiesOnly yes\n\
             UserKnownHostsFile {dir}/known_hosts\nGlobalKnownHostsFile /dev/null\nBatchMode yes\n\
             StrictHostKeyChecking yes\nHashKnownHosts no\n",
            address.port()
        );
        fs::write(path.join("sshd_config"), server).expect("a temporary folder can be written");
        fs::write(path.join("ssh_config"), client).expect("a temporary folder can be written");
        trust(path, "host", address.port());
        Sshd { server: Server::start(command(path), address), folder }
    }

    /// The extended option by which it is reached, also by others than the user who started it.
    pub fn option(&self) -> String {
        format!("sftp.args=-F {}", self.path("ssh_config").display())
    }

    /// What `ssh` is told with [`Sshd::option`].
    pub fn arguments(&self) -> [String; 2] {
        ["-F".to_owned(), self.path("ssh_config").display().to_string()]
    }

    /// The same when it is so far away.
    pub fn option_at(&self, round_trip: Duration) -> String {
        let front = far_away(self.server.address, round_trip);
        let known = format!("-o HostKeyAlias=[127.0.0.1]:{}", self.port());
        format!("{} -o Port={} {known}", self.option(), front.port())
    }

    /// How many conversations of SFTP began so far, unless it was started with a root.
    pub fn sessions(&self) -> usize {
        fs::read(self.path("sessions")).map_or(0, |noted| noted.len())
    }

    /// The port it listens at.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// From now on the client knows another key of this host.
    pub fn distrust(&self) {
        trust(self.folder.path(), "other", self.port());
    }

    /// From now on the client has a key that the server does not know.
    pub fn lose_key(&self) {
        let read = |name| fs::read(self.path(name)).expect("the key was made");
        fs::write(self.path("user"), read("other")).expect("a temporary folder can be written");
    }
}

impl Mortal for Sshd {
    /// And every connection with it.
    fn kill(&mut self) {
        let sessions = descendants(self.server.child.id());
        self.server.kill();
        for session in sessions.into_iter().filter_map(rustix::process::Pid::from_raw) {
            // It may have ended with its parent.
            let _ = rustix::process::kill_process(session, rustix::process::Signal::KILL);
        }
    }

    fn start_again(&mut self) {
        self.server.start_again();
    }
}

fn command(folder: &Path) -> Command {
    // The superuser's sshd wants an empty folder that Debian makes when the service starts.
    if rustix::process::geteuid().is_root() {
        fs::create_dir_all("/run/sshd").expect("/run can be written");
    }
    let mut command = Command::new("/usr/sbin/sshd");
    command.arg("-D").arg("-e").arg("-f").arg(folder.join("sshd_config"));
    command
}

fn make_key(path: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .status();
    assert!(made.is_ok_and(|status| status.success()), "ssh-keygen is missing: install openssh-client");
}

/// Writes the key of this name down as that of the server.
fn trust(folder: &Path, key: &str, port: u16) {
    let key = fs::read_to_string(folder.join(format!("{key}.pub"))).expect("the key was made");
    fs::write(folder.join("known_hosts"), format!("[127.0.0.1]:{port} {key}"))
        .expect("a temporary folder can be written");
}

/// The processes that a process has started, and those that they have.
fn descendants(of: u32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").expect("Linux has /proc");
    let parents: Vec<(i32, u32)> = processes
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // Behind the name in parentheses: the state, then the parent.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut found = vec![of];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            parents.iter().filter(|(_, of)| *of == parent).filter_map(|(pid, _)| u32::try_from(*pid).ok()),
        );
        next += 1;
    }
    found[1..].iter().filter_map(|pid| i32::try_from(*pid).ok()).collect()
}
