//! Injects faults by plan: a decorator for tests of those who stand above.
//!
//! A [`Plan`] says which call goes wrong in which way. The same plan over the same sequence of calls does
//! the same; a random plan is decided by its seed.

use crate::clock::{Clock, SystemClock};
use crate::operation::{Call, Operation};
use crate::random::Random;
use crate::{
    Availability, Backend, ByteRange, Cancel, Capabilities, Error, ErrorKind, FileKind, FileName, Listed,
    Part, Payload, Result,
};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One way in which a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails and has done nothing.
    Before(ErrorKind),
    /// It is done, and reported as failed: the answer was lost.
    After(ErrorKind),
    /// It is done by half and fails: half of a file is saved, half of a listing is told.
    Half(ErrorKind),
    /// A load brings less than it was asked for and does not say so.
    Short,
    /// A load brings one wrong bit.
    Flip,
    /// It takes that long, and then is done.
    Delay(Duration),
}

/// Which calls go wrong. Calls are counted from 0, each operation by itself.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    rules: Vec<Rule>,
    chance: Option<Chance>,
}

#[derive(Debug, Clone)]
struct Rule {
    /// Of any operation, by the count of all calls, if none is named.
    operation: Option<Operation>,
    calls: RangeInclusive<u64>,
    fault: Fault,
}

#[derive(Debug, Clone)]
struct Chance {
    seed: u64,
    one_in: u64,
    faults: Vec<Fault>,
}

impl Plan {
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every call has a chance of one in `one_in` to go wrong in one of these ways.
    pub fn random(seed: u64, one_in: u64, faults: &[Fault]) -> Self {
        Plan { rules: Vec::new(), chance: Some(Chance { seed, one_in, faults: faults.to_vec() }) }
    }

    /// Also the `number`-th call of `operation`.
    #[must_use]
    pub fn at(self, operation: Operation, number: u64, fault: Fault) -> Self {
        self.rule(Some(operation), number..=number, fault)
    }

    /// Also each call of `operation` from the `number`-th on.
    #[must_use]
    pub fn from(self, operation: Operation, number: u64, fault: Fault) -> Self {
        self.rule(Some(operation), number..=u64::MAX, fault)
    }

    /// Also the `number`-th call of all.
    #[must_use]
    pub fn at_any(self, number: u64, fault: Fault) -> Self {
        self.rule(None, number..=number, fault)
    }

    /// Also every call from the `number`-th of all on: the storage has died.
    #[must_use]
    pub fn from_any(self, number: u64, fault: Fault) -> Self {
        self.rule(None, number..=u64::MAX, fault)
    }

    fn rule(mut self, operation: Option<Operation>, calls: RangeInclusive<u64>, fault: Fault) -> Self {
        self.rules.push(Rule { operation, calls, fault });
        self
    }

    /// What goes wrong with the `number`-th call of `operation`, the `total`-th of all.
    fn fault(&self, operation: Operation, number: u64, total: u64) -> Option<Fault> {
        let fits = |rule: &&Rule| match rule.operation {
            Some(named) => named == operation && rule.calls.contains(&number),
            None => rule.calls.contains(&total),
        };
        if let Some(rule) = self.rules.iter().find(fits) {
            return Some(rule.fault);
        }
        let chance = self.chance.as_ref()?;
        // From the operation's own count, so that calls of others do not move it.
        let call = number << 3 | operation.index() as u64;
        let mut random = Random::from_seed(Random::from_seed(chance.seed).next() ^ call);
        if random.below(chance.one_in) != 0 {
            return None;
        }
        let choice = random.below(chance.faults.len() as u64) as usize;
        chance.faults.get(choice).copied()
    }
}

/// The cause of every injected failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("injected fault")]
pub struct Injected;

/// A backend some of whose calls go wrong.
pub struct Faulty<B> {
    inner: B,
    plan: Plan,
    clock: Arc<dyn Clock>,
    counts: [AtomicU64; Operation::ALL.len()],
    total: AtomicU64,
    random: Mutex<Random>,
}

impl<B: Backend> Faulty<B> {
    /// Lets the calls to `inner` go wrong by `plan`.
    pub fn new(inner: B, plan: Plan) -> Self {
        let seed = plan.chance.as_ref().map_or(0, |chance| chance.seed);
        Faulty {
            inner,
            plan,
            clock: Arc::new(SystemClock::default()),
            counts: Default::default(),
            total: AtomicU64::new(0),
            random: Mutex::new(Random::from_seed(seed)),
        }
    }

    /// Delays by another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Faulty { clock, ..self }
    }

    /// How many calls of `operation` there have been.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.counts[operation.index()].load(Ordering::SeqCst)
    }

    /// How many calls there have been.
    pub fn total_calls(&self) -> u64 {
        self.total.load(Ordering::SeqCst)
    }

    /// Counts a call and says what goes wrong with it; a delay is over when this returns.
    fn next(&self, operation: Operation) -> Option<Fault> {
        let number = self.counts[operation.index()].fetch_add(1, Ordering::SeqCst);
        let total = self.total.fetch_add(1, Ordering::SeqCst);
        match self.plan.fault(operation, number, total) {
            Some(Fault::Delay(time)) => {
                self.clock.sleep(time, &Cancel::new());
                None
            }
            fault => fault,
        }
    }

    /// A call that is done or not, and has no halves.
    fn simple<T>(&self, call: Call, doing: &'static str, run: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.next(call.operation()) {
            Some(Fault::Before(kind) | Fault::Half(kind)) => Err(injected(kind, doing, call)),
            Some(Fault::After(kind)) => run().and(Err(injected(kind, doing, call))),
            _ => run(),
        }
    }

    fn loading(
        &self,
        call: Call,
        into: &mut Vec<u8>,
        run: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let fault = self.next(Operation::Load);
        into.clear();
        if let Some(Fault::Before(kind) | Fault::After(kind) | Fault::Half(kind)) = fault {
            return Err(injected(kind, "load", call));
        }
        run(into)?;
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let place = random.below(into.len() as u64) as usize;
        match fault {
            Some(Fault::Short) => into.truncate(place),
            Some(Fault::Flip) => {
                if let Some(byte) = into.get_mut(place) {
                    *byte ^= 1 << random.below(8);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn injected(kind: ErrorKind, doing: &'static str, call: Call) -> Error {
    Error::about(kind, doing, call.subject()).caused_by(Injected)
}

impl<B: Backend> Backend for Faulty<B> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self) -> Result<()> {
        self.simple(Call::Create, "create", || self.inner.create())
    }

    fn save(&self, file: FileName, payload: &Payload<'_>) -> Result<()> {
        let call = Call::Save(file);
        match self.next(Operation::Save) {
            Some(Fault::Before(kind)) => Err(injected(kind, "save", call)),
            Some(Fault::After(kind)) => self.inner.save(file, payload).and(Err(injected(kind, "save", call))),
            Some(Fault::Half(kind)) => {
                self.inner.save(file, &first_half(payload)).and(Err(injected(kind, "save", call)))
            }
            _ => self.inner.save(file, payload),
        }
    }

    fn load(&self, file: FileName, range: ByteRange, into: &mut Vec<u8>) -> Result<()> {
        self.loading(Call::Load(file, range), into, |into| self.inner.load(file, range, into))
    }

    fn load_whole(&self, file: FileName, at_most: u64, into: &mut Vec<u8>) -> Result<()> {
        self.loading(Call::LoadWhole(file), into, |into| self.inner.load_whole(file, at_most, into))
    }

    fn stat(&self, file: FileName) -> Result<u64> {
        self.simple(Call::Stat(file), "stat", || self.inner.stat(file))
    }

    fn list(&self, kind: FileKind, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        let call = Call::List(kind);
        let (one_of, failure) = match self.next(Operation::List) {
            Some(Fault::Before(failure)) => return Err(injected(failure, "list", call)),
            Some(Fault::After(failure)) => (1, failure),
            Some(Fault::Half(failure)) => (2, failure),
            _ => return self.inner.list(kind, each),
        };
        let mut all = Vec::new();
        self.inner.list(kind, &mut |listed| {
            all.push(listed);
            Ok(())
        })?;
        all.truncate(all.len() / one_of);
        all.into_iter().try_for_each(each)?;
        Err(injected(failure, "list", call))
    }

    fn remove(&self, file: FileName) -> Result<()> {
        self.simple(Call::Remove(file), "remove", || self.inner.remove(file))
    }

    fn bring_back(&self, file: FileName) -> Result<Availability> {
        self.simple(Call::BringBack(file), "bring back", || self.inner.bring_back(file))
    }
}

/// The first half of the content, counted in bytes.
fn first_half<'a>(payload: &Payload<'a>) -> Payload<'a> {
    let mut left = payload.len() / 2;
    let mut half = Payload::default();
    for part in payload.parts() {
        let part = match *part {
            Part::Memory(bytes) => Part::Memory(&bytes[..bytes.len().min(left as usize)]),
            Part::File { file, len } => Part::File { file, len: len.min(left) },
        };
        left -= part.len();
        half.push(part);
    }
    half
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::{Id, ManualClock};

    fn name(first: u8) -> FileName {
        FileName::new(FileKind::Pack, Id::from_bytes([first; 32]))
    }

    fn faulty(plan: Plan) -> Faulty<Memory> {
        Faulty::new(Memory::new(), plan)
    }

    fn save(backend: &dyn Backend, first: u8) -> Result<()> {
        backend.save(name(first), &Payload::from(&[first; 100][..]))
    }

    const LOST: ErrorKind = ErrorKind::Temporary;

    #[test]
    fn saves_fail_before_after_and_in_the_middle() {
        let plan = Plan::new()
            .at(Operation::Save, 0, Fault::Before(LOST))
            .at(Operation::Save, 1, Fault::After(LOST))
            .at(Operation::Save, 2, Fault::Half(ErrorKind::NoSpace));
        let backend = faulty(plan);
        let kinds: Vec<_> = (0..3).map(|first| save(&backend, first).unwrap_err().kind()).collect();
        assert_eq!(kinds, [LOST, LOST, ErrorKind::NoSpace]);
        save(&backend, 3).unwrap();
        let sizes: Vec<_> = (0..4).map(|first| backend.stat(name(first)).ok()).collect();
        assert_eq!(sizes, [None, Some(100), Some(50), Some(100)]);
        assert_eq!((backend.calls(Operation::Save), backend.total_calls()), (4, 8));
    }

    #[test]
    fn loads_lie_and_listings_break_off() {
        let plan = Plan::new().at(Operation::Load, 0, Fault::Short).at(Operation::Load, 1, Fault::Flip).at(
            Operation::List,
            0,
            Fault::Half(LOST),
        );
        let backend = faulty(plan);
        (0..6).for_each(|first| save(&backend, first).unwrap());
        let mut bytes = Vec::new();
        backend.load_whole(name(5), 100, &mut bytes).unwrap();
        assert!(bytes.len() < 100);
        backend.load_whole(name(5), 100, &mut bytes).unwrap();
        assert_eq!(bytes.iter().map(|byte| (byte ^ 5).count_ones()).sum::<u32>(), 1);
        let mut told = 0;
        let listing = backend.list(FileKind::Pack, &mut |_| {
            told += 1;
            Ok(())
        });
        assert_eq!((listing.unwrap_err().kind(), told), (LOST, 3));
    }

    #[test]
    fn a_storage_can_die_and_be_slow() {
        let clock = Arc::new(ManualClock::default());
        let plan =
            Plan::new().at_any(0, Fault::Delay(Duration::from_secs(5))).from_any(2, Fault::Before(LOST));
        let backend = faulty(plan).with_clock(clock.clone());
        let worked: Vec<_> = (0..4).map(|first| save(&backend, first).is_ok()).collect();
        assert_eq!(worked, [true, true, false, false]);
        assert_eq!(clock.now().as_secs(), 5);
    }

    #[test]
    fn a_seed_decides_what_goes_wrong() {
        let outcomes = |seed| {
            let backend = faulty(Plan::random(seed, 3, &[Fault::Before(LOST), Fault::After(LOST)]));
            (0..100).map(|first| save(&backend, first).is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(1), outcomes(1));
        assert_ne!(outcomes(1), outcomes(2));
        let failed = outcomes(1).into_iter().filter(|worked| !worked).count();
        assert!((15..55).contains(&failed), "about a third fail, not {failed}");
    }
}
