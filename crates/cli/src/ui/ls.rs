//! How the content of a snapshot is listed: as text, as JSON lines, for ncdu.

use clap::ValueEnum;
use std::cmp::Ordering;
use std::sync::Arc;
use tresor_repo::SnapshotId;
use tresor_repo::time::{Time, Zone};
use tresor_snapshot::gojson;
use tresor_snapshot::{Node, NodeKind, Snapshot, mode};

use super::Ui;
use crate::units;

/// The form of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Printer {
    /// A path a line.
    Text {
        /// With mode, owner, size and time.
        long: bool,
        /// With units in the size.
        human_readable: bool,
    },
    /// An object a line.
    Json,
    /// Nested arrays, as ncdu exports them.
    Ncdu,
}

/// The values of `--sort`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As stored: by name within each folder, depth first.
    Name,
    /// The smallest first.
    Size,
    /// The one changed longest ago first.
    #[value(alias = "mtime")]
    Time,
    /// The one read longest ago first.
    Atime,
    /// The one whose metadata changed longest ago first.
    Ctime,
    /// By what follows the last dot of the name.
    Extension,
}

/// A listing being printed, or collected to be sorted first.
pub(crate) struct Listing<'a> {
    ui: Arc<Ui>,
    zone: &'a Zone,
    printer: Printer,
    order: Order,
    reverse: bool,
    collected: Vec<Line>,
    line: Vec<u8>,
    /// Arrays that are open in ncdu's form.
    depth: usize,
}

/// A line that waits to be sorted.
struct Line {
    key: Key,
    path: Box<[u8]>,
    text: Box<[u8]>,
}

enum Key {
    None,
    Size(u64),
    Time(Time),
    Extension(Box<[u8]>),
}

impl<'a> Listing<'a> {
    /// A listing in this form and order.
    pub(crate) fn new(ui: Arc<Ui>, zone: &'a Zone, printer: Printer, order: Order, reverse: bool) -> Self {
        Listing { ui, zone, printer, order, reverse, collected: Vec::new(), line: Vec::new(), depth: 1 }
    }

    /// Prints what stands above the nodes.
    pub(crate) fn begin(&mut self, id: &SnapshotId, snapshot: &Snapshot, folders: &[String]) {
        let mut out = Vec::new();
        match self.printer {
            Printer::Text { .. } => {
                let line = snapshot.describe(id, self.zone);
                self.ui.print(&format!("{line} filtered by [{}]:", folders.join(" ")));
            }
            Printer::Json => {
                snapshot.write_with_id(id, &mut out);
                out.pop();
                out.extend_from_slice(b",\"message_type\":\"snapshot\",\"struct_type\":\"snapshot\"}\n");
            }
            Printer::Ncdu => {
                out.extend_from_slice(b"[1, 2, ");
                snapshot.write_without_unknown(&mut out);
                out.extend_from_slice(b", [{\"name\":\"/\"}");
            }
        }
        self.ui.text(&out);
    }

    /// Lists a node.
    pub(crate) fn node(&mut self, path: &[u8], node: &Node) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        match self.printer {
            Printer::Text { long: false, .. } => {
                line.extend_from_slice(path);
                line.push(b'\n');
            }
            Printer::Text { long: true, human_readable } => {
                write_long(path, node, human_readable, self.zone, &mut line);
            }
            Printer::Json => write_json(path, node, &mut line),
            Printer::Ncdu => self.write_ncdu(node, &mut line),
        }
        if self.order == Order::Name && !self.reverse {
            self.ui.text(&line);
        } else {
            self.collected.push(Line {
                key: key(self.order, node),
                path: path.into(),
                text: line.as_slice().into(),
            });
        }
        self.line = line;
    }

    /// A folder on the way to one that is listed: only nested forms show it.
    pub(crate) fn way(&mut self, node: &Node) {
        if self.printer == Printer::Ncdu && node.kind == NodeKind::Dir {
            self.node(b"", node);
        }
    }

    /// A folder ends.
    pub(crate) fn leave(&mut self) {
        if self.printer != Printer::Ncdu {
            return;
        }
        self.depth -= 1;
        let line = format!("\n{}]", "  ".repeat(self.depth));
        self.ui.text(line.as_bytes());
    }

    /// Prints what is left to be printed.
    pub(crate) fn end(&mut self) {
        if self.printer == Printer::Ncdu {
            self.ui.text(b"\n]\n]\n");
        }
        let mut lines = std::mem::take(&mut self.collected);
        if self.order != Order::Name {
            lines.sort_by(|one, other| one.key.compare(&other.key).then_with(|| one.path.cmp(&other.path)));
        }
        if self.reverse {
            lines.reverse();
        }
        for line in lines {
            self.ui.text(&line.text);
        }
    }

    /// A comma ends the line before, then comes an object; a folder begins an array with itself.
    fn write_ncdu(&mut self, node: &Node, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\n");
        let is_dir = node.kind == NodeKind::Dir;
        if is_dir {
            out.extend(std::iter::repeat_n(b' ', 2 * self.depth));
            out.extend_from_slice(b"[\n");
            self.depth += 1;
        }
        out.extend(std::iter::repeat_n(b' ', 2 * self.depth));
        out.extend_from_slice(b"{\"name\":");
        gojson::write_string(&node.name, out);
        let size = if node.kind == NodeKind::File { node.size } else { 0 };
        let numbers = [
            ("asize", size),
            ("dsize", size.div_ceil(512).saturating_mul(512)),
            ("dev", node.device_id),
            ("ino", node.inode),
            ("nlink", node.links),
        ];
        for (name, number) in numbers {
            push_number(name, number, out);
        }
        let regular = is_dir || node.kind == NodeKind::File;
        out.extend_from_slice(if regular { b",\"notreg\":false" } else { b",\"notreg\":true" });
        push_number("uid", node.uid.into(), out);
        push_number("gid", node.gid.into(), out);
        push_number("mode", mode::to_chmod(node.mode).into(), out);
        push_number("mtime", u64::try_from(node.mtime.seconds()).unwrap_or(0), out);
        out.push(b'}');
    }
}

impl Key {
    fn compare(&self, other: &Key) -> Ordering {
        match (self, other) {
            (Key::Size(one), Key::Size(other)) => one.cmp(other),
            (Key::Time(one), Key::Time(other)) => {
                (one.seconds(), one.nanoseconds()).cmp(&(other.seconds(), other.nanoseconds()))
            }
            (Key::Extension(one), Key::Extension(other)) => one.cmp(other),
            _ => Ordering::Equal,
        }
    }
}

fn key(order: Order, node: &Node) -> Key {
    match order {
        Order::Name => Key::None,
        Order::Size => Key::Size(node.size),
        Order::Time => Key::Time(node.mtime),
        Order::Atime => Key::Time(node.atime),
        Order::Ctime => Key::Time(node.ctime),
        Order::Extension => {
            let dot = node.name.iter().rposition(|byte| *byte == b'.');
            Key::Extension(dot.map_or(&[][..], |dot| &node.name[dot..]).into())
        }
    }
}

/// `-rw-r--r--     0     0   5000 2024-01-02 03:04:05 /src/img/c.bin`
pub(crate) fn write_long(path: &[u8], node: &Node, human_readable: bool, zone: &Zone, out: &mut Vec<u8>) {
    let size = if node.kind == NodeKind::File { node.size } else { 0 };
    let size = if human_readable { units::bytes(size) } else { format!("{size:>6}") };
    let (mode, time) = (mode::text(node.mode), node.mtime.local_text(zone));
    out.extend_from_slice(format!("{mode} {:>5} {:>5} {size} {time} ", node.uid, node.gid).as_bytes());
    out.extend_from_slice(path);
    if node.kind == NodeKind::Symlink {
        out.extend_from_slice(b" -> ");
        out.extend_from_slice(node.link_target());
    }
    out.push(b'\n');
}

fn write_json(path: &[u8], node: &Node, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"name\":");
    gojson::write_string(&node.name, out);
    out.extend_from_slice(b",\"type\":");
    gojson::write_string(node.kind.as_str().as_bytes(), out);
    out.extend_from_slice(b",\"path\":");
    gojson::write_string(path, out);
    push_number("uid", node.uid.into(), out);
    push_number("gid", node.gid.into(), out);
    if node.kind == NodeKind::File {
        push_number("size", node.size, out);
    }
    if node.mode != 0 {
        push_number("mode", node.mode.into(), out);
    }
    out.extend_from_slice(b",\"permissions\":");
    gojson::write_string(mode::text(node.mode).as_bytes(), out);
    for (name, time) in [("mtime", &node.mtime), ("atime", &node.atime), ("ctime", &node.ctime)] {
        push_name(name, out);
        gojson::write_time(time, out);
    }
    if node.inode != 0 {
        push_number("inode", node.inode, out);
    }
    out.extend_from_slice(b",\"message_type\":\"node\",\"struct_type\":\"node\"}\n");
}

fn push_name(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn push_number(name: &str, number: u64, out: &mut Vec<u8>) {
    push_name(name, out);
    gojson::write_number(number, out);
}
