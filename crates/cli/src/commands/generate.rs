//! `generate`: write man pages and the scripts that make shells complete.

use clap_mangen::roff::{Roff, bold, roman};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::causes::chain;
use crate::exit::{Code, Failure, Result};
use crate::session::Session;
use crate::shells;

/// Write man pages and completion scripts for shells
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the script for bash to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    bash_completion: Option<PathBuf>,
    /// Write the script for fish to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    fish_completion: Option<PathBuf>,
    /// Write man pages into this folder
    #[arg(long, value_name = "DIRECTORY")]
    man: Option<PathBuf>,
    /// Write the script for PowerShell to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    powershell_completion: Option<PathBuf>,
    /// Write the script for zsh to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    zsh_completion: Option<PathBuf>,
    #[arg(hide = true)]
    words: Vec<String>,
}

impl Args {
    /// The shells asked for, and where their scripts go.
    fn scripts(&self) -> Vec<(&'static str, &Path)> {
        let all = [
            ("bash", &self.bash_completion),
            ("zsh", &self.zsh_completion),
            ("fish", &self.fish_completion),
            ("powershell", &self.powershell_completion),
        ];
        let named = |path: &'_ &PathBuf| !path.as_os_str().is_empty();
        all.into_iter()
            .filter_map(|(shell, path)| Some((shell, path.as_ref().filter(named)?.as_path())))
            .collect()
    }
}

/// Writes what was asked for.
pub(crate) fn run(args: &Args, root: clap::Command, session: &Session) -> Result<()> {
    super::refuse_arguments(session, "generate", &args.words)?;
    let scripts = args.scripts();
    if scripts.iter().filter(|(_, path)| *path == Path::new("-")).count() > 1 {
        return Err(Failure::fatal(
            "the generate command can generate shell completions to stdout for single shell only",
        ));
    }
    let man = args.man.as_deref().filter(|folder| !folder.as_os_str().is_empty());
    if scripts.is_empty() && man.is_none() {
        return Err(Failure::fatal("nothing to do, please specify at least one output file/dir"));
    }
    if let Some(folder) = man {
        if !session.ui.is_json() {
            session.ui.important(&format!("writing man pages to directory {}", folder.display()));
        }
        for (name, page) in man_pages(root, session.program.name())? {
            write(&folder.join(name), &page)?;
        }
    }
    for (shell, path) in scripts {
        let script = shells::script(shell, session.program.name());
        match path == Path::new("-") {
            true => session.ui.raw(&script),
            false => {
                session
                    .ui
                    .print_on_terminal(&format!("writing {shell} completion file to {}", path.display()));
                write(path, &script)?;
            }
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = std::fs::File::create(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| Failure::plain(format!("open {}: {}", path.display(), chain(&error))))
}

/// The man pages, one a command, in the order of their file names.
pub(crate) fn man_pages(root: clap::Command, program: &'static str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut root = root.name(program).disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    collect(&root, program.to_owned(), &mut pages)
        .map_err(|error| Failure::fatal(format!("cannot write a man page: {}", chain(&error))))?;
    pages.sort();
    Ok(pages)
}

fn collect(command: &clap::Command, name: String, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let is_root = pages.is_empty();
    let titled = command.clone().name(name.clone()).bin_name(name.replace('-', " "));
    // The root's page describes the global flags once for all.
    let titled = titled.mut_args(|arg| match !is_root && arg.is_global_set() {
        true => arg.hide(true),
        false => arg,
    });
    let mut page = Vec::new();
    clap_mangen::Man::new(titled).title(name.clone()).section("1").date("").render(&mut page)?;
    let tail = if is_root { exit_status() } else { see_also(&name) };
    tail.to_writer(&mut page)?;
    pages.push((format!("{name}.1"), page));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        collect(below, format!("{name}-{}", below.get_name()), pages)?;
    }
    Ok(())
}

fn exit_status() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for code in Code::ALL {
        roff.control("TP", []);
        roff.text([bold((code as u8).to_string())]);
        roff.text([roman(code.meaning())]);
    }
    roff
}

fn see_also(name: &str) -> Roff {
    let root = name.split('-').next().unwrap_or(name);
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold(root), roman("(1) describes the global flags and the exit status.")]);
    roff
}
