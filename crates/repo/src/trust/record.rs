//! Remembers what was seen, so that two programs at once take nothing back that the other learnt.

use super::judge::Findings;
use super::known::{Files, Known, MOST_GONE};
use super::names::Name;
use super::view::{Seen, View};

impl Known {
    /// Takes over what was seen at `time` (seconds since 1970).
    ///
    /// `before` is what was known when the command began, from which `findings` were judged; `self` may know more by
    /// now, from a program beside us. A name goes one way only, from unknown to seen to gone, so that the order
    /// in which two of them write does not matter. While a repository has gone back in time nothing is taken for gone.
    pub fn record(&mut self, before: &Known, view: &View, findings: &Findings, time: i64) {
        self.looks = self.looks.saturating_add(1);
        self.time = self.time.max(time);
        let look = self.looks;
        let is_trusted = !findings.went_back();
        for ((files, before), seen) in self.files_mut().into_iter().zip(before.files()).zip(&view.kinds) {
            if is_trusted {
                for name in missing(before, seen) {
                    files.miss(name, look);
                }
            }
            seen.removed.iter().for_each(|name| files.miss(*name, look));
            let listed = seen.listed.iter().flat_map(|listed| listed.keys());
            let met = listed.chain(&seen.saved).filter(|name| !seen.removed.contains(*name));
            met.for_each(|name| files.meet(*name, look));
            files.gone.keep_latest(MOST_GONE);
        }
        self.went_back.clone_from(&findings.went_back);
    }

    /// Takes what was seen for the truth, also where it is not what was known.
    pub fn accept(&mut self, view: &View, time: i64) {
        self.looks = self.looks.saturating_add(1);
        self.time = time;
        let look = self.looks;
        for (files, seen) in self.files_mut().into_iter().zip(&view.kinds) {
            let known = Files::clone(files);
            missing(&known, seen).for_each(|name| files.miss(name, look));
            for name in seen.listed.iter().flat_map(|listed| listed.keys()).chain(&seen.saved) {
                files.gone.remove(name);
                files.meet(*name, look);
            }
            files.gone.keep_latest(MOST_GONE);
        }
        self.went_back = None;
    }
}

/// What was there before and is not in a listing.
fn missing<'a>(before: &'a Files, seen: &'a Seen) -> impl Iterator<Item = Name> + 'a {
    let listed = seen.listed.as_ref();
    let is_missing = move |name: &Name| {
        listed.is_some_and(|listed| !listed.contains_key(name)) && !seen.saved.contains(name)
    };
    before.seen.iter().map(|(name, _)| *name).filter(is_missing)
}
