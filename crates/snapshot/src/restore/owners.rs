//! Numbers of owners: as they were stored, or as this system knows their names.

use crate::node::Node;
use hashbrown::HashMap;
use nix::unistd::{Group, User};
use std::sync::Arc;

/// Answers which numbers own a node; asks the system for each name once.
#[derive(Default)]
pub(crate) struct Owners {
    by_name: bool,
    users: HashMap<Arc<str>, Option<u32>>,
    groups: HashMap<Arc<str>, Option<u32>>,
}

impl Owners {
    pub(crate) fn new(by_name: bool) -> Self {
        Owners { by_name, ..Owners::default() }
    }

    /// User and group of a node.
    ///
    /// A name that is empty, or that nobody here bears, leaves the stored number: giving the file to root
    /// instead, as restic does, would be a guess with consequences.
    pub(crate) fn of(&mut self, node: &Node) -> (u32, u32) {
        if !self.by_name {
            return (node.uid, node.gid);
        }
        let user = node.user.as_ref().and_then(|name| known(&mut self.users, name, user_number));
        let group = node.group.as_ref().and_then(|name| known(&mut self.groups, name, group_number));
        (user.unwrap_or(node.uid), group.unwrap_or(node.gid))
    }
}

fn known(
    names: &mut HashMap<Arc<str>, Option<u32>>,
    name: &Arc<str>,
    ask: fn(&str) -> Option<u32>,
) -> Option<u32> {
    if let Some(number) = names.get(name) {
        return *number;
    }
    let number = ask(name);
    names.insert(Arc::clone(name), number);
    number
}

// A name service that does not answer is no reason to stop: the stored number stands.

fn user_number(name: &str) -> Option<u32> {
    User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
}

fn group_number(name: &str) -> Option<u32> {
    Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
}
