//! Patience, what ends it, and saves of unknown outcome.

use super::*;
use crate::cancel::Reason;
use crate::count::{Count, Counters};
use crate::fault::{Fault, Faulty, Plan};
use crate::memory::Memory;
use crate::{ManualClock, Operation};
use std::error::Error as _;

type Stack = Retry<Count<Faulty<Arc<Memory>>>>;

struct Bench {
    retry: Stack,
    memory: Arc<Memory>,
    counters: Arc<Counters>,
    clock: Arc<ManualClock>,
    cancel: Cancel,
    told: Arc<Mutex<Vec<String>>>,
}

fn bench_over(memory: Memory, plan: Plan) -> Bench {
    let (memory, clock, cancel) = (Arc::new(memory), Arc::new(ManualClock::default()), Cancel::new());
    let told = Arc::new(Mutex::new(Vec::new()));
    let count = Count::new(Faulty::new(Arc::clone(&memory), plan));
    let counters = count.counters();
    let log = Arc::clone(&told);
    let retry = Retry::new(count, cancel.clone())
        .with_clock(clock.clone(), 1)
        .observed_by(move |event| log.lock().unwrap().push(event.to_string()));
    Bench { retry, memory, counters, clock, cancel, told }
}

fn bench(plan: Plan) -> Bench {
    bench_over(Memory::new(), plan)
}

/// A storage that refuses to replace files, and so shows what was left by a failed save.
fn plain() -> Memory {
    Memory::with(Capabilities {
        connections: 2,
        atomic_replace: false,
        lists_all: true,
        near: false,
        archive: None,
    })
}

const LOST: ErrorKind = ErrorKind::Temporary;
const CONTENT: &[u8] = b"ten bytes!";

fn pack() -> FileName {
    FileName::new(FileKind::Pack, Id::from_bytes([0x91; 32]))
}

fn save(bench: &Bench) -> Result<()> {
    bench.retry.save(pack(), &Payload::from(CONTENT))
}

fn content(bench: &Bench) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bench.memory.load_whole(pack(), 100, &mut bytes).ok().map(|()| bytes)
}

fn all(from: u64, fault: Fault) -> Plan {
    Plan::new().from_any(from, fault)
}

#[test]
fn waits_double_with_jitter_up_to_a_minute_and_end_after_a_quarter_of_an_hour() {
    let bench = bench(all(0, Fault::Before(LOST)));
    let error = bench.retry.stat(pack()).unwrap_err();
    assert_eq!(error.kind(), LOST);
    assert_eq!(error.source().unwrap().to_string(), "injected fault");
    let minutes = bench.clock.now().as_secs_f64() / 60.0;
    assert!((13.0..=15.0).contains(&minutes), "{minutes}");
    let told = bench.told.lock().unwrap();
    let waits: Vec<f64> = told
        .iter()
        .filter_map(|line| line.strip_prefix("Stat(<data/9191919191>) returned error, retrying after "))
        .map(|rest| rest.split_once("s: ").unwrap().0)
        .map(|wait| {
            wait.strip_suffix('m')
                .map_or_else(|| wait.parse().unwrap(), |ms| ms.parse::<f64>().unwrap() / 1e3)
        })
        .collect();
    assert_eq!(waits.len() + 1, told.len(), "all but the last line say that we retry: {told:?}");
    for (wait, middle) in waits.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]) {
        assert!((middle * 0.5..middle * 1.5).contains(wait), "{wait} is not around {middle}");
    }
    assert!(told[0].ends_with("s: cannot stat <data/9191919191>: injected fault"), "{}", told[0]);
    assert!(told.last().unwrap().starts_with("Stat(<data/9191919191>) failed: "));
}

#[test]
fn what_is_permanent_fails_at_once() {
    for kind in [ErrorKind::NotFound, ErrorKind::Denied, ErrorKind::WrongSize, ErrorKind::Unusable] {
        let bench = bench(all(0, Fault::Before(kind)));
        assert_eq!(bench.retry.stat(pack()).unwrap_err().kind(), kind);
        assert_eq!(bench.retry.load_whole(pack(), 10, &mut Vec::new()).unwrap_err().kind(), kind);
        assert_eq!(bench.clock.now(), Duration::ZERO);
        assert_eq!(bench.counters.requests(Operation::Stat), 1);
        assert!(bench.told.lock().unwrap().is_empty());
    }
}

#[test]
fn there_is_always_a_second_try_however_late() {
    let clock = Arc::new(ManualClock::default());
    let plan = Plan::new().at(Operation::Stat, 0, Fault::Before(LOST));
    let memory = Memory::new();
    memory.plant(pack(), CONTENT);
    let slow = Slow { inner: Faulty::new(memory, plan), clock: clock.clone() };
    let retry = Retry::new(slow, Cancel::new()).with_clock(clock, 1);
    assert_eq!(retry.stat(pack()).unwrap(), 10);
}

#[test]
fn success_after_failures_is_told() {
    let bench = bench(Plan::new().at(Operation::Load, 0, Fault::Before(LOST)));
    bench.memory.plant(pack(), CONTENT);
    let mut bytes = Vec::new();
    bench.retry.load(pack(), ByteRange { offset: 4, length: 5 }, &mut bytes).unwrap();
    assert_eq!(bytes, b"bytes");
    let told = bench.told.lock().unwrap();
    assert_eq!(told[1], "Load(<data/9191919191>, 5, 4) operation successful after 1 retries");
}

#[test]
fn cancelling_ends_the_patience_but_not_the_first_try() {
    let bench = bench(Plan::new().from(Operation::Stat, 0, Fault::Before(LOST)));
    bench.memory.plant(pack(), CONTENT);
    bench.cancel.set(Reason::Interrupted);
    let error = bench.retry.stat(pack()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(error.source().unwrap().source().unwrap().to_string(), "injected fault");
    bench.retry.remove(pack()).unwrap();
    assert_eq!(content(&bench), None);
}

#[test]
fn a_save_whose_answer_was_lost_is_not_made_again() {
    for memory in [Memory::new(), plain()] {
        let bench = bench_over(memory, Plan::new().at(Operation::Save, 0, Fault::After(LOST)));
        save(&bench).unwrap();
        assert_eq!(bench.counters.requests(Operation::Save), 1);
        assert_eq!(content(&bench).as_deref(), Some(CONTENT));
    }
}

#[test]
fn a_save_whose_answer_was_lost_is_made_again_where_it_may_not_be_listed() {
    let memory = Memory::with(Capabilities { lists_all: false, ..Memory::new().capabilities() });
    let bench = bench_over(memory, Plan::new().at(Operation::Save, 0, Fault::After(LOST)));
    save(&bench).unwrap();
    assert_eq!(bench.counters.requests(Operation::Save), 2);
}

#[test]
fn a_save_that_did_nothing_is_made_again() {
    let plan =
        Plan::new().at(Operation::Save, 0, Fault::Before(LOST)).at(Operation::Save, 1, Fault::Before(LOST));
    let bench = bench_over(plain(), plan);
    save(&bench).unwrap();
    assert_eq!(bench.counters.requests(Operation::Save), 3);
    assert_eq!(bench.counters.requests(Operation::Remove), 0);
    assert_eq!(content(&bench).as_deref(), Some(CONTENT));
}

#[test]
fn half_a_file_is_replaced_and_removed_only_where_it_must_be() {
    for (memory, removals) in [(Memory::new(), 0), (plain(), 1)] {
        let bench = bench_over(memory, Plan::new().at(Operation::Save, 0, Fault::Half(LOST)));
        save(&bench).unwrap();
        assert_eq!(content(&bench).as_deref(), Some(CONTENT));
        assert_eq!(bench.counters.requests(Operation::Remove), removals);
    }
}

#[test]
fn a_file_of_the_right_size_with_other_content_is_not_taken_for_ours() {
    let bench = bench_over(plain(), Plan::new().at(Operation::Save, 0, Fault::Before(LOST)));
    bench.memory.plant(pack(), *b"TEN BYTES!");
    save(&bench).unwrap();
    assert_eq!(content(&bench).as_deref(), Some(CONTENT));
}

#[test]
fn the_config_of_another_is_never_removed() {
    let bench = bench_over(plain(), Plan::new().at(Operation::Save, 0, Fault::Before(LOST)));
    bench.memory.plant(FileName::CONFIG, *b"another's");
    let error = bench.retry.save(FileName::CONFIG, &Payload::from(CONTENT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(bench.counters.requests(Operation::Remove), 0);
}

#[test]
fn half_of_our_own_config_does_not_stand_in_our_way() {
    let bench = bench_over(plain(), Plan::new().at(Operation::Save, 0, Fault::Half(LOST)));
    bench.retry.save(FileName::CONFIG, &Payload::from(CONTENT)).unwrap();
    assert_eq!(bench.memory.stat(FileName::CONFIG).unwrap(), 10);
}

#[test]
fn the_last_try_is_settled_too() {
    let lost = bench(Plan::new().from(Operation::Save, 0, Fault::Before(LOST)).from(
        Operation::Stat,
        0,
        Fault::Before(LOST),
    ));
    assert_eq!(save(&lost).unwrap_err().kind(), LOST);
    let full = bench_over(plain(), Plan::new().at(Operation::Save, 0, Fault::Half(ErrorKind::NoSpace)));
    assert_eq!(save(&full).unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(content(&full), None, "half a file is not left where nobody could replace it");
    assert_eq!(full.clock.now(), Duration::ZERO);
}

#[test]
fn who_may_not_look_saves_again() {
    let plan = Plan::new().at(Operation::Save, 0, Fault::Before(LOST)).from(
        Operation::Stat,
        0,
        Fault::Before(ErrorKind::Denied),
    );
    let bench = bench(plan);
    save(&bench).unwrap();
    assert_eq!(content(&bench).as_deref(), Some(CONTENT));
}

#[test]
fn a_big_save_is_settled_piece_by_piece() {
    let big: Vec<u8> = (0..3 * COMPARED + 17).map(|i| (i / 7) as u8).collect();
    let bench = bench(Plan::new().at(Operation::Save, 0, Fault::After(LOST)));
    bench.retry.save(pack(), &Payload::from(&big[..])).unwrap();
    assert_eq!(bench.counters.requests(Operation::Load), 4);
    assert_eq!(bench.counters.requests(Operation::Save), 1);
}

#[test]
fn a_listing_begun_again_tells_each_file_once() {
    let plan =
        Plan::new().at(Operation::List, 0, Fault::Half(LOST)).at(Operation::List, 1, Fault::After(LOST));
    let bench = bench(plan);
    for first in 0..10 {
        bench.memory.plant(FileName::new(FileKind::Key, Id::from_bytes([first; 32])), CONTENT);
    }
    let mut told = Vec::new();
    bench
        .retry
        .list(FileKind::Key, &mut |listed| {
            told.push(listed.id.as_bytes()[0]);
            Ok(())
        })
        .unwrap();
    told.sort_unstable();
    assert_eq!(told, (0..10).collect::<Vec<u8>>());
    assert_eq!(bench.counters.requests(Operation::List), 3);
}

#[test]
fn an_error_of_the_listener_is_not_retried() {
    let bench = bench(Plan::new());
    bench.memory.plant(pack(), CONTENT);
    let listing = bench.retry.list(FileKind::Pack, &mut |_| Err(Error::about(LOST, "like", "this")));
    assert_eq!(listing.unwrap_err().to_string(), "cannot like this");
    assert_eq!(bench.counters.requests(Operation::List), 1);
}

#[test]
fn a_removal_whose_answer_was_lost_is_done() {
    let bench = bench(Plan::new().at(Operation::Remove, 0, Fault::After(LOST)));
    bench.memory.plant(pack(), CONTENT);
    bench.retry.remove(pack()).unwrap();
    assert!(bench.retry.remove(pack()).unwrap_err().is_not_found(), "the next removal is another matter");
}

#[test]
fn a_file_that_was_given_up_fails_at_once_for_an_hour() {
    let bench = bench(Plan::new().from(Operation::Load, 0, Fault::Before(LOST)));
    let mut bytes = Vec::new();
    bench.retry.load_whole(pack(), 10, &mut bytes).unwrap_err();
    let (requests, now) = (bench.counters.requests(Operation::Load), bench.clock.now());
    let error = bench.retry.load(pack(), ByteRange { offset: 0, length: 1 }, &mut bytes).unwrap_err();
    assert!(error.source().unwrap().is::<GivenUp>());
    assert_eq!((bench.counters.requests(Operation::Load), bench.clock.now()), (requests, now));
    bench.clock.advance(REFUSAL);
    bench.retry.load_whole(pack(), 10, &mut bytes).unwrap_err();
    assert!(bench.counters.requests(Operation::Load) > requests);
}

/// Every stat takes an hour.
struct Slow<B> {
    inner: B,
    clock: Arc<ManualClock>,
}

impl<B: Backend> Backend for Slow<B> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn location(&self) -> String {
        self.inner.location()
    }
    fn create(&self) -> Result<()> {
        self.inner.create()
    }
    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        self.inner.save(file, payload)
    }
    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.inner.load(file, range, into)
    }
    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.inner.load_whole(file, at_most, into)
    }
    fn stat(&self, file: FileName) -> Result<u64> {
        self.clock.advance(Duration::from_secs(3600));
        self.inner.stat(file)
    }
    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.inner.list(kind, each)
    }
    fn remove(&self, file: FileName) -> Result<()> {
        self.inner.remove(file)
    }
}

/// A backend that never ends its listing.
struct Repeating;

impl Backend for Repeating {
    fn capabilities(&self) -> Capabilities {
        Memory::new().capabilities()
    }
    fn location(&self) -> String {
        String::new()
    }
    fn create(&self) -> Result<()> {
        Ok(())
    }
    fn save(&self, _: FileName, _: &Payload<'_>) -> Result<()> {
        Ok(())
    }
    fn load(&self, _: FileName, _: ByteRange, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
    fn load_whole(&self, _: FileName, _: u64, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
    fn stat(&self, _: FileName) -> Result<u64> {
        Ok(0)
    }
    fn list(&self, _: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        loop {
            for first in 0..10 {
                each(Listed { id: Id::from_bytes([first; 32]), size: 1 })?;
            }
        }
    }
    fn remove(&self, _: FileName) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_listing_without_end_is_given_up() {
    let retry = Retry::new(Repeating, Cancel::new()).with_clock(Arc::new(ManualClock::default()), 1);
    let mut told = 0;
    let listing = retry.list(FileKind::Lock, &mut |_| {
        told += 1;
        Ok(())
    });
    assert!(listing.unwrap_err().source().unwrap().to_string().contains("without end"));
    assert_eq!(told, 10, "each file is told once");
}
