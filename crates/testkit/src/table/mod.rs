//! The table: command lines that the real restic and ours run alike, and what may differ.
//!
//! A [`case`] is a few shell lines that start from a [`scene`]. Both programs run it in the same [`sandbox`],
//! one after the other; what they print, how they end and what they leave behind is [`mask`]ed and compared.
//! What a repository holds is read by [`repository`], which shares no code with the library under test.

mod case;
mod files;
mod mask;
mod repository;
mod rows;
mod run;
mod sandbox;
mod scene;
mod verdict;

pub use case::{Case, load};
pub use run::{Options, run};
pub use verdict::{Report, Verdict};
