//! Typed ids: one type for each thing that has one.

use crate::hash::Hash;
use tresor_backend::{FileKind, FileName, Id};

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident $(, $kind:expr)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Id);

        impl $name {
            /// Wraps 32 bytes as they are.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                $name(Id::from_bytes(bytes))
            }
            /// Wraps an untyped id.
            pub const fn from_id(id: Id) -> Self {
                $name(id)
            }
            /// Reads 64 lower-case hexadecimal digits.
            pub fn from_hex(text: &[u8]) -> Option<Self> {
                Id::from_hex(text).map($name)
            }
            /// The untyped id.
            pub const fn id(&self) -> Id {
                self.0
            }
            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }
            /// The full text form, 64 digits.
            pub fn hex(&self) -> String {
                self.0.hex()
            }
            /// The first 8 digits, as shown to people.
            pub fn short(&self) -> String {
                self.0.short()
            }
            $(
            /// The repository file of this id.
            pub const fn file(&self) -> FileName {
                FileName::new($kind, self.0)
            }
            )?
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Hex;
                impl serde::de::Visitor<'_> for Hex {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("64 hexadecimal digits")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::from_hex(text.as_bytes()).ok_or_else(|| E::custom("not an id of 64 hexadecimal digits"))
                    }
                }
                deserializer.deserialize_str(Hex)
            }
        }
    };
}

id_type!(/** SHA-256 of a blob's plaintext. */ BlobId);
id_type!(/** SHA-256 of a pack file. */ PackId, FileKind::Pack);
id_type!(/** SHA-256 of an index file. */ IndexId, FileKind::Index);
id_type!(/** SHA-256 of a stored snapshot file. */ SnapshotId, FileKind::Snapshot);
id_type!(/** SHA-256 of a key file. */ KeyId, FileKind::Key);
id_type!(/** SHA-256 of a lock file. */ LockId, FileKind::Lock);
id_type!(/** The random id in a repository's config; names its folder in the local cache. */ RepoId);

impl BlobId {
    /// The id of a blob with this plaintext.
    pub fn of(plain: &[u8]) -> Self {
        Self::from_bytes(Hash::of(plain))
    }
}
