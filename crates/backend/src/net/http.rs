//! Blocking HTTP: requests go out, answers are read as they come, nobody waits for ever.

use super::failure::Failure;
use super::pipe::Pipe;
use super::plain::Gate;
use super::{Options, Proxies, tls, upload};
use crate::{Error, ErrorKind, Payload, Result};
use ::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use ::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::Bytes;
use reqwest::{Client, NoProxy, Proxy, Request, RequestBuilder, Response, Url, redirect};
use std::cell::Cell;
use std::future::Future;
use std::io::{self, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep_until};

/// How much of an error's text is read.
const SAID: usize = 4096;
/// How long an error's text may take.
const SAYING: Duration = Duration::from_secs(2);
/// How much memory is taken before anything came.
const AT_ONCE: usize = 32 * 1024 * 1024;
/// How many redirects are followed in a row.
const REDIRECTS: usize = 5;
/// No connection takes longer than that to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(30);

/// A header value that nobody shows, if the text can be one.
pub(crate) fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Where the connection goes and which protocol it speaks.
#[derive(Default)]
pub(crate) struct Dial {
    /// A unix socket instead of the URL's host.
    pub(crate) socket: Option<PathBuf>,
    /// HTTP/2 where the server offers it; else only HTTP/1.1, one connection a request.
    pub(crate) http2: bool,
    /// How many idle connections are kept.
    pub(crate) connections: usize,
    /// A program's standard streams instead of any network.
    pub(crate) pipe: Option<Pipe>,
}

/// A client with the runtime that drives its connections.
pub(crate) struct Http {
    pub(crate) client: Client,
    pub(crate) gate: Arc<Gate>,
    pipe: Option<Pipe>,
    runtime: Runtime,
    pub(crate) stuck_after: Duration,
}

impl Http {
    /// A client that keeps to `options`.
    ///
    /// # Errors
    /// [`ErrorKind::Unusable`] for options that cannot be used, such as a proxy that is no URL.
    pub(crate) fn new(options: &Options, dial: Dial) -> Result<Self> {
        let unusable = |what: &str| Error::about(ErrorKind::Unusable, "use", what);
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("network")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::about(ErrorKind::Temporary, "start", "the network thread").caused_by(error)
            })?;
        let tls =
            tls::config(options).map_err(|error| unusable("the client certificate").caused_by(error))?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(&options.user_agent)
            .connect_timeout(CONNECT.min(options.stuck_after))
            .tcp_keepalive(Duration::from_secs(30))
            .pool_max_idle_per_host(dial.connections)
            .redirect(redirect::Policy::none())
            .referer(false)
            .resolve_to_addrs("localhost", &loopback())
            .no_proxy();
        let is_inside = dial.socket.is_some() || dial.pipe.is_some();
        let bypass = format!("localhost,127.0.0.0/8,::1,{}", options.proxies.none_for);
        let Proxies { http, https, .. } = &options.proxies;
        for (url, secure) in [(http, false), (https, true)] {
            let Some(url) = url.as_deref().filter(|url| !url.is_empty()) else { continue };
            let proxy = if secure { Proxy::https(url) } else { Proxy::http(url) };
            let proxy = proxy.map_err(|_| unusable("the proxy: its address is no URL"))?;
            builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&bypass)));
        }
        if let Some(socket) = dial.socket {
            builder = builder.unix_socket(socket);
        }
        builder = match dial.http2 {
            true => builder.http2_adaptive_window(true).http2_keep_alive_interval(Duration::from_secs(30)),
            false => builder.http1_only(),
        };
        let client =
            builder.build().map_err(|error| unusable("the network").caused_by(Failure::of(error)))?;
        let gate = Arc::new(Gate::new(options.plaintext.clone(), is_inside));
        Ok(Http { client, gate, pipe: dial.pipe, runtime, stuck_after: options.stuck_after })
    }

    /// Whether requests for this URL would be made at all, of the repository that people know as `shown`; asked
    /// before anybody has to type a password. What is no URL is somebody else's to refuse.
    ///
    /// # Errors
    /// [`ErrorKind::Unusable`] if they would not.
    pub(crate) fn will_ask(&self, url: &str, shown: &str) -> Result<()> {
        let Ok(url) = Url::parse(url) else { return Ok(()) };
        self.gate.pass(&url).map_err(|refused| refused.about("open", shown))
    }

    /// Sends a request that changes something, with a small body or none, and waits for the head of the answer.
    pub(crate) fn send(&self, request: RequestBuilder) -> std::result::Result<Answer<'_>, Failure> {
        let request = request.build().map_err(Failure::of)?;
        self.execute(request).map(|response| Answer::new(self, response))
    }

    /// Sends a request that only reads; redirects are followed.
    pub(crate) fn fetch(&self, request: RequestBuilder) -> std::result::Result<Answer<'_>, Failure> {
        let mut request = request.build().map_err(Failure::of)?;
        for _ in 0..REDIRECTS {
            let mut again = Request::new(request.method().clone(), request.url().clone());
            *again.headers_mut() = request.headers().clone();
            let response = self.execute(again)?;
            match redirected(&request, &response)? {
                Some(next) => request = next,
                None => return Ok(Answer::new(self, response)),
            }
        }
        Err(Failure::Answer("is one redirect too many"))
    }

    /// Drives work of our own that talks to servers, and gives it up when it takes too long as a whole.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> std::result::Result<T, Failure> {
        self.runtime.block_on(Watch::new(self.stuck_after).guard(work))
    }

    fn execute(&self, request: Request) -> std::result::Result<Response, Failure> {
        let watch = Watch::new(self.stuck_after);
        self.runtime.block_on(watch.guard(self.answer(request)))?
    }

    /// The one way out.
    async fn answer(&self, request: Request) -> std::result::Result<Response, Failure> {
        self.gate.pass(request.url())?;
        match &self.pipe {
            Some(pipe) => pipe.send(request).await,
            None => self.client.execute(request).await.map_err(Failure::of),
        }
    }

    /// Sends a request whose body is a payload, and waits for the head of the answer.
    pub(crate) fn upload(
        &self,
        request: RequestBuilder,
        payload: &Payload<'_>,
    ) -> std::result::Result<Answer<'_>, Failure> {
        let watch = Watch::new(self.stuck_after);
        let (feeder, body) = upload::channel(payload.len());
        let request = request.body(reqwest::Body::wrap(body)).build().map_err(Failure::of)?;
        let all_sent = Cell::new(payload.is_empty());
        let fed = async {
            match feeder.feed(payload, || watch.moved()).await {
                Ok(all) => {
                    all_sent.set(all);
                    std::future::pending().await // the answer decides
                }
                Err(error) => Failure::Here(error),
            }
        };
        let answered = async {
            let response = self.answer(request).await?;
            match response.status().is_success() && !all_sent.get() {
                // It has not seen what it says it has saved.
                true => Err(Failure::Answer("came before everything was sent")),
                false => Ok(response),
            }
        };
        let first = async {
            tokio::select! {
                response = answered => response,
                failure = fed => Err(failure),
            }
        };
        let response = self.runtime.block_on(watch.guard(first))??;
        Ok(Answer::new(self, response))
    }
}

/// Where `localhost` is, whatever somebody else says; the port is the URL's.
fn loopback() -> [SocketAddr; 2] {
    [(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]
}

/// The same request for where the answer says it should go, if that is a redirect we follow.
///
/// From TLS only to TLS; without it only to the same host. Across hosts nothing goes along but what is wanted: no
/// credentials, whatever header they are in.
fn redirected(request: &Request, response: &Response) -> std::result::Result<Option<Request>, Failure> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
    let Some(target) = target.and_then(|target| request.url().join(target).ok()) else { return Ok(None) };
    match (request.url().scheme(), target.scheme()) {
        ("https", "https") => {}
        ("http", "http" | "https") if request.url().host_str() == target.host_str() => {}
        ("http", "http" | "https") => {
            return Err(not_followed("to another host without encryption"));
        }
        _ => return Err(not_followed("to another protocol")),
    }
    let mut next = Request::new(request.method().clone(), target);
    let same = next.url().origin() == request.url().origin();
    let kept = request.headers().iter().filter(|(name, _)| same || [ACCEPT, RANGE].contains(name));
    next.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    Ok(Some(next))
}

/// A redirect that we do not follow now, and will not the next time.
fn not_followed(whereto: &str) -> Failure {
    let said = format!("the server's answer is a redirect {whereto}, which is not followed");
    Failure::refused(ErrorKind::Unusable, &said)
}

/// The answer to a request: its head is here, its body is read on demand.
pub(crate) struct Answer<'a> {
    http: &'a Http,
    response: Response,
    piece: Bytes,
}

impl<'a> Answer<'a> {
    fn new(http: &'a Http, response: Response) -> Self {
        Answer { http, response, piece: Bytes::new() }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The announced length of the body.
    pub(crate) fn length(&self) -> Option<u64> {
        let length = self.headers().get(CONTENT_LENGTH)?;
        length.to_str().ok()?.parse().ok()
    }

    /// The same, of a file whose length is asked for.
    pub(crate) fn stated_length(&self) -> std::result::Result<u64, Failure> {
        self.length().ok_or(Failure::Answer("does not say how long the file is"))
    }

    /// Which part of a file it is: its first byte, and how long the file is, if that is known.
    pub(crate) fn range(&self) -> Option<(u64, Option<u64>)> {
        let text = self.headers().get(CONTENT_RANGE)?.to_str().ok()?;
        let (part, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, _) = part.split_once('-')?;
        Some((first.trim().parse().ok()?, total.trim().parse().ok()))
    }

    /// This answer if it is a success, else what the server says about it.
    pub(crate) fn success(self) -> std::result::Result<Self, Failure> {
        if self.status().is_success() { Ok(self) } else { Err(self.refusal()) }
    }

    /// The failure that this answer is.
    pub(crate) fn refusal(mut self) -> Failure {
        let said = self.said();
        Failure::status(self.status(), &said)
    }

    /// The beginning of the body, as much of an error as is worth reading.
    pub(crate) fn said(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        let until = Instant::now() + SAYING;
        // What cannot be read of it is not missed: the status says enough.
        while said.len() < SAID
            && Instant::now() < until
            && let Ok(piece) = self.next_piece()
            && !piece.is_empty()
        {
            said.extend_from_slice(&piece[..piece.len().min(SAID - said.len())]);
        }
        said
    }

    /// Reads the rest, if it is short, so that the connection can be used again.
    pub(crate) fn finish(mut self) {
        drop(self.said());
    }

    /// Reads exactly `length` bytes into `into`.
    ///
    /// # Errors
    /// [`Failure::Answer`] if it ends before that.
    pub(crate) fn read_into(
        &mut self,
        length: usize,
        into: &mut Vec<u8>,
    ) -> std::result::Result<(), Failure> {
        // A length that a server tells is no reason to take that much memory at once.
        into.reserve(length.min(AT_ONCE));
        while into.len() < length {
            let piece = self.next_piece()?;
            if piece.is_empty() {
                return Err(Failure::Answer("ended too early"));
            }
            let take = piece.len().min(length - into.len());
            into.extend_from_slice(&piece[..take]);
        }
        Ok(())
    }

    /// The next stretch of the body; empty at its end.
    pub(crate) fn next_piece(&mut self) -> std::result::Result<Bytes, Failure> {
        if !self.piece.is_empty() {
            return Ok(std::mem::take(&mut self.piece));
        }
        loop {
            let watch = Watch::new(self.http.stuck_after);
            match self.http.runtime.block_on(watch.guard(self.response.chunk()))?.map_err(Failure::of)? {
                Some(piece) if piece.is_empty() => {}
                Some(piece) => return Ok(piece),
                None => return Ok(Bytes::new()),
            }
        }
    }
}

impl Read for Answer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut piece = self.next_piece().map_err(io::Error::other)?;
        let length = piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&piece.split_to(length));
        self.piece = piece;
        Ok(length)
    }
}

/// Gives up what makes no progress.
struct Watch {
    limit: Duration,
    last: Cell<Instant>,
}

impl Watch {
    fn new(limit: Duration) -> Self {
        Watch { limit, last: Cell::new(Instant::now()) }
    }

    fn moved(&self) {
        self.last.set(Instant::now());
    }

    async fn guard<T>(&self, work: impl Future<Output = T>) -> std::result::Result<T, Failure> {
        let stuck = async {
            loop {
                let until = self.last.get() + self.limit;
                sleep_until(until).await;
                if self.last.get() + self.limit <= Instant::now() {
                    return;
                }
            }
        };
        tokio::select! {
            done = work => Ok(done),
            () = stuck => Err(Failure::Stuck(self.limit)),
        }
    }
}
