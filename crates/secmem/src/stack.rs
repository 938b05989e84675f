//! Work on a secret whose traces on the stack are wiped.

/// More than the deepest function that works on a secret takes.
const DEPTH: usize = 8 * 1024;

/// Does `work` in a stack frame of its own, and overwrites 8 KiB of stack from there on: what it, and all that it has called,
/// kept there of a secret.
///
/// It reaches what lies on the stack, not what is still in registers.
pub fn wiped<T>(work: impl FnOnce() -> T) -> T {
    let done = apart(work);
    wipe();
    done
}

/// Never a part of the caller, in whose frame the compiler would keep what `work` needs, out of reach.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Overwrites the stack below the caller.
#[inline(never)]
fn wipe() {
    let mut below = [0_u8; DEPTH];
    // As if somebody read them: stores that nobody reads are left out. The test below sees whether it works.
    std::hint::black_box(&mut below);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(always)]
    fn leave() -> usize {
        let mut secret = [0_u64; 64];
        for (number, word) in secret.iter_mut().enumerate() {
            *word = std::hint::black_box(0x5ec2_e75e_c2e7_0000 + number as u64);
        }
        std::hint::black_box(&secret).as_ptr() as usize
    }

    #[test]
    fn what_a_function_left_is_gone() {
        let at = wiped(leave);
        let mut seen = [0; 512];
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        std::os::unix::fs::FileExt::read_exact_at(&memory, &mut seen, at as u64).unwrap();
        let left = seen.chunks(8).filter(|word| word[2..] == [0xe7, 0xc2, 0x5e, 0xe7, 0xc2, 0x5e]).count();
        assert_eq!(left, 0);
    }
}
