//! What is sent: a payload in pieces, fed from the caller's thread as the connection takes them.

use crate::Payload;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// How much is handed to the connection at once.
const PIECE: usize = 128 * 1024;
/// How many pieces may wait for the connection.
const WAITING: usize = 2;

/// The receiving end: a body of exactly the announced length.
pub(crate) struct Fed {
    pieces: mpsc::Receiver<Bytes>,
    left: u64,
}

/// The sending end, which stays with the payload.
pub(crate) struct Feeder {
    pieces: mpsc::Sender<Bytes>,
}

/// Both ends for a body of `length` bytes.
pub(crate) fn channel(length: u64) -> (Feeder, Fed) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Feeder { pieces: sender }, Fed { pieces: receiver, left: length })
}

impl Feeder {
    /// Hands over the whole payload; `moved` is called after each piece. Ends early, with `false`, if nobody
    /// wants more.
    pub(crate) async fn feed(self, payload: &Payload<'_>, moved: impl Fn()) -> io::Result<bool> {
        let mut reader = payload.reader();
        let mut left = payload.len();
        while left > 0 {
            let length = left.min(PIECE as u64) as usize; // at most PIECE
            let mut piece = vec![0; length];
            reader.read_exact(&mut piece)?;
            if self.pieces.send(piece.into()).await.is_err() {
                return Ok(false);
            }
            left -= length as u64;
            moved();
        }
        Ok(true)
    }
}

impl Body for Fed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(match ready!(self.pieces.poll_recv(context)) {
            Some(piece) => {
                self.left = self.left.saturating_sub(piece.len() as u64);
                Ok(Frame::data(piece))
            }
            // The feeder stopped: the connection must not be left waiting for the rest.
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
