//! What of a snapshot's metadata gives power, and is left out where the snapshot is not trusted.

use crate::node::{ExtendedAttribute, NodeKind};
use std::fmt;

/// Set-user-id and set-group-id.
const SET_ID: u32 = 0o6000;

/// Whether metadata is taken from the snapshot, and how much was not.
pub(crate) struct Trust {
    trusts: bool,
    left_out: LeftOut,
}

/// How much was left out: what a user would want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LeftOut {
    set_ids: u64,
    devices: u64,
    attributes: u64,
}

impl Trust {
    pub(crate) fn new(trusts: bool) -> Self {
        Trust { trusts, left_out: LeftOut::default() }
    }

    /// The mode without what would let a program run as somebody else.
    pub(crate) fn mode(&mut self, mode: u32) -> u32 {
        if self.trusts || mode & SET_ID == 0 {
            return mode;
        }
        self.left_out.set_ids += 1;
        mode & !SET_ID
    }

    /// User and group: nobody's number where they are to stay those of whoever restores.
    pub(crate) fn owner(&self, owner: (u32, u32)) -> (u32, u32) {
        if self.trusts { owner } else { (u32::MAX, u32::MAX) }
    }

    /// The attributes without those that only an administrator may set.
    pub(crate) fn attributes(&mut self, all: &[ExtendedAttribute]) -> Box<[ExtendedAttribute]> {
        if self.trusts {
            return all.into();
        }
        let kept: Box<[_]> = all.iter().filter(|attribute| !gives_power(&attribute.name)).cloned().collect();
        self.left_out.attributes += (all.len() - kept.len()) as u64;
        kept
    }

    /// Whether an item of this kind is made.
    pub(crate) fn makes(&mut self, kind: &NodeKind) -> bool {
        let is_device = matches!(kind, NodeKind::Dev | NodeKind::CharDev);
        let leaves_out = !self.trusts && is_device;
        self.left_out.devices += u64::from(leaves_out);
        !leaves_out
    }

    /// What was left out, if anything was.
    pub(crate) fn left_out(&self) -> Option<LeftOut> {
        (self.left_out != LeftOut::default()).then_some(self.left_out)
    }
}

/// Whether an attribute changes what a program may do (`security.capability`), or is there for the system's own use.
pub(crate) fn gives_power(name: &[u8]) -> bool {
    name.starts_with(b"security.") || name.starts_with(b"trusted.")
}

impl fmt::Display for LeftOut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeftOut { set_ids, devices, attributes } = self;
        write!(
            out,
            "the snapshot's metadata is not trusted: left out were {set_ids} modes' set-id bits, {devices} devices, \
             {attributes} attributes of the system, and all owners"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str) -> ExtendedAttribute {
        ExtendedAttribute { name: name.as_bytes().into(), value: None }
    }

    #[test]
    fn what_is_trusted_stays_as_it_is() {
        let mut trust = Trust::new(true);
        let attributes = [attribute("security.capability"), attribute("user.x")];
        assert_eq!(trust.mode(0o6755), 0o6755);
        assert_eq!(trust.owner((0, 5)), (0, 5));
        assert_eq!(trust.attributes(&attributes).len(), 2);
        assert!(trust.makes(&NodeKind::Dev));
        assert_eq!(trust.left_out(), None);
    }

    #[test]
    fn what_is_not_trusted_gives_no_power_and_is_counted() {
        let mut trust = Trust::new(false);
        let attributes =
            ["security.capability", "trusted.overlay.redirect", "user.security.x"].map(attribute);
        assert_eq!(
            [0o4755, 0o2711, 0o1777, 0o644].map(|mode| trust.mode(mode)),
            [0o755, 0o711, 0o1777, 0o644]
        );
        assert_eq!(trust.owner((0, 5)), (u32::MAX, u32::MAX));
        assert_eq!(*trust.attributes(&attributes), [attribute("user.security.x")]);
        assert_eq!([NodeKind::CharDev, NodeKind::Fifo].map(|kind| trust.makes(&kind)), [false, true]);
        assert_eq!(trust.left_out(), Some(LeftOut { set_ids: 2, devices: 1, attributes: 2 }));
    }
}
