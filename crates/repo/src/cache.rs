//! The local cache: a backend decorator that keeps index files, snapshots and tree packs.
