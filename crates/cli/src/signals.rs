//! Signals: the first asks for an orderly end, a second one leaves at once.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::{Handle, Signals};
use std::sync::Arc;
use std::thread::JoinHandle;
use tresor_backend::Cancel;
use tresor_backend::cancel::Reason;

use crate::exit::Code;
use crate::ui::Ui;

/// Listens for signals until it is dropped.
pub(crate) struct Listener {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// Starts listening: SIGINT and SIGTERM cancel, SIGUSR1 shows the progress, SIGHUP is ignored.
///
/// SIGHUP must not end us: restic finds out whether the owner of a lock lives by sending it.
pub(crate) fn listen(cancel: Cancel, ui: Arc<Ui>) -> std::io::Result<Listener> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1])?;
    let handle = signals.handle();
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGINT | SIGTERM if cancel.reason() == Some(Reason::Interrupted) => {
                    std::process::exit(Code::Interrupted as i32)
                }
                SIGINT | SIGTERM => {
                    let name = if signal == SIGINT { "interrupt" } else { "terminated" };
                    ui.error(&format!("\rsignal {name} received, cleaning up "));
                    cancel.set(Reason::Interrupted);
                }
                SIGUSR1 => ui.show_progress_now(),
                _ => {}
            }
        }
    })?;
    Ok(Listener { handle, thread: Some(thread) })
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it only ends by itself; a panic there has nothing left to protect
        }
    }
}
