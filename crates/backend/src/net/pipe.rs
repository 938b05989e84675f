//! HTTP/2 over the standard streams of a program: no port, no password.

use super::failure::Failure;
use crate::child::{Child, Listener};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::{Body, Request, Response};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use tokio::net::unix::pipe;
use tokio::sync::Mutex;

/// How much may be on its way in one stream, and in all of them.
const WINDOW: u32 = 4 * 1024 * 1024;

/// A program that answers HTTP/2 on its standard streams; started when it is needed, and again if it ends.
pub(crate) struct Pipe {
    program: Vec<OsString>,
    prefix: String,
    listener: Option<Listener>,
    live: Mutex<Option<Live>>,
}

/// Dropped in this order: when nobody can send any more the connection ends, and with it the program by itself.
struct Live {
    sender: SendRequest<Body>,
    child: Child,
}

impl Pipe {
    /// Will run `program`, whose lines on standard error the listener is told behind `prefix`.
    pub(crate) fn new(program: Vec<OsString>, prefix: &str, listener: Option<Listener>) -> Self {
        Pipe { program, prefix: prefix.to_owned(), listener, live: Mutex::new(None) }
    }

    /// Sends a request and waits for the head of its answer; within a runtime.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, Failure> {
        let mut sender = self.sender().await?;
        let request = http::Request::try_from(request).map_err(Failure::of)?;
        match sender.send_request(request).await {
            Ok(response) => Ok(response.map(Body::wrap).into()),
            Err(error) => Err(self.broken(&error).await),
        }
    }

    async fn sender(&self) -> Result<SendRequest<Body>, Failure> {
        let mut live = self.live.lock().await;
        if let Some(live) = live.as_ref().filter(|live| !live.sender.is_closed()) {
            return Ok(live.sender.clone());
        }
        *live = None; // ended and waited for, before there is another one
        let (child, stdin, stdout) = Child::start(&self.program, &self.prefix, self.listener.clone())?;
        let to = pipe::Sender::from_owned_fd(OwnedFd::from(stdin))?;
        let from = pipe::Receiver::from_owned_fd(OwnedFd::from(stdout))?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * 2)
            .handshake(TokioIo::new(tokio::io::join(from, to)))
            .await
            .map_err(|error| Failure::Transport(error.to_string()))?;
        // It ends with the pipe; who waits for an answer is told why.
        tokio::spawn(connection);
        let live = live.insert(Live { sender, child });
        Ok(live.sender.clone())
    }

    /// Why the connection is of no use any more.
    async fn broken(&self, error: &hyper::Error) -> Failure {
        let mut live = self.live.lock().await;
        let Some(live) = live.as_mut().filter(|live| live.sender.is_closed()) else {
            return Failure::Transport(error.to_string());
        };
        match live.child.ended() {
            Some(status) => Failure::Ended { status: status.to_string(), said: live.child.last_words() },
            None => Failure::Transport(error.to_string()),
        }
    }
}
