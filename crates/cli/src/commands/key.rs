//! `key`: the key files of a repository, each with a password of its own.

pub(crate) mod generate;

use clap::Subcommand;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::PathBuf;
use tresor_repo::KeyId;
use tresor_repo::keyfile::{KeyCost, NewKey, Password};
use tresor_repo::keys::KeyInfo;

use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::changes::Told;
use crate::ui::schema::Id;
use crate::ui::table::Table;

/// Manage the passwords that open the repository
#[derive(clap::Args)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[arg(hide = true)]
    ignored: Vec<String>,
}

#[derive(Subcommand)]
enum Action {
    /// Add a password
    Add(NewArgs),
    /// Print a new passphrase of random words, to be the password of a repository
    Generate(generate::Args),
    /// List the key files
    List {
        #[arg(hide = true)]
        surplus: Vec<String>,
    },
    /// Change the password that the repository was opened with
    Passwd(NewArgs),
    /// Remove a password by the id of its key file
    Remove {
        /// Remove it also from a repository that went back in time, and take that as it is from now on
        #[arg(long)]
        accept_rollback: bool,
        /// Id of the key file, or the beginning of it
        #[arg(value_name = "ID")]
        ids: Vec<String>,
    },
}

/// What a new key file is to be.
#[derive(clap::Args)]
struct NewArgs {
    /// Leave the names of user and host out of the key file
    #[arg(long, conflicts_with_all = ["host", "user"])]
    anonymous_key: bool,
    /// Store this host name with the key (default: the machine's)
    #[arg(long, value_name = "HOST", default_value = "", hide_default_value = true)]
    host: String,
    /// Make the new password an empty one (insecure)
    #[arg(long)]
    new_insecure_no_password: bool,
    /// Read the new password from this file
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    /// Store this user name with the key (default: yours)
    #[arg(long, value_name = "USER", default_value = "", hide_default_value = true)]
    user: String,
    #[arg(hide = true)]
    surplus: Vec<String>,
}

impl Args {
    /// Whether `--json` replaces the text: it silences `remove`, and `add` and `passwd` do not know it.
    pub(crate) fn speaks_json(&self) -> bool {
        matches!(self.action, Some(Action::Generate(_) | Action::List { .. } | Action::Remove { .. }))
    }
}

/// Does what was asked for with the key files.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    match &args.action {
        None => {
            super::show_help("key", session);
            Ok(())
        }
        Some(Action::Add(new)) => add(new, session),
        Some(Action::Generate(args)) => generate::run(args, session),
        Some(Action::List { surplus }) => {
            super::refuse_arguments(session, "key list", surplus)?;
            list(session)
        }
        Some(Action::Passwd(new)) => change_password(new, session),
        Some(Action::Remove { accept_rollback, ids }) => remove(ids, *accept_rollback, session),
    }
}

fn add(new: &NewArgs, session: &Session) -> Result<()> {
    super::refuse_arguments(session, "key add", &new.surplus)?;
    let repository = session.open_unlocked()?;
    let lock = session.lock_shared(&repository)?;
    let key = new_key(new, session);
    let added =
        new_password(new, &key, session).and_then(|password| Ok(repository.add_key(&password, &key)?));
    session.release(lock.release());
    let id = added?;
    session.ui.tell(&Told::KeyAdded { id });
    session.ui.print(&format!("saved new key with ID {id}"));
    Ok(())
}

fn change_password(new: &NewArgs, session: &Session) -> Result<()> {
    super::refuse_arguments(session, "key passwd", &new.surplus)?;
    let mut opened = session.open_to_remove()?;
    let key = new_key(new, session);
    let changed = session
        .beware_of_rollback(&opened.repository, false)
        .and_then(|()| new_password(new, &key, session))
        .and_then(|password| Ok(opened.repository.change_password(&password, &key, &opened.lock)?));
    opened.close(session);
    session.ui.tell(&Told::KeyAdded { id: changed? });
    let time = key.created.long_text(&session.zone);
    session
        .ui
        .print(&format!("saved new key as <Key of {}@{}, created on {time}>", key.username, key.hostname));
    Ok(())
}

fn remove(ids: &[String], accept_rollback: bool, session: &Session) -> Result<()> {
    let [prefix] = ids else {
        return Err(Failure::plain("key remove expects one argument as the key id"));
    };
    let opened = session.open_to_remove()?;
    let removed = opened.repository.find_key(prefix).map_err(|error| Failure::plain(error.to_string()));
    let removed = removed.and_then(|id| {
        session.beware_of_rollback(&opened.repository, accept_rollback)?;
        let unreadable = opened.repository.unreadable_keys()?;
        if !session.program.is_restic() && !unreadable.is_empty() && !unreadable.contains(&id) {
            let files: Vec<String> = unreadable.iter().map(|key| format!("key/{key}")).collect();
            let why = format!("refusing to remove a key while others cannot be read: {}", files.join(", "));
            return Err(
                Failure::fatal(why).unreadable("`key remove ID` removes a key file that cannot be read")
            );
        }
        opened.repository.remove_key(id, &opened.lock)?;
        Ok(id)
    });
    opened.close(session);
    let id = removed?;
    session.ui.tell(&Told::KeyRemoved { id });
    session.ui.print(&format!("removed key {id}"));
    Ok(())
}

fn new_key(new: &NewArgs, session: &Session) -> NewKey {
    let owner = session.owner();
    let given = |text: &str, default: String| match text {
        _ if new.anonymous_key => String::new(),
        "" => default,
        text => text.to_owned(),
    };
    NewKey {
        username: given(&new.user, owner.username),
        hostname: given(&new.host, owner.hostname),
        created: session.now(),
        cost: KeyCost::default(),
    }
}

fn new_password(new: &NewArgs, key: &NewKey, session: &Session) -> Result<Password> {
    match (&new.new_password_file, new.new_insecure_no_password) {
        (Some(_), true) => Err(Failure::plain(
            "only either --new-password-file or --new-insecure-no-password may be specified",
        )),
        (None, true) => Ok(Password::new(Vec::new())),
        (file, false) => session.another_password(file.as_deref(), &[&key.username, &key.hostname]),
    }
}

fn list(session: &Session) -> Result<()> {
    let opened = session.open_to_read()?;
    let keys = opened.repository.keys(&*session.monitor());
    opened.close(session);
    let keys = keys?;
    match session.ui.is_json() {
        true => session.ui.json(&keys.iter().map(|key| Listed::new(key, session)).collect::<Vec<_>>()),
        false => session.ui.text(table(&keys, session).as_bytes()),
    }
    Ok(())
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed<'a> {
    current: bool,
    #[schemars(with = "Id")]
    id: KeyId,
    user_name: &'a str,
    host_name: &'a str,
    created: String,
}

impl<'a> Listed<'a> {
    fn new(key: &'a KeyInfo, session: &Session) -> Self {
        Listed {
            current: key.is_current,
            id: key.id,
            user_name: &key.username,
            host_name: &key.hostname,
            created: key.created.local_text(&session.zone),
        }
    }
}

fn table(keys: &[KeyInfo], session: &Session) -> String {
    let mut table = Table::new([" ID", "User", "Host", "Created"]);
    for key in keys {
        let mark = if key.is_current { '*' } else { ' ' };
        let cells = [
            format!("{mark}{}", key.id.short()),
            key.username.clone(),
            key.hostname.clone(),
            key.created.local_text(&session.zone),
        ];
        table.row(cells.map(|cell| vec![cell]).to_vec());
    }
    table.render()
}
