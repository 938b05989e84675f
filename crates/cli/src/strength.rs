//! How hard a new password is to guess.

/// Fewer guesses than these are refused: a year of one processor core at what scrypt costs in a new key.
pub(crate) const FLOOR: u64 = 100_000_000;
/// So many guesses are out of reach of those who do not spend a fortune.
const GOOD: u64 = 10_000_000_000;
/// Words that everybody tries first where this program is.
const OURS: [&str; 3] = ["tresor", "restic", "backup"];
/// So many words of its surroundings are tried at most.
const WORDS: usize = 100;

/// What is thought of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strength {
    /// Refused; found by about `10^digits` guesses.
    Weak {
        /// Zeroes of the number of guesses.
        digits: u32,
    },
    /// Taken, with a warning.
    Fair,
    /// Taken.
    Good,
}

/// Judges a password by whom it must withstand: somebody who has the repository, and knows `surroundings` (names of
/// user and host, location), but not the password.
pub(crate) fn judge(password: &[u8], surroundings: &[&str]) -> Strength {
    let text = zeroize::Zeroizing::new(String::from_utf8_lossy(password).into_owned());
    let known: Vec<&str> = OURS.into_iter().chain(words(surroundings)).take(WORDS).collect();
    let guesses = zxcvbn::zxcvbn(&text, &known).guesses();
    match guesses {
        0..FLOOR => Strength::Weak { digits: guesses.max(1).ilog10() },
        FLOOR..GOOD => Strength::Fair,
        GOOD.. => Strength::Good,
    }
}

/// The texts themselves and their words of three letters and more.
fn words<'a>(texts: &[&'a str]) -> impl Iterator<Item = &'a str> {
    texts.iter().flat_map(|text| {
        let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| part.chars().count() > 2);
        [*text].into_iter().chain(parts)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What many people have; where it is from, the test of the program says.
    const COMMON: &str = include_str!("../tests/it/passwords/common.txt");

    #[test]
    fn the_thousand_commonest_are_all_weak() {
        assert_eq!(COMMON.lines().count(), 1000);
        for common in COMMON.lines() {
            assert!(matches!(judge(common.as_bytes(), &[]), Strength::Weak { .. }), "{common}");
            let twice = [common, common].concat();
            assert!(matches!(judge(twice.as_bytes(), &[]), Strength::Weak { .. }), "{twice}");
        }
    }

    #[test]
    fn common_words_are_weak_and_random_ones_are_good() {
        for weak in ["", "a", "password", "P@ssw0rd!", "qwertyuiop", "2024-11-28", "tresorbackup", "geheim"] {
            assert!(matches!(judge(weak.as_bytes(), &[]), Strength::Weak { .. }), "{weak}");
        }
        assert_eq!(judge(b"TestMeNow!", &[]), Strength::Fair);
        for good in ["k7Qx!mB2zR", "correct horse battery staple", "\u{fffd}\u{1f600}öäüß-wolkig-17"] {
            assert_eq!(judge(good.as_bytes(), &[]), Strength::Good, "{good}");
        }
    }

    #[test]
    fn what_everybody_knows_of_the_place_is_no_password() {
        let password = b"Wolkenkuckucksheimlaptop";
        assert_eq!(judge(password, &[]), Strength::Good);
        let surroundings = ["alice", "laptop", "rest:https://wolkenkuckucksheim.example/alice/"];
        assert!(matches!(judge(password, &surroundings), Strength::Weak { .. }));
    }
}
