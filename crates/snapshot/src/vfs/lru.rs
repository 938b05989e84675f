//! A cache bounded in bytes: what was used longest ago goes first.

use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::hash::Hash;

/// Values with their weights in bytes; their sum stays within the limit, or one value is left.
pub(super) struct Lru<K, V> {
    values: HashMap<K, Held<V>>,
    by_age: BTreeMap<u64, K>,
    clock: u64,
    limit: u64,
    held: u64,
}

struct Held<V> {
    value: V,
    bytes: u64,
    used: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> Lru<K, V> {
    pub(super) fn new(limit: u64) -> Self {
        Lru { values: HashMap::new(), by_age: BTreeMap::new(), clock: 0, limit, held: 0 }
    }

    /// The value, which is now the youngest.
    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        let held = self.values.get_mut(key)?;
        self.clock += 1;
        self.by_age.remove(&held.used);
        held.used = self.clock;
        self.by_age.insert(self.clock, key.clone());
        Some(held.value.clone())
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.values.contains_key(key)
    }

    /// Puts a value in, and older ones out as far as `reserved` bytes more than it need room.
    pub(super) fn insert(&mut self, key: K, value: V, bytes: u64, reserved: u64) {
        self.remove(&key);
        while self.held.saturating_add(bytes).saturating_add(reserved) > self.limit {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            if let Some(gone) = self.values.remove(&oldest) {
                self.held -= gone.bytes;
            }
        }
        self.clock += 1;
        self.held += bytes;
        self.by_age.insert(self.clock, key.clone());
        self.values.insert(key, Held { value, bytes, used: self.clock });
    }

    fn remove(&mut self, key: &K) {
        if let Some(gone) = self.values.remove(key) {
            self.by_age.remove(&gone.used);
            self.held -= gone.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_goes_when_bytes_run_out() {
        let mut lru = Lru::new(10);
        lru.insert('a', 1, 4, 0);
        lru.insert('b', 2, 4, 0);
        assert_eq!(lru.get(&'a'), Some(1));
        lru.insert('c', 3, 4, 0);
        assert_eq!((lru.get(&'b'), lru.get(&'a'), lru.get(&'c')), (None, Some(1), Some(3)));
        lru.insert('a', 4, 2, 4);
        assert_eq!((lru.get(&'a'), lru.get(&'c'), lru.held), (Some(4), Some(3), 6));
        lru.insert('d', 5, 99, 0);
        assert_eq!((lru.get(&'a'), lru.get(&'d'), lru.held), (None, Some(5), 99));
    }
}
