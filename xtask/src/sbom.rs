//! What the program is built from, as a software bill of materials in CycloneDX 1.5.
//!
//! It lies in the program's folder, so that `tresor version --sbom` prints what that very build was made from.

use crate::{Result, project};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The system that it is made for; others link a few crates more or less.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Where it lies.
pub(crate) fn path() -> PathBuf {
    project::folder().join("crates/cli/sbom.json")
}

/// Every crate of every platform and of the tests, as the lock file has them.
pub(crate) fn all() -> Result<Metadata> {
    Ok(MetadataCommand::new().current_dir(project::folder()).other_options(["--locked".into()]).exec()?)
}

/// The bill of the lock file as it is now.
pub(crate) fn make() -> Result<String> {
    let platform = ["--locked", "--filter-platform", PLATFORM].map(str::to_owned);
    let metadata = MetadataCommand::new().current_dir(project::folder()).other_options(platform).exec()?;
    let checksums = checksums(&std::fs::read_to_string(project::folder().join("Cargo.lock"))?);
    let mut text = serde_json::to_string_pretty(&bill(&metadata, &checksums)?)?;
    text.push('\n');
    Ok(text)
}

fn bill(metadata: &Metadata, checksums: &BTreeMap<String, String>) -> Result<Value> {
    let resolve = metadata.resolve.as_ref().ok_or("cargo tells no dependencies")?;
    let edges: BTreeMap<&PackageId, Vec<(&PackageId, bool)>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let kinds =
                |kind| move |dep: &&cargo_metadata::NodeDep| dep.dep_kinds.iter().any(|it| it.kind == kind);
            let linked = node.deps.iter().filter(kinds(DependencyKind::Normal)).map(|dep| (&dep.pkg, true));
            let used = node.deps.iter().filter(kinds(DependencyKind::Build)).map(|dep| (&dep.pkg, false));
            (&node.id, linked.chain(used).collect())
        })
        .collect();
    let program = metadata.packages.iter().find(|package| package.name.as_str() == "tresor");
    let program = program.ok_or("there is no package tresor")?;
    let linked = reached(&program.id, &edges, false);
    let needed = reached(&program.id, &edges, true);
    let refer = |id: &PackageId| {
        let package = &metadata[id];
        format!("pkg:cargo/{}@{}", package.name, package.version)
    };
    let mut parts: Vec<&PackageId> = needed.iter().copied().filter(|id| **id != program.id).collect();
    parts.sort_by_key(|id| refer(id));
    let components: Vec<Value> = parts
        .iter()
        .map(|id| {
            let package = &metadata[*id];
            let mut part = json!({
                "type": "library",
                "bom-ref": refer(id),
                "name": package.name,
                "version": package.version,
                "scope": if linked.contains(id) { "required" } else { "excluded" },
                "purl": refer(id),
            });
            if let Some(license) = &package.license {
                part["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
            }
            if let Some(checksum) = checksums.get(&format!("{} {}", package.name, package.version)) {
                part["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
            }
            part
        })
        .collect();
    let dependencies: Vec<Value> = std::iter::once(&program.id)
        .chain(parts)
        .map(|id| {
            let below: BTreeSet<String> = edges[id].iter().map(|(below, _)| refer(below)).collect();
            json!({ "ref": refer(id), "dependsOn": below })
        })
        .collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": refer(&program.id),
                "name": program.name,
                "version": program.version,
            },
            "properties": [{ "name": "target", "value": PLATFORM }],
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// What a package leads to: what is linked into it, and what builds that too if asked for.
fn reached<'a>(
    from: &'a PackageId,
    edges: &BTreeMap<&'a PackageId, Vec<(&'a PackageId, bool)>>,
    builds: bool,
) -> BTreeSet<&'a PackageId> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            let below = edges.get(id).into_iter().flatten();
            open.extend(below.filter(|(_, linked)| *linked || builds).map(|(id, _)| *id));
        }
    }
    reached
}

/// The checksums of a lock file, by name and version.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let blocks = lock.split("[[package]]").skip(1);
    blocks
        .filter_map(|block| {
            let name = format!("{} {}", field(block, "name")?, field(block, "version")?);
            Some((name, field(block, "checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0\"\nchecksum = \"12ab\"\n\n[[package]]\nname = \"ours\"\nversion = \"0.1\"\n";
        assert_eq!(checksums(lock), BTreeMap::from([("a 1.0".to_owned(), "12ab".to_owned())]));
    }

    #[test]
    fn the_bill_names_what_is_linked_and_leaves_out_what_tests_use() {
        let bill: Value = serde_json::from_str(&make().unwrap()).unwrap();
        let parts = bill["components"].as_array().unwrap();
        let scope = |name: &str| parts.iter().find(|part| part["name"] == name).map(|part| &part["scope"]);
        assert_eq!(scope("zstd-safe"), Some(&json!("required")));
        assert_eq!(scope("tresor-repo"), Some(&json!("required")));
        assert_eq!(scope("cc"), Some(&json!("excluded")));
        assert_eq!(scope("proptest"), None);
    }
}
