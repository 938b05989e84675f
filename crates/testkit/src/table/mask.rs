//! What two runs cannot have in common: new ids, times, durations, sizes of what is compressed.

use regex::{Captures, Regex};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// JSON numbers and strings that are never the same twice.
const NEVER_THE_SAME: [&str; 4] = ["duration", "total_duration", "seconds_elapsed", "seconds_remaining"];
/// Sizes after compression: other programs compress differently.
const COMPRESSED: [&str; 4] = ["data_added_packed", "data_size_in_repo", "metadata_size_in_repo", "pid"];
/// What follows from inode numbers and times of change, if the source was made anew between the runs.
const UNSTABLE: [&str; 6] = ["data_added", "data_size", "metadata_size", "inode", "device_id", "ino"];

macro_rules! pattern {
    ($text:expr $(,)?) => {
        LazyLock::new(|| Regex::new($text).expect("a pattern of ours is well-formed"))
    };
}

static ID: LazyLock<Regex> = pattern!(r"\b(?:[0-9a-f]{64}|[0-9a-f]{10}|[0-9a-f]{8})\b");
static TIME: LazyLock<Regex> = pattern!(
    r"(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| [+-]\d{4} [^\s>]+(?: m=[^\s>]+)?|[+-]\d\d:?\d\d)?",
);
static ELAPSED: LazyLock<Regex> = pattern!(r"(\bin |\[)\d+:\d\d(?::\d\d)?");
static SECONDS: LazyLock<Regex> = pattern!(r"\b(?:\d+[hm])*\d+(?:\.\d+)?(?:ms|µs|s)\b");
static STORED: LazyLock<Regex> = pattern!(r"[\d.]+ [KMGT]?i?B +(stored|metadata)");
static PROCESS: LazyLock<Regex> = pattern!(r#"(PID |"pid": )\d+"#);
static ADDED: LazyLock<Regex> =
    pattern!(r"(to the repository: )[\d.]+ [KMGT]?i?B +|[\d.]+ [KMGT]?i?B (added)");

/// What is hidden of one case before its two runs are compared.
#[derive(Debug, Clone)]
pub(super) struct Masks {
    known: BTreeSet<String>,
    beginnings: BTreeSet<String>,
    stable: bool,
    days: [String; 3],
    own: Vec<Regex>,
}

impl Masks {
    /// `known` ids are shown; `stable` says that both runs read the very same source.
    pub(super) fn new(known: &BTreeSet<String>, stable: bool, own: &[String]) -> Result<Self, String> {
        let beginnings = known.iter().flat_map(|id| [id[..8].to_owned(), id[..10].to_owned()]).collect();
        let own = own.iter().map(|text| Regex::new(text).map_err(|e| e.to_string()));
        Ok(Masks {
            known: known.clone(),
            beginnings,
            stable,
            days: days(),
            own: own.collect::<Result<_, _>>()?,
        })
    }

    /// Whether an id is one of the scene's.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.known.contains(id) || self.beginnings.contains(id)
    }

    /// Whether trees are the same in both runs.
    pub(super) fn stable(&self) -> bool {
        self.stable
    }

    /// Output, line by line.
    pub(super) fn lines(&self, output: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(output);
        let mut lines: Vec<String> = text.lines().filter_map(|line| self.line(line)).collect();
        if !text.is_empty() && !text.ends_with('\n') {
            lines.push("(no line end)".into());
        }
        lines
    }

    /// A line of output; none if it is one of the messages that come by the clock.
    fn line(&self, line: &str) -> Option<String> {
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        match value {
            Value::Object(map) if map.get("message_type").is_some_and(|kind| kind == "status") => None,
            Value::Object(_) | Value::Array(_) => Some(self.json(&serde_json::from_str(line).ok()?)),
            _ => Some(self.text(line)),
        }
    }

    /// A JSON value, on one line.
    pub(super) fn json(&self, value: &Value) -> String {
        let mut value = value.clone();
        self.hide(&mut value);
        self.own.iter().fold(value.to_string(), |text, own| own.replace_all(&text, "<masked>").into_owned())
    }

    fn hide(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide(value)),
            Value::Object(map) => {
                for (key, value) in map {
                    let always = NEVER_THE_SAME.iter().chain(&COMPRESSED);
                    let here = if self.stable { &[][..] } else { &UNSTABLE };
                    match always.chain(here).any(|name| name == key) {
                        true => *value = Value::from("<masked>"),
                        // The manual's row `program_version in snapshots`.
                        false if key == "program_version" => *value = Value::from("<program>"),
                        false => self.hide(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// Any text.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for own in &self.own {
            text = own.replace_all(&text, "<masked>").into_owned();
        }
        text = TIME.replace_all(&text, |found: &Captures| self.time(found)).into_owned();
        text = ID.replace_all(&text, |found: &Captures| self.id(&found[0])).into_owned();
        text = ELAPSED.replace_all(&text, "${1}<elapsed>").into_owned();
        text = SECONDS.replace_all(&text, "<seconds>").into_owned();
        text = STORED.replace_all(&text, "<size> ${1}").into_owned();
        if !self.stable {
            text = ADDED.replace_all(&text, "${1}<size> ${2}").into_owned();
        }
        PROCESS.replace_all(&text, "${1}<pid>").into_owned()
    }

    fn id(&self, id: &str) -> String {
        if self.knows(id) { id.to_owned() } else { "<id>".to_owned() }
    }

    /// Times of today and its neighbours are those of this very run.
    fn time(&self, found: &Captures) -> String {
        if self.days.iter().any(|day| *day == found[1]) { "<now>".to_owned() } else { found[0].to_owned() }
    }
}

/// Yesterday, today, tomorrow.
fn days() -> [String; 3] {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    let today = i64::try_from(since.as_secs() / 86_400).expect("days since 1970 are few");
    [today - 1, today, today + 1].map(date)
}

/// The date of a day counted from 1970-01-01, in the calendar of today.
fn date(days: i64) -> String {
    // Counted from a first of March, leap days come last and months follow one formula.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day = day_of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{:02}", day - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(stable: bool) -> Masks {
        let known = BTreeSet::from(["0123456789abcdef".repeat(4)]);
        Masks::new(&known, stable, &["secret[0-9]".to_owned()]).unwrap()
    }

    #[test]
    fn dates_are_counted() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(20_088), "2024-12-31");
    }

    #[test]
    fn known_ids_stay_and_new_ones_go() {
        assert_eq!(masks(true).text("snapshot 01234567 parent deadbeef"), "snapshot 01234567 parent <id>");
        assert_eq!(masks(true).text("secret7"), "<masked>");
    }

    #[test]
    fn only_times_of_this_run_go() {
        let [_, today, _] = days();
        assert_eq!(masks(true).text(&format!("{today} 10:00:00.5 +0000 UTC by")), "<now> by");
        assert_eq!(masks(true).text("2024-02-03 10:00:00 +0000 UTC"), "2024-02-03 10:00:00 +0000 UTC");
        assert_eq!(masks(true).text("processed 2 files in 0:01"), "processed 2 files in <elapsed>");
        assert_eq!(masks(true).text("[0:00] 100.00%"), "[<elapsed>] 100.00%");
    }

    #[test]
    fn json_is_compared_as_values_without_what_is_never_the_same() {
        let lines = masks(false)
            .lines(b"{\"message_type\":\"status\"}\n{ \"duration\":1.5, \"inode\":7, \"a\":1 }\n");
        assert_eq!(lines, ["{\"duration\":\"<masked>\",\"inode\":\"<masked>\",\"a\":1}"]);
        assert_eq!(masks(true).lines(b"x"), ["x", "(no line end)"]);
    }
}
