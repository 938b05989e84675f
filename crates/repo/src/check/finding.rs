//! What a check may find, as values; their texts are restic's.

use crate::blob::BlobHandle;
use crate::error::Error;
use crate::id::{IndexId, PackId};
use std::fmt;
use tresor_backend::FileName;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is lost and nothing is wrong: repair would tidy up.
    Hint,
    /// Something is damaged or missing.
    Error,
}

/// One thing that a check found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Finding {
    /// An index file cannot be loaded or decoded; its blobs count as missing.
    IndexUnreadable {
        /// Which.
        index: IndexId,
        /// Why.
        cause: Error,
    },
    /// A pack is named by several index files.
    PackInSeveralIndexes {
        /// Which pack.
        pack: PackId,
        /// The index files, in the order of their ids.
        indexes: Vec<IndexId>,
        /// Whether they say the same of it.
        agree: bool,
    },
    /// A pack holds data and tree blobs.
    MixedPack {
        /// Which.
        pack: PackId,
    },
    /// The index names a pack that is not there.
    PackMissing {
        /// Which.
        pack: PackId,
    },
    /// A pack's size is not what its blobs and header take.
    PackSize {
        /// Which.
        pack: PackId,
        /// Its size in bytes.
        got: u64,
        /// The size that follows from the index.
        expected: u64,
    },
    /// No index file names the pack.
    PackUnindexed {
        /// Which.
        pack: PackId,
    },
    /// A pack could not be loaded.
    PackUnreadable {
        /// Which.
        pack: PackId,
        /// Why.
        cause: Error,
    },
    /// A pack's content is wrong.
    PackDamaged {
        /// Which.
        pack: PackId,
        /// In which ways; at least one.
        faults: Vec<PackFault>,
    },
    /// What one file has, or is, was sealed with the same nonce as what another has, or is.
    NonceUsedTwice {
        /// The file.
        one: FileName,
        /// The other file; it may be the same one.
        other: FileName,
        /// In which way.
        reuse: Reuse,
    },
}

/// In which way a nonce was used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// For different bytes: the random numbers of whoever sealed them failed.
    OtherBytes,
    /// The same bytes are a blob here, and a file or the header of a pack there: what was sealed as the one was made
    /// the other by somebody who need not have the key.
    OtherPurpose,
}

impl Finding {
    /// How much it matters.
    pub const fn severity(&self) -> Severity {
        match self {
            Finding::PackInSeveralIndexes { agree: true, .. }
            | Finding::MixedPack { .. }
            | Finding::PackUnindexed { .. } => Severity::Hint,
            _ => Severity::Error,
        }
    }

    /// The pack that is there but must be replaced to repair the repository.
    pub const fn broken_pack(&self) -> Option<PackId> {
        match self {
            Finding::PackSize { pack, .. } | Finding::PackDamaged { pack, .. } => Some(*pack),
            _ => None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::IndexUnreadable { index, cause } => {
                write!(f, "error loading index {index}: ")?;
                chain(f, cause)
            }
            Finding::PackInSeveralIndexes { pack, indexes, .. } => {
                write!(f, "pack {pack} contained in several indexes: ")?;
                list(f, indexes.iter().map(|index| index.short()))
            }
            Finding::MixedPack { pack } => write!(f, "pack {pack} contains a mix of tree and data blobs"),
            Finding::PackMissing { pack } => write!(f, "pack {pack}: does not exist"),
            Finding::PackSize { pack, got, expected } => {
                write!(f, "pack {pack}: unexpected file size: got {got}, expected {expected}")
            }
            Finding::PackUnindexed { pack } => write!(f, "pack {pack}: not referenced in any index"),
            Finding::PackUnreadable { cause, .. } => {
                write!(f, "download error: ")?;
                chain(f, cause)
            }
            Finding::PackDamaged { pack, faults } => {
                write!(f, "pack {pack} contains {} errors: ", faults.len())?;
                list(f, faults.iter().map(|fault| fault.text(pack)))
            }
            Finding::NonceUsedTwice { one, other, reuse: Reuse::OtherBytes } => {
                write!(f, "the same nonce seals different bytes in {one} and {other}: random numbers failed")
            }
            Finding::NonceUsedTwice { one, other, reuse: Reuse::OtherPurpose } => {
                write!(
                    f,
                    "{one} and {other} hold the same sealed bytes for different purposes: one is forged"
                )
            }
        }
    }
}

/// One way in which a pack's content is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PackFault {
    /// By the index, blobs overlap or leave gaps.
    NotContiguous,
    /// A blob's sealed bytes do not authenticate.
    NotAuthentic {
        /// Which.
        blob: BlobHandle,
    },
    /// A blob authenticates, but is not what it should be.
    WrongBlob {
        /// Which.
        blob: BlobHandle,
        /// What is wrong with it.
        what: String,
    },
    /// The file's hash is not its name.
    OtherHash(PackId),
    /// The header cannot be read.
    Header(String),
    /// The header is longer or shorter than what the index says must be in it.
    HeaderSize {
        /// The size that follows from the index.
        expected: u64,
        /// Its size in bytes.
        got: u64,
    },
    /// The header lists a blob that is not at that place by the index.
    NotInIndex(BlobHandle),
    /// All of the above was seen at the first reading alone; the second one was good.
    GoodAtSecondTry,
}

impl PackFault {
    fn text(&self, pack: &PackId) -> String {
        match self {
            PackFault::NotContiguous => "index for pack contains gaps / overlapping blobs".into(),
            PackFault::NotAuthentic { blob } => format!(
                "blob {}: decrypting blob <{}/{}> from pack {pack} failed: ciphertext verification failed",
                blob.id,
                blob.kind.word(),
                blob.id.short()
            ),
            PackFault::WrongBlob { blob, what } => format!("blob {}: {what}", blob.id),
            PackFault::OtherHash(hash) => format!("unexpected pack id {hash}"),
            PackFault::Header(what) => what.clone(),
            PackFault::HeaderSize { expected, got } => {
                format!("pack header size does not match, want {expected}, got {got}")
            }
            PackFault::NotInIndex(blob) => {
                format!("blob {} is not contained in index or position is incorrect", blob.id)
            }
            PackFault::GoodAtSecondTry => "check successful on second attempt".into(),
        }
    }
}

/// An error and all its causes.
fn chain(f: &mut fmt::Formatter<'_>, error: &dyn std::error::Error) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

/// `[a b c]`
fn list(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = String>) -> fmt::Result {
    write!(f, "[{}]", items.collect::<Vec<_>>().join(" "))
}
