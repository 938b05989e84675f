//! User and group names, asked of the system's name service once each.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use nix::unistd::{Gid, Group, Uid, User};

/// The names of users and groups, and their numbers; shared by all workers.
///
/// What the name service does not know is remembered too: asking it may mean asking the network.
#[derive(Default)]
pub struct Accounts {
    users: Remembered<u32, Arc<str>>,
    groups: Remembered<u32, Arc<str>>,
    user_ids: Remembered<Box<str>, u32>,
    group_ids: Remembered<Box<str>, u32>,
}

/// An answer of `None` means: asked, and there is none.
type Remembered<K, V> = RwLock<HashMap<K, Option<V>>>;

impl Accounts {
    /// The user's name; a name service that fails knows none.
    pub fn user(&self, uid: u32) -> Option<Arc<str>> {
        let ask = |&uid: &u32| Some(User::from_uid(Uid::from_raw(uid)).ok()??.name.into());
        remember(&self.users, uid, ask)
    }

    /// The group's name.
    pub fn group(&self, gid: u32) -> Option<Arc<str>> {
        let ask = |&gid: &u32| Some(Group::from_gid(Gid::from_raw(gid)).ok()??.name.into());
        remember(&self.groups, gid, ask)
    }

    /// The users that were asked for by number, and their names; in ascending order.
    pub fn users(&self) -> Vec<(u32, Option<String>)> {
        asked(&self.users)
    }

    /// The groups that were asked for by number, and their names; in ascending order.
    pub fn groups(&self) -> Vec<(u32, Option<String>)> {
        asked(&self.groups)
    }

    /// The user's number.
    pub fn user_id(&self, name: &str) -> Option<u32> {
        remember(&self.user_ids, name.into(), |name| Some(User::from_name(name).ok()??.uid.as_raw()))
    }

    /// The group's number.
    pub fn group_id(&self, name: &str) -> Option<u32> {
        remember(&self.group_ids, name.into(), |name| Some(Group::from_name(name).ok()??.gid.as_raw()))
    }
}

fn asked(known: &Remembered<u32, Arc<str>>) -> Vec<(u32, Option<String>)> {
    let known = known.read().unwrap_or_else(PoisonError::into_inner);
    let mut asked: Vec<_> =
        known.iter().map(|(id, name)| (*id, name.as_deref().map(str::to_owned))).collect();
    asked.sort_unstable();
    asked
}

fn remember<K: Eq + Hash, V: Clone>(
    known: &Remembered<K, V>,
    key: K,
    ask: impl FnOnce(&K) -> Option<V>,
) -> Option<V> {
    if let Some(answer) = known.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return answer.clone();
    }
    let answer = ask(&key);
    known.write().unwrap_or_else(PoisonError::into_inner).insert(key, answer.clone());
    answer
}
