//! How notes of the libraries are worded.

use tresor_repo::monitor::Note;

use super::Ui;

/// Shows a note.
pub(crate) fn show(ui: &Ui, note: &Note) {
    match note {
        Note::WaitingForLock { at_most } => {
            ui.print(&format!("repo already locked, waiting up to {} for the lock", go_duration(at_most.as_secs())));
        }
        Note::NoCache { cause } => ui.error(&format!("unable to open cache: {cause}; going on without it")),
        Note::NewCache { folder } => ui.print_on_terminal(&format!("created new cache in {}", folder.display())),
        Note::LockNotRefreshed { cause } => ui.error(&format!("unable to refresh lock: {cause}")),
        _ => {}
    }
}

/// Whole seconds as Go prints a duration: `0s`, `1m30s`, `2h0m0s`.
fn go_duration(seconds: u64) -> String {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (h, m) {
        (0, 0) => format!("{s}s"),
        (0, _) => format!("{m}m{s}s"),
        _ => format!("{h}h{m}m{s}s"),
    }
}
