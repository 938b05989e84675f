//! Every backend and every decorator passes the suite.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tresor_backend::conformance::run;
use tresor_backend::count::Count;
use tresor_backend::fault::{Fault, Faulty, Plan};
use tresor_backend::limit::{Limit, Rates};
use tresor_backend::local::{self, Local};
use tresor_backend::memory::Memory;
use tresor_backend::retry::Retry;
use tresor_backend::{Backend, Cancel, Capabilities, ErrorKind, ManualClock};

fn memory() -> Arc<dyn Backend> {
    Arc::new(Memory::new())
}

#[test]
fn memory_conforms() {
    run(&memory);
    run(&|| {
        Arc::new(Memory::with(Capabilities {
            connections: 1,
            atomic_replace: false,
            lists_all: true,
            near: true,
            archive: None,
        }))
    });
}

#[test]
fn local_conforms() {
    let above = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    run(&|| {
        number.set(number.get() + 1);
        Arc::new(Local::open(above.path().join(number.get().to_string()), local::CONNECTIONS).unwrap())
    });
}

#[test]
fn every_decorator_conforms_over_memory() {
    let cancel = Cancel::new();
    let rates = Rates { upload: NonZeroU32::new(1000), download: NonZeroU32::new(1000) };
    run(&|| {
        let clock = Arc::new(ManualClock::default());
        Arc::new(Limit::with_clock(Memory::new(), rates, cancel.clone(), clock))
    });
    run(&|| Arc::new(Retry::new(Memory::new(), cancel.clone())));
    run(&|| Arc::new(Count::new(Memory::new())));
    run(&|| Arc::new(Faulty::new(Memory::new(), Plan::new())));
}

/// What fails now and then for a while cannot be told from what works, but by the time it takes.
#[test]
fn retries_over_a_faulty_storage_conform() {
    let faults = [
        Fault::Before(ErrorKind::Temporary),
        Fault::After(ErrorKind::Temporary),
        Fault::Delay(Duration::from_millis(10)),
        Fault::Half(ErrorKind::Temporary), // last, since a storage that replaces atomically leaves no halves
    ];
    for seed in 0..20 {
        for (atomic_replace, faults) in [(true, &faults[..3]), (false, &faults[..])] {
            run(&|| {
                let clock = Arc::new(ManualClock::default());
                let memory = Memory::with(Capabilities {
                    connections: 4,
                    atomic_replace,
                    lists_all: true,
                    near: true,
                    archive: None,
                });
                let faulty = Faulty::new(memory, Plan::random(seed, 4, faults)).with_clock(clock.clone());
                Arc::new(Retry::new(faulty, Cancel::new()).with_clock(clock, seed))
            });
        }
    }
}
