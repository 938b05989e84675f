//! Every backend and every decorator passes the suite.

use std::sync::Arc;
use tresor_backend::conformance::run;
use tresor_backend::local::{self, Local};
use tresor_backend::memory::Memory;
use tresor_backend::{Backend, Capabilities};

fn memory() -> Arc<dyn Backend> {
    Arc::new(Memory::new())
}

#[test]
fn memory_conforms() {
    run(&memory);
    run(&|| Arc::new(Memory::with(Capabilities { connections: 1, atomic_replace: false })));
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
