//! A ticker that shows how far an operation is, as often as the style asks for.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tresor_backend::Cancel;
use tresor_backend::cancel::Reason;

use super::Ui;
use crate::units;

/// What a status is made of, at one moment.
pub(crate) trait Status: Send + Sync {
    /// Lines for people; `elapsed` since the start.
    fn lines(&self, elapsed: Duration) -> Vec<String>;
    /// A message for programs, already encoded; none if this operation has no such message.
    fn json(&self, elapsed: Duration) -> Option<Vec<u8>>;
}

/// Shows a status until it is dropped or finished.
pub(crate) struct Ticker {
    ui: Arc<Ui>,
    stop: Cancel,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts showing `status` if the style asks for it: on a terminal, in JSON, or when a rate was set.
    pub(crate) fn start(ui: &Arc<Ui>, status: Arc<dyn Status>) -> Ticker {
        let stop = Cancel::new();
        let quiet = ui.style.verbosity == 0;
        let json = ui.is_json() && ui.style.json_replaces_text;
        let fps = ui.style.fps.unwrap_or(if json || ui.style.terminal.is_some() { 10.0 } else { 0.0 });
        let mut ticker = Ticker { ui: Arc::clone(ui), stop: stop.clone(), thread: None };
        if !quiet {
            let (ui, period) =
                (Arc::clone(ui), Duration::from_secs_f64(1.0 / if fps > 0.0 { fps } else { 10.0 }));
            let work = move || tick(&ui, &*status, &stop, period, fps > 0.0, json);
            // Without a thread the work goes on all the same, only unseen.
            ticker.thread = std::thread::Builder::new().name("status".into()).spawn(work).ok();
        }
        ticker
    }
}

fn tick(ui: &Ui, status: &dyn Status, stop: &Cancel, period: Duration, steady: bool, json: bool) {
    let start = Instant::now();
    while !stop.sleep(period) {
        if !(ui.progress_was_wanted() || steady) {
            continue;
        }
        if !json {
            ui.set_status(status.lines(start.elapsed()));
        } else if let Some(message) = status.json(start.elapsed()) {
            ui.text(&message);
            ui.flush();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.set(Reason::Failed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it only draws; the operation's result does not depend on it
        }
        self.ui.end_status();
    }
}

/// `[0:12] 34.00%  17 / 50 snapshots`, restic's counter line; a total of 0 or none leaves the share out.
pub(crate) fn counter(elapsed: Duration, done: u64, total: Option<u64>, what: &str) -> String {
    let time = units::elapsed(elapsed);
    match total {
        Some(total) if total > 0 => {
            format!("[{time}] {}  {done} / {total} {what}", units::percent(done, total))
        }
        _ => format!("[{time}]          {done} {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_those_of_restic() {
        let check =
            |done, total, expect: &str| assert_eq!(counter(Duration::ZERO, done, total, "packs"), expect);
        check(5, Some(5), "[0:00] 100.00%  5 / 5 packs");
        check(1, Some(3), "[0:00] 33.33%  1 / 3 packs");
        check(0, Some(0), "[0:00]          0 packs");
    }
}
