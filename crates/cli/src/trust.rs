//! The trust store as one command uses it: loaded once, compared once, written at the end.

mod address;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tresor_repo::trust::{Entry, Findings, Identity, Known, Store, View};

use crate::environment::Environment;

pub(crate) use address::address;

/// What is remembered of the repository of a session, and what was seen of it.
#[derive(Default)]
pub(crate) struct Trust {
    state: Mutex<State>,
    /// Whether a server was spoken to without encryption.
    pub(crate) was_plain: Arc<AtomicBool>,
}

/// The same, to be changed by one thread at a time.
#[derive(Default)]
pub(crate) struct State {
    /// Where it is remembered; none if nothing can be.
    pub(crate) file: Option<File>,
    /// What was remembered when the command began.
    pub(crate) entry: Option<Entry>,
    /// What is seen meanwhile.
    pub(crate) view: Arc<Mutex<View>>,
    /// The repository that was opened, if it is one that is expected.
    pub(crate) identity: Option<Identity>,
    /// Whether the command changes the repository; others remember nothing.
    pub(crate) changes: bool,
    /// What the comparison found.
    pub(crate) findings: Option<Findings>,
}

/// A place in the store.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) store: Store,
    pub(crate) address: String,
}

impl Trust {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is known of the repository that was opened.
    pub(crate) fn known(&self) -> Option<&Known> {
        self.entry.as_ref()?.known(self.identity.as_ref()?)
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> View {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The folder of the store, if the environment names one.
pub(crate) fn folder(environment: &Environment) -> Option<PathBuf> {
    let named = environment.setting("STATE_DIR").map(PathBuf::from);
    let xdg = || environment.get("XDG_STATE_HOME").map(|state| PathBuf::from(state).join("tresor"));
    let home = || environment.get("HOME").map(|home| PathBuf::from(home).join(".local/state/tresor"));
    let found = named.or_else(|| xdg().filter(|folder| folder.is_absolute())).or_else(home);
    found.map(|folder| folder.join("trust"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_named_by_variables() {
        let folder = |pairs: [(&str, &str); 2]| folder(&Environment::from(pairs));
        let home = ("HOME", "/home/me");
        assert_eq!(folder([home, ("X", "")]), Some("/home/me/.local/state/tresor/trust".into()));
        assert_eq!(folder([home, ("XDG_STATE_HOME", "/state")]), Some("/state/tresor/trust".into()));
        assert_eq!(
            folder([home, ("XDG_STATE_HOME", "state")]),
            Some("/home/me/.local/state/tresor/trust".into())
        );
        assert_eq!(folder([home, ("TRESOR_STATE_DIR", "/here")]), Some("/here/trust".into()));
        assert_eq!(folder([("X", ""), ("Y", "")]), None);
    }
}
