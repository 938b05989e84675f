//! The listings of a REST server, read as they come.

use super::{CONNECTIONS, Rest, SERVER, folder};
use crate::net::failure::Failure;
use crate::net::http::Answer;
use crate::served::Served;
use crate::{ErrorKind, FileKind, FileName, Id, Listed, Result};
use ::http::StatusCode;
use reqwest::Method;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};

/// No entry takes more bytes than that, with what is read ahead.
const LONGEST_ENTRY: u64 = 64 * 1024;
const BUFFER: usize = 16 * 1024;

/// One entry, in version 1 or 2.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    WithSize { name: String, size: u64 },
    Name(String),
}

/// Tells `each` of the files of `kind`.
pub(super) fn list(rest: &Rest, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
    let failed = |failure: Failure| failure.about("list", kind.word());
    let answer = rest.site.http.fetch(rest.request(Method::GET, &folder(kind))).map_err(failed)?;
    if answer.status() == StatusCode::NOT_FOUND && !is_rclone(&answer) {
        return Ok(()); // the folder was never made
    }
    let answer = answer.success().map_err(failed)?;
    let mut unsized_names = Vec::new();
    let mut stopped = None;
    let read = read(answer, &mut |entry| {
        let (name, size) = match entry {
            Entry::WithSize { name, size } => (name, Some(size)),
            Entry::Name(name) => (name, None),
        };
        let Some(id) = Id::from_hex(name.as_bytes()) else { return Ok(()) };
        let Some(size) = size else {
            unsized_names.push(id);
            return Ok(());
        };
        each(Listed { id, size }).map_err(|error| {
            stopped = Some(error);
            Failure::Answer("was not listened to")
        })
    });
    if let Some(error) = stopped {
        return Err(error);
    }
    read.map_err(failed)?;
    ask_for_sizes(rest, kind, &unsized_names, each)
}

/// rclone says "not found" for failures of its own, too; a folder that is not there it lists as empty.
fn is_rclone(answer: &Answer<'_>) -> bool {
    answer.headers().get(SERVER).is_some_and(|server| server.as_bytes().starts_with(b"rclone/"))
}

/// Servers of version 1 tell names only. What vanished since it was listed is left out.
fn ask_for_sizes(
    rest: &Rest,
    kind: FileKind,
    ids: &[Id],
    each: &mut dyn FnMut(Listed) -> Result<()>,
) -> Result<()> {
    for some in ids.chunks(CONNECTIONS.get()) {
        let sizes: Vec<_> = std::thread::scope(|scope| {
            let asked: Vec<_> =
                some.iter().map(|id| scope.spawn(move || rest.length(FileName::new(kind, *id)))).collect();
            asked.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
        });
        for (id, size) in some.iter().zip(sizes) {
            match size.unwrap_or(Err(Failure::Answer("was lost"))) {
                Ok(size) => each(Listed { id: *id, size })?,
                Err(failure) if failure.kind() == ErrorKind::NotFound => {}
                Err(failure) => return Err(failure.about("list", kind.word())),
            }
        }
    }
    Ok(())
}

type Sink<'a> = dyn FnMut(Entry) -> std::result::Result<(), Failure> + 'a;

/// Reads a listing to its end; what comes after its end, or does not come, is an error.
fn read(body: impl Read, sink: &mut Sink<'_>) -> std::result::Result<(), Failure> {
    let budget = Cell::new(LONGEST_ENTRY);
    let mut failure = None;
    let bounded = Bounded { body, budget: &budget };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(BUFFER, bounded));
    let entries = Entries { sink, budget: &budget, failure: &mut failure };
    let outcome = entries.deserialize(&mut json).and_then(|()| json.end());
    match (failure, outcome) {
        (Some(failure), _) => Err(failure),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if error.is_io() => Err(Failure::Transport(io::Error::from(error).to_string())),
        (None, Err(_)) => Err(Failure::Answer("is no listing")),
    }
}

/// A reader that gives no more than a budget, which is renewed with every entry.
struct Bounded<'a, R> {
    body: R,
    budget: &'a Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.body.read(buffer)?;
        match self.budget.get().checked_sub(length as u64) {
            Some(left) => self.budget.set(left),
            None => return Err(io::Error::other("the listing has an entry that is too long")),
        }
        Ok(length)
    }
}

/// The array of entries, handed on one by one.
struct Entries<'a, 'b> {
    sink: &'a mut Sink<'b>,
    budget: &'a Cell<u64>,
    failure: &'a mut Option<Failure>,
}

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files")
    }

    /// What a server written in Go says for an empty list.
    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> std::result::Result<(), A::Error> {
        while let Some(entry) = entries.next_element()? {
            self.budget.set(LONGEST_ENTRY);
            if let Err(failure) = (self.sink)(entry) {
                *self.failure = Some(failure);
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

/// For [`fuzz`](crate::fuzz).
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    let mut entries = 0;
    let read = read(bytes, &mut |_| {
        entries += 1;
        Ok(())
    });
    assert!(read.is_err() || entries <= bytes.len(), "an entry takes a byte at least");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: impl Read) -> std::result::Result<Vec<String>, String> {
        let mut names = Vec::new();
        read(body, &mut |entry| {
            names.push(match entry {
                Entry::WithSize { name, size } => format!("{name}:{size}"),
                Entry::Name(name) => name,
            });
            Ok(())
        })
        .map(|()| names)
        .map_err(|failure| failure.to_string())
    }

    #[test]
    fn both_versions_are_read_and_nothing_may_be_missing() {
        assert_eq!(names(&br#"[{"name":"a","size":1},"b"]"#[..]).unwrap(), ["a:1", "b"]);
        assert_eq!(names(&b"null"[..]).unwrap(), [""; 0]);
        assert_eq!(names(&b"[]\n"[..]).unwrap(), [""; 0]);
        for bad in [
            "",
            "[",
            r#"["a""#,
            r#"["a"] x"#,
            "{}",
            "<html>",
            r#"[{"name":"a"}]"#,
            r#"[{"name":"a","size":-1}]"#,
        ] {
            assert!(names(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_endless_name_takes_no_memory() {
        let endless = io::Cursor::new(b"[\"").chain(io::repeat(b'"' + 1));
        assert!(names(endless).unwrap_err().contains("too long"));
        let escapes = io::Cursor::new(b"[\"".to_vec()).chain(io::Cursor::new(b"\\\"".repeat(100_000)));
        assert!(names(escapes).unwrap_err().contains("too long"));
        let many = format!("[{}\"x\"]", "\"yyyyyyyyyyyyyyyyyyyyyyyy\",".repeat(100_000));
        assert_eq!(names(many.as_bytes()).unwrap().len(), 100_001);
    }
}
