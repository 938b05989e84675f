//! A slice of the table: what `cargo xtask differential` runs as a whole, and with `--own`.

use crate::pair::TRESOR;
use tresor_testkit::table::{self, Options};

/// Takes its time: two programs run each line, and each lock waits for a fifth of a second.
#[test]
fn a_slice_of_the_table_is_green() {
    let program = TRESOR.into();
    let report = table::run(&Options { program, filter: None, own: false, slice: 9, jobs: 4 });
    assert!(report.is_good(), "{report}");
}

#[test]
fn a_slice_of_what_differs_under_our_own_name_is_green() {
    let program = TRESOR.into();
    let report = table::run(&Options { program, filter: None, own: true, slice: 3, jobs: 2 });
    assert!(report.is_good(), "{report}");
}
