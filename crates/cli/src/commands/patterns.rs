//! The flags that include and exclude by pattern.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use tresor_snapshot::filter::{Excludes, Includes, PatternList, parse_pattern_file};

use crate::environment::Environment;
use crate::exit::{Failure, Result};
use crate::textfile;

/// Flags that leave items out.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct ExcludeFlags {
    /// Exclude what matches this pattern (repeatable)
    #[arg(short = 'e', long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Like --exclude, without regard to case (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub(crate) iexclude: Vec<String>,
    /// Read patterns to exclude from this file (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude_file: Vec<PathBuf>,
    /// Like --exclude-file, without regard to case (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) iexclude_file: Vec<PathBuf>,
}

/// Flags that let items in.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct IncludeFlags {
    /// Include only what matches this pattern (repeatable)
    #[arg(short = 'i', long, value_name = "PATTERN")]
    pub(crate) include: Vec<String>,
    /// Like --include, without regard to case (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub(crate) iinclude: Vec<String>,
    /// Read patterns to include from this file (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) include_file: Vec<PathBuf>,
    /// Like --include-file, without regard to case (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) iinclude_file: Vec<PathBuf>,
}

impl ExcludeFlags {
    /// Whether there is any pattern or file of patterns.
    pub(crate) fn are_given(&self) -> bool {
        let patterns = !self.exclude.is_empty() || !self.iexclude.is_empty();
        patterns || !self.exclude_file.is_empty() || !self.iexclude_file.is_empty()
    }

    /// The patterns, those of the command line first.
    ///
    /// # Errors
    /// Malformed patterns, all of a list named at once; a file that cannot be read.
    pub(crate) fn excludes(&self, environment: &Environment) -> Result<Excludes> {
        let mut excludes = Excludes::default();
        add(&mut excludes.sensitive, "--exclude", &self.exclude)?;
        add_files(&mut excludes.sensitive, "--exclude-file", &self.exclude_file, environment)?;
        add(&mut excludes.insensitive, "--iexclude", &self.iexclude)?;
        add_files(&mut excludes.insensitive, "--iexclude-file", &self.iexclude_file, environment)?;
        Ok(excludes)
    }
}

impl IncludeFlags {
    /// Whether there is any pattern or file of patterns.
    pub(crate) fn are_given(&self) -> bool {
        let patterns = !self.include.is_empty() || !self.iinclude.is_empty();
        patterns || !self.include_file.is_empty() || !self.iinclude_file.is_empty()
    }

    /// The patterns, those of the command line first.
    ///
    /// # Errors
    /// As [`ExcludeFlags::excludes`].
    pub(crate) fn includes(&self, environment: &Environment) -> Result<Includes> {
        let mut includes = Includes::default();
        add(&mut includes.sensitive, "--include", &self.include)?;
        add_files(&mut includes.sensitive, "--include-file", &self.include_file, environment)?;
        add(&mut includes.insensitive, "--iinclude", &self.iinclude)?;
        add_files(&mut includes.insensitive, "--iinclude-file", &self.iinclude_file, environment)?;
        Ok(includes)
    }
}

fn add(list: &mut PatternList, flag: &str, patterns: &[impl AsRef<[u8]>]) -> Result<()> {
    list.add(patterns).map_err(|bad| Failure::fatal(format!("{flag}: {bad}")))
}

fn add_files(list: &mut PatternList, flag: &str, files: &[PathBuf], environment: &Environment) -> Result<()> {
    let lookup = |name: &[u8]| {
        let name = std::str::from_utf8(name).ok()?;
        environment.get(name).map(|value| value.as_bytes().to_vec())
    };
    for file in files {
        let bytes = std::fs::read(file).map_err(|error| {
            let (file, cause) = (file.display(), crate::causes::chain(&error));
            Failure::plain(format!("failed to read patterns from file \"{file}\": open {file}: {cause}"))
        })?;
        add(list, flag, &parse_pattern_file(&textfile::decode(&bytes), lookup))?;
    }
    Ok(())
}
