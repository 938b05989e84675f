//! What a path lies on, as far as it matters for how many read at once.

use std::path::Path;

/// The numbers by which the kernel calls file systems that wait for another machine or another program.
///
/// Source: statfs(2), and `linux/magic.h`.
const DISTANT: [u32; 10] = [
    0x0000_6969, // NFS
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2 and 3
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x6b41_4653, // the kernel's own AFS
    0x0102_1997, // 9P
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x6573_5546, // FUSE: sshfs, rclone and the like
];

/// Whether whoever reads there waits for an answer rather than for a disk; no if that cannot be told.
pub fn is_distant(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|told| is_distant_kind(told.f_type as u32))
}

fn is_distant_kind(kind: u32) -> bool {
    DISTANT.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_this_machine_is_near() {
        assert!(!is_distant(&std::env::temp_dir()) && !is_distant(Path::new("/proc/none")));
        assert!(is_distant_kind(0x6969) && !is_distant_kind(0xef53));
    }
}
