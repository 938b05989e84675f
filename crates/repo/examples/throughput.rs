//! Measures upload, index, check and load of blobs over a backend in memory.
//!
//! `cargo run --release -p tresor-repo --example throughput -- [blobs] [bytes] [threads] [text]`: so many
//! blobs of so many bytes; with `text`, ones that can be compressed. Prints wall and processor time of each
//! step, by the byte and by the blob.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tresor_backend::memory::Memory;
use tresor_backend::{Cancel, Full, Handle};
use tresor_repo::codec::Compression;
use tresor_repo::index::Index;
use tresor_repo::keyfile::{KeyCost, NewKey, Password};
use tresor_repo::monitor::Silent;
use tresor_repo::repository::{InitOptions, Options};
use tresor_repo::time::Time;
use tresor_repo::{BlobKind, Error, PackId, Repository, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (blobs, length, threads) = (number(0, 512), number(1, 1 << 20).max(8), number(2, 2));
    let is_text = arguments.get(3).is_some_and(|word| word == "text");
    let repository = repository()?;
    let blob = if is_text { text(length as usize) } else { random_bytes(length as usize) };
    let mut timer = Timer::start(blobs, length);
    upload(&repository, &blob, blobs, threads)?;
    timer.lap("upload");
    let index = repository.load_index(&Silent)?;
    timer.lap("load index");
    let packs: Vec<PackId> = index.packs().map(|pack| Ok(pack?.0)).collect::<Result<_>>()?;
    repository.check_pack_contents(&index, &packs, &Silent, &|finding| report(&finding.to_string()))?;
    timer.lap("check");
    load(&repository, &index, &packs)?;
    timer.lap("load, one thread");
    report(&format!("{} packs, {} blobs", packs.len(), index.len()?));
    Ok(())
}

fn repository() -> Result<Repository<Full>> {
    let options = Options {
        compression: Compression::Auto,
        pack_size: 16 << 20,
        verify_before_upload: true,
        memory: 48 << 20,
        temporary_folder: std::env::temp_dir(),
        cancel: Cancel::new(),
    };
    let key = NewKey {
        username: String::new(),
        hostname: String::new(),
        created: Time::new(0, 0, 0),
        cost: KeyCost::Exact { n: 2, r: 1, p: 1 },
    };
    let new = InitOptions { version: 2, polynomial: None, key };
    let password = Password::new(b"measure".to_vec());
    Repository::init(Handle::new(Arc::new(Memory::new())), &password, &new, options)
}

fn random_bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    tresor_repo::random::fill(&mut bytes).expect("the kernel gives random bytes");
    bytes
}

fn text(length: usize) -> Vec<u8> {
    let words = ["static ", "const ", "struct ", "return ", "if (", ") {\n\t", "->", "0x", "int ", "/* "];
    let mut random = random_bytes(length).into_iter();
    let mut bytes = Vec::with_capacity(length + 16);
    while bytes.len() < length {
        let byte = random.next().expect("a word for each byte is more than enough");
        bytes.extend_from_slice(words[usize::from(byte) % words.len()].as_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn upload(repository: &Repository<Full>, blob: &[u8], blobs: u64, threads: u64) -> Result<()> {
    let next = AtomicU64::new(0);
    let work = |upload: &tresor_repo::upload::Upload<'_>| {
        thread::scope(|scope| {
            let worker = || {
                let (mut saver, mut blob) = (upload.saver(), blob.to_vec());
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= blobs {
                        return Ok(());
                    }
                    blob[..8].copy_from_slice(&number.to_le_bytes());
                    saver.save_blob(BlobKind::Data, &blob)?;
                }
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
        })
    };
    repository.upload::<(), Error>(&Index::default(), work).map(drop)
}

fn load(repository: &Repository<Full>, index: &Index, packs: &[PackId]) -> Result<()> {
    let (by_pack, mut loader) = (index.by_pack()?, repository.loader());
    for &pack in packs {
        let mut wanted = by_pack.blobs(&pack)?;
        loader.load_from_pack::<Error>(index, pack, &mut wanted, &mut |_, plain| plain.map(drop))?;
    }
    Ok(())
}

/// Wall and processor time since the last lap.
struct Timer {
    blobs: u64,
    bytes: u64,
    wall: Instant,
    processor: Duration,
}

impl Timer {
    fn start(blobs: u64, length: u64) -> Self {
        Timer { blobs, bytes: blobs * length, wall: Instant::now(), processor: processor_time() }
    }

    fn lap(&mut self, what: &str) {
        let (wall, processor) = (self.wall.elapsed(), processor_time() - self.processor);
        let rate = self.bytes as f64 / wall.as_secs_f64() / 1e6;
        let nanoseconds = processor.as_nanos() as f64;
        let (by_byte, by_blob) = (nanoseconds / self.bytes as f64, nanoseconds / self.blobs as f64);
        report(&format!(
            "{what}: {wall:.2?}, {rate:.0} MB/s; processor: {by_byte:.2} ns a byte, {by_blob:.0} a blob"
        ));
        (self.wall, self.processor) = (Instant::now(), processor_time());
    }
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn report(line: &str) {
    println!("{line}");
}
