//! `tls`: look at a server before it is trusted with anything.

use clap::Subcommand;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write;
use tresor_backend::net::{Certificate, Shown, inspect};
use tresor_repo::time::{Time, Zone};

use crate::exit::Result;
use crate::session::Session;
use crate::ui::schema::Moment;
use crate::{backends, certificates};

/// A certificate that ends sooner is worth a warning.
const SOON: i64 = 21 * 86_400;

/// Look at servers that speak TLS
#[derive(clap::Args)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Show the certificates of a server, whether they are believed, and how to pin its key
    Show {
        /// https://host:port, host:port, or the location of a repository
        #[arg(value_name = "URL")]
        url: String,
    },
}

/// A server as `--json` tells of it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Message<'a> {
    message_type: &'static str,
    host: &'a str,
    port: u16,
    address: String,
    protocol: &'a str,
    cipher: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_exchange: Option<&'a str>,
    /// Whether a connection would be made.
    accepted: bool,
    /// Why it would not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The server's certificate first.
    chain: Vec<Link<'a>>,
}

/// A certificate as `--json` tells of it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Link<'a> {
    subject: &'a str,
    issuer: &'a str,
    names: &'a [String],
    #[schemars(with = "Moment")]
    not_before: String,
    #[schemars(with = "Moment")]
    not_after: String,
    /// Whole days until it ends; less than nothing if it has.
    days_left: i64,
    signature: &'a str,
    pin: String,
}

/// Shows what was asked for; prints the help if nothing was.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let Some(Action::Show { url }) = &args.action else {
        super::show_help("tls", session);
        return Ok(());
    };
    let (host, port) = certificates::server(url)?;
    let network = backends::network(&session.global, &session.environment)?;
    let shown = inspect(&host, port, &network)?;
    let (now, _) = tresor_repo::clock::now();
    match session.ui.is_json() {
        true => session.ui.json(&message(&host, port, &shown, now)),
        false => session.ui.text(text(&host, port, &shown, now, &session.zone).as_bytes()),
    }
    if let Some(first) = shown.chain.first().filter(|first| first.not_after - now < SOON) {
        let days = (first.not_after - now).div_euclid(86_400);
        session.ui.error(&match days {
            ..0 => "warning: the certificate of the server has ended".to_owned(),
            days => format!("warning: the certificate of the server ends in {days} days"),
        });
    }
    Ok(())
}

fn message<'a>(host: &'a str, port: u16, shown: &'a Shown, now: i64) -> Message<'a> {
    let link = |certificate: &'a Certificate| Link {
        subject: &certificate.subject,
        issuer: &certificate.issuer,
        names: &certificate.names,
        not_before: Zone::utc().local(certificate.not_before, 0).to_string(),
        not_after: Zone::utc().local(certificate.not_after, 0).to_string(),
        days_left: (certificate.not_after - now).div_euclid(86_400),
        signature: &certificate.signature,
        pin: certificate.pin.to_string(),
    };
    Message {
        message_type: "server",
        host,
        port,
        address: shown.address.to_string(),
        protocol: &shown.protocol,
        cipher: &shown.cipher,
        key_exchange: shown.key_exchange.as_deref(),
        accepted: shown.refused.is_none(),
        reason: shown.refused.as_deref(),
        chain: shown.chain.iter().map(link).collect(),
    }
}

fn text(host: &str, port: u16, shown: &Shown, now: i64, zone: &Zone) -> String {
    let exchange = shown.key_exchange.as_ref().map(|group| format!(", keys by {group}")).unwrap_or_default();
    let accepted = shown.refused.as_deref().unwrap_or("accepted");
    let mut text = String::new();
    // Writing to a string does not fail, here and below.
    let _ = write!(
        text,
        "server    {host}:{port} ({})\nprotocol  {}, {}{exchange}\nverdict   {accepted}\n",
        shown.address, shown.protocol, shown.cipher
    );
    for (number, certificate) in shown.chain.iter().enumerate() {
        let time = |seconds| Time::local_text(&zone.local(seconds, 0), zone);
        let days = (certificate.not_after - now).div_euclid(86_400);
        let _ = write!(
            text,
            "\ncertificate {}\n  subject  {}\n  issuer   {}\n  names    {}\n  from     {}\n  until    {} ({days} days left)\n  \
             signed   {}\n  pin      {}\n",
            number + 1,
            certificate.subject,
            certificate.issuer,
            certificate.names.join(", "),
            time(certificate.not_before),
            time(certificate.not_after),
            certificate.signature,
            certificate.pin,
        );
    }
    if let Some(first) = shown.chain.first() {
        let _ = write!(text, "\nto accept no other key than the first: --tls-pin {}\n", first.pin);
    }
    text
}
