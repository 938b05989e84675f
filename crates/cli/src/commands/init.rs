//! `init`: make a new repository.

use schemars::JsonSchema;
use serde::Serialize;
use tresor_backend::Full;
use tresor_repo::Repository;
use tresor_repo::config::{Config, VERSIONS};
use tresor_repo::keyfile::{KeyCost, NewKey};
use tresor_repo::repository::InitOptions;
use tresor_repo::{Error as RepoError, Existing, RepoId};

use super::secondary::SecondaryFlags;
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::schema::Id;

/// Make a new repository
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave the names of user and host out of the key file
    #[arg(long)]
    anonymous_key: bool,
    /// Cut files as the source repository does, so that both find the same blobs
    #[arg(long)]
    copy_chunker_params: bool,
    #[command(flatten)]
    secondary: SecondaryFlags,
    /// Version of the format: 1, 2, latest or stable
    #[arg(long, value_name = "VERSION", default_value = "stable")]
    repository_version: String,
    #[arg(hide = true)]
    surplus: Vec<String>,
}

/// Makes a repository and says so.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    super::refuse_arguments(session, "init", &args.surplus)?;
    let version = version(&args.repository_version)?;
    if args.secondary.are_given(session) && !args.copy_chunker_params {
        return Err(Failure::fatal(
            "Secondary repository must only be specified when copying the chunker parameters",
        ));
    }
    let source = match args.copy_chunker_params {
        true => {
            let secondary = args.secondary.session(session)?;
            Some(secondary.open_uncached(secondary.handle()?.read())?)
        }
        false => None,
    };
    let id = make(session, version, source.as_ref().map(Repository::config), args.anonymous_key)?;
    tell(session, id, source.is_some());
    Ok(())
}

fn version(text: &str) -> Result<u32> {
    let version: u32 = match text {
        "latest" | "stable" | "" => *VERSIONS.end(),
        number => number.parse().map_err(|_| Failure::fatal("invalid repository version"))?,
    };
    if VERSIONS.contains(&version) {
        return Ok(version);
    }
    let (first, last) = (VERSIONS.start(), VERSIONS.end());
    Err(Failure::fatal(format!("Fatal: only repository versions between {first} and {last} are allowed")))
}

/// Makes a repository at the session's location; it cuts files as `like` does, if that is given.
///
/// # Errors
/// There is one already; no password, or a weak one; those of the backend.
pub(crate) fn make(
    session: &Session,
    version: u32,
    like: Option<&Config>,
    anonymous: bool,
) -> Result<RepoId> {
    let doubled =
        |failure: Failure| match failure.message.starts_with("Fatal: ") && session.program.is_restic() {
            true => Failure { message: format!("Fatal: {}", failure.message), ..failure },
            false => failure,
        };
    // restic says that these are fatal twice.
    let handle = session.handle().map_err(doubled)?;
    let password = session.new_password().map_err(doubled)?;
    let (username, hostname) = match anonymous {
        true => Default::default(),
        false => (session.owner().username, session.owner().hostname),
    };
    let key = NewKey { username, hostname, created: session.now(), cost: KeyCost::default() };
    let new = InitOptions { version, polynomial: like.map(|config| config.polynomial), key };
    let made: Result<Repository<Full>, _> = Repository::init(handle, &password, &new, session.options()?);
    match made {
        Ok(repository) => {
            session.remember_new(&repository);
            Ok(repository.id())
        }
        Err(RepoError::RepositoryExists { location, found }) => {
            // restic looks for its config when it makes the folders, for the rest when it makes the key.
            let step = match found {
                Existing::Config => "create repository",
                Existing::Keys | Existing::Snapshots => "create key in repository",
            };
            Err(Failure::fatal(format!("Fatal: {step} at {location} failed: {found}")))
        }
        Err(error) => Err(error.into()),
    }
}

/// A repository was made.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Initialized<'a> {
    message_type: &'static str,
    #[schemars(with = "Id")]
    id: RepoId,
    repository: &'a str,
}

fn tell(session: &Session, id: RepoId, copied: bool) {
    let repository = session.global.repo.as_deref().unwrap_or_default();
    if session.ui.is_json() {
        session.ui.json(&Initialized { message_type: "initialized", id, repository });
        return;
    }
    session.ui.print(&format!("created restic repository {} at {repository}", &id.hex()[..10]));
    if copied {
        session.ui.print(" with chunker parameters copied from secondary repository");
    }
    session
        .ui
        .print("\nKeep the password safe: without it nobody, not even you, can read what is stored here.");
}
