//! The samples that `perf report` tells, and what share of all of them something has.

use super::groups;
use crate::Result;
use std::collections::HashMap;

/// All samples of a recording.
pub(super) struct Shares {
    symbols: Vec<Symbol>,
    total: u64,
    samples: u64,
}

/// A function in a program, a library or the kernel, and how long it was seen at work.
pub(super) struct Symbol {
    pub(super) name: String,
    pub(super) object: String,
    pub(super) group: &'static str,
    period: u64,
}

impl Shares {
    /// Reads lines of period, number of samples, object and symbol, divided by tabs.
    pub(super) fn parse(report: &str) -> Result<Self> {
        let mut shares = Shares { symbols: Vec::new(), total: 0, samples: 0 };
        for line in report.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let (samples, symbol) = parse_line(line).ok_or_else(|| format!("perf says {line:?}"))?;
            shares.total += symbol.period;
            shares.samples += samples;
            shares.symbols.push(symbol);
        }
        if shares.total == 0 {
            return Err("perf recorded nothing".into());
        }
        shares.symbols.sort_by(|a, b| b.period.cmp(&a.period).then_with(|| a.name.cmp(&b.name)));
        Ok(shares)
    }

    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// The share that this symbol has.
    pub(super) fn of(&self, symbol: &Symbol) -> f64 {
        symbol.period as f64 / self.total as f64
    }

    /// So many symbols, the largest first.
    pub(super) fn largest(&self, count: usize) -> &[Symbol] {
        &self.symbols[..count.min(self.symbols.len())]
    }

    /// The share of each group, the largest first.
    pub(super) fn by_group(&self) -> Vec<(String, f64)> {
        self.by(|symbol| symbol.group)
    }

    /// The share of each program, library and of the kernel, the largest first.
    pub(super) fn by_object(&self) -> Vec<(String, f64)> {
        self.by(|symbol| &symbol.object)
    }

    fn by<'a>(&'a self, key: impl Fn(&'a Symbol) -> &'a str) -> Vec<(String, f64)> {
        let mut sums: HashMap<&str, u64> = HashMap::new();
        for symbol in &self.symbols {
            *sums.entry(key(symbol)).or_default() += symbol.period;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by(|(a, one), (b, other)| other.cmp(one).then_with(|| a.cmp(b)));
        sums.into_iter().map(|(name, sum)| (name.to_owned(), sum as f64 / self.total as f64)).collect()
    }
}

fn parse_line(line: &str) -> Option<(u64, Symbol)> {
    let mut fields = line.splitn(4, '\t').map(str::trim);
    let (period, samples) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let (object, symbol) = (fields.next()?.to_owned(), fields.next()?);
    let name = symbol.split_once("] ").map_or(symbol, |(_, name)| name).to_owned();
    let group = groups::of(&object, &name);
    Some((samples, Symbol { name, object, group, period }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = " 250000\t 1 \t[kernel.kallsyms]   \t[k] clear_page_erms\n\
        \n750000\t3\ttresor\t[.] <sha2::Sha256 as digest::Update>::update\n\
        1000000\t4\tlibc.so.6\t[.] __memmove_avx_unaligned_erms\n\
        500000\t2\ttresor\t[.] tresor_repo::pack::write\n";

    #[test]
    fn samples_are_summed_by_group_and_by_object() {
        let shares = Shares::parse(REPORT).unwrap();
        assert_eq!(shares.samples(), 10);
        let owned = |list: [(&str, f64); 4]| list.map(|(name, share)| (name.to_owned(), share));
        let groups = [("memory copies", 0.4), ("SHA-256", 0.3), ("rest", 0.2), ("kernel", 0.1)];
        assert_eq!(shares.by_group(), owned(groups));
        let objects: Vec<_> = shares.by_object().into_iter().map(|(name, _)| name).collect();
        assert_eq!(objects, ["tresor", "libc.so.6", "[kernel.kallsyms]"]);
        assert_eq!(shares.largest(1)[0].name, "__memmove_avx_unaligned_erms");
        assert_eq!(shares.largest(9).len(), 4);
    }

    #[test]
    fn a_report_of_nothing_or_of_something_else_is_refused() {
        assert!(Shares::parse("# a heading\n\n").is_err());
        assert!(Shares::parse("43.2%\ttresor\tmain\n").is_err());
    }
}
