//! `cache`: list the local caches, and remove old ones.

use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use tresor_repo::cache::stock::{self, Stocked};

use crate::causes::chain;
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::table::Table;
use crate::units;

/// Show the local caches, and remove old ones
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Remove old caches
    #[arg(long)]
    cleanup: bool,
    /// Call a cache old that was not used for so many days
    #[arg(long, value_name = "DAYS", default_value = "30", value_parser = units::parse_unsigned)]
    max_age: u32,
    /// Do not add up the sizes
    #[arg(long)]
    no_size: bool,
    #[arg(hide = true)]
    words: Vec<String>,
}

const DAY: Duration = Duration::from_secs(86_400);

/// A cache as `--json` tells of it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Message<'a> {
    message_type: &'static str,
    name: &'a str,
    folder: &'a Path,
    days_unused: u64,
    old: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

/// Shows the caches, or removes the old ones.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    super::refuse_arguments(session, "cache", &args.words)?;
    let Some(base) = session.cache_base()? else {
        return Err(Failure::fatal("Refusing to do anything, the cache is disabled"));
    };
    let caches = stock::list(&base)
        .map_err(|error| Failure::plain(format!("readdirent {}: {}", base.display(), chain(&error))))?;
    if args.cleanup || session.global.cleanup_cache {
        return clean_up(args.max_age, &caches, session);
    }
    if session.ui.json_replaces_text() {
        return tell(args, &caches, session);
    }
    show(args, &base, &caches, session)
}

/// Whole days since its last use.
fn days_unused(cache: &Stocked) -> u64 {
    cache.unused().as_secs() / DAY.as_secs()
}

/// Whether a cache is older than so many days.
fn is_old(cache: &Stocked, max_age: u32) -> bool {
    cache.unused() > DAY * max_age
}

fn clean_up(max_age: u32, caches: &[Stocked], session: &Session) -> Result<()> {
    let old: Vec<&Stocked> = caches.iter().filter(|cache| is_old(cache, max_age)).collect();
    if old.is_empty() {
        session.ui.print("no old cache dirs found");
        return Ok(());
    }
    session.ui.print(&format!("remove {} old cache directories", old.len()));
    for cache in old {
        cache.remove().map_err(|error| {
            Failure::fatal(format!("cannot remove {}: {}", cache.folder.display(), chain(&error)))
        })?;
    }
    Ok(())
}

fn size(args: &Args, cache: &Stocked) -> Result<Option<u64>> {
    if args.no_size {
        return Ok(None);
    }
    let size = cache.size().map_err(|error| {
        Failure::fatal(format!("cannot read {}: {}", cache.folder.display(), chain(&error)))
    })?;
    Ok(Some(size))
}

fn tell(args: &Args, caches: &[Stocked], session: &Session) -> Result<()> {
    for cache in caches {
        session.ui.json(&Message {
            message_type: "cache",
            name: &cache.name,
            folder: &cache.folder,
            days_unused: days_unused(cache),
            old: is_old(cache, args.max_age),
            size: size(args, cache)?,
        });
    }
    Ok(())
}

fn show(args: &Args, base: &Path, caches: &[Stocked], session: &Session) -> Result<()> {
    if caches.is_empty() {
        session.ui.important(&format!("no cache dirs found, basedir is {}", base.display()));
        return Ok(());
    }
    let mut titles = vec!["Repo ID", "Last Used", "Old"];
    titles.extend((!args.no_size).then_some("Size"));
    let mut table = Table::new(titles);
    for cache in caches {
        let name = if cache.is_temporary() { &cache.name } else { &cache.name[..10] };
        let old = if is_old(cache, args.max_age) { "yes" } else { "" };
        let mut row = vec![name.to_owned(), format!("{} days ago", days_unused(cache)), old.to_owned()];
        row.extend(size(args, cache)?.map(|size| format!("{:>11}", units::bytes(size))));
        table.row(row.into_iter().map(|cell| vec![cell]).collect());
    }
    table.footer(format!("{} cache dirs in {}", caches.len(), base.display()));
    session.ui.text(table.render().as_bytes());
    Ok(())
}
