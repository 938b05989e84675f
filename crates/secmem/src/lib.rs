//! Memory for secrets: pages that nobody else reads, and boxes in them, wiped when dropped.
//!
//! A [`SecretBox`] or [`SecretBytes`] lies in a page of the kernel's secret memory where there is such a thing, else in a
//! locked one; [`protection`] says which. Neither can be shown, copied or stored by accident: they have no `Debug`, no
//! `Clone` and nothing that turns them into text. [`process`] closes the ways to a process's memory from outside.
//!
//! This is the only crate that takes memory by hand.

#![deny(unsafe_op_in_unsafe_fn)]

mod stack;
mod pages;
mod pool;
mod bytes;
mod boxed;
pub mod process;

pub use boxed::SecretBox;
pub use bytes::SecretBytes;
pub use pages::{Protection, prefer_locked, protection};
pub use stack::wiped;
