//! Single files: loaded and saved with many requests under way at once.

use super::failure::Failure;
use super::session::{Exchange, Open};
use super::wire::{Attributes, READ, Request, WRITE_NEW};
use super::{Connection, folders};
use crate::random::Random;
use crate::{ByteRange, FileName, Payload, layout};
use std::collections::VecDeque;
use std::io::{self, Read};

/// So many requests of one file are under way at once.
const UNDER_WAY: usize = 64;
/// Not more memory is set aside before the bytes to fill it have come.
const SET_ASIDE: usize = 32 * 1024 * 1024;
/// While a file is being written, only its owner may touch it.
const UNFINISHED: u32 = 0o600;

/// The length of the file at `path`.
pub(super) fn size(connection: &Connection, path: &str) -> Result<u64, Failure> {
    length(connection.session.exchange().ask(&Request::Stat(path))?.attributes()?)
}

fn length(attributes: Attributes) -> Result<u64, Failure> {
    if attributes.is_file() == Some(false) {
        return Err(Failure::NotA("regular file"));
    }
    attributes.size.ok_or(Failure::Malformed("it does not tell the length of a file"))
}

/// Appends exactly `range` of the file at `path` to `into`.
pub(super) fn load(
    connection: &Connection,
    path: &str,
    range: ByteRange,
    into: &mut Vec<u8>,
) -> Result<(), Failure> {
    let end = range.end().ok_or(Failure::WrongSize)?;
    let mut exchange = connection.session.exchange();
    let open = open(&mut exchange, path)?;
    let mut transfer = Download::new(&open, connection.content_of_read, range.offset, end);
    if range.length == 0 {
        let size = length(exchange.ask(&Request::StatOpen(&open.handle))?.attributes()?)?;
        return if end <= size { Ok(()) } else { Err(Failure::WrongSize) };
    }
    match transfer.run(&mut exchange, into) {
        // A folder can be opened, but not read.
        Err(failure) if failure.is_unspecific() => {
            length(exchange.ask(&Request::StatOpen(&open.handle))?.attributes()?)?;
            Err(failure)
        }
        outcome => outcome,
    }
}

/// Appends the whole file at `path` to `into`, if it is not longer than `at_most`.
pub(super) fn load_whole(
    connection: &Connection,
    path: &str,
    at_most: u64,
    into: &mut Vec<u8>,
) -> Result<(), Failure> {
    let mut exchange = connection.session.exchange();
    let open = open(&mut exchange, path)?;
    let stat = exchange.send(&Request::StatOpen(&open.handle))?;
    // Most files are short: their content is asked for before their length is known.
    let mut transfer = Download::new(&open, connection.content_of_read, 0, at_most);
    transfer.ask_for_one(&mut exchange)?;
    let size = length(exchange.wait(stat)?.attributes()?)?;
    if size > at_most {
        return Err(Failure::WrongSize);
    }
    transfer.ends_at(size);
    transfer.run(&mut exchange, into)
}

fn open<'s>(exchange: &mut Exchange<'s>, path: &str) -> Result<Open<'s>, Failure> {
    let reply = exchange.ask(&Request::Open { path, how: READ, mode: 0 })?;
    exchange.opened(&reply)
}

/// A stretch of a file on its way to us.
struct Download<'a> {
    open: &'a Open<'a>,
    /// The most that is asked for at once.
    at_once: u32,
    /// What comes next is asked for from here.
    next: u64,
    end: u64,
    /// What has been asked for, in order.
    asked: VecDeque<Asked>,
}

struct Asked {
    id: u32,
    offset: u64,
    length: u32,
}

impl<'a> Download<'a> {
    fn new(open: &'a Open<'a>, at_once: u32, begin: u64, end: u64) -> Self {
        Download { open, at_once, next: begin, end, asked: VecDeque::new() }
    }

    /// Corrects the end, when it has been learned.
    fn ends_at(&mut self, end: u64) {
        self.end = end;
        self.next = self.next.min(end);
        for asked in &mut self.asked {
            let left = end.saturating_sub(asked.offset);
            asked.length = asked.length.min(u32::try_from(left).unwrap_or(u32::MAX));
        }
    }

    fn ask(&self, exchange: &mut Exchange<'_>, offset: u64, length: u32) -> Result<Asked, Failure> {
        let id = exchange.send(&Request::Read { handle: &self.open.handle, offset, length })?;
        Ok(Asked { id, offset, length })
    }

    fn ask_for_one(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let length = u32::try_from(self.end - self.next).unwrap_or(u32::MAX).min(self.at_once);
        if length > 0 {
            let asked = self.ask(exchange, self.next, length)?;
            self.asked.push_back(asked);
            self.next += u64::from(length);
        }
        Ok(())
    }

    /// Appends all of it to `into`, in order.
    fn run(&mut self, exchange: &mut Exchange<'_>, into: &mut Vec<u8>) -> Result<(), Failure> {
        let all = self.end - self.asked.front().map_or(self.next, |asked| asked.offset);
        into.reserve(usize::try_from(all).unwrap_or(SET_ASIDE).min(SET_ASIDE));
        loop {
            while self.asked.len() < UNDER_WAY && self.next < self.end {
                self.ask_for_one(exchange)?;
            }
            let Some(asked) = self.asked.pop_front() else { return Ok(()) };
            let reply = exchange.wait(asked.id)?;
            if asked.length == 0 {
                continue; // asked for before it was known that there is nothing
            }
            let content = reply.content()?.filter(|content| !content.is_empty()).ok_or(Failure::WrongSize)?;
            let wanted = content.len().min(asked.length as usize);
            into.extend_from_slice(&content[..wanted]);
            // A server may answer with less than was asked for.
            let missing = asked.length - wanted as u32; // at most the length
            if missing > 0 {
                let rest = self.ask(exchange, asked.offset + wanted as u64, missing)?;
                self.asked.push_front(rest);
            }
        }
    }
}

/// Saves a file under a temporary name in the same folder, then gives it its name.
pub(super) fn save(
    connection: &Connection,
    root: &str,
    file: FileName,
    payload: &Payload<'_>,
) -> Result<(), Failure> {
    let mut exchange = connection.session.exchange();
    let path = format!("{root}{}", layout::path(file));
    let temporary = format!("{path}-tmp-{:016x}", Random::fresh().next());
    let create = Request::Open { path: &temporary, how: WRITE_NEW, mode: UNFINISHED };
    let reply = exchange.ask(&create)?;
    let open = match exchange.opened(&reply) {
        Err(failure) if failure.is_not_found() => {
            folders::make_for(connection, root, file)?;
            let reply = exchange.ask(&create)?;
            exchange.opened(&reply)?
        }
        opened => opened?,
    };
    let saved = upload(connection, &mut exchange, open, payload)
        .map_err(|failure| full_or(failure, connection, &mut exchange, root, payload.len()))
        .and_then(|()| rename(&mut exchange, &temporary, &path));
    if saved.is_err() {
        // The save's own error is the one to report; a left-over is invisible and harmless.
        let _ = exchange.ask(&Request::Remove(&temporary));
    }
    saved
}

/// Sends the content, and whatever makes it last, without waiting in between.
fn upload(
    connection: &Connection,
    exchange: &mut Exchange<'_>,
    open: Open<'_>,
    payload: &Payload<'_>,
) -> Result<(), Failure> {
    // Before there is anything to hide. Many servers know no such modes; the content is safe all the same.
    exchange.send(&Request::SetMode { handle: &open.handle, mode: connection.modes.file })?;
    let mut under_way = VecDeque::new();
    let mut reader = payload.reader();
    let mut buffer = vec![0; connection.content_of_write as usize];
    let mut offset = 0;
    loop {
        let filled = fill(&mut reader, &mut buffer)?;
        if filled == 0 {
            break;
        }
        under_way.push_back(exchange.write(&open.handle, offset, &buffer[..filled])?);
        offset += filled as u64;
        if under_way.len() >= UNDER_WAY
            && let Some(first) = under_way.pop_front()
        {
            exchange.wait(first)?.done()?;
        }
    }
    if offset != payload.len() {
        return Err(io::Error::other("the content is not as long as announced").into());
    }
    let sync = match exchange.offers().sync {
        true => Some(exchange.send(&Request::Sync(&open.handle))?),
        false => None,
    };
    let close = open.close(exchange)?;
    for id in under_way {
        exchange.wait(id)?.done()?;
    }
    if let Some(sync) = sync {
        match exchange.wait(sync)?.done() {
            Err(Failure::Status { code: 5 | 8, .. }) => {} // a file system that cannot
            outcome => outcome?,
        }
    }
    exchange.wait(close)?.done()
}

/// Fills the buffer as far as there is content.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// A server that has no word for a full disk is asked whether there was room.
fn full_or(
    failure: Failure,
    connection: &Connection,
    exchange: &mut Exchange<'_>,
    root: &str,
    needed: u64,
) -> Failure {
    if !failure.is_unspecific() || !connection.session.offers.space {
        return failure;
    }
    let folder = folders::at(root);
    match exchange.ask(&Request::Space(folder)).and_then(|reply| reply.space()) {
        Ok(room) if room < needed => Failure::Full,
        _ => failure,
    }
}

fn rename(exchange: &mut Exchange<'_>, from: &str, to: &str) -> Result<(), Failure> {
    if exchange.offers().replace {
        return exchange.ask(&Request::Replace { from, to })?.done();
    }
    match exchange.ask(&Request::Rename { from, to })?.done() {
        Err(failure) if failure.is_unspecific() => match exchange.ask(&Request::Stat(to))?.attributes() {
            Ok(_) => Err(Failure::Exists),
            Err(_) => Err(failure),
        },
        outcome => outcome,
    }
}
