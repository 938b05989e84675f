//! Integration tests of the backends.

mod conformance;
