//! `trust`: what this machine remembers of repositories.

use clap::Subcommand;
use tresor_backend::FileKind;
use tresor_repo::RepoId;
use tresor_repo::time::Zone;
use tresor_repo::trust::{Entry, Known};

use crate::causes::chain;
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::trust::File;
use crate::ui::trust::{AcceptedMessage, AddressMessage, ForgottenMessage, Repository};

/// Look at what is remembered of repositories, and change it
#[derive(clap::Args)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Take the repository as it is now: another one, or one that went back in time; with --tls-pin also the key of
    /// its server, to accept no other from now on
    Accept,
    /// Remember nothing of the repository's address any more
    Forget,
    /// Show what is remembered of the repository's address, or of all of them
    Show,
}

/// Does what was asked for; prints the help if nothing was.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    match &args.action {
        Some(Action::Accept) => accept(session),
        Some(Action::Forget) => forget(session),
        Some(Action::Show) => show(session),
        None => {
            super::show_help("trust", session);
            Ok(())
        }
    }
}

/// Opens the repository, looks at it once more, and believes what is there.
fn accept(session: &Session) -> Result<()> {
    let (repository, file) = session.open_to_accept()?;
    for kind in [FileKind::Snapshot, FileKind::Index, FileKind::Key] {
        repository.list(kind)?;
    }
    session.accept(true)?;
    let (address, id): (&str, RepoId) = (&file.address, repository.id());
    match session.ui.is_json() {
        true => session.ui.json(&AcceptedMessage { message_type: "accepted", address, id }),
        false => session.ui.print(&format!("repository {} is expected at {address} from now on", id.short())),
    }
    Ok(())
}

fn forget(session: &Session) -> Result<()> {
    let file = session.trust_file()?;
    let address = &*file.address;
    let was_known = file.store.forget(address).map_err(|error| Failure::fatal(chain(&error)))?;
    match (session.ui.is_json(), was_known) {
        (true, _) => session.ui.json(&ForgottenMessage { message_type: "forgotten", address, was_known }),
        (false, true) => session.ui.print(&format!("forgot what was known of {address}")),
        (false, false) => session.ui.print(&format!("nothing is known of {address}")),
    }
    Ok(())
}

fn show(session: &Session) -> Result<()> {
    let is_named = session.global.repo.is_some() || session.global.repository_file.is_some();
    if is_named {
        let file = session.trust_file()?;
        let entry = file.store.load(&file.address).map_err(|error| Failure::fatal(chain(&error)))?;
        match entry {
            Some(entry) => tell(&entry, &file, session),
            None => session.ui.print(&format!("nothing is known of {}", file.address)),
        }
        return Ok(());
    }
    let store = session.trust_store()?;
    let entries = store.all().map_err(|error| Failure::fatal(chain(&error)))?;
    let mut unreadable = 0;
    for entry in entries {
        match entry {
            Ok(entry) => {
                let file = File { store: store.clone(), address: entry.address.clone() };
                tell(&entry, &file, session);
            }
            Err(error) => {
                unreadable += 1;
                session.ui.error(&chain(&error));
            }
        }
    }
    match unreadable {
        0 => Ok(()),
        _ => Err(Failure::fatal(format!("{unreadable} files of the trust store cannot be read"))),
    }
}

fn tell(entry: &Entry, file: &File, session: &Session) {
    let path = file.store.path(&entry.address);
    let message = AddressMessage {
        message_type: "address",
        address: &entry.address,
        file: &path,
        plaintext: entry.plaintext,
        tls_pins: entry.pins.iter().map(ToString::to_string).collect(),
        repositories: entry.repositories.iter().map(|known| repository(known, &session.zone)).collect(),
    };
    match session.ui.is_json() {
        true => session.ui.json(&message),
        false => session.ui.text(text(&message, entry, &session.zone).as_bytes()),
    }
}

fn repository(known: &Known, zone: &Zone) -> Repository {
    Repository {
        id: known.identity.id,
        chunker_polynomial: known.identity.polynomial.clone(),
        last_seen: zone.local(known.time, 0).to_string(),
        snapshots: known.snapshots(),
        index_files: known.indexes(),
        gone: known.gone(),
        went_back: known.is_alarmed(),
    }
}

fn text(message: &AddressMessage<'_>, entry: &Entry, zone: &Zone) -> String {
    let mut lines =
        vec![format!("address     {}", message.address), format!("file        {}", message.file.display())];
    if message.plaintext {
        lines.push("encryption  none: plain HTTP is allowed".into());
    }
    lines.extend(message.tls_pins.iter().map(|pin| format!("tls pin     {pin}")));
    for (repository, known) in message.repositories.iter().zip(&entry.repositories) {
        lines.push(format!("repository  {}", repository.id));
        lines.push(format!("  last seen   {}", zone.local(known.time, 0).local_text(zone)));
        lines.push(format!("  snapshots   {}", repository.snapshots));
        lines.push(format!("  index files {}", repository.index_files));
        lines.push(format!("  gone        {} files that must not return", repository.gone));
        if repository.went_back {
            lines.push("  went back in time, which nobody accepted".into());
        }
    }
    lines.push("\n".into());
    lines.join("\n")
}
