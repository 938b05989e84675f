//! Check that files, packs and index agree; returns findings.
