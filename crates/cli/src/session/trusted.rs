//! What a session remembers of its repository, and what it makes of what it finds.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use tresor_backend::location::Place;
use tresor_backend::net::{Pin, inspect};
use tresor_backend::{Backend, FileKind, Location};
use tresor_repo::Repository;
use tresor_repo::handle::{Read, Right};
use tresor_repo::trust::{Entry, Findings, Identity, Known, Store, Unusable, Watch, judge};

use super::Session;
use crate::causes::chain;
use crate::exit::{Failure, Result};
use crate::trust::{self, File, State};
use crate::ui::trust::Finding;
use crate::{backends, certificates};

/// How a server that is remembered may be spoken to.
#[derive(Default)]
pub(crate) struct Remembered {
    pub(crate) plaintext: bool,
    pub(crate) pins: Vec<Pin>,
}

const STRANGER: &str = "if it is you who made it, or put it there: `trust accept` accepts it";
const WENT_BACK: &str =
    "if it is you who brought an earlier state back: `trust accept`, or `--accept-rollback` for this command";

impl Session {
    /// Looks up what is remembered of a location, before anything is said to it.
    pub(crate) fn recall(&self, location: &Location) -> Remembered {
        let Some(folder) = trust::folder(&self.environment) else { return Remembered::default() };
        let address = trust::address(location, &self.environment);
        let file = File { store: Store::new(folder), address };
        let mut state = self.trust.state();
        *state = State::default();
        match file.store.load(&file.address) {
            Ok(entry) => {
                (state.file, state.entry) = (Some(file), entry);
                let entry = state.entry.as_ref();
                entry.map_or_else(Remembered::default, |entry| Remembered {
                    plaintext: entry.plaintext,
                    pins: entry.pins.clone(),
                })
            }
            Err(error) => {
                self.cannot_remember(&error, "nothing is compared with it; `trust accept` begins anew");
                Remembered::default()
            }
        }
    }

    /// A backend whose listings are noticed.
    pub(super) fn watched(&self, backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        Arc::new(Watch::new(backend, Arc::clone(&self.trust.state().view)))
    }

    /// Looks whether an opened repository is the one that is expected at its address.
    ///
    /// # Errors
    /// It is another, and the command `changes` it; commands that read are told.
    pub(super) fn identify<R: Right>(&self, repository: &Repository<R>, changes: bool) -> Result<()> {
        self.remember_plaintext();
        let identity = Identity::from(repository.config());
        let mut state = self.trust.state();
        let expected = state.entry.as_ref().map_or(&[][..], |entry| &entry.repositories);
        if !expected.is_empty() && !expected.iter().any(|known| known.identity == identity) {
            let what = stranger(&identity, expected);
            drop(state);
            return match changes {
                true => Err(Failure::fatal(format!("{what}; nothing is written to it")).hint(STRANGER)),
                false => {
                    self.ui.finding(Finding::OtherRepository, &what, &Findings::default());
                    Ok(())
                }
            };
        }
        (state.identity, state.changes) = (Some(identity), changes);
        Ok(())
    }

    /// Remembers a repository that was just made, unless another one is expected at its address.
    pub(crate) fn remember_new<R: Right>(&self, repository: &Repository<R>) {
        let identity = Identity::from(repository.config());
        let mut state = self.trust.state();
        let expected = state.entry.as_ref().map_or(&[][..], |entry| &entry.repositories);
        if expected.is_empty() {
            (state.identity, state.changes) = (Some(identity), true);
            drop(state);
            return self.remember();
        }
        let what = stranger(&identity, expected);
        drop(state);
        self.ui.finding(Finding::OtherRepository, &format!("{what}; {STRANGER}"), &Findings::default());
    }

    /// This run changes nothing, and so nothing is remembered of it.
    pub(crate) fn remember_nothing(&self) {
        self.trust.state().changes = false;
    }

    /// Compares what was listed so far with what is known, once, and tells what is to be told.
    pub(crate) fn compare(&self) {
        let mut state = self.trust.state();
        if state.findings.is_some() {
            return;
        }
        let Some(known) = state.known() else { return };
        let (seen, snapshots) = (state.seen(), known.snapshots());
        let findings = judge(known, &seen);
        state.findings = Some(findings.clone());
        drop(state);
        if findings.went_back() {
            self.ui.finding(Finding::WentBack, &went_back(&findings), &findings);
        } else if !findings.vanished.is_empty() && !self.global.quiet {
            self.ui.finding(Finding::Vanished, &vanished(&findings, snapshots), &findings);
        }
    }

    /// Lets nobody remove anything from a repository that went back in time, unless that is accepted.
    ///
    /// # Errors
    /// It did; what must be listed to know it cannot be.
    pub(crate) fn beware_of_rollback<R: Right>(
        &self,
        repository: &Repository<R>,
        accept: bool,
    ) -> Result<()> {
        if self.trust.state().known().is_none() {
            return Ok(());
        }
        // Keys were listed if the password was looked for among them; if not, snapshots and index tell enough.
        for kind in [FileKind::Snapshot, FileKind::Index] {
            if !self.trust.state().seen().has_listed(kind) {
                repository.list(kind)?;
            }
        }
        let state = self.trust.state();
        let findings = state.known().map(|known| judge(known, &state.seen()));
        drop(state);
        let Some(findings) = findings.filter(Findings::went_back) else { return Ok(()) };
        if !accept {
            // The error says it; it is not said twice.
            self.trust.state().findings = Some(findings.clone());
            let what = went_back(&findings);
            return Err(Failure::fatal(format!("refusing to remove anything: {what}")).hint(WENT_BACK));
        }
        self.accept(false)
    }

    /// Opens the repository that is to be accepted at its address, whatever is expected there.
    ///
    /// # Errors
    /// There is no folder for the store; those of opening.
    pub(crate) fn open_to_accept(&self) -> Result<(Repository<Read>, File)> {
        let file = self.trust_file()?;
        let repository = self.open_uncached(self.handle()?.read())?;
        let mut state = self.trust.state();
        // What cannot be understood is taken away.
        if state.file.is_none() {
            file.store.forget(&file.address).map_err(|error| Failure::fatal(chain(&error)))?;
            state.file = Some(file.clone());
        }
        state.identity = Some(Identity::from(repository.config()));
        Ok((repository, file))
    }

    /// Where what is known of the repository's address is kept.
    ///
    /// # Errors
    /// No location, or no folder for the store.
    pub(crate) fn trust_file(&self) -> Result<File> {
        let address = trust::address(&self.location()?, &self.environment);
        Ok(File { store: self.trust_store()?, address })
    }

    /// The trust store.
    ///
    /// # Errors
    /// The environment names no folder for it.
    pub(crate) fn trust_store(&self) -> Result<Store> {
        let missing = || {
            Failure::fatal("unable to locate the folder of the trust store")
                .hint("`TRESOR_STATE_DIR` names it; else it is below `XDG_STATE_HOME` or `HOME`")
        };
        trust::folder(&self.environment).map(Store::new).ok_or_else(missing)
    }

    /// Takes the repository as it was seen for the truth; may also remember what the flags say of its server.
    ///
    /// # Errors
    /// That cannot be written.
    pub(crate) fn accept(&self, with_server: bool) -> Result<()> {
        let mut state = self.trust.state();
        let (Some(file), Some(identity)) = (state.file.clone(), state.identity.clone()) else {
            return Ok(()); // nothing was compared, so nothing is to be accepted
        };
        let (seen, was_plain) = (state.seen(), self.trust.was_plain.load(Ordering::Relaxed));
        let accepted = file.store.update(&file.address, |entry| {
            entry.expect(&identity).accept(&seen, tresor_repo::clock::now().0);
            if with_server && !self.global.tls_pin.is_empty() {
                entry.pins.clone_from(&self.global.tls_pin);
            }
            entry.plaintext |= with_server && self.global.insecure_plaintext && was_plain;
            entry.clone()
        });
        let entry = accepted.map_err(|error| Failure::fatal(format!("trust store: {}", chain(&error))))?;
        (state.entry, state.findings) = (Some(entry), None);
        Ok(())
    }

    /// Compares, and remembers what this command saw and did, if it is one that changes the repository.
    pub(crate) fn remember(&self) {
        self.compare();
        let state = self.trust.state();
        let (true, Some(file), Some(identity)) = (state.changes, &state.file, &state.identity) else {
            return;
        };
        let (seen, findings) = (state.seen(), state.findings.clone().unwrap_or_default());
        let pin = self.first_pin(state.entry.as_ref());
        let before = state.known().cloned().unwrap_or_else(|| Known::new(identity.clone()));
        let written = file.store.update(&file.address, |entry| {
            entry.expect(identity).record(&before, &seen, &findings, tresor_repo::clock::now().0);
            entry.pins.extend(pin);
        });
        drop(state);
        if let Err(error) = written {
            self.cannot_remember(&error, "nothing is remembered of this run");
        }
    }

    /// The key of a server whose certificate nobody verifies, when nothing is known of it: from now on it has to be this.
    fn first_pin(&self, entry: Option<&Entry>) -> Option<Pin> {
        let is_first = self.global.tls_pin.is_empty() && entry.is_none_or(|entry| entry.pins.is_empty());
        if !self.global.insecure_tls || !is_first {
            return None;
        }
        let location = self.location().ok()?;
        if !matches!(location.place(), Place::Rest { .. } | Place::WebDav { .. } | Place::S3(_)) {
            return None;
        }
        let (host, port) = certificates::server(&location.to_string()).ok()?;
        let network = backends::network(&self.global, &self.environment).ok()?;
        // A server that was just spoken to and does not answer is asked next time.
        let pin = inspect(&host, port, &network).ok()?.chain.first()?.pin;
        self.ui.print(&format!("the key of the server is remembered: {pin}"));
        Some(pin)
    }

    /// Remembers that plain HTTP was allowed by a flag, where it was spoken.
    fn remember_plaintext(&self) {
        if !self.global.insecure_plaintext || !self.trust.was_plain.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.trust.state();
        let Some(file) = state.file.clone() else { return };
        if state.entry.as_ref().is_some_and(|entry| entry.plaintext) {
            return;
        }
        let written = file.store.update(&file.address, |entry| {
            entry.plaintext = true;
            entry.clone()
        });
        match written {
            Ok(entry) => state.entry = Some(entry),
            Err(error) => {
                drop(state);
                self.cannot_remember(&error, "plain HTTP has to be allowed again next time");
            }
        }
    }

    fn cannot_remember(&self, error: &Unusable, then: &str) {
        self.ui.error(&format!("trust store: {}; {then}", chain(error)));
    }
}

/// That another repository is there.
fn stranger(identity: &Identity, expected: &[Known]) -> String {
    match expected.iter().find(|known| known.identity.id == identity.id) {
        Some(known) => format!(
            "the repository {} has another chunker polynomial than before ({} instead of {})",
            identity.id.short(),
            identity.polynomial,
            known.identity.polynomial
        ),
        None => {
            let known: Vec<String> = expected.iter().map(|known| known.identity.id.short()).collect();
            format!(
                "another repository is at this address than before ({} instead of {})",
                identity.id.short(),
                known.join(" or ")
            )
        }
    }
}

/// That a repository went back, and how one knows.
fn went_back(findings: &Findings) -> String {
    let mut text = "the repository went back in time".to_owned();
    if let Some((before, now)) = findings.snapshots {
        text += &format!(", from {before} snapshots to {now}");
    }
    if findings.returned() > 0 {
        text += &format!("; files that were removed are there again ({})", findings.returned());
    }
    let (snapshots, indexes) = findings.lost();
    if snapshots + indexes > 0 {
        text += &format!("; its latest are gone (snapshots: {snapshots}, index files: {indexes})");
    }
    text
}

/// Which snapshots are gone.
fn vanished(findings: &Findings, before: usize) -> String {
    const SHOWN: usize = 5;
    let count = findings.vanished.len();
    let mut names: Vec<String> = findings.vanished.iter().take(SHOWN).map(|name| name.short()).collect();
    if count > SHOWN {
        names.push(format!("and {} more", count - SHOWN));
    }
    let names = names.join(", ");
    format!(
        "{count} of {before} snapshots are not there any more: {names}; somebody removed them, or hides them"
    )
}
