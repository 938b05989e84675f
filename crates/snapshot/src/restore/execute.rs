//! Carries a plan out: directories, files, links and specials, what is left over, then metadata.

use crate::error::{Error, Result};
use crate::restore::content::fill;
use crate::restore::dirs::OpenDirs;
use crate::restore::failure::Failure;
use crate::restore::files::Files;
use crate::restore::items::{Decision, DirNumber};
use crate::restore::metadata::{Dresser, Subject};
use crate::restore::options::{Action, RestoreCounts, RestoreMonitor, RestoreReport};
use crate::restore::plan::RestorePlan;
use crate::restore::progress::Progress;
use crate::restore::remove::{list_tree, make_way, remove_tree};
use crate::restore::specials;
use crate::restore::target::{Name, Target};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use tresor_repo::Repository;
use tresor_repo::bits::Bits;
use tresor_repo::handle::Right;
use tresor_repo::index::Index;

/// The outcome of a restore, and what there is to be verified.
pub(crate) struct Executed {
    pub(crate) report: RestoreReport,
    pub(crate) failed: Bits,
}

/// One run over a plan.
struct Run<'a> {
    plan: &'a RestorePlan,
    progress: &'a Progress<'a>,
}

impl RestorePlan {
    /// Carries the plan out, or with `dry_run` tells what it would do.
    ///
    /// # Errors
    /// [`Error::Target`] if the target cannot be made; those of temporary files; that the operation was cancelled.
    pub fn execute<R: Right>(
        &mut self,
        repo: &Repository<R>,
        index: &Index,
        monitor: &dyn RestoreMonitor,
    ) -> Result<RestoreReport> {
        let executed = self.run(repo, index, monitor)?;
        self.failed = executed.failed;
        Ok(executed.report)
    }

    fn run<R: Right>(
        &self,
        repo: &Repository<R>,
        index: &Index,
        monitor: &dyn RestoreMonitor,
    ) -> Result<Executed> {
        let progress = Progress::new(&self.table, monitor);
        let run = Run { plan: self, progress: &progress };
        if self.options.dry_run {
            run.pretend()?;
        } else {
            let failed = |source| Error::Target { path: self.path.clone(), source };
            repo.bring_back(&self.packs, monitor)?;
            let target = Target::create(&self.path).map_err(failed)?;
            run.carry_out(repo, index, &target)?;
        }
        let mut counts = RestoreCounts {
            total_files: self.total.0 + self.selected_dirs,
            total_bytes: self.total.1,
            ..RestoreCounts::default()
        };
        let (problems, failed) = progress.finish(&mut counts);
        let report = RestoreReport { counts, problems: problems + self.problems };
        Ok(Executed { report, failed })
    }
}

impl Run<'_> {
    fn carry_out<R: Right>(&self, repo: &Repository<R>, index: &Index, target: &Target) -> Result<()> {
        let table = &self.plan.table;
        let cancelled = || match repo.cancel().is_set() {
            true => Err(Error::from(tresor_repo::Error::Cancelled)),
            false => Ok(()),
        };
        let mut dirs = OpenDirs::new(target);
        for (number, dir) in table.dirs.iter().enumerate().skip(1) {
            if !dir.exists {
                cancelled()?;
                self.make_dir(&mut dirs, number as DirNumber);
            }
        }
        let dresser = Dresser::new(&self.plan.options);
        let files = Files::new(self.plan, &dresser, self.progress);
        self.progress.bytes(self.plan.present_bytes);
        fill(self.plan, repo, index, target, &files)?;
        for item in table.items.iter() {
            let item = &item?;
            cancelled()?;
            match item.decision {
                Decision::Impossible => {}
                Decision::Skip => self.progress.item(Action::Unchanged, item),
                Decision::Unchanged => {
                    specials::refresh(self.plan, &dresser, self.progress, &mut dirs, item);
                }
                _ if item.is_file() => {}
                _ => specials::make(self.plan, &dresser, self.progress, &mut dirs, item),
            }
        }
        for number in (0..table.dirs.len()).rev().map(|number| number as DirNumber) {
            cancelled()?;
            self.leave_dir(&mut dirs, &dresser, number);
        }
        Ok(())
    }

    fn make_dir(&self, dirs: &mut OpenDirs<'_>, number: DirNumber) {
        let table = &self.plan.table;
        let entry = &table.dirs[number as usize];
        let made = dirs
            .get(table, entry.parent)
            .map_err(Failure::step("open the parent directory"))
            .and_then(|parent| {
                let name = table.name(entry.name);
                match parent.make_dir(name) {
                    Err(Errno::EXIST) => {}
                    made => return made.map_err(Failure::step("make the directory")),
                }
                let stat = parent.stat(name).map_err(Failure::step("look at what is there"))?;
                if stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()) {
                    return Ok(());
                }
                make_way(&parent, name, false)?;
                parent.make_dir(name).map_err(Failure::step("make the directory"))
            });
        if let Err(failure) = made {
            self.progress.dir_problem(number, failure);
        }
    }

    /// Removes what should not be in a directory, then gives it its metadata.
    fn leave_dir(&self, dirs: &mut OpenDirs<'_>, dresser: &Dresser<'_>, number: DirNumber) {
        let table = &self.plan.table;
        self.remove_extra(dirs, number, false);
        let dressed = table.dir_metadata(number).and_then(|metadata| {
            let Some(metadata) = metadata else { return Ok(false) };
            let dir = dirs.get(table, number).map_err(Failure::step("open the directory"))?;
            dresser.dress(Subject::Open(dir.as_fd()), &metadata).map(|()| true)
        });
        match dressed {
            Ok(true) => self.progress.dir(number),
            Ok(false) => {}
            Err(failure) => self.progress.dir_problem(number, failure),
        }
    }

    fn remove_extra(&self, dirs: &mut OpenDirs<'_>, number: DirNumber, pretend: bool) {
        let table = &self.plan.table;
        let extra = match self.plan.extra.names(number) {
            Ok(extra) if extra.is_empty() => return,
            Ok(extra) => extra,
            Err(failure) => return self.progress.dir_problem(number, failure),
        };
        let mut above = self.plan.path.as_os_str().as_bytes().to_vec();
        let below = table.dir_path(number);
        if below != b"/" {
            above.extend_from_slice(&below);
        }
        if !above.ends_with(b"/") {
            above.push(b'/');
        }
        let told = &mut |path: &[u8]| {
            self.progress.done(Action::Deleted, &[&above, path].concat(), None);
        };
        for name in &extra {
            let dir = dirs.get(table, number).map_err(Failure::step("open the directory"));
            let removed = dir.and_then(|dir| match Name::new(name) {
                Some(name) if pretend => list_tree(&dir, name, told),
                Some(name) => remove_tree(&dir, name, told),
                None => Ok(()),
            });
            if let Err(failure) = removed {
                self.progress.problem(&[&above, name.to_bytes()].concat(), "delete", failure);
            }
        }
    }

    /// Tells what would be done.
    fn pretend(&self) -> Result<()> {
        let failed = |source| Error::Target { path: self.plan.path.clone(), source };
        for item in self.plan.table.items.iter() {
            let item = &item?;
            let action = match item.decision {
                Decision::Create | Decision::Replace => Action::Restored,
                Decision::Update => Action::Updated,
                Decision::Unchanged | Decision::Skip => Action::Unchanged,
                Decision::Impossible => continue,
            };
            if action != Action::Unchanged {
                self.progress.bytes(item.size);
            }
            self.progress.item(action, item);
        }
        let target = match Target::open(&self.plan.path) {
            Ok(target) => Some(target),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(failed(errno.into())),
        };
        let mut dirs = target.as_ref().map(OpenDirs::new);
        for number in (0..self.plan.table.dirs.len()).rev().map(|number| number as DirNumber) {
            if let Some(dirs) = &mut dirs {
                self.remove_extra(dirs, number, true);
            }
            if number != 0 {
                self.progress.dir(number);
            }
        }
        Ok(())
    }
}
