//! Backing up one file that comes from stdin or from a command.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use tresor_backend::{Cancel, child};
use tresor_repo::Repository;
use tresor_repo::handle::Append;
use tresor_repo::index::Index;
use tresor_snapshot::backup::{BackupMonitor, BackupOptions, BackupReport, Source, Stream, backup, clean};
use tresor_snapshot::quote::shown;

use super::Args;
use super::settings::unable_to_save;
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::backup::BackupView;
use crate::ui::terminal::printable;

/// Backs up the stream that the flags name.
pub(super) fn back_up(
    args: &Args,
    session: &Session,
    repository: &Repository<Append>,
    index: &Index,
    options: &BackupOptions,
    view: &BackupView,
) -> Result<BackupReport> {
    let path = path_in_snapshot(&args.stdin_filename)?;
    announce(args, session, view, &path);
    if !args.stdin_from_command {
        let stdin = io::stdin().as_fd().try_clone_to_owned();
        let stdin = stdin.map_err(|error| Failure::plain(format!("cannot read from stdin: {error}")))?;
        let mut reader = Patient::new(stdin, session);
        let stream = Stream { path, reader: &mut reader, finish: Box::new(|| Ok(())) };
        return backup(repository, index, Source::Stream(stream), options, view).map_err(unable_to_save);
    }
    let mut command = Running::start(args, &session.ui)?;
    let mut reader = Patient::new(command.take_output().into(), session);
    let stream = Stream { path, reader: &mut reader, finish: Box::new(move || command.wait()) };
    backup(repository, index, Source::Stream(stream), options, view).map_err(unable_to_save)
}

/// Says what is stored, as if the stream were a file of unknown size that a scan has found.
fn announce(args: &Args, session: &Session, view: &BackupView, path: &[u8]) {
    let (ui, name) = (&session.ui, shown(path));
    ui.verbose("read data from stdin");
    if !args.no_scan {
        ui.verbose(&format!("start scan on [{name}]"));
    }
    ui.verbose(&format!("start backup on [{name}]"));
    if !args.no_scan && ui.shows_progress() {
        view.scanned(1, 0);
        view.scan_finished();
    }
}

fn path_in_snapshot(name: &OsStr) -> Result<Vec<u8>> {
    let path = clean(&[b"/", name.as_bytes()].concat());
    if name.is_empty() || path == b"/" {
        return Err(Failure::plain("failed to backup from stdin: invalid filename specified"));
    }
    Ok(path)
}

/// Waits for what another program has to say, be it for hours, and gives up when the session is told to stop.
struct Patient {
    pipe: File,
    cancel: Cancel,
}

impl Patient {
    /// How long a stop may go unnoticed.
    const LOOK_MS: u8 = 100;

    fn new(pipe: OwnedFd, session: &Session) -> Self {
        Patient { pipe: pipe.into(), cancel: session.cancel.clone() }
    }

    fn is_ready(&self) -> io::Result<bool> {
        match poll(&mut [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)], PollTimeout::from(Self::LOOK_MS))
        {
            Err(nix::errno::Errno::EINTR) => Ok(false),
            outcome => Ok(outcome? > 0),
        }
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_ready()? {
            if self.cancel.is_set() {
                return Err(io::Error::other("told to stop"));
            }
        }
        self.pipe.read(buffer)
    }
}

/// A command whose output is being stored.
struct Running {
    child: Child,
    stderr: Option<JoinHandle<()>>,
}

impl Running {
    fn start(args: &Args, ui: &Arc<Ui>) -> Result<Self> {
        let name = args.targets[0].to_string_lossy().into_owned();
        let mut child = child::command(&args.targets[0])
            .args(&args.targets[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Failure::plain(format!(
                    "failed to start command: exec: {name:?}: executable file not found in $PATH"
                )),
                _ => Failure::plain(format!("failed to start command: {name:?}: {error}")),
            })?;
        tresor_secmem::process::restore_limits(child.id());
        let ui = Arc::clone(ui);
        let stderr =
            child.stderr.take().map(|stderr| std::thread::spawn(move || pass_on(&name, stderr, &ui)));
        Ok(Running { child, stderr })
    }

    fn take_output(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("the child was started with a pipe for its output")
    }

    /// Waits for the end of the command; one that failed makes no snapshot.
    fn wait(mut self) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let status = self.child.wait()?;
        if let Some(thread) = self.stderr.take() {
            drop(thread.join()); // it only passes lines on
        }
        match status.code() {
            Some(0) => Ok(()),
            Some(code) => Err(format!("command failed: exit status {code}").into()),
            None => Err(format!("command failed: {status}").into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `wait` this finds the child gone; before, the backup has failed and nobody reads its output.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pass_on(name: &str, stderr: impl Read, ui: &Ui) {
    for line in BufReader::new(stderr).split(b'\n').map_while(std::result::Result::ok) {
        ui.error(&printable(&format!("subprocess {name}: {}", String::from_utf8_lossy(&line))));
    }
}
