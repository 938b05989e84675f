//! `ls`: list what a snapshot holds.

use clap::ValueEnum;
use std::sync::Arc;
use tresor_repo::Repository;
use tresor_repo::handle::Right;
use tresor_snapshot::walk::{Descend, Visitor, find_subtree, walk};
use tresor_snapshot::{Node, NodeKind};

use super::selection::{self, One, SelectFlags};
use crate::exit::{Failure, Result};
use crate::session::Session;
use crate::ui::ls::{Listing, Order, Printer};

/// List the files in a snapshot
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    select: SelectFlags,
    /// Print sizes with units in long lines
    #[arg(long)]
    human_readable: bool,
    /// Print mode, owner, size and time too
    #[arg(short, long)]
    long: bool,
    /// Print for ncdu, which reads it with `ncdu -f`
    #[arg(long)]
    ncdu: bool,
    /// Include what is below the named folders, however deep
    #[arg(long)]
    recursive: bool,
    /// Print in reverse order
    #[arg(long)]
    reverse: bool,
    /// Order: name, size, time (or mtime), atime, ctime, extension
    #[arg(short, long, value_name = "ORDER", default_value = "name", value_parser = parse_order)]
    sort: Order,
    /// The id of a snapshot, the beginning of one, or `latest`; perhaps with `:subfolder`
    #[arg(value_name = "SNAPSHOT")]
    snapshot: Option<String>,
    /// Only these folders and what is directly in them
    #[arg(value_name = "DIR")]
    folders: Vec<String>,
}

fn parse_order(text: &str) -> std::result::Result<Order, String> {
    Order::from_str(text, false).map_err(|_| {
        format!("invalid sort mode {text:?}, must be one of (name|size|time=mtime|atime|ctime|extension)")
    })
}

/// Lists a snapshot.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let printer = printer(args, session)?;
    let Some(snapshot) = &args.snapshot else {
        return Err(Failure::fatal(
            "no snapshot ID specified, specify snapshot ID or use special ID 'latest'",
        ));
    };
    if args.folders.iter().any(|folder| !folder.starts_with('/')) {
        return Err(Failure::fatal("All path filters must be absolute, starting with a forward slash '/'"));
    }
    let opened = session.open_to_read()?;
    let ended = selection::find_one(session, &opened.repository, &args.select, snapshot)
        .and_then(|one| list(args, session, &opened.repository, &one, printer));
    opened.close(session);
    ended
}

fn printer(args: &Args, session: &Session) -> Result<Printer> {
    match (session.ui.is_json(), args.ncdu) {
        (true, true) => Err(Failure::fatal("only either '--json' or '--ncdu' can be specified")),
        (_, true) if args.sort != Order::Name => {
            Err(Failure::fatal("--sort and --ncdu are mutually exclusive"))
        }
        (_, true) if args.reverse => Err(Failure::fatal("--reverse and --ncdu are mutually exclusive")),
        (true, false) => Ok(Printer::Json),
        (false, true) => Ok(Printer::Ncdu),
        (false, false) => Ok(Printer::Text { long: args.long, human_readable: args.human_readable }),
    }
}

fn list<R: Right>(
    args: &Args,
    session: &Session,
    repository: &Repository<R>,
    one: &One,
    printer: Printer,
) -> Result<()> {
    let index = session.load_index(repository)?;
    let subfolder = one.subfolder.as_deref().unwrap_or_default();
    let root = find_subtree(repository, &index, one.snapshot.tree, subfolder.as_bytes())?;
    let folders = Folders {
        named: args
            .folders
            .iter()
            .map(|folder| parts(folder.as_bytes()).map(<[u8]>::to_vec).collect())
            .collect(),
        recursive: args.recursive,
    };
    let mut listing = Listing::new(Arc::clone(&session.ui), &session.zone, printer, args.sort, args.reverse);
    listing.begin(&one.id, &one.snapshot, &args.folders);
    walk(repository, &index, root, &mut Chosen { folders, listing: &mut listing })?;
    listing.end();
    Ok(())
}

/// The folders named on the command line; none of them means everything.
struct Folders {
    named: Vec<Vec<Vec<u8>>>,
    recursive: bool,
}

/// The names in a path.
fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

impl Folders {
    /// Whether the path is a named folder or in one; and whether it is one or on the way to one.
    fn place(&self, path: &[u8]) -> (bool, bool) {
        if self.named.is_empty() {
            return (true, true);
        }
        let (mut within, mut towards) = (false, false);
        for folder in &self.named {
            let mut path = parts(path);
            let mut folder = folder.iter();
            loop {
                match (path.next(), folder.next()) {
                    (Some(part), Some(named)) if part == named.as_slice() => {}
                    (Some(_), Some(_)) => break,
                    (part, named) => {
                        within |= named.is_none();
                        towards |= part.is_none();
                        break;
                    }
                }
            }
        }
        (within, towards)
    }
}

/// Hands what was chosen to the listing.
struct Chosen<'a, 'b> {
    folders: Folders,
    listing: &'a mut Listing<'b>,
}

impl Visitor for Chosen<'_, '_> {
    fn node(&mut self, path: &[u8], node: &Node) -> tresor_snapshot::Result<Descend> {
        let (within, towards) = self.folders.place(path);
        let descend = towards || (within && self.folders.recursive);
        if within {
            self.listing.node(path, node);
        } else if towards {
            self.listing.way(node);
        }
        let is_dir = node.kind == NodeKind::Dir;
        if is_dir && within && !descend {
            self.listing.leave();
        }
        Ok(if descend { Descend::Into } else { Descend::Over })
    }

    fn leave(&mut self, path: &[u8]) -> tresor_snapshot::Result<()> {
        if path != b"/" {
            self.listing.leave();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(named: &[&str], path: &str) -> (bool, bool) {
        let named =
            named.iter().map(|folder| parts(folder.as_bytes()).map(<[u8]>::to_vec).collect()).collect();
        Folders { named, recursive: false }.place(path.as_bytes())
    }

    #[test]
    fn a_named_folder_lists_itself_and_what_is_in_it() {
        assert_eq!(place(&[], "/a"), (true, true));
        assert_eq!(place(&["/"], "/a"), (true, false));
        assert_eq!(place(&["/a/b/"], "/a"), (false, true));
        assert_eq!(place(&["/a/b/"], "/a/b"), (true, true));
        assert_eq!(place(&["/a/b/"], "/a/b/c"), (true, false));
        assert_eq!(place(&["/a/b", "/x"], "/x/y"), (true, false));
        assert_eq!(place(&["/a/b"], "/a/bc"), (false, false));
    }
}
