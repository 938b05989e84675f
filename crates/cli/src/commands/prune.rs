//! `prune`: remove what no snapshot needs.

use tresor_backend::Full;
use tresor_repo::SnapshotId;
use tresor_repo::codec::Compression;
use tresor_repo::lock::ExclusiveLock;
use tresor_repo::prune::{MaxUnused, PruneOptions};

use crate::exit::{Failure, Result};
use crate::session::{Opened, Session};
use crate::units;

/// What may be repacked, and what may stay; shared by `prune` and `forget --prune`.
#[derive(clap::Args)]
pub(crate) struct PruneFlags {
    /// Repack at most so much (with k, m, g or t)
    #[arg(long, value_name = "SIZE", default_value = "", hide_default_value = true)]
    max_repack_size: String,
    /// Leave so much unused data where it is: a size, a share of the repository (x%), or `unlimited`
    #[arg(long, value_name = "LIMIT", default_value = "5%")]
    max_unused: String,
    /// Repack only what the local cache holds: packs of trees
    #[arg(long)]
    repack_cacheable_only: bool,
    #[arg(long, hide = true)]
    repack_small: bool,
    /// Repack packs that are smaller than this (with k, m, g or t)
    #[arg(long, value_name = "SIZE", default_value = "", hide_default_value = true)]
    repack_smaller_than: String,
    /// Repack packs with data that is not compressed
    #[arg(long)]
    repack_uncompressed: bool,
}

impl PruneFlags {
    /// The flags as options; to be called before anything is removed.
    ///
    /// # Errors
    /// A value that is none, or flags that contradict each other.
    pub(crate) fn options(&self, session: &Session) -> Result<PruneOptions> {
        let _ = self.repack_small; // what it once asked for is always done
        let max_repack_bytes = match self.max_repack_size.as_str() {
            "" => None,
            size => Some(units::parse_size(size).map_err(Failure::plain)?),
        };
        let compression = session.options()?.compression;
        if self.repack_uncompressed && compression == Compression::Off {
            return Err(Failure::fatal(
                "disabled compression and `--repack-uncompressed` are mutually exclusive",
            ));
        }
        let repack_smaller_than = match self.repack_smaller_than.as_str() {
            "" => None,
            size => Some(units::parse_size(size).map_err(|cause| {
                Failure::fatal(format!("invalid number of bytes {size:?} for --repack-smaller-than: {cause}"))
            })?),
        };
        Ok(PruneOptions {
            max_unused: max_unused(&self.max_unused)?,
            max_repack_bytes,
            repack_cacheable_only: self.repack_cacheable_only,
            repack_uncompressed: self.repack_uncompressed,
            repack_smaller_than,
            recover_without_space: None,
        })
    }
}

fn max_unused(text: &str) -> Result<MaxUnused> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::fatal(format!("invalid value for --max-unused: {text:?}")));
    }
    if text == "unlimited" {
        return Ok(MaxUnused::Unlimited);
    }
    let Some(percent) = text.strip_suffix('%') else {
        let bytes = units::parse_size(text).map_err(|cause| {
            Failure::fatal(format!("invalid number of bytes {text:?} for --max-unused: {cause}"))
        })?;
        return Ok(MaxUnused::Bytes(bytes));
    };
    match percent.parse::<f64>() {
        Err(_) => Err(Failure::fatal(format!(
            "invalid percentage {text:?} passed for --max-unused: strconv.ParseFloat: parsing {percent:?}: invalid syntax"
        ))),
        Ok(percent) if percent < 0.0 => Err(Failure::fatal("percentage for --max-unused must be positive")),
        Ok(percent) if percent < 100.0 => Ok(MaxUnused::Percent(percent)),
        Ok(_) => Err(Failure::fatal("percentage for --max-unused must be below 100%")),
    }
}

/// Prunes under the lock that removed the snapshots, which a dry run may do without; `ignored` are those that a dry run would have removed.
pub(crate) fn run_after_forget(
    session: &Session,
    opened: &Opened<Full, Option<ExclusiveLock>>,
    options: &PruneOptions,
    ignored: &[SnapshotId],
    dry_run: bool,
) -> Result<()> {
    let _ = (session, opened, options, ignored, dry_run);
    Err(Failure::fatal("cannot prune yet"))
}
