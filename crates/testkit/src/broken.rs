//! Repositories broken on purpose and repaired by restic and by tresor, which must save as much.

mod damage;
mod survivors;

pub use damage::Damage;

use crate::fixtures::{self, Unpacked};
use crate::{Client, Random, Run, Spec, generate, mutate};
use regex::Regex;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use survivors::Survivors;
use tempfile::TempDir;

/// Fixtures that are sound, to be broken.
const SOUND: [&str; 6] = ["v1-basic", "v2-auto", "v2-multi", "v2-special", "v2-garbage", "v2-odd"];
/// Fixtures that are broken as they are.
const BROKEN: [&str; 5] =
    ["bad-bitflip", "bad-missing-pack", "bad-missing-treepack", "bad-no-index", "bad-truncated"];
/// What those were made from.
const BEFORE: &str = "v2-max";

/// The exit code of a program that was stopped for taking too long.
const TIMED_OUT: i32 = 124;

/// A repository to be broken.
pub struct Scene {
    name: String,
    path: PathBuf,
    is_broken: bool,
    /// What is in it before it is broken.
    sound: OnceLock<Survivors>,
    _kept: (Option<Unpacked>, Option<TempDir>),
}

/// How one broken repository came out of both repairs.
#[derive(Debug)]
pub struct Outcome {
    /// What was broken, and how.
    pub what: String,
    /// Whether the real restic's check is clean after restic's repair.
    pub is_restic_clean: bool,
    /// Files that restic brought through.
    pub restic_files: usize,
    /// Files that tresor brought through.
    pub tresor_files: usize,
}

impl Outcome {
    /// Whether tresor saved more than restic, or repaired what restic did not.
    pub fn is_better(&self) -> bool {
        self.tresor_files > self.restic_files || !self.is_restic_clean
    }
}

/// All fixtures that are of use, and two generated repositories with several snapshots, packs and index files.
pub fn scenes(seed: u64) -> Vec<Scene> {
    let fixture = |name: &str, is_broken| {
        let unpacked = fixtures::unpack(name);
        survivors::cheapen(&unpacked.path);
        let sound = match is_broken {
            true => OnceLock::from(Survivors::of(&fixtures::unpack(BEFORE).path)),
            false => OnceLock::new(),
        };
        let path = unpacked.path.clone();
        Scene { name: name.into(), path, is_broken, sound, _kept: (Some(unpacked), None) }
    };
    let sound = SOUND.iter().map(|name| fixture(name, false));
    let broken = BROKEN.iter().map(|name| fixture(name, true));
    sound.chain(broken).chain([1, 2].map(|version| generated(version, seed))).collect()
}

/// What a scene is broken with: itself, each damage, or some of them together.
pub fn rounds(scenes: &[Scene], seed: u64, mixed: usize) -> Vec<(usize, Vec<Damage>)> {
    let (mut random, mut rounds) = (Random::new(seed), Vec::new());
    for (number, scene) in scenes.iter().enumerate() {
        match scene.is_broken {
            true => rounds.push((number, Vec::new())),
            false => rounds.extend(Damage::ALL.iter().map(|damage| (number, vec![*damage]))),
        }
    }
    for _ in 0..mixed {
        let number = random.below(scenes.len() as u64) as usize;
        let count = random.within(2..=4);
        rounds.push((number, (0..count).map(|_| *random.pick(&Damage::ALL)).collect()));
    }
    rounds
}

impl Scene {
    /// Breaks a copy, lets both programs repair it, and compares what they bring through.
    ///
    /// # Errors
    /// tresor lost a file that restic saved, or the real restic's check is not clean after tresor's repair; with
    /// all that was said.
    pub fn play(&self, tresor: &Path, damages: &[Damage], seed: u64) -> Result<Outcome, String> {
        let what = format!("{} with {damages:?}, seed {seed}", self.name);
        let sound = self.sound.get_or_init(|| Survivors::of(&self.path));
        let broken = tempfile::tempdir().expect("a temporary folder can be made");
        copy_folder(&self.path, broken.path());
        let mut random = Random::new(seed);
        let mut told = Vec::new();
        for damage in damages {
            told.push(damage.inflict(broken.path(), &mut random));
        }
        let keys = names(&self.path.join("keys"));
        let lost_snapshots = damages.iter().any(|damage| damage.is_of_snapshots());
        let repaired = |program: Option<&Path>| {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            copy_folder(broken.path(), &folder.path().join("repo"));
            Repair::run(folder, program, lost_snapshots, &keys)
        };
        let (by_restic, by_tresor) = (repaired(None), repaired(Some(tresor)));
        let (restic, ours) = (by_restic.survivors(sound), by_tresor.survivors(sound));
        let lost: Vec<&String> = restic.difference(&ours).collect();
        if lost.is_empty() && by_tresor.is_clean {
            return Ok(Outcome {
                what,
                is_restic_clean: by_restic.is_clean,
                restic_files: restic.len(),
                tresor_files: ours.len(),
            });
        }
        let (damage, said) = (told.join("; "), by_tresor.said.join("\n"));
        let because = match by_tresor.is_clean {
            true => format!("lost what restic saved: {lost:#?}"),
            false => "restic's check is not clean".to_owned(),
        };
        Err(format!("{what} ({damage}): {because}\n{said}\n=== restic\n{}", by_restic.said.join("\n")))
    }
}

/// A repository after its repair.
struct Repair {
    folder: TempDir,
    is_clean: bool,
    said: Vec<String>,
}

impl Repair {
    /// The way the manual describes; by restic if no program is given. Other keys than `keys` are removed.
    fn run(folder: TempDir, program: Option<&Path>, lost_snapshots: bool, keys: &[String]) -> Repair {
        let repository = folder.path().join("repo");
        let checker = Client::restic(&repository).within(folder.path());
        let client = match program {
            Some(program) => Client::tresor(program, &repository).within(folder.path()),
            None => checker.clone(),
        };
        let mut said = Vec::new();
        for key in names(&repository.join("keys")).iter().filter(|key| !keys.contains(key)) {
            step(&client, &mut said, &["key", "remove", key]);
        }
        if !names(&repository.join("locks")).is_empty() {
            step(&client, &mut said, &["unlock", "--remove-all"]);
        }
        step(&client, &mut said, &["repair", "index"]);
        let (mut tried, mut read_all) = (BTreeSet::new(), false);
        loop {
            let checked = check(&checker);
            said.push(checked.to_string());
            if checked.code == Some(TIMED_OUT) && !read_all {
                // restic tries for a quarter of an hour to read blobs that are not where the index says.
                read_all = true;
                step(&client, &mut said, &["repair", "index", "--read-all-packs"]);
                continue;
            }
            let named = named_packs(&checked);
            let words: Vec<&str> = named.iter().map(String::as_str).collect();
            if words.is_empty() || !tried.insert(named.clone()) {
                break;
            }
            step(&client, &mut said, &[&["repair", "packs"], &words[..]].concat());
        }
        if lost_snapshots {
            step(&client, &mut said, &["recover"]);
        }
        // restic does not take damaged snapshots away, and takes no offence at being asked to.
        let named = names(&repository.join("snapshots"));
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        if program.is_some() && !named.is_empty() {
            step(&client, &mut said, &[&["repair", "snapshots", "--forget"], &named[..]].concat());
        } else {
            step(&client, &mut said, &["repair", "snapshots", "--forget"]);
        }
        step(&client, &mut said, &["prune", "--max-unused", "0"]);
        let checked = check(&checker);
        said.push(checked.to_string());
        let is_clean = checked.code == Some(0) && checked.text().contains("no errors were found");
        Repair { folder, is_clean, said }
    }

    /// The files of `sound` that are still there.
    fn survivors(&self, sound: &Survivors) -> BTreeSet<String> {
        Survivors::of(&self.folder.path().join("repo")).of_those_in(sound)
    }
}

fn step(client: &Client, said: &mut Vec<String>, words: &[&str]) {
    said.push(client.run(words).to_string());
}

/// The real restic's check, for a minute at the most.
fn check(restic: &Client) -> Run {
    let command = restic.command(["check", "--read-data", "--no-cache"]);
    let mut limited = Command::new("timeout");
    limited.arg("60").arg(command.get_program()).args(command.get_args()).env_clear();
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Run::of(limited.current_dir(restic.home()))
}

/// The packs that a check wants to have repaired.
fn named_packs(check: &Run) -> BTreeSet<String> {
    let line = Regex::new("repair packs ([0-9a-f ]+)").expect("a pattern of ours is well-formed");
    let errors = check.errors();
    let named = line.captures_iter(&errors).flat_map(|found| {
        let ids: Vec<String> = found[1].split_whitespace().map(str::to_owned).collect();
        ids
    });
    named.filter(|id| id.len() == 64).collect()
}

/// The names of the repository files in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let listed = fs::read_dir(folder).map(|listed| listed.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let names = listed.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).collect();
    names.sort();
    names
}

/// A repository of several snapshots of a tree that changes, made by the real restic.
fn generated(version: u32, seed: u64) -> Scene {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (path, source) = (folder.path().join("repo"), folder.path().join("source"));
    let empty = if version == 1 { fixtures::unpack("v1-basic") } else { fixtures::empty_repository() };
    copy_folder(&empty.path, &path);
    survivors::cheapen(&path);
    let spec = Spec { files: 60, directories: 12, largest: 200_000 };
    generate(&source, seed, &spec);
    let restic = Client::restic(&path).within(folder.path());
    for number in 0..3 {
        let time = format!("2024-05-0{} 10:00:00", number + 1);
        restic.ok(["backup", "source", "--host", "h", "--time", &time]);
        mutate(&source, seed + number, 20.0);
    }
    fs::remove_dir_all(&source).expect("our own source can be removed");
    let (name, sound) = (format!("generated-v{version}"), OnceLock::new());
    Scene { name, path, is_broken: false, sound, _kept: (None, Some(folder)) }
}

/// Copies a folder with everything below it.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a temporary folder can be made");
    for entry in fs::read_dir(from).expect("the folder is there").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("a file can be copied")),
        }
    }
}
