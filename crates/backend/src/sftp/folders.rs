//! Folders: made, and listed many at once.

use super::Connection;
use super::failure::Failure;
use super::session::{Exchange, Open};
use super::wire::{Attributes, Request};
use crate::{FileKind, FileName, Id, Listed, Result as BackendResult, layout};
use std::collections::{HashSet, VecDeque};

/// So many folders are read at once; servers allow at least as many to be open.
const AT_ONCE: usize = 64;
/// So many requests for more names of one folder are under way at once.
const UNDER_WAY: usize = 2;
/// A folder that gives nothing new so often in a row has no end.
const PATIENCE: usize = 10_000;

/// The folder that a prefix of paths stands for.
pub(super) fn at(root: &str) -> &str {
    match root {
        "" => ".",
        "/" => "/",
        root => root.trim_end_matches('/'),
    }
}

/// Makes every folder of a new repository, and the folders it lies in.
pub(super) fn make_all(connection: &Connection, root: &str) -> Result<(), Failure> {
    let mut exchange = connection.session.exchange();
    let mode = connection.modes.folder;
    let path = at(root);
    // From the end: most often the folder above is there, and we may not even look at those above it.
    let parts = path.match_indices('/').map(|(end, _)| &path[..end]).filter(|part| !part.is_empty());
    let mut missing: Vec<&str> = vec![path];
    for above in parts.collect::<Vec<_>>().into_iter().rev() {
        match exchange.ask(&Request::Stat(above))?.attributes() {
            Err(failure) if failure.is_not_found() => missing.push(above),
            Ok(found) if found.is_folder() == Some(false) => return Err(Failure::NotA("folder")),
            _ => break,
        }
    }
    for folder in missing.into_iter().rev() {
        make(&mut exchange, &[folder.to_owned()], mode)?;
    }
    match exchange.ask(&Request::Stat(&format!("{root}{}", layout::name(FileName::CONFIG))))?.attributes() {
        Ok(_) => return Err(Failure::Exists),
        Err(failure) if failure.is_not_found() => {}
        Err(failure) => return Err(failure),
    }
    let (packs, kinds): (Vec<_>, Vec<_>) = layout::folders()
        .map(|folder| format!("{root}{folder}"))
        .partition(|folder| folder[root.len()..].contains('/'));
    make(&mut exchange, &kinds, mode)?;
    make(&mut exchange, &packs, mode)
}

/// Makes the folder that a file belongs into.
pub(super) fn make_for(connection: &Connection, root: &str, file: FileName) -> Result<(), Failure> {
    let mut exchange = connection.session.exchange();
    let (kind, parent) = (layout::folder(file.kind()), layout::parent(file));
    if kind.is_empty() {
        return Ok(());
    }
    make(&mut exchange, &[format!("{root}{kind}")], connection.modes.folder)?;
    if parent != kind {
        make(&mut exchange, &[format!("{root}{parent}")], connection.modes.folder)?;
    }
    Ok(())
}

/// Makes folders side by side; that one exists already is fine.
fn make(exchange: &mut Exchange<'_>, folders: &[String], mode: u32) -> Result<(), Failure> {
    for some in folders.chunks(AT_ONCE) {
        let asked = some.iter().map(|path| exchange.send(&Request::MakeFolder { path, mode }));
        let asked = asked.collect::<Result<Vec<_>, _>>()?;
        for (path, id) in some.iter().zip(asked) {
            let Err(refused) = exchange.wait(id)?.done() else { continue };
            // There is no number for "it exists"; and where one may not make it, it may be there all the same.
            match exchange.ask(&Request::Stat(path))?.attributes() {
                Ok(attributes) if attributes.is_folder() == Some(false) => {
                    return Err(Failure::NotA("folder"));
                }
                Ok(_) => {}
                Err(_) => return Err(refused),
            }
        }
    }
    Ok(())
}

/// Why a listing ended early: because of the server, or because the listener had enough.
pub(super) enum Ended {
    Server(Failure),
    Listener(crate::Error),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::Server(failure)
    }
}

type Each<'a> = dyn FnMut(Listed) -> BackendResult<()> + 'a;

/// Tells `each` of every file of a kind.
pub(super) fn list(
    connection: &Connection,
    root: &str,
    kind: FileKind,
    each: &mut Each<'_>,
) -> Result<(), Ended> {
    let mut exchange = connection.session.exchange();
    let top = format!("{root}{}", layout::folder(kind));
    if kind != FileKind::Pack {
        return list_files(&mut exchange, vec![(top, None)], each);
    }
    let mut firsts = Vec::new();
    read(&mut exchange, vec![&top], &mut |_, name, attributes| {
        // A folder, or a link to one: opening it will tell.
        let number = |name| u8::from_str_radix(std::str::from_utf8(name).ok()?, 16).ok();
        let first = number(name).filter(|first| name == format!("{first:02x}").as_bytes());
        firsts.extend(first.filter(|_| attributes.is_file() != Some(true)));
        Ok(())
    })?;
    firsts.sort_unstable();
    firsts.dedup();
    let folders =
        firsts.into_iter().map(|first| (format!("{root}{}", layout::pack_folder(first)), Some(first)));
    list_files(&mut exchange, folders.collect(), each)
}

/// Tells of the files in some folders; in each, where that is said, only of ids that begin so.
fn list_files(
    exchange: &mut Exchange<'_>,
    folders: Vec<(String, Option<u8>)>,
    each: &mut Each<'_>,
) -> Result<(), Ended> {
    for some in folders.chunks(AT_ONCE) {
        // What a listing does not say of a file is asked for afterwards.
        let mut unclear = Vec::new();
        let paths = some.iter().map(|(path, _)| path).collect();
        read(exchange, paths, &mut |folder, name, attributes| {
            let (path, first) = &some[folder];
            let Some(id) = Id::from_hex(name) else { return Ok(()) };
            if first.is_some_and(|first| first != id.as_bytes()[0]) {
                return Ok(()); // it could not be loaded, and so does not exist
            }
            match (attributes.is_file(), attributes.size) {
                (Some(true), Some(size)) => each(Listed { id, size }).map_err(Ended::Listener)?,
                (Some(false), _) if attributes.is_link() != Some(true) => {}
                _ => unclear.push((id, format!("{path}/{}", id.hex()))),
            }
            Ok(())
        })?;
        for some in unclear.chunks(AT_ONCE) {
            let asked = some.iter().map(|(_, path)| exchange.send(&Request::Stat(path)));
            let asked = asked.collect::<Result<Vec<_>, _>>()?;
            for ((id, _), asked) in some.iter().zip(asked) {
                match exchange.wait(asked)?.attributes() {
                    Ok(found) => match found.size {
                        Some(_) if found.is_file() == Some(false) => {}
                        Some(size) => each(Listed { id: *id, size }).map_err(Ended::Listener)?,
                        None => {
                            return Err(Failure::Malformed("it does not tell the length of a file").into());
                        }
                    },
                    Err(failure) if failure.is_not_found() => {} // removed since: locks come and go
                    Err(failure) => return Err(failure.into()),
                }
            }
        }
    }
    Ok(())
}

type Name<'a> = dyn FnMut(usize, &[u8], Attributes) -> Result<(), Ended> + 'a;

/// Reads folders side by side and tells `each` of their entries, every name once.
fn read(exchange: &mut Exchange<'_>, folders: Vec<&String>, each: &mut Name<'_>) -> Result<(), Ended> {
    let asked = folders.iter().map(|path| exchange.send(&Request::OpenFolder(path)));
    let asked = asked.collect::<Result<Vec<_>, _>>()?;
    let mut readings = VecDeque::new();
    for (folder, id) in asked.into_iter().enumerate() {
        let reply = exchange.wait(id)?;
        match exchange.opened(&reply) {
            Ok(open) => readings.push_back(Reading::begin(exchange, folder, open)?),
            Err(failure) if failure.is_not_found() => {}
            // A stranger in the place of a folder: nothing of ours is in it.
            Err(failure) if failure.is_unspecific() && !is_folder(exchange, folders[folder])? => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    while let Some(mut reading) = readings.pop_front() {
        if reading.step(exchange, each)? {
            readings.push_back(reading);
        }
    }
    Ok(())
}

fn is_folder(exchange: &mut Exchange<'_>, path: &str) -> Result<bool, Failure> {
    Ok(exchange.ask(&Request::Stat(path))?.attributes()?.is_folder() != Some(false))
}

/// A folder being read.
struct Reading<'s> {
    folder: usize,
    open: Open<'s>,
    asked: VecDeque<u32>,
    /// What was told, to tell it once; names that are no ids are soon forgotten.
    told: HashSet<Id>,
    nothing_new: usize,
}

impl<'s> Reading<'s> {
    fn begin(exchange: &mut Exchange<'_>, folder: usize, open: Open<'s>) -> Result<Self, Failure> {
        let asked = (0..UNDER_WAY).map(|_| exchange.send(&Request::ReadFolder(&open.handle)));
        let asked = asked.collect::<Result<_, _>>()?;
        Ok(Reading { folder, open, asked, told: HashSet::new(), nothing_new: 0 })
    }

    /// Takes the next names; answers whether there may be more.
    fn step(&mut self, exchange: &mut Exchange<'_>, each: &mut Name<'_>) -> Result<bool, Ended> {
        let Some(id) = self.asked.pop_front() else { return Ok(false) };
        let reply = exchange.wait(id)?;
        let (mut outcome, mut is_new) = (Ok(()), false);
        let more = reply.names(|name, attributes| {
            if outcome.is_ok() && Id::from_hex(name).is_none_or(|id| self.told.insert(id)) {
                is_new |= Id::from_hex(name).is_some();
                outcome = each(self.folder, name, attributes);
            }
        })?;
        outcome?;
        self.nothing_new = if is_new { 0 } else { self.nothing_new + 1 };
        if self.nothing_new > PATIENCE {
            return Err(Failure::Malformed("the listing of a folder does not end").into());
        }
        if more {
            self.asked.push_back(exchange.send(&Request::ReadFolder(&self.open.handle))?);
        }
        Ok(more)
    }
}
