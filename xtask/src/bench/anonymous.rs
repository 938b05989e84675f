//! Looks at how much anonymous memory a process and its children have: what no file can give back.

use crate::group::number_after;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(5);

/// Looks at a process until it is told to end.
pub(crate) struct Watch {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Watch {
    pub(crate) fn start(process: u32) -> Self {
        let ended = Arc::<AtomicBool>::default();
        let end = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            let mut most = 0;
            while !end.load(Ordering::Relaxed) {
                most = most.max(kibibytes(process));
                thread::sleep(INTERVAL);
            }
            most
        });
        Watch { ended, thread }
    }

    /// The most that was seen, in MiB.
    pub(crate) fn end(self) -> f64 {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("looking does not panic") as f64 / 1024.0
    }
}

/// What `process` and its children have now; nothing, if it has ended.
fn kibibytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    number_after(&status, "RssAnon:").unwrap_or(0) + children(process).into_iter().map(kibibytes).sum::<u64>()
}

fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_written_is_seen() {
        let watch = Watch::start(std::process::id());
        let memory = vec![1_u8; 64 << 20];
        thread::sleep(INTERVAL * 10);
        assert!(std::hint::black_box(&memory).len() > 1);
        assert!(watch.end() > 64.0);
        assert_eq!(kibibytes(u32::MAX), 0);
    }
}
