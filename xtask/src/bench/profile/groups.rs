//! The kinds of work that symbols are counted to, known by a part of their names.

/// What is in the kernel, whatever its name.
const KERNEL: &str = "kernel";
/// What is in no group.
const REST: &str = "rest";

/// Each group, and what the name of a symbol has in it; the first that fits counts.
const GROUPS: &[(&str, &[&str])] = &[
    ("SHA-256", &["sha2::", "sha256"]),
    ("Poly1305", &["poly1305"]),
    ("AES", &["aes::", "ctr::", "ctr32", "cipher::"]),
    ("scrypt", &["scrypt", "romix", "salsa", "crypto::kdf", "pbkdf2"]),
    ("chunker", &["tresor_chunker"]),
    ("zstd", &["zstd", "ZSTD", "HUF_", "FSE_", "HIST_", "XXH"]),
    ("memory copies", &["memcpy", "memmove", "memset", "memcmp", "bcmp"]),
];

/// The group of the symbol with this name in the program or library `object`.
pub(super) fn of(object: &str, name: &str) -> &'static str {
    if ["[kernel", "[guest.kernel"].iter().any(|kernel| object.starts_with(kernel)) || object.ends_with(".ko")
    {
        return KERNEL;
    }
    let fits = |patterns: &&[&str]| patterns.iter().any(|pattern| name.contains(pattern));
    GROUPS.iter().find(|(_, patterns)| fits(patterns)).map_or(REST, |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn what_the_kernel_copies_is_the_kernels() {
        assert_eq!(of("[kernel.kallsyms]", "memcpy_orig"), "kernel");
        assert_eq!(of("nf_tables.ko", "any"), "kernel");
        assert_eq!(of("libc.so.6", "__memcpy_avx_unaligned"), "memory copies");
    }

    #[test]
    fn symbols_go_by_what_they_do() {
        let groups = [
            ("sha2::sha256::x86_sha::compress", "SHA-256"),
            ("<poly1305::State as universal_hash::UhfBackend>::proc_par_blocks", "Poly1305"),
            ("aes::backends::x86_vaes512::Aes<_>::encrypt", "AES"),
            ("tresor_repo::crypto::romix::block_mix", "scrypt"),
            ("tresor_chunker::avx512::first_tile", "chunker"),
            ("ZSTD_compressBlock_doubleFast", "zstd"),
            ("tresor_repo::index::find", "rest"),
        ];
        for (symbol, group) in groups {
            assert_eq!(of("tresor", symbol), group, "{symbol}");
        }
    }
}
