//! The names in a directory: all in one buffer, sorted by their bytes.

/// The names in a directory, without `.` and `..`; made once and filled again for the next directory.
#[derive(Default)]
pub struct Names {
    bytes: Vec<u8>,
    spans: Vec<(usize, u16)>,
}

impl Names {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The name at `index`.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn get(&self, index: usize) -> &[u8] {
        name(&self.bytes, self.spans[index])
    }

    /// All names in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|&span| name(&self.bytes, span))
    }

    /// Forgets all names.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Adds one; names too long for any file system are cut, so they lead to a file that does not exist.
    pub(super) fn push(&mut self, name: &[u8]) {
        if name == b"." || name == b".." {
            return;
        }
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.spans.push((self.bytes.len(), length));
        self.bytes.extend_from_slice(&name[..usize::from(length)]);
    }

    /// Sorts by bytes; a name listed twice (a directory that changes while it is read) stays once.
    pub(super) fn sort(&mut self) {
        let bytes = &self.bytes;
        self.spans.sort_unstable_by(|&a, &b| name(bytes, a).cmp(name(bytes, b)));
        self.spans.dedup_by(|a, b| name(bytes, *a) == name(bytes, *b));
    }
}

fn name(bytes: &[u8], (start, length): (usize, u16)) -> &[u8] {
    &bytes[start..start + usize::from(length)]
}
