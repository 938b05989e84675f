//! `explain`: say what an exit code means and what to do about it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::{Code, Failure, Result};
use crate::session::Session;

/// Say what an exit code means, and what to do
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The exit code; without one, all of them
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// An exit code as `--json` tells of it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Message {
    message_type: &'static str,
    code: u8,
    meaning: &'static str,
    advice: &'static str,
}

/// Explains one code, or all.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let codes: Vec<Code> = match &args.code {
        None => Code::ALL.to_vec(),
        Some(text) => vec![find(text)?],
    };
    for code in codes {
        let (number, meaning, advice) = (code as u8, code.meaning(), code.advice());
        if session.ui.is_json() {
            session.ui.json(&Message { message_type: "exit_code", code: number, meaning, advice });
        } else {
            session.ui.important(&format!("{number:>3}  {meaning}\n     {advice}"));
        }
    }
    Ok(())
}

fn find(text: &str) -> Result<Code> {
    let number: Option<u8> = text.parse().ok();
    number.and_then(|number| Code::ALL.into_iter().find(|code| *code as u8 == number)).ok_or_else(|| {
        let known: Vec<String> = Code::ALL.iter().map(|code| (*code as u8).to_string()).collect();
        Failure::fatal(format!("{text:?} is no exit code of this program; it has {}", known.join(", ")))
    })
}
