//! The misbehaviours.

use super::{Act, Ask, Case, Expect, FILE, Seen, attributes, names, number, pack, status, text};
use crate::ErrorKind::{Denied, NoSpace, NotFound, Temporary, Unusable, WrongSize};

const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const STAT_OPEN: u8 = 8;
const SET_MODE: u8 = 10;
const OPEN_FOLDER: u8 = 11;
const READ_FOLDER: u8 = 12;
const REMOVE: u8 = 13;
const STAT: u8 = 17;
const RENAME: u8 = 18;

const fn case(name: &'static str, ask: Ask, expect: Expect, script: fn(&Seen<'_>) -> Act) -> Case {
    Case { name, ask, script, expect }
}

/// The act for requests of this number; others are answered well.
fn at(seen: &Seen<'_>, code: u8, act: impl FnOnce() -> Act) -> Act {
    if seen.code == code { act() } else { Act::Good }
}

const FILE_MODE: u32 = 0o100_400;
const FOLDER_MODE: u32 = 0o040_700;

pub(super) const CASES: &[Case] = &[
    // Packets.
    case("goes away", Ask::Stat, Err(Temporary), |_| Act::Close),
    case("half an answer", Ask::Stat, Err(Temporary), |seen| match seen.nth {
        0 => Act::Raw(vec![0, 0, 0, 40, 105, 0]),
        _ => Act::Close,
    }),
    case("an empty packet", Ask::Stat, Err(Temporary), |_| Act::Raw(vec![0; 4])),
    case("a packet of one byte", Ask::Stat, Err(Temporary), |_| Act::Raw(vec![0, 0, 0, 1, 105])),
    case("a packet of four bytes", Ask::Stat, Err(Temporary), |_| Act::Raw(vec![0, 0, 0, 4, 105, 0, 0, 0])),
    case("a packet of 4 GiB", Ask::Stat, Err(Temporary), |_| Act::Raw(vec![0xff; 100])),
    case("a packet just too long", Ask::Stat, Err(Temporary), |_| Act::Raw(vec![0, 4, 0, 1, 105, 0, 0])),
    case("an answer to another request", Ask::Stat, Err(Temporary), |_| {
        Act::Raw([&[0, 0, 0, 21, 105, 9, 9, 9, 9][..], &attributes(1, FILE_MODE)].concat())
    }),
    case("an answer twice", Ask::Stat, Ok(FILE), |seen| match seen.nth {
        0 => Act::Good,
        _ => Act::Raw(vec![0; 4]),
    }),
    case("says nothing", Ask::Stat, Err(Temporary), |_| Act::Silence),
    case("does not listen", Ask::Save, Err(Temporary), |seen| at(seen, WRITE, || Act::Deaf)),
    case("something else than SFTP", Ask::Stat, Err(Temporary), |_| {
        Act::Raw(b"HTTP/1.1 400 Bad\r\n".to_vec())
    }),
    // Statuses.
    case("a yes that is no answer", Ask::Stat, Err(Temporary), |_| status(0, b"")),
    case("no such file", Ask::Stat, Err(NotFound), |_| status(2, b"No such file")),
    case("not permitted", Ask::Stat, Err(Denied), |_| status(3, b"Permission denied")),
    case("not supported", Ask::Stat, Err(Unusable), |_| status(8, b"Unsupported")),
    case("an unknown status", Ask::Stat, Err(Temporary), |_| status(u32::MAX, b"?")),
    case("a status without words", Ask::Stat, Err(NotFound), |_| Act::Answer(101, number(2).to_vec())),
    case("words that drive a terminal", Ask::Stat, Err(Temporary), |_| {
        status(4, b"\x1b]0;x\x07\x1b[2J\r\nx")
    }),
    case("words that are no UTF-8", Ask::Stat, Err(Temporary), |_| status(4, b"\xe9\xff")),
    case("very many words", Ask::Stat, Err(Temporary), |_| status(4, &[b'x'; 200_000])),
    case("words that lie about their length", Ask::Stat, Err(Temporary), |_| {
        Act::Answer(101, [number(2), number(u32::MAX)].concat())
    }),
    // Attributes.
    case("another type of answer", Ask::Stat, Err(Temporary), |_| Act::Answer(102, text(b"handle"))),
    case("an answer of no type", Ask::Stat, Err(Temporary), |_| Act::Answer(0, Vec::new())),
    case("no length", Ask::Stat, Err(Temporary), |_| Act::Answer(105, number(0).to_vec())),
    case("half of the attributes", Ask::Stat, Err(Temporary), |_| {
        Act::Answer(105, [number(5), number(0)].concat())
    }),
    case("4 billion more attributes", Ask::Stat, Err(Temporary), |_| {
        Act::Answer(105, [number(0x8000_0000), number(u32::MAX)].concat())
    }),
    case("a folder in the place of a file", Ask::Stat, Err(Unusable), |_| {
        Act::Answer(105, attributes(4096, FOLDER_MODE))
    }),
    // Reading.
    case("a byte at a time", Ask::Load, Ok(100), |seen| at(seen, READ, || Act::Answer(103, text(b"x")))),
    case("nothing, again and again", Ask::Load, Err(WrongSize), |seen| {
        at(seen, READ, || Act::Answer(103, text(b"")))
    }),
    case("more than was asked for", Ask::Load, Ok(100), |seen| {
        at(seen, READ, || Act::Answer(103, text(&[7; 5000])))
    }),
    case("the end at once", Ask::Load, Err(WrongSize), |seen| at(seen, READ, || status(1, b""))),
    case("the end in the middle", Ask::Load, Err(WrongSize), |seen| match (seen.code, seen.nth) {
        (READ, 0) => Act::Answer(103, text(&[7; 30])),
        (READ, _) => status(1, b""),
        _ => Act::Good,
    }),
    case("content that lies about its length", Ask::Load, Err(Temporary), |seen| {
        at(seen, READ, || Act::Answer(103, number(u32::MAX).to_vec()))
    }),
    case("a handle that is too long", Ask::Load, Err(Temporary), |seen| {
        at(seen, OPEN, || Act::Answer(102, text(&[b'h'; 257])))
    }),
    case("a handle that is no text", Ask::Load, Ok(100), |seen| {
        at(seen, OPEN, || Act::Answer(102, text(&[0xff, 0, 0x80])))
    }),
    case("an empty handle", Ask::Load, Ok(100), |seen| at(seen, OPEN, || Act::Answer(102, text(b"")))),
    case("a folder that can be opened", Ask::Load, Err(Unusable), |seen| match seen.code {
        READ => status(4, b"Failure"),
        STAT_OPEN => Act::Answer(105, attributes(4096, FOLDER_MODE)),
        _ => Act::Good,
    }),
    case("a disk that cannot be read", Ask::Load, Err(Temporary), |seen| {
        at(seen, READ, || status(4, b"Failure"))
    }),
    case("goes away while reading", Ask::Load, Err(Temporary), |seen| at(seen, READ, || Act::Close)),
    case("a length beyond all measure", Ask::Whole, Err(WrongSize), |seen| {
        at(seen, STAT_OPEN, || Act::Answer(105, attributes(u64::MAX, FILE_MODE)))
    }),
    case("a length that is too long", Ask::Whole, Err(WrongSize), |seen| {
        at(seen, STAT_OPEN, || Act::Answer(105, attributes(900, FILE_MODE)))
    }),
    case("a length that is too short", Ask::Whole, Ok(10), |seen| {
        at(seen, STAT_OPEN, || Act::Answer(105, attributes(10, FILE_MODE)))
    }),
    case("a length of nothing", Ask::Whole, Ok(0), |seen| {
        at(seen, STAT_OPEN, || Act::Answer(105, attributes(0, FILE_MODE)))
    }),
    // Listing.
    case("the same page for ever", Ask::List, Err(Temporary), |seen| {
        at(seen, READ_FOLDER, || names(&[pack().id().hex().as_bytes()], &attributes(5, FILE_MODE)))
    }),
    case("empty pages for ever", Ask::List, Err(Temporary), |seen| at(seen, READ_FOLDER, || names(&[], &[]))),
    case("a name twice", Ask::List, Ok(1), |seen| match (seen.code, seen.nth) {
        (READ_FOLDER, 0 | 1) => names(&[pack().id().hex().as_bytes()], &attributes(5, FILE_MODE)),
        _ => Act::Good,
    }),
    case("names that are no ids", Ask::List, Ok(0), |seen| match (seen.code, seen.nth) {
        (READ_FOLDER, 0) => {
            names(&[b".", b"..", b"", b"../../etc/passwd", b"caf\xe9", &[b'A'; 64], &[b'a'; 65]], &number(0))
        }
        _ => Act::Good,
    }),
    case("4 billion names", Ask::List, Err(Temporary), |seen| {
        at(seen, READ_FOLDER, || Act::Answer(104, number(u32::MAX).to_vec()))
    }),
    case("a page that ends early", Ask::List, Err(Temporary), |seen| {
        at(seen, READ_FOLDER, || {
            Act::Answer(104, [&number(2)[..], &text(b"x"), &text(b"x"), &number(0)].concat())
        })
    }),
    case("fails in the middle of a listing", Ask::List, Err(Temporary), |seen| match (seen.code, seen.nth) {
        (READ_FOLDER, 1) => status(4, b"Failure"),
        _ => Act::Good,
    }),
    case("goes away in the middle of a listing", Ask::List, Err(Temporary), |seen| {
        match (seen.code, seen.nth) {
            (READ_FOLDER, 1) => Act::Close,
            _ => Act::Good,
        }
    }),
    case("a folder that may not be listed", Ask::List, Err(Denied), |seen| {
        at(seen, OPEN_FOLDER, || status(3, b""))
    }),
    case("a folder that is missing", Ask::List, Ok(0), |seen| at(seen, OPEN_FOLDER, || status(2, b""))),
    case("a name without attributes", Ask::List, Ok(1), |seen| match (seen.code, seen.nth) {
        (READ_FOLDER, 0) => names(&[pack().id().hex().as_bytes()], &number(0)),
        _ => Act::Good,
    }),
    case("a name without attributes that has gone", Ask::List, Ok(0), |seen| match (seen.code, seen.nth) {
        (READ_FOLDER, 0) => names(&[pack().id().hex().as_bytes()], &number(0)),
        (STAT, _) => status(2, b""),
        _ => Act::Good,
    }),
    case("a name whose length nobody tells", Ask::List, Err(Temporary), |seen| match (seen.code, seen.nth) {
        (READ_FOLDER, 0) => names(&[pack().id().hex().as_bytes()], &number(0)),
        (STAT, _) => Act::Answer(105, number(0).to_vec()),
        _ => Act::Good,
    }),
    // Writing.
    case("a full disk, in words", Ask::Save, Err(NoSpace), |seen| {
        at(seen, WRITE, || status(4, b"write: No space left on device"))
    }),
    case("a full disk, by number", Ask::Save, Err(NoSpace), |seen| at(seen, WRITE, || status(14, b""))),
    case("a full quota", Ask::Save, Err(NoSpace), |seen| at(seen, WRITE, || status(15, b""))),
    case("a full disk half way", Ask::Save, Err(NoSpace), |seen| match (seen.code, seen.nth) {
        (WRITE, 3..) => status(14, b""),
        _ => Act::Good,
    }),
    case("a failure that is told when closing", Ask::Save, Err(Temporary), |seen| {
        at(seen, CLOSE, || status(4, b"Failure"))
    }),
    case("a failure to rename", Ask::Save, Err(Temporary), |seen| match seen.code {
        RENAME => status(4, b"Failure"),
        STAT => status(2, b""),
        _ => Act::Good,
    }),
    case("a name that is taken", Ask::Save, Err(crate::ErrorKind::AlreadyExists), |seen| {
        at(seen, RENAME, || status(4, b"Failure"))
    }),
    case("may not create", Ask::Save, Err(Denied), |seen| at(seen, OPEN, || status(3, b""))),
    case("no folder, whatever is made", Ask::Save, Err(NotFound), |seen| at(seen, OPEN, || status(2, b""))),
    case("modes are refused", Ask::Save, Ok(0), |seen| at(seen, SET_MODE, || status(8, b""))),
    case("goes away while writing", Ask::Save, Err(Temporary), |seen| match (seen.code, seen.nth) {
        (WRITE, 2) => Act::Close,
        _ => Act::Good,
    }),
    case("never says that it has written", Ask::Save, Err(Temporary), |seen| {
        at(seen, WRITE, || Act::Silence)
    }),
    case("cannot remove what failed either", Ask::Save, Err(NoSpace), |seen| match seen.code {
        WRITE => status(14, b""),
        REMOVE => Act::Close,
        _ => Act::Good,
    }),
    // Removing.
    case("nothing to remove", Ask::Remove, Err(NotFound), |_| status(2, b"")),
    case("cannot remove", Ask::Remove, Err(Temporary), |_| status(4, b"Failure")),
];
