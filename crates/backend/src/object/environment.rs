//! What signing may know of this machine: given variables, files, programs, our own connections.

use crate::net::http::Http;
use crate::net::plain::Gate;
use bytes::Bytes;
use reqsign_core::{CommandExecute, CommandOutput, Context, Env, Error, FileRead, HttpSend, Result};
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

/// How long somebody who gives out credentials may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long his answer may be.
const LONGEST: usize = 1024 * 1024;

/// The variables that name credentials, and the home folder their files lie in.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Variables by name.
    pub variables: HashMap<String, String>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings")
    }
}

impl Surroundings {
    /// A variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// As the signing library wants it, talking through `http`.
    pub(super) fn context(&self, http: &Http) -> Context {
        Context::new()
            .with_env(self.clone())
            .with_file_read(Files)
            .with_command_execute(Programs)
            .with_http_send(Sender { client: http.client.clone(), gate: Arc::clone(&http.gate) })
    }
}

impl Env for Surroundings {
    fn var(&self, key: &str) -> Option<String> {
        self.get(key).map(str::to_owned)
    }

    fn vars(&self) -> HashMap<String, String> {
        self.variables
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    fn home_dir(&self) -> Option<PathBuf> {
        self.home.clone()
    }
}

#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>> {
        std::fs::read(path).map_err(|error| Error::config_invalid("cannot read a file").with_source(error))
    }
}

/// Programs that give out tokens, such as `az`.
#[derive(Debug)]
struct Programs;

impl CommandExecute for Programs {
    async fn command_execute<'a>(&'a self, program: &'a str, args: &'a [&'a str]) -> Result<CommandOutput> {
        let output = crate::child::command(program).args(args).stdin(Stdio::null()).output();
        let output =
            output.map_err(|error| Error::config_invalid("cannot run a program").with_source(error))?;
        let status = output.status.code().unwrap_or(-1);
        Ok(CommandOutput { status, stdout: output.stdout, stderr: output.stderr })
    }
}

/// Asks who gives out credentials.
struct Sender {
    client: reqwest::Client,
    gate: Arc<Gate>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl HttpSend for Sender {
    async fn http_send(&self, request: ::http::Request<Bytes>) -> Result<::http::Response<Bytes>> {
        let failed = |error: reqwest::Error| {
            Error::unexpected("cannot ask for credentials")
                .with_source(error.without_url())
                .set_retryable(true)
        };
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        self.gate
            .pass_for_credentials(request.url())
            .map_err(|refused| Error::config_invalid("cannot ask for credentials").with_source(refused))?;
        let asked = async {
            let mut response = self.client.execute(request).await.map_err(failed)?;
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(failed)? {
                if body.len() + piece.len() > LONGEST {
                    return Err(Error::unexpected("the answer with credentials is too long"));
                }
                body.extend_from_slice(&piece);
            }
            let mut answer = ::http::Response::new(Bytes::from(body));
            *answer.status_mut() = response.status();
            *answer.headers_mut() = response.headers().clone();
            Ok(answer)
        };
        let in_time = tokio::time::timeout(PATIENCE, asked).await;
        in_time.unwrap_or_else(|_| Err(Error::unexpected("no credentials in time").set_retryable(true)))
    }
}
