//! Command lines as restic reads them: its flag grammar and its usage errors.
//!
//! restic's parser differs from clap's in what scripts can see: `-H=host`, `--flag=false`, bundles, a counter
//! that can be set, and the wording of errors. This pass reads a command line by those rules, using the flags
//! that the clap definitions declare, and returns an equal one in the single form `--name=value`.

use clap::{ArgAction, Command};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::gonumber;

/// A command line in canonical form.
#[derive(Debug)]
pub(crate) struct Canonical {
    /// Program, command, subcommand, flags as `--name=value`, `--`, positional arguments.
    pub(crate) argv: Vec<OsString>,
    /// Whether a command was named at all.
    pub(crate) has_command: bool,
    /// The flags that came before `--json`: a value of theirs that is wrong is told as text.
    pub(crate) before_json: Vec<OsString>,
    /// What to tell about flags that are on their way out.
    pub(crate) notes: Vec<String>,
}

/// A mistake in the command line, worded as restic words it.
#[derive(Debug)]
pub(crate) struct UsageError {
    /// What is wrong.
    pub(crate) message: String,
    /// Whether `--json` stood before the mistake, so that the error is reported as JSON.
    pub(crate) json: bool,
    /// What stood before the mistake: a value there may be wrong already.
    pub(crate) before: Option<Box<Canonical>>,
}

/// Flags that restic calls deprecated, and what it says instead of them.
const DEPRECATED: [(&str, &str); 7] = [
    ("check-unused", "`--check-unused` is deprecated and will be ignored"),
    ("hostname", "use --host"),
    ("last", "use --latest 1"),
    (
        "repack-small",
        "small files are automatically repacked. Use --repack-smaller-than to specify a minimum size",
    ),
    ("repo2", "use --repo or --from-repo instead"),
    ("repository-file2", "use --repository-file or --from-repository-file instead"),
    ("snapshot-template", "use --time-template"),
];

/// Reads `args` (without the program's name) by restic's rules; `name` is how the program calls itself.
pub(crate) fn canonical(root: &Command, name: &str, args: &[OsString]) -> Result<Canonical, UsageError> {
    let (path, rest) = split_commands(root, name, args)?;
    let mut reader = Reader::new(root, &path);
    let read = reader.read(&rest);
    let canonical = reader.into_canonical(name);
    match read {
        Ok(()) => Ok(canonical),
        Err(error) => Err(UsageError { before: Some(Box::new(canonical)), ..error }),
    }
}

/// Finds the command and subcommand named in `args` and takes their words out.
fn split_commands<'c>(
    root: &'c Command,
    name: &str,
    args: &[OsString],
) -> Result<(Vec<&'c Command>, Vec<OsString>), UsageError> {
    let mut path: Vec<&Command> = Vec::new();
    let mut rest = Vec::with_capacity(args.len());
    let mut words = args.iter();
    let mut searching = true;
    while let Some(word) = words.next() {
        let flags = Flags { root, path: &path };
        if word == "--" {
            rest.push(word.clone());
            rest.extend(words.by_ref().cloned());
        } else if is_flag(word) {
            rest.push(word.clone());
            if flags.wants_next_word(word)
                && let Some(value) = words.next()
            {
                rest.push(value.clone());
            }
        } else if searching {
            let here = path.last().copied().unwrap_or(root);
            match here.find_subcommand(word) {
                Some(found) => {
                    path.push(found);
                    // What follows `help` are topics.
                    searching = found.get_name() != "help";
                }
                // Commands are looked for before flags are read, so that `--json` is not known here.
                None if path.is_empty() => {
                    let message = format!("unknown command {} for {name:?}", quoted(word));
                    return Err(UsageError { message, json: false, before: None });
                }
                None => {
                    searching = false;
                    rest.push(word.clone());
                }
            }
        } else {
            rest.push(word.clone());
        }
    }
    Ok((path, rest))
}

/// Whether a word is a flag: a lone `-` is a value.
fn is_flag(word: &OsStr) -> bool {
    word.len() > 1 && word.as_bytes()[0] == b'-'
}

/// The flags in reach: those of the root and of every command on the path.
struct Flags<'c, 'p> {
    root: &'c Command,
    path: &'p [&'c Command],
}

impl<'c> Flags<'c, '_> {
    fn all(&self) -> impl Iterator<Item = &'c clap::Arg> {
        let commands = self.path.iter().rev().copied().chain([self.root]);
        commands.flat_map(|command| command.get_arguments()).filter(|flag| !flag.is_positional())
    }

    fn long(&self, name: &[u8]) -> Option<&'c clap::Arg> {
        self.all().find(|flag| {
            let aliases = flag.get_all_aliases().unwrap_or_default();
            flag.get_long().into_iter().chain(aliases).any(|long| long.as_bytes() == name)
        })
    }

    fn short(&self, name: u8) -> Option<&'c clap::Arg> {
        self.all().find(|flag| flag.get_short() == Some(char::from(name)))
    }

    /// Whether the value of the flag `word` is the word after it.
    fn wants_next_word(&self, word: &OsStr) -> bool {
        let bytes = word.as_bytes();
        if let Some(long) = bytes.strip_prefix(b"--") {
            return !long.contains(&b'=') && self.long(long).is_none_or(takes_value);
        }
        for (i, &letter) in bytes.iter().enumerate().skip(1) {
            match self.short(letter) {
                Some(flag) if takes_value(flag) => return i + 1 == bytes.len(),
                // It may belong to a command that is still to be named, and have a value.
                None => return bytes.len() == 2,
                _ => {}
            }
        }
        false
    }
}

fn takes_value(flag: &clap::Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Set | ArgAction::Append)
}

/// Reads flags and positional arguments of a known command.
struct Reader<'c, 'p> {
    known: Flags<'c, 'p>,
    switches: BTreeMap<String, u64>,
    valued: Vec<OsString>,
    positionals: Vec<OsString>,
    before_json: Vec<OsString>,
    notes: Vec<String>,
    json: bool,
}

impl<'c, 'p> Reader<'c, 'p> {
    fn new(root: &'c Command, path: &'p [&'c Command]) -> Self {
        Reader {
            known: Flags { root, path },
            switches: BTreeMap::new(),
            valued: Vec::new(),
            positionals: Vec::new(),
            before_json: Vec::new(),
            notes: Vec::new(),
            json: false,
        }
    }

    fn read(&mut self, words: &[OsString]) -> Result<(), UsageError> {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                self.positionals.extend(words.by_ref().cloned());
            } else if let Some(long) = word.as_bytes().strip_prefix(b"--") {
                self.read_long(long, &mut words)?;
            } else if is_flag(word) {
                self.read_short(&word.as_bytes()[1..], &mut words)?;
            } else {
                self.positionals.push(word.clone());
            }
        }
        Ok(())
    }

    fn read_long<'w>(
        &mut self,
        word: &[u8],
        words: &mut impl Iterator<Item = &'w OsString>,
    ) -> Result<(), UsageError> {
        let (name, value) = match word.iter().position(|&c| c == b'=') {
            Some(at) => (&word[..at], Some(&word[at + 1..])),
            None => (word, None),
        };
        if name.is_empty() || name[0] == b'-' {
            return self.fail(format!("bad flag syntax: --{}", String::from_utf8_lossy(word)));
        }
        let Some(flag) = self.known.long(name) else {
            return self.fail(format!("unknown flag: --{}", String::from_utf8_lossy(name)));
        };
        let given = value.map(<[u8]>::to_vec);
        let value = match given {
            None if takes_value(flag) => match words.next() {
                Some(next) => Some(next.as_bytes().to_vec()),
                None => {
                    return self.fail(format!("flag needs an argument: --{}", String::from_utf8_lossy(name)));
                }
            },
            given => given,
        };
        self.set(flag, value)?;
        let deprecated = DEPRECATED.iter().find(|(long, _)| long.as_bytes() == name);
        self.notes.extend(
            deprecated.map(|(long, instead)| format!("Flag --{long} has been deprecated, {instead}")),
        );
        Ok(())
    }

    fn read_short<'w>(
        &mut self,
        letters: &[u8],
        words: &mut impl Iterator<Item = &'w OsString>,
    ) -> Result<(), UsageError> {
        let mut rest = letters;
        while let Some((&letter, after)) = rest.split_first() {
            let Some(flag) = self.known.short(letter) else {
                let all = String::from_utf8_lossy(rest);
                return self.fail(format!(
                    "unknown shorthand flag: '{}' in -{all}",
                    char::from(letter).escape_debug()
                ));
            };
            match after.strip_prefix(b"=") {
                Some(value) if !value.is_empty() => return self.set(flag, Some(value.to_vec())),
                _ if !takes_value(flag) => self.set(flag, None)?,
                _ if !after.is_empty() => return self.set(flag, Some(after.to_vec())),
                _ => {
                    let Some(next) = words.next() else {
                        let all = String::from_utf8_lossy(rest);
                        let letter = char::from(letter).escape_debug();
                        return self.fail(format!("flag needs an argument: '{letter}' in -{all}"));
                    };
                    return self.set(flag, Some(next.as_bytes().to_vec()));
                }
            }
            rest = after;
        }
        Ok(())
    }

    fn set(&mut self, flag: &clap::Arg, value: Option<Vec<u8>>) -> Result<(), UsageError> {
        let long = flag.get_long().unwrap_or_default().to_owned();
        if takes_value(flag) {
            let mut word = format!("--{long}=").into_bytes();
            word.extend(value.unwrap_or_default());
            let word = OsString::from_vec(word);
            if !self.json {
                self.before_json.push(word.clone());
            }
            self.valued.push(word);
            return Ok(());
        }
        let text = value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let uses = match (flag.get_action(), text) {
            (ArgAction::Count, None) => self.switches.get(&long).copied().unwrap_or(0) + 1,
            (ArgAction::Count, Some(text)) => match gonumber::int(&text) {
                Ok(count) => u64::try_from(count).unwrap_or(0).min(255),
                Err(reason) => return self.bad_value(flag, &text, &reason),
            },
            (_, None) => 1,
            (_, Some(text)) => match gonumber::bool(&text) {
                Ok(value) => u64::from(value),
                Err(reason) => return self.bad_value(flag, &text, &reason),
            },
        };
        if long == "json" {
            self.json = uses > 0;
        }
        self.switches.insert(long, uses);
        Ok(())
    }

    fn bad_value(&self, flag: &clap::Arg, value: &str, reason: &str) -> Result<(), UsageError> {
        self.fail(format!("invalid argument {value:?} for {:?} flag: {reason}", flag_name(flag)))
    }

    fn fail(&self, message: String) -> Result<(), UsageError> {
        Err(UsageError { message, json: self.json, before: None })
    }

    fn into_canonical(self, name: &str) -> Canonical {
        let path = self.known.path;
        let mut argv = vec![OsString::from(name)];
        argv.extend(path.iter().map(|command| OsString::from(command.get_name())));
        argv.extend(self.valued);
        for (long, uses) in &self.switches {
            argv.extend((0..*uses).map(|_| OsString::from(format!("--{long}"))));
        }
        if !self.positionals.is_empty() {
            argv.push("--".into());
            argv.extend(self.positionals);
        }
        Canonical { argv, has_command: !path.is_empty(), before_json: self.before_json, notes: self.notes }
    }
}

/// A flag as restic's messages name it: `-s, --name` or `--name`.
pub(crate) fn flag_name(flag: &clap::Arg) -> String {
    let long = flag.get_long().unwrap_or_default();
    match flag.get_short() {
        Some(short) => format!("-{short}, --{long}"),
        None => format!("--{long}"),
    }
}

fn quoted(word: &OsStr) -> String {
    format!("{:?}", word.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, arg};

    fn root() -> Command {
        let snapshots = Command::new("snapshots")
            .arg(arg!(-H --host <H>).action(ArgAction::Append))
            .arg(Arg::new("ids").num_args(0..));
        Command::new("restic")
            .arg(arg!(-q - -quiet))
            .arg(arg!(--json))
            .arg(arg!(-v --verbose ...))
            .arg(arg!(-r --repo <R>))
            .subcommand(snapshots)
            .subcommand(Command::new("key").subcommand(Command::new("add").arg(arg!(-n --new <N>))))
    }

    fn check(line: &str, expect: &str) {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let got = match canonical(&root(), "restic", &args) {
            Ok(canonical) => canonical.argv.join(" ".as_ref()).to_string_lossy().into_owned(),
            Err(error) => format!("{} (json: {})", error.message, error.json),
        };
        assert_eq!(got, expect, "{line}");
    }

    #[test]
    fn every_spelling_of_a_flag_comes_out_the_same() {
        for line in [
            "-r x snapshots -H a",
            "snapshots -Ha -r=x",
            "--repo x snapshots --host=a",
            "-r=x snapshots -H=a",
        ] {
            let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let mut argv =
                canonical(&root(), "restic", &args).unwrap_or_else(|e| panic!("{}", e.message)).argv;
            argv.sort();
            assert_eq!(argv, ["--host=a", "--repo=x", "restic", "snapshots"], "{line}");
        }
    }

    #[test]
    fn switches_bundle_and_take_values_only_after_an_equals_sign() {
        check("-qv snapshots", "restic snapshots --quiet --verbose");
        check("snapshots --quiet=false --json=T", "restic snapshots --json");
        check("snapshots -vv -v", "restic snapshots --verbose --verbose --verbose");
        check("snapshots --verbose=2", "restic snapshots --verbose --verbose");
        check("snapshots --verbose 2", "restic snapshots --verbose -- 2");
    }

    #[test]
    fn commands_nest_and_two_dashes_end_the_flags() {
        check("key -n x add", "restic key add --new=x");
        check("snapshots -- -H", "restic snapshots -- -H");
        check("snapshots a --json b", "restic snapshots --json -- a b");
        check("", "restic");
    }

    #[test]
    fn mistakes_are_worded_as_restic_words_them() {
        check("--json --bogus snapshots", "unknown flag: --bogus (json: true)");
        check("--bogus --json snapshots", "unknown flag: --bogus (json: false)");
        check("snapshots -Z", "unknown shorthand flag: 'Z' in -Z (json: false)");
        check("snapshots -qZx", "unknown shorthand flag: 'Z' in -Zx (json: false)");
        check("snapshots -q=", "unknown shorthand flag: '=' in -= (json: false)");
        check("snapshots -H=", "restic snapshots --host==");
        check("snapshots ---x", "bad flag syntax: ---x (json: false)");
        check("--json bogus", "unknown command \"bogus\" for \"restic\" (json: false)");
        check("key bogus add", "restic key -- bogus add");
        check("bogus", "unknown command \"bogus\" for \"restic\" (json: false)");
        check("snapshots -H", "flag needs an argument: 'H' in -H (json: false)");
        check("snapshots --host", "flag needs an argument: --host (json: false)");
        check(
            "snapshots --quiet=x",
            "invalid argument \"x\" for \"-q, --quiet\" flag: strconv.ParseBool: parsing \"x\": invalid syntax (json: false)",
        );
    }
}
