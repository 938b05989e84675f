//! The reference pages of the manual, made from the definitions of the commands.
//!
//! `cargo xtask generate` writes them into `docs/`; a test says when they are stale.

mod messages;
#[expect(dead_code, reason = "only described, never made")]
mod shapes;

use clap::{ArgAction, Command};
use std::fmt::Write;

use crate::compat::RULES;
use crate::exit::{Code, Result};
use crate::session::Session;

/// Print a page of the reference (for the manual's makers)
#[derive(clap::Args)]
pub(crate) struct Args {
    /// commands, environment, exit-codes, hardening or messages
    page: String,
}

/// Prints one page as Markdown.
pub(crate) fn run(args: &Args, root: Command, session: &Session) -> Result<()> {
    let page = match args.page.as_str() {
        "commands" => commands(root),
        "environment" => environment(),
        "exit-codes" => exit_codes(),
        "hardening" => hardening(),
        "messages" => messages::schema(),
        page => return Err(crate::exit::Failure::fatal(format!("there is no page {page:?}"))),
    };
    session.ui.raw(page.as_bytes());
    Ok(())
}

fn commands(mut root: Command) -> String {
    root.build();
    let mut page = String::from("# Commands\n\nMade by `cargo xtask generate`; do not edit.\n\n");
    page.push_str("Flags may stand before or after the command. `--name value` and `--name=value` are the same; switches ");
    page.push_str(
        "take a value only as `--name=false`; short switches bundle (`-qn`); `--` ends the flags.\n",
    );
    for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        describe(&mut page, command, command.get_name());
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            describe(&mut page, below, &format!("{} {}", command.get_name(), below.get_name()));
        }
    }
    page.push_str("\n## Global flags\n\n");
    flags(&mut page, &root, false);
    page
}

fn describe(page: &mut String, command: &Command, name: &str) {
    if name == "help" {
        return;
    }
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = command
        .get_positionals()
        .filter(|value| !value.is_hide_set())
        .map(|value| {
            let names = value.get_value_names().unwrap_or_default();
            let name = names.first().map_or(value.get_id().as_str(), |name| name.as_str());
            if value.get_num_args().is_some_and(|range| range.max_values() > 1) {
                format!("[{name}…]")
            } else {
                name.to_owned()
            }
        })
        .collect();
    let usage = [&[format!("tresor {name} [flags]")], &values[..]].concat().join(" ");
    // Writing to a string does not fail, here and below.
    let _ = write!(page, "\n## {name}\n\n{about}.\n\n```text\n{usage}\n```\n\n");
    flags(page, command, true);
}

fn flags(page: &mut String, command: &Command, own: bool) {
    let shown = command.get_arguments().filter(|flag| {
        !flag.is_positional() && !flag.is_hide_set() && flag.is_global_set() != own && flag.get_id() != "help"
    });
    let mut rows = String::new();
    for flag in shown {
        let mut name = crate::goflags::flag_name(flag);
        if matches!(flag.get_action(), ArgAction::Set | ArgAction::Append) {
            let names = flag.get_value_names().unwrap_or_default();
            let _ = write!(name, " {}", names.first().map_or("VALUE", |name| name.as_str()));
        }
        let help = flag.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
        let _ = writeln!(rows, "| `{name}` | {help} |");
    }
    if !rows.is_empty() {
        let _ = write!(page, "| flag | |\n|---|---|\n{rows}");
    }
}

/// Our own variables (`TRESOR_…`, else `RESTIC_…`) and the system's that count.
const VARIABLES: &[(&str, &str)] = &[
    ("TRESOR_REPOSITORY", "location, as `--repo`"),
    ("TRESOR_REPOSITORY_FILE", "file with the location, as `--repository-file`"),
    ("TRESOR_PASSWORD", "the password itself"),
    ("TRESOR_PASSWORD_FILE", "file with the password, as `--password-file`"),
    ("TRESOR_PASSWORD_COMMAND", "command that prints the password, as `--password-command`"),
    ("TRESOR_PASSWORD_FROM", "what keeps the password, as `--password-from`"),
    ("TRESOR_ALLOW_WEAK_PASSWORD", "`1`: as `--allow-weak-password`"),
    ("TRESOR_ALLOW_OPEN_PASSWORD_FILE", "`1`: as `--allow-open-password-file`"),
    ("TRESOR_LEND_CREDENTIALS", "`1`: as `--lend-credentials`"),
    (
        "CREDENTIALS_DIRECTORY",
        "folder of the credentials that systemd gives a service, for `--password-from systemd:NAME`",
    ),
    ("SUDO_UID", "who called `sudo`: as root, the password files of this user are ours"),
    ("TRESOR_KEY_HINT", "key file to try first, as `--key-hint`"),
    ("TRESOR_CACHE_DIR", "folder of the caches, as `--cache-dir`"),
    ("TRESOR_STATE_DIR", "folder of what is remembered of repositories, as the trust store"),
    ("TRESOR_COMPRESSION", "as `--compression`"),
    ("TRESOR_PACK_SIZE", "as `--pack-size`"),
    ("TRESOR_READ_CONCURRENCY", "as `backup --read-concurrency`"),
    ("TRESOR_HOST", "host name of new snapshots, and the default of every `--host` filter"),
    ("TRESOR_PROGRESS_FPS", "updates of the status a second, also off a terminal"),
    ("TRESOR_FEATURES", "feature flags, `name=true,…`"),
    ("TRESOR_CACERT", "as `--cacert`, a list with commas"),
    ("TRESOR_TLS_CLIENT_CERT", "as `--tls-client-cert`"),
    ("TRESOR_TLS_CRL", "as `--tls-crl`, a list with commas"),
    ("TRESOR_TLS_PIN", "as `--tls-pin`, a list with commas"),
    ("TRESOR_COMPAT", "`restic`: do what the name `restic` does, whatever the program is called"),
    ("TRESOR_HTTP_USER_AGENT", "as `--http-user-agent`"),
    (
        "TRESOR_AWS_ASSUME_ROLE_ARN, …_SESSION_NAME, …_EXTERNAL_ID, …_POLICY, …_REGION, …_STS_ENDPOINT",
        "S3: a role to take on, and where it is given out",
    ),
    (
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
        "S3: the key; else MINIO_ROOT_USER, MINIO_ROOT_PASSWORD",
    ),
    ("AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE", "S3: the profile that holds the key, and its file"),
    ("AWS_DEFAULT_REGION", "as `-o s3.region`"),
    (
        "AZURE_ACCOUNT_NAME, AZURE_ACCOUNT_KEY, AZURE_ACCOUNT_SAS",
        "Azure: the account, and its key or a signature",
    ),
    ("AZURE_ENDPOINT_SUFFIX", "Azure: the end of the service's name (default: core.windows.net)"),
    ("AZURE_FORCE_CLI_CREDENTIAL", "Azure: ask the program `az` for a token, and nobody else"),
    ("GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_ACCESS_TOKEN", "Google: the file of an account, or a token"),
    ("GOOGLE_PROJECT_ID", "Google: the project of a bucket that `init` makes"),
    ("B2_ACCOUNT_ID, B2_ACCOUNT_KEY", "B2: the id of an application key, and the key"),
    ("OPENDAL_WEBDAV_USERNAME, OPENDAL_WEBDAV_PASSWORD", "WebDAV: user and password, if the URL has none"),
    ("OS_AUTH_URL, OS_REGION_NAME", "Swift: where to log in (versions 2 and 3), and the region of the store"),
    (
        "OS_USERNAME, OS_USER_ID, OS_PASSWORD, OS_USER_DOMAIN_NAME, OS_USER_DOMAIN_ID",
        "Swift: the user, by name or id, and the user's domain",
    ),
    (
        "OS_PROJECT_NAME, OS_TENANT_NAME, OS_TENANT_ID, OS_PROJECT_DOMAIN_NAME, OS_PROJECT_DOMAIN_ID, OS_TRUST_ID",
        "Swift: the project (tenant), by name or id, and its domain; or a trust",
    ),
    (
        "OS_APPLICATION_CREDENTIAL_ID, …_NAME, …_SECRET",
        "Swift: an application credential instead of a password",
    ),
    ("OS_STORAGE_URL, OS_AUTH_TOKEN", "Swift: a token that somebody else got, and what it is for"),
    ("ST_AUTH, ST_USER, ST_KEY", "Swift: where to log in by version 1, the user, the key"),
    ("SWIFT_DEFAULT_CONTAINER_POLICY", "Swift: the storage policy of a container that `init` makes"),
    ("TMPDIR", "folder of temporary files (default: /tmp)"),
    ("XDG_RUNTIME_DIR", "folder for the socket by which ssh shares its connection (default: TMPDIR)"),
    ("XDG_CACHE_HOME, HOME", "where the caches are if nothing else says so"),
    (
        "XDG_STATE_HOME, HOME",
        "where the trust store is if nothing else says so: `tresor/trust`, below `~/.local/state`",
    ),
    ("TZ", "the local time zone: of all times printed, and stored in snapshots and nodes"),
    ("TERM", "empty or `dumb`: no status that is redrawn"),
];

fn environment() -> String {
    let mut page = String::from("# Environment\n\nMade by `cargo xtask generate`; do not edit.\n\n");
    page.push_str("Each `TRESOR_…` variable may also be called `RESTIC_…`; the first wins. A flag wins over its variable.\n\n");
    page.push_str("| variable | meaning |\n|---|---|\n");
    for (name, meaning) in VARIABLES {
        let _ = writeln!(page, "| `{name}` | {meaning} |");
    }
    page
}

fn hardening() -> String {
    let mut page = String::from(
        "# What restic allows and tresor refuses\n\nMade by `cargo xtask generate`; do not edit.\n\n",
    );
    page.push_str("These command lines work with restic. Under the name `tresor` they are refused, and the error names the one flag ");
    page.push_str("that allows them; the exit code is 2. Under the name `restic`, or with `TRESOR_COMPAT=restic`, they go on ");
    page.push_str("without the flag, with a warning on stderr. `--insecure-plaintext` is announced in every run; the other ");
    page.push_str("flags, which have a variable too (`TRESOR_ALLOW_WEAK_PASSWORD=1` and so on), are silent. What a repository or a ");
    page.push_str("server could do to you is refused under both names, and is not in this table.\n\n");
    page.push_str("| refused | why | allowed by |\n|---|---|---|\n");
    for rule in RULES {
        let _ = writeln!(page, "| {} | {} | `{}` |", rule.refused, rule.because, rule.flag);
    }
    page
}

fn exit_codes() -> String {
    let mut page = String::from("# Exit codes\n\nMade by `cargo xtask generate`; do not edit.\n\n");
    page.push_str("| code | means |\n|---|---|\n");
    for code in Code::ALL {
        let _ = writeln!(page, "| {} | {} |", code as u8, code.meaning());
    }
    page.push_str("\nWith `--json` the last line on stderr is `{\"message_type\":\"exit_error\",\"code\":…,\"message\":…}`.\n");
    page
}
