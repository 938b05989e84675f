//! Which packs to read when not all are.

use crate::error::Result;
use crate::id::PackId;
use crate::random;
use std::str::FromStr;

/// A choice among packs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReadSubset {
    /// Those whose first id byte, divided by `of`, leaves `number` − 1: over `of` runs, each pack once.
    Group {
        /// Which group, from 1.
        number: u16,
        /// How many groups, up to 256.
        of: u16,
    },
    /// This share of the packs, above 0 and at most 100, chosen by chance; at least one.
    Percent(f64),
    /// As large a share as these bytes are of all packs, chosen by chance; at least one.
    Bytes(u64),
}

/// Why a text is no choice among packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSubset {
    /// It has none of the three forms.
    #[error("neither `n/t` nor `x%` nor a size")]
    Form,
    /// In `n/t`, not 1 ≤ n ≤ t.
    #[error("values must be positive integers, and n <= t, e.g. 1/2")]
    Numbers,
    /// In `n/t`, t > 256.
    #[error("t must be at most 256")]
    Groups,
    /// In `x%`, x is 0, negative or above 100.
    #[error("x must be above 0.0% and at most 100.0%")]
    Percent,
    /// The size is 0.
    #[error("n must be above 0")]
    Size,
}

impl FromStr for ReadSubset {
    type Err = BadSubset;

    /// Reads `1/5`, `2.5%` or `10G` (suffix K, M, G or T in either case, powers of 1024).
    fn from_str(text: &str) -> Result<Self, BadSubset> {
        if let Some((number, of)) = text.split_once('/') {
            return group(number, of);
        }
        if let Some(percent) = text.strip_suffix('%') {
            let percent = percent.parse::<f64>().map_err(|_| BadSubset::Form)?;
            let valid = percent > 0.0 && percent <= 100.0;
            return if valid { Ok(ReadSubset::Percent(percent)) } else { Err(BadSubset::Percent) };
        }
        match size(text) {
            None => Err(BadSubset::Form),
            Some(0) => Err(BadSubset::Size),
            Some(bytes) => Ok(ReadSubset::Bytes(bytes)),
        }
    }
}

fn group(number: &str, of: &str) -> Result<ReadSubset, BadSubset> {
    let whole = |text: &str| match text.bytes().all(|digit| digit.is_ascii_digit()) {
        true => text.parse::<u64>().map_err(|_| BadSubset::Form),
        false => Err(BadSubset::Form),
    };
    let (number, of) = (whole(number)?, whole(of)?);
    if number == 0 || number > of {
        return Err(BadSubset::Numbers);
    }
    if of > 256 {
        return Err(BadSubset::Groups);
    }
    let number = u16::try_from(number).map_err(|_| BadSubset::Numbers)?;
    Ok(ReadSubset::Group { number, of: of as u16 })
}

fn size(text: &str) -> Option<u64> {
    let shift = match text.bytes().last()?.to_ascii_lowercase() {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        b't' => 40,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl ReadSubset {
    /// The share of packs to read, in percent, if it is one; `total` is the size of all packs.
    pub fn percent(&self, total: u64) -> Option<f64> {
        match *self {
            ReadSubset::Group { .. } => None,
            ReadSubset::Percent(percent) => Some(percent),
            ReadSubset::Bytes(bytes) if bytes >= total => Some(100.0),
            ReadSubset::Bytes(bytes) => Some(bytes as f64 / total as f64 * 100.0),
        }
    }

    /// Chooses among packs given with their sizes, by the kernel's random numbers where chance decides.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub fn choose(&self, packs: &[(PackId, u64)]) -> Result<Vec<PackId>> {
        self.choose_with(packs, || random::bytes().map(u64::from_le_bytes))
    }

    fn choose_with(
        &self,
        packs: &[(PackId, u64)],
        mut random: impl FnMut() -> Result<u64>,
    ) -> Result<Vec<PackId>> {
        let mut ids: Vec<PackId> = packs.iter().map(|(id, _)| *id).collect();
        let total = packs.iter().map(|(_, size)| size).sum();
        match (*self, self.percent(total)) {
            (ReadSubset::Group { number, of }, _) => {
                ids.retain(|id| u16::from(id.as_bytes()[0]) % of == number - 1);
            }
            (_, percent) => {
                let count = (ids.len() as f64 * percent.unwrap_or(100.0) / 100.0) as usize;
                let count = count.clamp(ids.len().min(1), ids.len());
                for chosen in 0..count {
                    // The bias of the remainder is below 2^-32 for any number of packs.
                    let from_rest = random()? % (ids.len() - chosen) as u64;
                    ids.swap(chosen, chosen + from_rest as usize);
                }
                ids.truncate(count);
            }
        }
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Numbers;

    #[test]
    fn texts_are_read_as_restic_reads_them() {
        let ok = |text: &str, expect| assert_eq!(text.parse(), Ok(expect), "{text}");
        ok("1/1", ReadSubset::Group { number: 1, of: 1 });
        ok("256/256", ReadSubset::Group { number: 256, of: 256 });
        ok("1.5%", ReadSubset::Percent(1.5));
        ok("+5%", ReadSubset::Percent(5.0));
        ok("1e1%", ReadSubset::Percent(10.0));
        ok("1k", ReadSubset::Bytes(1024));
        ok("3T", ReadSubset::Bytes(3 << 40));
        let bad = |text: &str, expect| assert_eq!(text.parse::<ReadSubset>(), Err(expect), "{text}");
        for text in
            ["", "x", "1024", "1kb", "1/2/3", "1/2x", "-1", "5 %", "5000000000000T", "k", "1,5%", "+1/2", "é"]
        {
            bad(text, BadSubset::Form);
        }
        ["0/2", "2/1", "257/256"].into_iter().for_each(|text| bad(text, BadSubset::Numbers));
        bad("1/300", BadSubset::Groups);
        ["0%", "100.1%", "-1%", "NaN%", "inf%"].into_iter().for_each(|text| bad(text, BadSubset::Percent));
        bad("0k", BadSubset::Size);
    }

    fn packs(count: u32) -> Vec<(PackId, u64)> {
        let pack = |n: u32| {
            let mut id = [0; 32];
            id[0] = (n * 37) as u8;
            id[28..].copy_from_slice(&n.to_be_bytes());
            (PackId::from_bytes(id), 100)
        };
        (0..count).map(pack).collect()
    }

    #[test]
    fn all_groups_together_are_all_packs() {
        let packs = packs(300);
        for of in [1, 2, 7, 256] {
            let mut all: Vec<PackId> = (1..=of)
                .flat_map(|number| ReadSubset::Group { number, of }.choose(&packs).unwrap())
                .collect();
            all.sort_unstable();
            let mut expect: Vec<PackId> = packs.iter().map(|(id, _)| *id).collect();
            expect.sort_unstable();
            assert_eq!(all, expect);
        }
    }

    #[test]
    fn shares_are_of_the_number_of_packs() {
        let count = |subset: ReadSubset, packs: &[(PackId, u64)]| {
            let mut numbers = Numbers(77);
            let mut chosen = subset.choose_with(packs, || Ok(numbers.below(u64::MAX))).unwrap();
            chosen.sort_unstable();
            chosen.dedup();
            chosen.len()
        };
        let packs = packs(200);
        assert_eq!(count(ReadSubset::Percent(100.0), &packs), 200);
        assert_eq!(count(ReadSubset::Percent(2.9), &packs), 5);
        assert_eq!(count(ReadSubset::Percent(0.001), &packs), 1);
        assert_eq!(count(ReadSubset::Percent(50.0), &[]), 0);
        assert_eq!(count(ReadSubset::Bytes(1), &packs), 1);
        assert_eq!(count(ReadSubset::Bytes(5000), &packs), 50);
        assert_eq!(count(ReadSubset::Bytes(u64::MAX), &packs), 200);
        assert_eq!(ReadSubset::Bytes(1024).percent(4096), Some(25.0));
    }
}
