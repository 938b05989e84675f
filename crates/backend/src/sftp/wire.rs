//! SFTP version 3 as bytes, without I/O: requests are written, answers are read and never trusted.

use super::failure::Failure;
use crate::shown::escaped;

/// No packet is longer, as in OpenSSH on both sides.
pub(super) const LONGEST_PACKET: usize = 256 * 1024;
/// So much of a packet carries no content, at most.
const OVERHEAD: usize = 1024;
/// The most content of one packet.
pub(super) const LONGEST_CONTENT: usize = LONGEST_PACKET - OVERHEAD;
/// What every server takes: the protocol says so.
pub(super) const USUAL_CONTENT: usize = 32 * 1024;
/// Longer handles are against the protocol.
const LONGEST_HANDLE: usize = 256;

/// Opening to read.
pub(super) const READ: u32 = 0x01;
/// Opening to write a file that must not exist yet.
pub(super) const WRITE_NEW: u32 = 0x02 | 0x08 | 0x20;

const INIT: u8 = 1;
const VERSION: u8 = 2;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED: u8 = 200;
const EXTENDED_REPLY: u8 = 201;

/// The code of a status that says yes.
const OK: u32 = 0;
/// The code of a status that says: no more.
const EOF: u32 = 1;

const HAS_SIZE: u32 = 0x1;
const HAS_OWNER: u32 = 0x2;
const HAS_MODE: u32 = 0x4;
const HAS_TIMES: u32 = 0x8;
const HAS_MORE: u32 = 0x8000_0000;

/// An open file or folder, by the server's name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handle(Vec<u8>);

/// What can be asked of a server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Request<'a> {
    Open {
        path: &'a str,
        how: u32,
        mode: u32,
    },
    Close(&'a Handle),
    Read {
        handle: &'a Handle,
        offset: u64,
        length: u32,
    },
    /// The content follows the packet that is made of this.
    Write {
        handle: &'a Handle,
        offset: u64,
        length: u32,
    },
    Stat(&'a str),
    StatOpen(&'a Handle),
    SetMode {
        handle: &'a Handle,
        mode: u32,
    },
    OpenFolder(&'a str),
    ReadFolder(&'a Handle),
    Remove(&'a str),
    MakeFolder {
        path: &'a str,
        mode: u32,
    },
    Rename {
        from: &'a str,
        to: &'a str,
    },
    Replace {
        from: &'a str,
        to: &'a str,
    },
    Sync(&'a Handle),
    Limits,
    Space(&'a str),
}

/// The first packet of a conversation.
pub(super) const HELLO: [u8; 9] = [0, 0, 0, 5, INIT, 0, 0, 0, 3];

impl Request<'_> {
    /// The packet, but for the content of a write.
    pub(super) fn encode(&self, id: u32) -> Vec<u8> {
        let mut packet = Packet::new(self.code(), id);
        match *self {
            Request::Open { path, how, mode } => packet.text(path).number(how).mode(mode),
            Request::Close(handle) | Request::StatOpen(handle) | Request::ReadFolder(handle) => {
                packet.bytes(&handle.0)
            }
            Request::Read { handle, offset, length } => packet.bytes(&handle.0).long(offset).number(length),
            Request::Write { handle, offset, length } => {
                packet.follows = length;
                packet.bytes(&handle.0).long(offset).number(length)
            }
            Request::Stat(path) | Request::OpenFolder(path) | Request::Remove(path) => packet.text(path),
            Request::SetMode { handle, mode } => packet.bytes(&handle.0).mode(mode),
            Request::MakeFolder { path, mode } => packet.text(path).mode(mode),
            Request::Rename { from, to } => packet.text(from).text(to),
            Request::Replace { from, to } => packet.text("posix-rename@openssh.com").text(from).text(to),
            Request::Sync(handle) => packet.text("fsync@openssh.com").bytes(&handle.0),
            Request::Limits => packet.text("limits@openssh.com"),
            Request::Space(path) => packet.text("statvfs@openssh.com").text(path),
        };
        packet.finish()
    }

    const fn code(&self) -> u8 {
        match self {
            Request::Open { .. } => 3,
            Request::Close(_) => 4,
            Request::Read { .. } => 5,
            Request::Write { .. } => 6,
            Request::StatOpen(_) => 8,
            Request::SetMode { .. } => 10,
            Request::OpenFolder(_) => 11,
            Request::ReadFolder(_) => 12,
            Request::Remove(_) => 13,
            Request::MakeFolder { .. } => 14,
            Request::Stat(_) => 17,
            Request::Rename { .. } => 18,
            Request::Replace { .. } | Request::Sync(_) | Request::Limits | Request::Space(_) => EXTENDED,
        }
    }
}

/// A packet being written.
struct Packet {
    bytes: Vec<u8>,
    /// How many bytes of content will follow what is in `bytes`.
    follows: u32,
}

impl Packet {
    fn new(code: u8, id: u32) -> Self {
        let mut packet = Packet { bytes: vec![0, 0, 0, 0, code], follows: 0 };
        packet.number(id);
        packet
    }

    fn number(&mut self, number: u32) -> &mut Self {
        self.bytes.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn long(&mut self, number: u64) -> &mut Self {
        self.bytes.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(length(bytes.len()));
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn mode(&mut self, mode: u32) -> &mut Self {
        self.number(HAS_MODE).number(mode)
    }

    fn finish(mut self) -> Vec<u8> {
        let all = length(self.bytes.len() - 4).saturating_add(self.follows);
        self.bytes[..4].copy_from_slice(&all.to_be_bytes());
        self.bytes
    }
}

/// Our own texts and handles are short; what is longer is refused by every server.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// What a server offers beyond version 3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) replace: bool,
    pub(super) sync: bool,
    pub(super) limits: bool,
    pub(super) space: bool,
}

impl Offers {
    /// Reads the server's first packet.
    pub(super) fn of(packet: &[u8]) -> Result<Self, Failure> {
        let mut fields = Fields(packet);
        if fields.byte()? != VERSION || fields.number()? < 3 {
            return Err(Failure::Malformed("it does not speak version 3 of SFTP"));
        }
        let mut offers = Offers::default();
        while !fields.0.is_empty() {
            match (fields.bytes()?, fields.bytes()?) {
                (b"posix-rename@openssh.com", b"1") => offers.replace = true,
                (b"fsync@openssh.com", b"1") => offers.sync = true,
                (b"limits@openssh.com", b"1") => offers.limits = true,
                (b"statvfs@openssh.com", b"2") => offers.space = true,
                _ => {}
            }
        }
        Ok(offers)
    }
}

/// What is known of a file; a server may leave anything out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) size: Option<u64>,
    pub(super) mode: Option<u32>,
}

impl Attributes {
    /// Whether it is of this type (bits of a Unix mode), where that is told.
    fn is(&self, kind: u32) -> Option<bool> {
        self.mode.map(|mode| mode & 0o170_000).filter(|kind| *kind != 0).map(|found| found == kind)
    }

    pub(super) fn is_file(&self) -> Option<bool> {
        self.is(0o100_000)
    }

    pub(super) fn is_folder(&self) -> Option<bool> {
        self.is(0o040_000)
    }

    pub(super) fn is_link(&self) -> Option<bool> {
        self.is(0o120_000)
    }
}

/// An answer: its type, and its fields behind the request's id.
#[derive(Debug)]
pub(super) struct Reply {
    code: u8,
    packet: Vec<u8>,
}

const UNFIT: Failure = Failure::Malformed("an answer does not fit the request");

/// Type and id of an answer.
const HEAD: usize = 5;

impl Reply {
    /// Takes a packet apart as far as to know which request it answers.
    pub(super) fn of(packet: Vec<u8>) -> Result<(u32, Self), Failure> {
        let mut fields = Fields(&packet);
        let (code, id) = (fields.byte()?, fields.number()?);
        Ok((id, Reply { code, packet }))
    }

    /// The fields, if the answer is of this type; a status instead of them is a failure.
    fn fields(&self, code: u8) -> Result<Fields<'_>, Failure> {
        let fields = Fields(&self.packet[HEAD..]);
        if self.code == code { Ok(fields) } else { self.done().and(Err(UNFIT)) }
    }

    /// Whether the server did what was asked.
    pub(super) fn done(&self) -> Result<(), Failure> {
        let mut fields = Fields(&self.packet[HEAD..]);
        match (self.code, fields.number()) {
            (STATUS, Ok(OK)) => Ok(()),
            (STATUS, Ok(code)) => {
                // Some servers leave the text out.
                let text = if fields.0.is_empty() { &b""[..] } else { fields.bytes()? };
                Err(Failure::Status { code, text: escaped(&String::from_utf8_lossy(text)) })
            }
            _ => Err(UNFIT),
        }
    }

    pub(super) fn handle(&self) -> Result<Handle, Failure> {
        let handle = self.fields(HANDLE)?.bytes()?;
        if handle.len() > LONGEST_HANDLE {
            return Err(Failure::Malformed("a handle is too long"));
        }
        Ok(Handle(handle.to_vec()))
    }

    /// The content that was read; `None` at the end of the file.
    pub(super) fn content(&self) -> Result<Option<&[u8]>, Failure> {
        match self.fields(DATA) {
            Ok(mut fields) => fields.bytes().map(Some),
            Err(Failure::Status { code: EOF, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) fn attributes(&self) -> Result<Attributes, Failure> {
        self.fields(ATTRS)?.attributes()
    }

    /// Tells `each` of some names of a folder; answers `false` after the last.
    pub(super) fn names(&self, mut each: impl FnMut(&[u8], Attributes)) -> Result<bool, Failure> {
        let mut fields = match self.fields(NAME) {
            Ok(fields) => fields,
            Err(Failure::Status { code: EOF, .. }) => return Ok(false),
            Err(failure) => return Err(failure),
        };
        for _ in 0..fields.number()? {
            let name = fields.bytes()?;
            fields.bytes()?; // a line for people
            each(name, fields.attributes()?);
        }
        Ok(true)
    }

    /// The most content of a read and of a write; 0 where that is unlimited or not known.
    pub(super) fn limits(&self) -> Result<(u64, u64), Failure> {
        let mut fields = self.fields(EXTENDED_REPLY)?;
        fields.long()?; // a packet
        Ok((fields.long()?, fields.long()?))
    }

    /// How many bytes there is room for.
    pub(super) fn space(&self) -> Result<u64, Failure> {
        let mut fields = self.fields(EXTENDED_REPLY)?;
        let [_, unit, _, _, available] = [(); 5].map(|()| fields.long());
        Ok(unit?.saturating_mul(available?))
    }
}

/// What is left to read of a packet.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Failure> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or(Failure::Malformed("an answer ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| Failure::Malformed("an answer ends early"))
    }

    fn byte(&mut self) -> Result<u8, Failure> {
        self.array().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u32, Failure> {
        self.array().map(u32::from_be_bytes)
    }

    fn long(&mut self) -> Result<u64, Failure> {
        self.array().map(u64::from_be_bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Failure> {
        let length = self.number()? as usize;
        self.take(length)
    }

    fn attributes(&mut self) -> Result<Attributes, Failure> {
        let flags = self.number()?;
        let mut attributes = Attributes::default();
        if flags & HAS_SIZE != 0 {
            attributes.size = Some(self.long()?);
        }
        if flags & HAS_OWNER != 0 {
            self.long()?;
        }
        if flags & HAS_MODE != 0 {
            attributes.mode = Some(self.number()?);
        }
        if flags & HAS_TIMES != 0 {
            self.long()?;
        }
        if flags & HAS_MORE != 0 {
            for _ in 0..self.number()? {
                self.bytes()?;
                self.bytes()?;
            }
        }
        Ok(attributes)
    }
}

/// For [`fuzz`](crate::fuzz): every way to read a packet.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    let _ = Offers::of(bytes);
    let Ok((_, reply)) = Reply::of(bytes.to_vec()) else { return };
    let (_, _, _, _) = (reply.done(), reply.handle(), reply.attributes(), reply.limits());
    let _ = reply.space();
    assert!(!reply.content().is_ok_and(|content| content.is_some_and(|content| content.len() > bytes.len())));
    let mut names = 0;
    let _ = reply.names(|name, attributes| {
        names += name.len();
        let _ = (attributes.is_file(), attributes.is_folder(), attributes.is_link());
    });
    assert!(names <= bytes.len(), "names are within the packet");
}

#[cfg(test)]
mod tests;
