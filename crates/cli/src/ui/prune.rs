//! How a prune is shown: what it finds, what it decides, how far it is.

use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use tresor_backend::{FileKind, FileName};
use tresor_repo::monitor::{Monitor, Note, Problem};
use tresor_repo::prune::{Amount, PrunePlan, PruneStats};
use tresor_repo::{BlobHandle, Error as RepoError, PackId, Phase};

use super::Ui;
use super::backup::ErrorMessage;
use super::counters::Counting;
use super::progress::Ticker;
use crate::causes::chain;
use crate::units;

/// Tells what is wrong: as text, or as JSON messages; restic's are text even between JSON messages.
pub(crate) struct Complaints {
    ui: Arc<Ui>,
    as_restic: bool,
}

/// Says what begins, and counts it.
pub(crate) struct PruneView {
    ui: Arc<Ui>,
    counting: Counting,
    complaints: Complaints,
    /// Whether all index files go first.
    recovering: bool,
}

impl PruneView {
    /// A view that talks through `ui`, and what shows its counters for as long as it lives.
    pub(crate) fn start(complaints: Complaints, recovering: bool) -> (PruneView, Ticker) {
        let ui = Arc::clone(&complaints.ui);
        let (counting, ticker) = Counting::start(&ui);
        (PruneView { ui, counting, complaints, recovering }, ticker)
    }

    /// A file was removed, or could not be.
    pub(crate) fn removed(&self, file: FileName, ended: Result<(), RepoError>) {
        let id = file.id();
        let name = match file.kind() {
            FileKind::Index if !self.recovering => format!("index {id}"),
            FileKind::Index => format!("index/{id}"),
            _ => format!("data/{id}"),
        };
        match ended {
            Ok(()) => self.ui.very_verbose(&format!("removed {name}")),
            Err(error) => {
                let text = format!("unable to remove {name} from the repository: {}", chain(&error));
                self.complaints.tell(&name, &text);
            }
        }
    }
}

impl Monitor for PruneView {
    fn problem(&self, problem: &Problem) {
        self.counting.problem(problem);
    }

    fn begin(&self, phase: Phase, total: Option<u64>) {
        match phase {
            Phase::RemoveUnindexed => self.ui.print("deleting unreferenced packs"),
            Phase::Repack => self.ui.print("repacking packs"),
            Phase::Reindex => self.ui.print("rebuilding index"),
            Phase::RemoveWholeIndex => self.ui.print("deleting index files"),
            Phase::RemovePacks => {
                self.ui.print(&format!("removing {} old packs", total.unwrap_or_default()));
            }
            _ => {}
        }
        self.counting.begin(phase, total);
    }

    fn advance(&self, phase: Phase, steps: u64) {
        self.counting.advance(phase, steps);
    }

    fn end(&self, phase: Phase) {
        self.counting.end(phase);
    }

    fn note(&self, note: &Note) {
        match note {
            Note::UnindexedPack { pack } => {
                let pack = pack.short();
                self.ui.verbose(&format!("will remove pack {pack} as it is unused and not indexed"));
            }
            note => self.counting.note(note),
        }
    }
}

/// Shows the plan in numbers.
pub(crate) fn stats(ui: &Ui, stats: &PruneStats) {
    let line = |what: &str, Amount { blobs, bytes }: Amount| {
        format!("{what:<14}{blobs:>10} blobs / {}", units::bytes(bytes))
    };
    let size = |what: &str, bytes: u64| format!("{what:<33}{}", units::bytes(bytes));
    ui.verbose("");
    ui.verbose(&line("used:", stats.used));
    if stats.duplicate.blobs > 0 {
        ui.verbose(&line("duplicates:", stats.duplicate));
    }
    ui.verbose(&line("unused:", stats.unused));
    if stats.unindexed_bytes > 0 {
        ui.verbose(&size("unreferenced:", stats.unindexed_bytes));
    }
    let (total, remaining) = (stats.total(), stats.remaining());
    ui.verbose(&line("total:", total));
    let share = units::percent(stats.unused_bytes(), total.bytes);
    ui.verbose(&format!("unused size: {share} of total size"));

    ui.print("");
    ui.print(&line("to repack:", stats.repack));
    ui.print(&line("this removes:", stats.repack_removes));
    let deleted = Amount { bytes: stats.remove.bytes.saturating_add(stats.unindexed_bytes), ..stats.remove };
    ui.print(&line("to delete:", deleted));
    ui.print(&line("total prune:", stats.removed()));
    if stats.uncompressed_bytes > 0 {
        ui.print(&size("not yet compressed:", stats.uncompressed_bytes));
    }
    ui.print(&line("remaining:", remaining));
    let unused = stats.unused_bytes_after();
    let (left, share) = (units::bytes(unused), units::percent(unused, remaining.bytes));
    ui.print(&format!("unused size after prune: {left} ({share} of remaining size)\n"));
    pack_counts(ui, stats);
}

fn pack_counts(ui: &Ui, stats: &PruneStats) {
    let packs = &stats.packs;
    ui.verbose(&format!("totally used packs: {:>10}", packs.used));
    ui.verbose(&format!("partly used packs:  {:>10}", packs.partly_used));
    ui.verbose(&format!("unused packs:       {:>10}\n", packs.unused));
    for (what, count) in
        [("to keep:", packs.keep), ("to repack:", packs.repack), ("to delete:", packs.remove)]
    {
        ui.verbose(&format!("{what:<14}{count:>10} packs"));
    }
    if packs.unindexed > 0 {
        ui.verbose(&format!("{:<14}{:>10} unreferenced packs\n", "to delete:", packs.unindexed));
    }
}

/// Says which packs a dry run would have touched.
pub(crate) fn dry_run(ui: &Ui, plan: &PrunePlan<'_>) {
    ui.verbose("Repeated prune dry-runs can report slightly different amounts of data to keep or repack. This is expected behavior.\n");
    let list = |what: &str, packs: &[PackId]| {
        let ids: Vec<String> = packs.iter().map(PackId::short).collect();
        ui.verbose(&format!("Would have {what} packs:\n{{{}}}\n", ids.join(" ")));
    };
    if !plan.unindexed.is_empty() {
        list("removed the following unreferenced", &plan.unindexed);
    }
    list("repacked and removed the following", &plan.repack);
    list("removed the following no longer used", &plan.remove);
}

impl Complaints {
    /// Complaints through `ui`, ours or restic's.
    pub(crate) fn new(ui: &Arc<Ui>, as_restic: bool) -> Complaints {
        Complaints { ui: Arc::clone(ui), as_restic }
    }

    fn is_json(&self) -> bool {
        self.ui.is_json() && !self.as_restic
    }

    fn tell(&self, item: &str, text: &str) {
        match self.is_json() {
            true => self.ui.error_json(&ErrorMessage::new(text, "prune", item)),
            false => self.ui.error(text),
        }
    }

    /// Warns that trees come from the backend one by one; the text goes to stdout, even when quiet.
    pub(crate) fn no_cache(&self) {
        let text = "warning: running prune without a cache, this may be very slow!";
        if self.is_json() { self.tell("", text) } else { self.ui.important(text) }
    }

    /// Packs are gone, and nothing needs them.
    pub(crate) fn missing(&self, packs: &[PackId]) {
        if packs.is_empty() {
            return;
        }
        self.tell("", "Missing but unneeded pack files are referenced in the index, will be repaired");
        for pack in packs {
            self.tell(&format!("data/{pack}"), &format!("will forget missing pack file {pack}"));
        }
    }

    /// Packs are gone, and something needs them.
    pub(crate) fn needed(&self, packs: &[PackId]) {
        let count = packs.len();
        self.tell(
            "",
            &format!("The index references {count} needed pack files which are missing from the repository:"),
        );
        packs.iter().for_each(|pack| self.tell(&format!("data/{pack}"), &format!("  {pack}")));
    }

    /// A pack that is needed is longer or shorter than the index says.
    pub(crate) fn wrong_size(&self, pack: &PackId, calculated: u64, real: u64) {
        let short = pack.short();
        let text = format!("pack {short}: calculated size {calculated} does not match real size {real}");
        self.tell(&format!("data/{pack}"), &text);
        if self.as_restic {
            self.ui.error("Run 'restic repair index'"); // ours is the hint
        }
    }

    /// Blobs are needed and in no index file.
    pub(crate) fn unknown(&self, blobs: &[BlobHandle]) {
        /// More would say nothing new.
        const SHOWN: usize = 100;
        let shown: Vec<String> = blobs.iter().take(SHOWN).map(ToString::to_string).collect();
        let more = blobs.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        self.tell("", &format!("[{}]{more} not found in the index\n", shown.join(" ")));
        self.tell("", "Integrity check failed: Data seems to be missing.");
        self.tell("", "Will not start prune to prevent (additional) data loss!");
    }
}

/// The plan in numbers as a JSON message.
pub(crate) fn summary(ui: &Ui, stats: &PruneStats, dry_run: bool) {
    let amount = |Amount { blobs, bytes }| AmountMessage { blobs, bytes };
    ui.json(&SummaryMessage {
        message_type: "summary",
        dry_run,
        used: amount(stats.used),
        duplicate: amount(stats.duplicate),
        unused: amount(stats.unused),
        unindexed_bytes: stats.unindexed_bytes,
        total: amount(stats.total()),
        repacked: amount(stats.repack),
        repacking_removed: amount(stats.repack_removes),
        removed: amount(stats.removed()),
        remaining: amount(stats.remaining()),
        unused_bytes_remaining: stats.unused_bytes_after(),
        uncompressed_bytes: stats.uncompressed_bytes,
        packs: PacksMessage {
            used: stats.packs.used,
            partly_used: stats.packs.partly_used,
            unused: stats.packs.unused,
            kept: stats.packs.keep,
            repacked: stats.packs.repack,
            removed: stats.packs.remove,
            unindexed_removed: stats.packs.unindexed,
        },
    });
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct SummaryMessage {
    message_type: &'static str,
    dry_run: bool,
    used: AmountMessage,
    duplicate: AmountMessage,
    unused: AmountMessage,
    unindexed_bytes: u64,
    total: AmountMessage,
    repacked: AmountMessage,
    repacking_removed: AmountMessage,
    removed: AmountMessage,
    remaining: AmountMessage,
    unused_bytes_remaining: u64,
    uncompressed_bytes: u64,
    packs: PacksMessage,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct AmountMessage {
    blobs: u64,
    bytes: u64,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct PacksMessage {
    used: u64,
    partly_used: u64,
    unused: u64,
    kept: u64,
    repacked: u64,
    removed: u64,
    unindexed_removed: u64,
}
