//! Everything said to people and programs goes through here.
//!
//! Results go to stdout, errors to stderr, as text or as JSON lines. On a terminal a status is kept below the
//! text and redrawn; elsewhere nothing but results is printed.

pub(crate) mod backup;
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod counters;
pub(crate) mod find;
pub(crate) mod json;
pub(crate) mod schema;
pub(crate) mod errors;
pub(crate) mod ls;
pub(crate) mod notes;
pub(crate) mod progress;
pub(crate) mod prune;
pub(crate) mod repair;
pub(crate) mod restore;
pub(crate) mod stats;
pub(crate) mod table;
pub(crate) mod traffic;
pub(crate) mod trust;
pub(crate) mod snapshots;
pub(crate) mod forget;
pub(crate) mod terminal;

use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, BufWriter, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tresor_backend::cancel::Reason;
use tresor_backend::{Cancel, shown};

use crate::causes::chain;
use crate::exit::{Code, Failure};
use errors::{ExitError, Warning};
use terminal::Terminal;

/// How to talk.
pub(crate) struct Style {
    /// 0 quiet to 3 very verbose.
    pub(crate) verbosity: u8,
    /// Whether results are JSON.
    pub(crate) json: bool,
    /// Whether `--json` replaces the text of this command (some commands print their text all the same).
    pub(crate) json_replaces_text: bool,
    /// Updates of the status a second, if asked for; else 10 on a terminal and in JSON, none elsewhere.
    pub(crate) fps: Option<f64>,
    /// The terminal on stdout, if there is one that can redraw lines.
    pub(crate) terminal: Option<Terminal>,
    /// Whether stdout is a terminal of any kind.
    pub(crate) stdout_is_terminal: bool,
    /// Whether hints follow errors.
    pub(crate) hints: bool,
}

impl Style {
    /// Text for a file or a pipe.
    pub(crate) fn plain(verbosity: u8) -> Self {
        Style {
            verbosity,
            json: false,
            json_replaces_text: false,
            fps: None,
            terminal: None,
            stdout_is_terminal: false,
            hints: false,
        }
    }
}

/// The voice of the program.
pub(crate) struct Ui {
    pub(crate) style: Style,
    out: Mutex<Output>,
    cancel: Cancel,
    progress_wanted: AtomicBool,
}

struct Output {
    stdout: BufWriter<Stdout>,
    status: Vec<String>,
    failed: Option<io::Error>,
}

impl Ui {
    /// A voice of this style; a reader that goes away cancels the run.
    pub(crate) fn new(style: Style, cancel: Cancel) -> Self {
        let output = Output {
            stdout: BufWriter::with_capacity(1 << 16, io::stdout()),
            status: Vec::new(),
            failed: None,
        };
        Ui { style, out: Mutex::new(output), cancel, progress_wanted: AtomicBool::new(false) }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.style.json
    }

    /// Whether results are JSON and nothing else.
    pub(crate) fn json_replaces_text(&self) -> bool {
        self.style.json && self.style.json_replaces_text
    }

    /// How much text is wanted: 0 to 3; 0 where JSON replaces the text.
    pub(crate) fn verbosity(&self) -> u8 {
        if self.json_replaces_text() { 0 } else { self.style.verbosity }
    }

    /// Whether anybody sees how far an operation is: on a terminal, in JSON, at a rate that was asked for, or by `-v`.
    pub(crate) fn shows_progress(&self) -> bool {
        let style = &self.style;
        let steady = style.json || style.terminal.is_some() || style.fps.is_some();
        style.verbosity > 1 || (style.verbosity > 0 && steady)
    }

    /// Whether nothing but JSON may be printed; under the name `restic` some texts remain.
    pub(crate) fn is_json_only(&self) -> bool {
        self.style.json && self.style.hints
    }

    /// An error or warning: stderr, always.
    pub(crate) fn error(&self, text: &str) {
        if self.is_json_only() {
            return self.error_json(&Warning { message_type: "warning", message: text.trim_start() });
        }
        let mut out = self.output();
        out.clear_status(self.style.terminal.as_ref());
        out.flush(&self.cancel);
        // What we begin by going back covers the `^C` that the terminal has shown.
        let (back, text) = text.strip_prefix('\r').map_or(("", text), |rest| ("\r", rest));
        let line = [back.as_bytes(), &shown::lines(text.as_bytes()), b"\n"].concat();
        let _ = io::stderr().lock().write_all(&line); // nobody is left to tell if stderr is gone
        out.draw_status(self.style.terminal.as_ref());
    }

    /// A JSON message on stderr.
    pub(crate) fn error_json<T: Serialize + JsonSchema>(&self, message: &T) {
        self.output().flush(&self.cancel);
        let _ = io::stderr().lock().write_all(&shown::lines(&json::line(message))); // as above
    }

    /// Text that is printed even when quiet.
    pub(crate) fn important(&self, text: &str) {
        self.write(&self.fit_to_show(text.as_bytes()), true);
    }

    /// Normal text.
    pub(crate) fn print(&self, text: &str) {
        if self.verbosity() >= 1 {
            self.important(text);
        }
    }

    /// Normal text that only makes sense on a terminal.
    pub(crate) fn print_on_terminal(&self, text: &str) {
        if self.style.stdout_is_terminal {
            self.print(text);
        }
    }

    /// Text for `-v`.
    pub(crate) fn verbose(&self, text: &str) {
        if self.verbosity() >= 2 {
            self.important(text);
        }
    }

    /// Text for `-vv`.
    pub(crate) fn very_verbose(&self, text: &str) {
        if self.verbosity() >= 3 {
            self.important(text);
        }
    }

    /// Results as text or JSON, buffered: byte for byte for a program, and so that nothing in them steers a terminal.
    pub(crate) fn text(&self, bytes: &[u8]) {
        self.write(&self.fit_to_show(bytes), false);
    }

    /// On a terminal, with escapes, which JSON reads as the same.
    fn fit_to_show<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.style.stdout_is_terminal { shown::lines(bytes) } else { Cow::Borrowed(bytes) }
    }

    /// Bytes that were asked for as they are: the content of a file or an object, a script of ours.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        self.write(bytes, false);
    }

    /// A JSON message on stdout, one line.
    pub(crate) fn json<T: Serialize + JsonSchema + ?Sized>(&self, message: &T) {
        self.text(&json::line(message));
    }

    /// Hands what is buffered to the reader now.
    pub(crate) fn flush(&self) {
        self.output().flush(&self.cancel);
    }

    /// Replaces the status lines below the text.
    pub(crate) fn set_status(&self, lines: Vec<String>) {
        let mut out = self.output();
        match &self.style.terminal {
            Some(terminal) => {
                out.clear_status(Some(terminal));
                out.status = lines.iter().map(|line| terminal.fit(line)).collect();
                out.draw_status(Some(terminal));
            }
            None if out.status != lines => {
                for line in &lines {
                    out.write(&self.fit_to_show(line.as_bytes()), true, &self.cancel);
                }
                out.status = lines;
            }
            None => {}
        }
        out.flush(&self.cancel);
    }

    /// Removes the status lines.
    pub(crate) fn end_status(&self) {
        let mut out = self.output();
        out.clear_status(self.style.terminal.as_ref());
        out.status.clear();
        out.flush(&self.cancel);
    }

    /// Asks for one status report (SIGUSR1).
    pub(crate) fn show_progress_now(&self) {
        self.progress_wanted.store(true, Ordering::Relaxed);
    }

    /// Whether a report was asked for since the last call.
    pub(crate) fn progress_was_wanted(&self) -> bool {
        self.progress_wanted.swap(false, Ordering::Relaxed)
    }

    /// Reports why the run ends, in the form the mode asks for.
    pub(crate) fn failure(&self, failure: &Failure) {
        let hint = failure.hint.filter(|_| self.style.hints);
        if failure.code == Code::BrokenPipe {
        } else if self.style.json {
            let code = failure.code as u8;
            self.error_json(&ExitError { message_type: "exit_error", code, message: &failure.message, hint });
        } else {
            self.error(&failure.message);
            if let Some(hint) = hint {
                self.error(&format!("hint: {hint}"));
            }
        }
    }

    /// Writes out what is buffered; says whether stdout took everything so far.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        let mut out = self.output();
        out.flush(&self.cancel);
        match out.failed.take() {
            None => Ok(()),
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(Failure::plain("").code(Code::BrokenPipe))
            }
            Some(error) => Err(Failure::fatal(format!("cannot write to standard output: {}", chain(&error)))),
        }
    }

    fn write(&self, bytes: &[u8], line: bool) {
        let mut out = self.output();
        out.clear_status(self.style.terminal.as_ref());
        out.write(bytes, line, &self.cancel);
        if self.style.stdout_is_terminal {
            out.draw_status(self.style.terminal.as_ref());
            out.flush(&self.cancel);
        }
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    fn write(&mut self, bytes: &[u8], line: bool, cancel: &Cancel) {
        let end: &[u8] = if line { b"\n" } else { b"" };
        let written = self.stdout.write_all(bytes).and_then(|()| self.stdout.write_all(end));
        self.note(written, cancel);
    }

    fn flush(&mut self, cancel: &Cancel) {
        let flushed = self.stdout.flush();
        self.note(flushed, cancel);
    }

    /// Keeps the first failure of stdout, and stops the run: nobody would see its results.
    fn note(&mut self, result: io::Result<()>, cancel: &Cancel) {
        if let Err(error) = result
            && self.failed.is_none()
        {
            self.failed = Some(error);
            cancel.set(Reason::Failed);
        }
    }

    fn clear_status(&mut self, terminal: Option<&Terminal>) {
        if let Some(terminal) = terminal {
            let _ = self.stdout.write_all(terminal.clear(self.status.len()).as_bytes()); // decoration only
        }
    }

    fn draw_status(&mut self, terminal: Option<&Terminal>) {
        if let Some(terminal) = terminal {
            let _ = self.stdout.write_all(terminal.draw(&self.status).as_bytes()); // decoration only
        }
    }
}
