//! The edges between crates are those that ARCHITECTURE.md lists: no more, no fewer.

use super::{Complaints, House};
use crate::{Result, project};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};

type Edges = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(house: &House) -> Result<Complaints> {
    let map = house.find("ARCHITECTURE.md").ok_or("ARCHITECTURE.md is missing")?;
    let allowed = parse(&map.text)?;
    let metadata = MetadataCommand::new().current_dir(project::folder()).no_deps().exec()?;
    let real: Edges =
        metadata.packages.iter().map(|package| (short(&package.name), ours(package, false))).collect();
    let mut complaints = compare(&allowed, &real);
    for package in &metadata.packages {
        let name = short(&package.name);
        for other in ours(package, true).iter().filter(|other| *other != "testkit") {
            if !allowed.get(&name).is_some_and(|edges| edges.contains(other)) {
                complaints.push(format!("the tests of {name} use {other}, which {name} itself may not"));
            }
        }
    }
    Ok(complaints)
}

fn compare(allowed: &Edges, real: &Edges) -> Complaints {
    let mut complaints = Vec::new();
    let none = BTreeSet::new();
    for name in allowed.keys().chain(real.keys()).collect::<BTreeSet<_>>() {
        let (wanted, found) = (allowed.get(name).unwrap_or(&none), real.get(name).unwrap_or(&none));
        if !allowed.contains_key(name) {
            complaints.push(format!("ARCHITECTURE.md does not know the crate {name}"));
        }
        complaints.extend(found.difference(wanted).map(|other| format!("{name} -> {other} is not allowed")));
        complaints
            .extend(wanted.difference(found).map(|other| format!("{name} -> {other} is on the map only")));
    }
    complaints
}

/// Reads the block that begins with ```` ```edges ````: a crate, `->`, and the crates it may use.
fn parse(map: &str) -> Result<Edges> {
    let (_, rest) = map.split_once("```edges\n").ok_or("ARCHITECTURE.md has no block of edges")?;
    let (block, _) = rest.split_once("```").ok_or("the block of edges has no end")?;
    let mut edges = Edges::new();
    for line in block.lines() {
        let (name, others) = line.split_once("->").ok_or_else(|| format!("{line:?} is no line of edges"))?;
        let others = others.split(',').map(|other| other.trim().to_owned()).filter(|other| !other.is_empty());
        edges.insert(name.trim().to_owned(), others.collect());
    }
    Ok(edges)
}

fn ours(package: &Package, of_tests: bool) -> BTreeSet<String> {
    let ours = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    let ours = ours.filter(|dependency| (dependency.kind == DependencyKind::Development) == of_tests);
    ours.map(|dependency| short(&dependency.name)).collect()
}

/// The name on the map: the folder's.
fn short(package: &str) -> String {
    match package {
        "tresor" => "cli".to_owned(),
        other => other.strip_prefix("tresor-").unwrap_or(other).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_of_disagreement_are_found() {
        let allowed = parse("text\n```edges\nbackend ->\nrepo -> backend, chunker\n```\n").unwrap();
        let real = parse("```edges\nbackend -> repo\nrepo -> backend\nweb ->\n```").unwrap();
        let expect = [
            "backend -> repo is not allowed",
            "repo -> chunker is on the map only",
            "ARCHITECTURE.md does not know the crate web",
        ];
        assert_eq!(compare(&allowed, &real), expect);
    }
}
