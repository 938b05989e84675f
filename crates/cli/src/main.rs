//! tresor: encrypted, deduplicated, verifiable backups in restic's repository format.
//!
//! The way of a command: [`goflags`] reads the words, [`commands`] names the verb, [`session`] opens what it
//! needs, the verb's own file does the work by calling the storey below, [`ui`] talks, [`exit`] decides the code.

mod environment;
mod compat;
mod gonumber;
mod csv;
mod goflags;
mod shells;
mod shellwords;
mod units;
mod causes;
mod exit;
mod textfile;
mod printer;
mod passwordfile;
mod keeper;
mod strength;
mod extended;
mod ui;
mod features;
mod args;
mod certificates;
mod objects;
mod backends;
mod password;
mod trust;
mod session;
mod signals;
mod commands;
mod completion;

use clap::{CommandFactory, FromArgMatches, Parser};
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use tresor_backend::Cancel;

use args::Global;
use commands::Verb;
use compat::Program;
use environment::Environment;
use exit::{Code, Failure};
use session::Session;
use ui::terminal::Terminal;
use ui::{Style, Ui};

/// Encrypted, deduplicated, verifiable backups in restic's repository format
#[derive(Parser)]
#[command(
    name = "tresor",
    args_override_self = true,
    disable_version_flag = true,
    disable_help_subcommand = true,
    subcommand_required = false
)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Option<Verb>,
}

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let environment = protected(&words);
    let program = Program::of_process(&environment);
    if let Some(answer) = completion::answer(program, &environment, &words) {
        let voice = early_voice(program, false);
        voice.raw(&answer);
        return ExitCode::from(voice.finish().map_or(Code::BrokenPipe, |()| Code::Success) as u8);
    }
    let cancel = Cancel::new();
    let voice = early_voice(program, false);
    let outcome = features::check(&environment, &voice).map_err(|failure| (voice, failure));
    let outcome = outcome.and_then(|()| parse(program, &words)).and_then(|line| match line {
        Some(line) => run(program, line, environment, &cancel),
        None => Ok(()),
    });
    match outcome {
        Ok(()) => ExitCode::from(Code::Success as u8),
        Err((ui, failure)) => {
            let failure = failure.told_by(program);
            ui.failure(&failure);
            ExitCode::from(failure.code as u8)
        }
    }
}

/// Closes this process's memory to others, and takes the passwords out of its environment: first of all.
fn protected(words: &[OsString]) -> Environment {
    // A mount stays for days, in which the machine may want to hibernate.
    if mounts(words) {
        tresor_secmem::prefer_locked();
    }
    // Where the system cannot, secret memory still is what it is.
    let _ = tresor_secmem::process::close_memory();
    Environment::of_process()
}

/// Whether the first word that is a command is `mount`; what a value of a flag may spoil does no harm.
fn mounts(words: &[OsString]) -> bool {
    let is_named = words.iter().any(|word| word == "mount");
    is_named && {
        let commands = command_line();
        words.iter().find(|word| commands.find_subcommand(word).is_some()).is_some_and(|word| word == "mount")
    }
}

/// The definitions of all commands and flags.
fn command_line() -> clap::Command {
    CommandLine::command()
}

/// A failure, and the voice to tell it with.
type Told = (Arc<Ui>, Failure);

/// Reads the command line; `None` when help was asked for and printed.
fn parse(program: Program, words: &[OsString]) -> Result<Option<CommandLine>, Told> {
    let mut root = command_line().name(program.name());
    root.build();
    // Under our own name `--json` counts wherever it stands.
    let json_somewhere = !program.is_restic() && words.iter().any(|word| word == "--json");
    let voice = |json| early_voice(program, json || json_somewhere);
    let canonical = match goflags::canonical(&root, program.name(), words) {
        Ok(canonical) => canonical,
        Err(mut error) => {
            let before = error.before.take().and_then(|before| bad_value(&mut root, &before));
            let (json, message) = before.unwrap_or((error.json, error.message));
            return Err((voice(json), Failure::plain(message)));
        }
    };
    let told = voice(false);
    canonical.notes.iter().for_each(|note| told.error(note));
    if !canonical.has_command {
        return show(voice(false), root.render_long_help().to_string());
    }
    let parsed = root
        .try_get_matches_from_mut(&canonical.argv)
        .and_then(|matches| CommandLine::from_arg_matches(&matches));
    match parsed {
        Ok(CommandLine { verb: Some(Verb::Help(args)), .. }) => {
            match args.text(&mut root) {
                Ok(help) => show(voice(false), help),
                // restic tells it and is content.
                Err(unknown) if program.is_restic() => {
                    voice(false).error(&unknown.message);
                    Ok(None)
                }
                Err(unknown) => Err((voice(false), unknown)),
            }
        }
        Ok(line) => Ok(Some(line)),
        Err(error) if !error.use_stderr() => show(voice(false), error.render().to_string()),
        Err(error) => {
            let json = is_json_before(&canonical, &error);
            Err((voice(json), Failure::plain(commands::usage_message(&root, &error))))
        }
    }
}

/// Prints help, which is all that was asked for.
fn show(voice: Arc<Ui>, help: String) -> Result<Option<CommandLine>, Told> {
    voice.raw(help.as_bytes());
    voice.finish().map(|()| None).map_err(|failure| (voice, failure))
}

/// A value that is wrong in what was read before another mistake: it was met first.
fn bad_value(root: &mut clap::Command, before: &goflags::Canonical) -> Option<(bool, String)> {
    let error = root.try_get_matches_from_mut(&before.argv).err()?;
    let is_value = error.kind() == clap::error::ErrorKind::ValueValidation;
    is_value.then(|| (is_json_before(before, &error), commands::usage_message(root, &error)))
}

/// Whether `--json` stood before the flag whose value is wrong.
fn is_json_before(line: &goflags::Canonical, error: &clap::Error) -> bool {
    let early = commands::bad_flag(error).is_some_and(|(flag, value)| {
        let flag = flag.split([' ', '=']).next().unwrap_or_default().to_owned();
        line.before_json.iter().any(|word| *word == *format!("{flag}={value}"))
    });
    !early && line.argv.iter().any(|word| word == "--json")
}

/// A voice for what goes wrong before the flags are known.
fn early_voice(program: Program, json: bool) -> Arc<Ui> {
    let style = Style {
        verbosity: 1,
        json,
        json_replaces_text: true,
        fps: None,
        terminal: None,
        stdout_is_terminal: false,
        hints: program.has_hints(),
    };
    Arc::new(Ui::new(style, Cancel::new()))
}

/// Runs a parsed command line to its end.
fn run(program: Program, line: CommandLine, environment: Environment, cancel: &Cancel) -> Result<(), Told> {
    let Some(verb) = line.verb else { return Ok(()) };
    let json = line.global.json;
    let global = line.global.settle(&environment).map_err(|failure| (early_voice(program, json), failure))?;
    tresor_backend::child::withhold(environment.withheld());
    let style = style(program, &global, &environment, &verb);
    let ui = Arc::new(Ui::new(style, cancel.clone()));
    let ended = start(program, global, environment, verb, &ui, cancel);
    let flushed = ui.finish();
    let interrupted = cancel.reason() == Some(tresor_backend::cancel::Reason::Interrupted);
    match (ended, flushed) {
        (_, Err(failure)) => Err((ui, failure)),
        (Err(failure), _) if interrupted => Err((ui, failure.code(Code::Interrupted))),
        (Err(failure), _) => Err((ui, failure)),
        (Ok(()), Ok(())) => Ok(()),
    }
}

fn start(
    program: Program,
    global: Global,
    environment: Environment,
    verb: Verb,
    ui: &Arc<Ui>,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let _signals = signals::listen(cancel.clone(), Arc::clone(ui))
        .map_err(|error| Failure::fatal(format!("cannot listen for signals: {error}")))?;
    let mut session = Session::new(program, global, environment, Arc::clone(ui), cancel.clone())?;
    session.starts_programs = verb.starts_programs();
    let ended = verb.run(&session);
    session.tell_traffic();
    // A lock that was refused late is why everything else went wrong.
    session.gate.refusal().map_or(ended, |refused| Err(refused.into()))
}

fn style(program: Program, global: &Global, environment: &Environment, verb: &Verb) -> Style {
    let term = environment.get("TERM").map(|term| term.to_string_lossy().into_owned());
    let fps = environment.text("PROGRESS_FPS").and_then(|text| text.parse::<f64>().ok());
    Style {
        verbosity: global.verbosity(),
        json: global.json,
        json_replaces_text: verb.speaks_json(program),
        fps: fps.filter(|fps| *fps > 0.0).map(|fps| fps.min(60.0)),
        terminal: Terminal::on_stdout(term.as_deref()),
        stdout_is_terminal: std::io::IsTerminal::is_terminal(&std::io::stdout()),
        hints: program.has_hints(),
    }
}
