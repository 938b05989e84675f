//! Which conversation carries a call: the first, or where the way is long one of a few beside it.
//!
//! ssh lets no more than a window of 2 MiB be under way in one conversation, which makes 40 MB/s of a round trip of
//! 50 ms, whatever the line could carry. Another conversation through the same connection has its own window.

use super::Connection;
use super::failure::Failure;
use super::sharing::Sharing;
use crate::child::Listener;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How many conversations there are at most beside the first.
const MOST: usize = 3;
/// From this round trip on the window is what limits.
const LONG_WAY: Duration = Duration::from_millis(5);
/// Fewer bytes are not worth another conversation.
const BULK: u64 = 256 * 1024;

/// The conversations beside the first; each begins when it is needed.
pub(super) struct Lanes {
    sharing: Sharing,
    lanes: [Mutex<Option<Arc<Connection>>>; MOST],
    /// How many calls with many bytes are under way in the first conversation, and in each of these.
    busy: [AtomicUsize; MOST + 1],
    /// Whether the server wants no further conversations.
    refused: AtomicBool,
}

/// The place of a call in one of the conversations, which it gives back when dropped.
pub(super) struct Seat<'a> {
    lanes: &'a Lanes,
    number: usize,
}

impl Lanes {
    /// None yet.
    pub(super) fn new(sharing: Sharing) -> Self {
        Lanes {
            sharing,
            lanes: Default::default(),
            busy: Default::default(),
            refused: AtomicBool::new(false),
        }
    }

    /// The words between ssh's name and its arguments, for the one that connects.
    pub(super) fn first(&self) -> &[OsString] {
        &self.sharing.first
    }

    /// A listener that is told all but the first ssh's word on a further conversation that was refused.
    pub(super) fn listener(listener: Listener) -> Listener {
        Arc::new(move |line| {
            if !(line.contains(": channel ") && line.contains(": open failed: ")) {
                listener(line);
            }
        })
    }

    /// A seat where the fewest are for a call that moves so many bytes; none where the first conversation will do.
    pub(super) fn seat(&self, bytes: u64, round_trip: Duration) -> Option<Seat<'_>> {
        if bytes < BULK || round_trip < LONG_WAY || self.refused.load(Ordering::Relaxed) {
            return None;
        }
        let busy = |number: &usize| self.busy[*number].load(Ordering::Relaxed);
        let number = (0..=MOST).min_by_key(busy)?;
        self.busy[number].fetch_add(1, Ordering::Relaxed);
        Some(Seat { lanes: self, number })
    }
}

impl Seat<'_> {
    /// The conversation of this seat, begun with `connect` if it is not there; `first` if that cannot be.
    pub(super) fn connection(
        &self,
        first: Arc<Connection>,
        connect: impl FnOnce(&[OsString]) -> Result<Connection, Failure>,
    ) -> Arc<Connection> {
        let Some(lane) = self.number.checked_sub(1).map(|number| &self.lanes.lanes[number]) else {
            return first;
        };
        let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = lane.as_ref().filter(|connection| !connection.session.is_over()) {
            return Arc::clone(connection);
        }
        *lane = None;
        match connect(&self.lanes.sharing.further) {
            Ok(connection) => Arc::clone(lane.insert(Arc::new(connection))),
            Err(_) => {
                // Some servers allow one conversation alone; that is no less right, only slower.
                self.lanes.refused.store(true, Ordering::Relaxed);
                first
            }
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.lanes.busy[self.number].fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Lanes {
    /// All at once: each takes a round trip.
    fn drop(&mut self) {
        thread::scope(|scope| {
            for lane in &mut self.lanes {
                scope.spawn(|| drop(lane.get_mut().unwrap_or_else(PoisonError::into_inner).take()));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_spread_where_the_way_is_long_and_they_move_much() {
        let lanes = Lanes::new(Sharing::nothing());
        assert!(lanes.seat(BULK - 1, LONG_WAY).is_none());
        assert!(lanes.seat(u64::MAX, LONG_WAY - Duration::from_nanos(1)).is_none());
        let mut seats: Vec<_> = (0..6).map(|_| lanes.seat(BULK, LONG_WAY).unwrap()).collect();
        assert_eq!(seats.iter().map(|seat| seat.number).collect::<Vec<_>>(), [0, 1, 2, 3, 0, 1]);
        drop(seats.remove(2));
        assert_eq!(lanes.seat(BULK, LONG_WAY).unwrap().number, 2);
        lanes.refused.store(true, Ordering::Relaxed);
        assert!(lanes.seat(BULK, LONG_WAY).is_none());
    }

    #[test]
    fn a_refused_conversation_is_no_news() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let listener = Lanes::listener(Arc::new(move |line| log.lock().unwrap().push(line.to_owned())));
        listener("subprocess ssh: channel 3: open failed: connect failed: open failed");
        listener("subprocess ssh: channel surfing");
        assert_eq!(*told.lock().unwrap(), ["subprocess ssh: channel surfing"]);
    }
}
