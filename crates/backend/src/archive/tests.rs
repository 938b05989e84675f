//! Files come back after so many looks; what is asked, and when it is given up.

use super::*;
use crate::count::Count;
use crate::memory::Memory;
use crate::{
    Backend, ByteRange, Capabilities, FileKind, Full, Id, Listed, ManualClock, Operation, Payload, cancel,
};
use std::collections::HashMap;
use std::sync::Arc;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// An archive in which file `n` is there at the question of this number; 0 fails.
struct Archive {
    at: Vec<usize>,
    asked: Mutex<HashMap<FileName, usize>>,
    memory: Memory,
}

fn pack(number: usize) -> FileName {
    FileName::new(FileKind::Pack, Id::from_bytes([number as u8; 32]))
}

impl Backend for Archive {
    fn capabilities(&self) -> Capabilities {
        Capabilities { archive: Some(HOUR), ..self.memory.capabilities() }
    }
    fn location(&self) -> String {
        self.memory.location()
    }
    fn create(&self) -> Result<()> {
        self.memory.create()
    }
    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        self.memory.save(file, payload)
    }
    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.memory.load(file, range, into)
    }
    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.memory.load_whole(file, at_most, into)
    }
    fn stat(&self, file: FileName) -> Result<u64> {
        self.memory.stat(file)
    }
    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.memory.list(kind, each)
    }
    fn remove(&self, file: FileName) -> Result<()> {
        self.memory.remove(file)
    }
    fn bring_back(&self, file: FileName) -> Result<Availability> {
        let mut asked = locked(&self.asked);
        let asked = asked.entry(file).or_default();
        *asked += 1;
        match self.at[usize::from(file.id().as_bytes()[0])] {
            0 => Err(Error::new(ErrorKind::Denied, "bring back", file)),
            at if *asked >= at => Ok(Availability::Now),
            _ => Ok(Availability::Later),
        }
    }
}

/// A handle through every decorator, and what it counts.
fn handle(at: &[usize]) -> (Handle<Full>, Arc<crate::count::Counters>, Vec<FileName>) {
    let archive = Archive { at: at.to_vec(), asked: Mutex::default(), memory: Memory::new() };
    let cancel = Cancel::new();
    let count = Count::new(crate::fault::Faulty::new(archive, crate::fault::Plan::new()));
    let counters = count.counters();
    let limited = crate::limit::Limit::new(count, crate::limit::Rates::default(), cancel.clone());
    let retry = crate::retry::Retry::new(Arc::new(limited), cancel);
    (Handle::new(Arc::new(retry)), counters, (0..at.len()).map(pack).collect())
}

#[test]
fn all_are_ordered_before_one_is_waited_for_and_what_is_there_is_not_asked_again() {
    let (handle, counters, files) = handle(&[1, 4, 1, 2]);
    let (clock, cancel) = (ManualClock::default(), Cancel::new());
    let coming = order(&handle, &files, &cancel).unwrap();
    assert_eq!(coming.files(), [pack(1), pack(3)]);
    assert_eq!(counters.requests(Operation::BringBack), 4);
    let mut came = Vec::new();
    coming.wait(&handle, &clock, &cancel, &mut |file| came.push(file)).unwrap();
    assert_eq!(came, [pack(1), pack(3)]);
    assert_eq!(counters.requests(Operation::BringBack), 8, "three looks for one, one for the other");
    assert_eq!(clock.now(), Duration::from_secs(5 + 10));
}

#[test]
fn who_does_not_come_in_time_is_named_with_what_to_do() {
    let (handle, _, files) = handle(&[usize::MAX]);
    let (clock, cancel) = (ManualClock::default(), Cancel::new());
    let coming = order(&handle, &files, &cancel).unwrap();
    let error = coming.wait(&handle, &clock, &cancel, &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unusable);
    assert_eq!(error.to_string(), "cannot load <data/0000000000>");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("after 60 minutes") && cause.contains("run the command again later"), "{cause}");
    assert_eq!(clock.now(), HOUR);
}

#[test]
fn a_refusal_and_the_end_of_the_operation_end_it() {
    let (handle, counters, files) = handle(&[1, 0, 1]);
    let cancel = Cancel::new();
    assert_eq!(order(&handle, &files, &cancel).unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(counters.failures(Operation::BringBack), 1);
    cancel.set(cancel::Reason::Interrupted);
    assert_eq!(order(&handle, &files, &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
    let coming = Coming { files: vec![pack(1)], patience: HOUR };
    assert!(coming.wait(&handle, &ManualClock::default(), &cancel, &mut |_| ()).is_err());
}

#[test]
fn without_an_archive_nobody_is_asked() {
    let count = Count::new(Memory::new());
    let counters = count.counters();
    let coming = order(&Handle::new(Arc::new(count)), &[pack(0)], &Cancel::new()).unwrap();
    assert!(coming.files().is_empty());
    assert_eq!(counters.requests(Operation::BringBack), 0);
}
