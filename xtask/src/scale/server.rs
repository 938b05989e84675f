//! restic's REST protocol on loopback, answered from a store.

use super::store::{Listing, Store, Stored};
use crate::Result;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// What lists with lengths are called.
const LIST_WITH_LENGTHS: &str = "application/vnd.x.restic.rest.v2";
/// What lists of names are called.
const LIST: &str = "application/vnd.x.restic.rest.v1";
/// How much of a list is sent at once.
const PIECE: usize = 64 << 10;

/// A server that ends when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) store: Arc<Store>,
    requests: Arc<AtomicU64>,
    _runtime: Runtime,
}

impl Server {
    pub(super) fn start(store: Store, address: SocketAddr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let (store, requests) = (Arc::new(store), Arc::<AtomicU64>::default());
        let server = Server { address: listener.local_addr()?, store, requests, _runtime: runtime };
        let (store, requests) = (Arc::clone(&server.store), Arc::clone(&server.requests));
        server._runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&store), Arc::clone(&requests)));
            }
        });
        Ok(server)
    }

    /// How restic and its like reach the repository of `client`.
    pub(super) fn location(&self, client: &str) -> String {
        format!("rest:http://{}/{client}/", self.address)
    }

    /// How many requests there were since the last time.
    pub(super) fn take_requests(&self) -> u64 {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

/// Answers one connection until its peer ends it, which is no error here.
async fn serve(stream: TcpStream, store: Arc<Store>, requests: Arc<AtomicU64>) {
    let service = service_fn(move |request: Request<Incoming>| {
        requests.fetch_add(1, Ordering::Relaxed);
        let store = Arc::clone(&store);
        async move { Ok::<_, Infallible>(respond(store, request).await) }
    });
    if stream.set_nodelay(true).is_ok() {
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}

async fn respond(store: Arc<Store>, request: Request<Incoming>) -> Response<Answer> {
    let (head, body) = request.into_parts();
    let Some(body) = all_of(body).await else { return empty(StatusCode::BAD_REQUEST) };
    let work = move || answer(&store, &head, body);
    let answer = tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(e.into()));
    answer.unwrap_or_else(|error| {
        eprintln!("the server failed: {error}");
        empty(StatusCode::INTERNAL_SERVER_ERROR)
    })
}

/// The body of a request.
async fn all_of(body: Incoming) -> Option<Bytes> {
    let (mut body, mut all) = (pin!(body), Vec::new());
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
        if let Ok(data) = frame.ok()?.into_data() {
            all.extend_from_slice(&data);
        }
    }
    Some(all.into())
}

fn answer(store: &Arc<Store>, head: &http::request::Parts, body: Bytes) -> Result<Response<Answer>> {
    let path = head.uri.path().trim_start_matches('/');
    let (client, path) = path.split_once('/').unwrap_or((path, ""));
    let (kind, name) = path.split_once('/').unwrap_or(("", path));
    Ok(match head.method {
        Method::POST if path.is_empty() => empty(StatusCode::OK), // it is there already
        Method::POST if store.add(client, kind, name, body) => empty(StatusCode::OK),
        Method::POST => empty(StatusCode::FORBIDDEN),
        Method::DELETE => {
            store.remove(client, kind, name);
            empty(StatusCode::OK)
        }
        Method::GET if name.is_empty() => list(store.list(client, kind), &head.headers)?,
        Method::GET | Method::HEAD => match store.find(client, kind, name) {
            None => empty(StatusCode::NOT_FOUND),
            Some(file) if head.method == Method::HEAD => {
                let answer = Response::builder().header(CONTENT_LENGTH, file.length());
                answer.body(Answer::Whole(None))?
            }
            Some(file) => part(store, &file, &head.headers)?,
        },
        _ => empty(StatusCode::METHOD_NOT_ALLOWED),
    })
}

fn part(store: &Store, file: &Stored, headers: &HeaderMap) -> Result<Response<Answer>> {
    let length = file.length();
    let Some(range) = headers.get(RANGE) else {
        return Ok(Response::new(Answer::Whole(Some(store.read(file, 0..length)?))));
    };
    let Some(range) = parse_range(range.to_str()?, length) else {
        return Ok(empty(StatusCode::RANGE_NOT_SATISFIABLE));
    };
    let told = format!("bytes {}-{}/{length}", range.start, range.end - 1);
    let answer = Response::builder().status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, told);
    Ok(answer.body(Answer::Whole(Some(store.read(file, range)?)))?)
}

/// Understands `bytes=first-last` and `bytes=first-`, as restic asks.
fn parse_range(text: &str, length: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first: u64 = first.parse().ok()?;
    let end = if last.is_empty() { length } else { last.parse::<u64>().ok()?.saturating_add(1).min(length) };
    (first < end).then_some(first..end)
}

fn list(listing: Listing, headers: &HeaderMap) -> Result<Response<Answer>> {
    let asked = |wanted: &str| headers.get_all(ACCEPT).iter().any(|value| value == wanted);
    let with_lengths = asked(LIST_WITH_LENGTHS);
    let answer =
        Response::builder().header(CONTENT_TYPE, if with_lengths { LIST_WITH_LENGTHS } else { LIST });
    Ok(answer.body(Answer::List(Pieces { listing, with_lengths, state: State::Begin }))?)
}

fn empty(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(Some(Bytes::new())));
    *response.status_mut() = status;
    response
}

/// The body of an answer.
enum Answer {
    Whole(Option<Bytes>),
    List(Pieces),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            Answer::Whole(bytes) => bytes.take(),
            Answer::List(pieces) => pieces.next(),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    /// restic wants to know how much it gets of a file.
    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Answer::List(_) => SizeHint::default(),
        }
    }
}

/// A list in pieces: that of 10⁸ blobs would take half a gigabyte.
struct Pieces {
    listing: Listing,
    with_lengths: bool,
    state: State,
}

#[derive(PartialEq)]
enum State {
    Begin,
    Middle,
    End,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        use std::fmt::Write;
        if self.state == State::End {
            return None;
        }
        let mut text = String::with_capacity(PIECE + 200);
        while text.len() < PIECE {
            let Some((name, length)) = self.listing.next() else {
                text += if self.state == State::Begin { "[]" } else { "]" };
                self.state = State::End;
                break;
            };
            text.push(if self.state == State::Begin { '[' } else { ',' });
            self.state = State::Middle;
            let written = match self.with_lengths {
                true => write!(text, r#"{{"name":"{name}","size":{length}}}"#),
                false => write!(text, r#""{name}""#),
            };
            written.expect("a string takes everything");
        }
        Some(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_that_restic_asks_for() {
        assert_eq!(parse_range("bytes=0-", 10), Some(0..10));
        assert_eq!(parse_range("bytes=3-4", 10), Some(3..5));
        assert_eq!(parse_range("bytes=3-40", 10), Some(3..10));
        assert_eq!(parse_range("bytes=10-", 10), None);
        assert_eq!(parse_range("lines=1-2", 10), None);
    }
}
