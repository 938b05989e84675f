//! What shells ask when somebody presses Tab, and our answers.
//!
//! Our own scripts start the program with [`VARIABLE`] set to the shell's name. Scripts made by restic ask with the hidden command `__complete`; a system that swapped the program keeps completing.

mod candidates;

use clap_complete::engine;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use crate::compat::Program;
use crate::environment::Environment;
use crate::shells::{self, VARIABLE};
use candidates::Source;

/// The answer to a shell's question, if this process was started to give one.
pub(crate) fn answer(program: Program, environment: &Environment, words: &[OsString]) -> Option<Vec<u8>> {
    if let Some(name) = environment.get(VARIABLE).and_then(OsStr::to_str) {
        return Some(answer_script(name, program, environment, words));
    }
    let with_descriptions = match words.first()?.to_str()? {
        "__complete" => true,
        "__completeNoDesc" => false,
        _ => return None,
    };
    Some(answer_peer(program, environment, &words[1..], with_descriptions))
}

/// For our own scripts: the words after `--` are the command line; the shell's variables tell the rest.
fn answer_script(
    shell_name: &str,
    program: Program,
    environment: &Environment,
    words: &[OsString],
) -> Vec<u8> {
    let start = words.iter().position(|word| word == "--").map_or(words.len(), |place| place + 1);
    let line = words[start..].to_vec();
    let mut answer = Vec::new();
    if let Some(shell) = shells::find(shell_name).filter(|_| !line.is_empty()) {
        let mut root = prepared(program, environment, &line[1..]);
        let here = std::env::current_dir().ok();
        // A shell that gets no answer completes nothing: there is nobody to tell of an error.
        let _ = shell.write_complete(&mut root, line, here.as_deref(), &mut answer);
    }
    answer
}

/// For scripts made by restic: one candidate a line, a tab and its description; at last what the shell may add.
fn answer_peer(
    program: Program,
    environment: &Environment,
    words: &[OsString],
    with_descriptions: bool,
) -> Vec<u8> {
    const SHELL_MAY_ADD_FILES: &str = ":0\n";
    const NOTHING_ELSE: &str = ":4\n";
    let mut line = vec![OsString::from(program.name())];
    line.extend(words.iter().cloned());
    let mut root = prepared(program, environment, words);
    let here = std::env::current_dir().ok();
    let index = line.len() - 1;
    let found = engine::complete(&mut root, line, index, here.as_deref()).unwrap_or_default();
    let mut answer = String::new();
    for candidate in found.iter().filter(|candidate| !candidate.is_hide_set()) {
        answer.push_str(&candidate.get_value().to_string_lossy());
        if let Some(help) = candidate.get_help().filter(|_| with_descriptions) {
            answer.push('\t');
            answer.push_str(help.to_string().lines().next().unwrap_or_default());
        }
        answer.push('\n');
    }
    answer.push_str(if found.is_empty() { SHELL_MAY_ADD_FILES } else { NOTHING_ELSE });
    answer.into_bytes()
}

/// The definitions of all commands, with candidates from the repository that `words` name.
fn prepared(program: Program, environment: &Environment, words: &[OsString]) -> clap::Command {
    let mut root = crate::command_line().name(program.name());
    root.build();
    if !words.last().is_some_and(|word| word.as_encoded_bytes().starts_with(b"-")) {
        root = without_flags(root);
    }
    candidates::attach(root, &Arc::new(Source::new(program, environment, words.to_vec())))
}

/// Flags hidden: they would stand among the values while nobody has typed a dash.
fn without_flags(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| if arg.is_positional() { arg } else { arg.hide(true) });
    command.mut_subcommands(without_flags)
}
