//! The engine behind `cargo xtask fuzz`: feeds the target that `TRESOR_FUZZ_TARGET` names.
#![no_main]

use std::sync::OnceLock;
use tresor_fuzz::{Target, targets};

static TARGET: OnceLock<Target> = OnceLock::new();

fn named() -> Target {
    let name = std::env::var("TRESOR_FUZZ_TARGET").unwrap_or_default();
    let target = targets().into_iter().find(|target| target.name == name);
    target.expect("TRESOR_FUZZ_TARGET names a target")
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.get_or_init(named).feed)(bytes));
