//! The JSON Schema of every message: what each command writes to stdout and stderr with `--json`.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::shapes;
use crate::commands::find::packs;
use crate::commands::{
    cache, diff, explain, features, init, key, migrate, mount, options, recover, repair_index, repair_packs,
    stats, tag, tls, version,
};
use crate::ui::{backup, changes, check, errors, prune, restore, traffic, trust};

/// The version of the schema: the second number grows with what is added, the first with what breaks readers.
const VERSION: &str = "1.3";

/// The schema as a file.
pub(super) fn schema() -> String {
    let document = Catalogue::full().document();
    format!("{document:#}\n")
}

/// Whether a command has JSON under the name `restic` too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    Both,
    OurName,
}

/// All messages, and who writes them.
struct Catalogue {
    generator: SchemaGenerator,
    messages: Map<String, Value>,
    commands: Map<String, Value>,
}

impl Catalogue {
    fn full() -> Catalogue {
        let settings = SchemaSettings::draft2020_12().for_serialize().with(|with| {
            with.inline_subschemas = true;
            with.meta_schema = None;
        });
        let mut all =
            Catalogue { generator: settings.into_generator(), messages: Map::new(), commands: Map::new() };
        all.describe_messages();
        all.describe_lists();
        all.describe_commands();
        all
    }

    fn describe_messages(&mut self) {
        self.message::<errors::Warning<'_>>("warning", "warning");
        self.message::<errors::ExitError<'_>>("exit_error", "exit_error");
        self.message::<traffic::Traffic>("traffic", "traffic");
        self.message::<backup::ErrorMessage<'_>>("item_error", "error");
        self.message::<backup::StatusMessage>("backup_status", "status");
        self.message::<backup::ItemMessage>("backup_item", "verbose_status");
        self.message::<backup::ExcludedMessage<'_>>("backup_excluded", "excluded_item");
        self.message::<backup::SummaryMessage>("backup_summary", "summary");
        self.message::<restore::StatusMessage>("restore_status", "status");
        self.message::<restore::StatusMessage>("restore_summary", "summary");
        self.message::<restore::ItemMessage<'_>>("restore_item", "verbose_status");
        self.message::<check::Message<'_>>("check_error", "error");
        self.message::<check::Summary>("check_summary", "summary");
        self.message::<prune::SummaryMessage>("prune_summary", "summary");
        self.message::<diff::ChangeMessage<'_>>("diff_change", "change");
        self.message::<diff::Statistics<'_>>("diff_statistics", "statistics");
        self.message::<tag::Changed>("tag_changed", "changed");
        self.message::<tag::Summary>("tag_summary", "summary");
        self.message::<init::Initialized<'_>>("initialized", "initialized");
        self.message::<key::generate::Message<'_>>("passphrase", "passphrase");
        self.message::<tls::Message<'_>>("tls_server", "server");
        self.message::<trust::FindingMessage<'_>>("trust_finding", "trust");
        self.message::<trust::AddressMessage<'_>>("trust_address", "address");
        self.message::<trust::AcceptedMessage<'_>>("trust_accepted", "accepted");
        self.message::<trust::ForgottenMessage<'_>>("trust_forgotten", "forgotten");
        self.message::<version::Message>("version", "version");
        self.message::<explain::Message>("exit_code", "exit_code");
        self.message::<features::Message>("feature", "feature");
        self.message::<options::Message>("option", "option");
        self.message::<cache::Message<'_>>("cache", "cache");
        self.message::<mount::Message<'_>>("mounted", "mounted");
        self.message::<migrate::Migration>("migration", "migration");
        self.message::<recover::Summary>("recover_summary", "summary");
        self.message::<repair_index::Summary>("repair_index_summary", "summary");
        self.message::<repair_packs::Summary>("repair_packs_summary", "summary");
        self.message::<packs::PackMessage<'_>>("find_pack", "pack");
        self.message::<packs::NoPackMessage<'_>>("find_no_pack", "no_pack");
        self.message::<shapes::LsSnapshot>("ls_snapshot", "snapshot");
        self.message::<shapes::LsNode>("ls_node", "node");
        self.variants::<changes::Told<'_>>();
    }

    fn describe_lists(&mut self) {
        self.document_of::<shapes::Snapshots>("snapshots");
        self.document_of::<shapes::SnapshotGroups>("snapshot_groups");
        self.document_of::<shapes::ForgetGroups>("forget_groups");
        self.document_of::<shapes::FoundPaths>("found_paths");
        self.document_of::<shapes::FoundObjects>("found_objects");
        self.document_of::<stats::Message>("stats");
        self.document_of::<Vec<key::Listed<'_>>>("keys");
        self.document_of::<shapes::Stored>("stored");
    }

    fn describe_commands(&mut self) {
        use Under::{Both, OurName};
        let backup = ["backup_status", "backup_item", "backup_excluded", "backup_summary"];
        self.command("backup", Both, &backup, &["item_error"]);
        self.command("cache", OurName, &["cache"], &[]);
        self.command("cat", OurName, &["stored"], &[]);
        self.command("check", Both, &["check_summary"], &["check_error"]);
        self.command("copy", OurName, &["told_copied", "told_skipped", "told_summary"], &[]);
        self.command("diff", Both, &["diff_change", "diff_statistics"], &[]);
        self.command("dump", OurName, &[], &[]);
        self.command("explain", Both, &["exit_code"], &[]);
        self.command("features", OurName, &["feature"], &[]);
        self.command("find", Both, &["found_paths", "found_objects", "find_pack", "find_no_pack"], &[]);
        self.command("forget", Both, &["forget_groups", "told_removed"], &["item_error"]);
        self.command("generate", Both, &[], &[]);
        self.command("init", Both, &["initialized"], &[]);
        self.command("key add", OurName, &["told_key_added"], &[]);
        self.command("key generate", Both, &["passphrase"], &[]);
        self.command("key list", Both, &["keys"], &[]);
        self.command("key passwd", OurName, &["told_key_added"], &[]);
        self.command("key remove", OurName, &["told_key_removed"], &[]);
        self.command("list", OurName, &["told_object"], &[]);
        self.command("ls", Both, &["ls_snapshot", "ls_node"], &[]);
        self.command("migrate", OurName, &["migration"], &["item_error", "check_error"]);
        self.command("mount", OurName, &["mounted"], &[]);
        self.command("options", OurName, &["option"], &[]);
        self.command("prune", OurName, &["prune_summary"], &["item_error"]);
        self.command("recover", OurName, &["recover_summary"], &["item_error"]);
        self.command("repair index", OurName, &["repair_index_summary"], &["item_error"]);
        self.command("repair packs", OurName, &["repair_packs_summary"], &["item_error"]);
        let repaired = ["told_repaired", "told_changed", "told_removed", "told_summary"];
        self.command("repair snapshots", OurName, &repaired, &["item_error"]);
        self.command(
            "restore",
            Both,
            &["restore_status", "restore_item", "restore_summary"],
            &["item_error"],
        );
        self.command("rewrite", OurName, &["told_changed", "told_summary"], &["item_error"]);
        self.command("snapshots", Both, &["snapshots", "snapshot_groups"], &[]);
        self.command("stats", Both, &["stats"], &[]);
        self.command("tag", Both, &["tag_changed", "tag_summary"], &[]);
        self.command("tls show", Both, &["tls_server"], &[]);
        self.command("trust accept", Both, &["trust_accepted"], &[]);
        self.command("trust forget", Both, &["trust_forgotten"], &[]);
        self.command("trust show", Both, &["trust_address"], &[]);
        self.command("unlock", OurName, &["told_summary"], &[]);
        self.command("version", Both, &["version"], &[]);
    }

    /// A message that says of which type it is.
    fn message<T: JsonSchema>(&mut self, name: &str, message_type: &str) {
        let mut schema = self.generator.root_schema_for::<T>().to_value();
        schema["properties"]["message_type"] = json!({ "const": message_type });
        self.add(name, schema);
    }

    /// Each variant of an enumeration as a message of its own.
    fn variants<T: JsonSchema>(&mut self) {
        let schema = self.generator.root_schema_for::<T>().to_value();
        for variant in schema["oneOf"].as_array().into_iter().flatten() {
            let name = variant["properties"]["message_type"]["const"].as_str().unwrap_or_default();
            self.add(&format!("told_{name}"), variant.clone());
        }
    }

    /// A whole document without a type of message.
    fn document_of<T: JsonSchema>(&mut self, name: &str) {
        let schema = self.generator.root_schema_for::<T>().to_value();
        self.add(name, schema);
    }

    fn add(&mut self, name: &str, mut schema: Value) {
        tighten(&mut schema);
        if let Some(members) = schema.as_object_mut() {
            members.shift_remove("title");
        }
        self.messages.insert(name.to_owned(), schema);
    }

    /// What a command writes: each line of stdout and of stderr is one of these messages.
    fn command(&mut self, name: &str, under: Under, stdout: &[&str], stderr: &[&str]) {
        let stderr = [stderr, &["traffic", "trust_finding", "warning", "exit_error"]].concat();
        let key = name.replace(' ', "_");
        for (stream, names) in [("stdout", stdout), ("stderr", &stderr)] {
            let any: Vec<Value> =
                names.iter().map(|name| json!({ "$ref": format!("#/$defs/{name}") })).collect();
            let any = if any.is_empty() { Value::Bool(false) } else { json!({ "anyOf": any }) };
            self.commands.insert(format!("{stream}.{key}"), any);
        }
        let entry = self.commands.entry("x-commands").or_insert_with(|| json!({}));
        entry[name] = json!({
            "stdout": if stdout.is_empty() { json!("bytes") } else { json!(format!("#/$defs/stdout.{key}")) },
            "stderr": format!("#/$defs/stderr.{key}"),
            "restic": under == Under::Both,
        });
    }

    fn document(mut self) -> Value {
        let commands = self.commands.shift_remove("x-commands");
        let any: Vec<Value> =
            self.messages.keys().map(|name| json!({ "$ref": format!("#/$defs/{name}") })).collect();
        let mut defs = self.messages;
        defs.append(&mut self.commands);
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("urn:tresor:messages:{VERSION}"),
            "title": "What tresor writes with --json",
            "description": "Made by `cargo xtask generate`; do not edit. Each line of stdout and stderr is one \
                of these messages; `x-commands` says which definitions hold for which command.",
            "anyOf": any,
            "x-commands": commands,
            "$defs": defs,
        })
    }
}

/// Objects have the members that are described and no others; what may be missing is never null.
fn tighten(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(tighten),
        Value::Object(members) => {
            let required = members.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            if let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) {
                let optional = |name: &str| !required.iter().any(|required| required == name);
                properties.iter_mut().filter(|(name, _)| optional(name)).for_each(|(_, one)| never_null(one));
                members.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            let number = |format: &str| ["uint", "int", "double"].iter().any(|kind| format.starts_with(kind));
            if members.get("format").and_then(Value::as_str).is_some_and(number) {
                members.shift_remove("format");
            }
            members.shift_remove("$schema");
            members.values_mut().for_each(tighten);
        }
        _ => {}
    }
}

fn never_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
    }
    if let Some(choices) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice["type"] != "null");
    }
}
