//! `mount`: show the snapshots as folders and files.

mod point;

use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tresor_backend::cancel::Reason;
use tresor_mount::{Error as MountError, Mounted, Options};
use tresor_snapshot::vfs::{self, PATH_TEMPLATES, TIME_TEMPLATE};

use super::selection::SelectFlags;
use crate::causes::chain;
use crate::exit::{Failure, Result};
use crate::session::{Opened, Session};

/// New snapshots are looked for this often, when somebody looks into the folders above them.
const RELOAD_AFTER: Duration = Duration::from_secs(60);
/// How soon the end of a mount is noticed that somebody else unmounts.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes of file content kept in memory, if the budget is no larger.
const CONTENT_MEMORY: u64 = 64 << 20;
/// Bytes of decoded folders kept in memory.
const FOLDER_MEMORY: u64 = 32 << 20;
/// How much of the repository's id the table of mounts shows.
const ID_SHOWN: usize = 10;

/// Show the snapshots as folders and files, read-only
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Let other users see it too
    #[arg(long)]
    allow_other: bool,
    /// With --allow-other, let them read everything, whatever the stored permissions say
    #[arg(long)]
    no_default_permissions: bool,
    /// Show everything as root's
    #[arg(long)]
    owner_root: bool,
    #[command(flatten)]
    select: SelectFlags,
    /// Show snapshots under this path: %i short id, %I id, %u user, %h host, %t tags, %T time (repeatable;
    /// default: ids/%i, snapshots/%T, hosts/%h/%T, tags/%t/%T)
    #[arg(long, value_name = "TEMPLATE")]
    path_template: Vec<String>,
    /// Write times as this text writes 2 January 2006, 15:04:05, 7 hours west of UTC
    #[arg(long, value_name = "TEMPLATE", default_value = TIME_TEMPLATE)]
    time_template: String,
    #[arg(long, value_name = "TEMPLATE", hide = true)]
    snapshot_template: Option<String>,
    /// The folder to mount on
    #[arg(value_name = "MOUNTPOINT")]
    mountpoint: Vec<PathBuf>,
}

/// What `--json` says under our own name once the mount is there.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Message<'a> {
    message_type: &'static str,
    mountpoint: &'a Path,
}

/// Mounts, and stays until the mount ends.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let template = args.snapshot_template.as_ref().unwrap_or(&args.time_template);
    if template.is_empty() {
        return Err(Failure::fatal("time template string cannot be empty"));
    }
    if template.starts_with('/') || template.ends_with('/') {
        return Err(Failure::fatal("time template string cannot start or end with '/'"));
    }
    // Words after the first are no concern of ours, as they are none of restic's.
    let path = args.mountpoint.first().ok_or_else(|| Failure::fatal("wrong number of parameters"))?;
    point::check(path, &session.location()?)?;
    let Opened { repository, lock } = session.open_to_read()?;
    let index = session.load_index(&repository)?;
    let options = Options {
        name: format!("{}:{}", session.program.name(), &repository.id().hex()[..ID_SHOWN]),
        allow_other: args.allow_other,
        check_permissions: args.allow_other && !args.no_default_permissions,
    };
    let (shown, monitor) = (args.shown(session, template), session.monitor());
    say(session, "Loading snapshots...");
    let cancel = repository.cancel().clone();
    let mounted = tresor_mount::mount((repository, index), shown, path, &options, session.now(), &monitor);
    let ended = mounted.map_err(failure).and_then(|mounted| {
        say_mounted(session, path);
        serve(session, mounted, &cancel)
    });
    if let Some(lock) = lock {
        session.release(lock.release());
    }
    ended
}

impl Args {
    fn shown(&self, session: &Session, time_template: &str) -> vfs::Options {
        let path_templates = match self.path_template.is_empty() {
            true => PATH_TEMPLATES.map(str::to_owned).to_vec(),
            false => self.path_template.clone(),
        };
        let owner = session.owner();
        vfs::Options {
            filter: self.select.filter(session),
            path_templates,
            time_template: time_template.to_owned(),
            zone: session.zone.clone(),
            owner: (owner.uid, owner.gid),
            owner_root: self.owner_root,
            reload_after: RELOAD_AFTER,
            content_memory: session.global.memory.unwrap_or(0).max(CONTENT_MEMORY),
            folder_memory: FOLDER_MEMORY,
        }
    }
}

/// Waits for the end: a signal, somebody who unmounts, or the loss of the lock.
fn serve(session: &Session, mounted: Mounted, cancel: &tresor_backend::Cancel) -> Result<()> {
    while !cancel.sleep(LOOK) {
        if mounted.has_ended() {
            return mounted.join().map_err(failure);
        }
    }
    if let Err(error) = mounted.unmount() {
        let error = chain(&error);
        session.ui.error(&format!("unable to umount (maybe already umounted or still in use?): {error}"));
    }
    match cancel.reason() {
        Some(Reason::LockLost) => Err(Failure::fatal("failed to refresh lock in time")),
        _ => Ok(()),
    }
}

fn failure(error: MountError) -> Failure {
    match error {
        MountError::View(error) => error.into(),
        error => Failure::fatal(chain(&error)),
    }
}

/// What people see; restic says it whatever the flags.
fn say(session: &Session, text: &str) {
    if !session.ui.json_replaces_text() {
        session.ui.important(text);
        session.ui.flush();
    }
}

fn say_mounted(session: &Session, path: &Path) {
    if session.ui.json_replaces_text() {
        session.ui.json(&Message { message_type: "mounted", mountpoint: path });
        return session.ui.flush();
    }
    say(session, &format!("Now serving the repository at {}", path.display()));
    say(session, "Use another terminal or tool to browse the contents of this folder.");
    say(session, "When finished, quit with Ctrl-c here or umount the mountpoint.");
}
