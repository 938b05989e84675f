//! A proxy before a server that makes it seem far away: what goes through comes out later.

use std::io::{Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that are taken at once.
const PIECE: usize = 64 * 1024;
/// Pieces that may be under way in one direction: 64 MiB, more than any window.
const UNDER_WAY: usize = 1024;

/// Listens at a port of its own and passes everything on to `server`, half of `round_trip` later each way.
///
/// It runs until the process ends; the rate is not limited.
///
/// # Panics
/// If there is no free port.
pub fn far_away(server: SocketAddr, round_trip: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A client whom the server does not take finds its connection closed.
            let _ = connect(client, server, round_trip / 2);
        }
    });
    address
}

/// Passes everything that `client` says on to `server`, and back, each piece `delay` later.
pub(super) fn connect(client: TcpStream, server: SocketAddr, delay: Duration) -> Result<()> {
    let server = TcpStream::connect(server)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    pass(client.try_clone()?, server.try_clone()?, delay);
    pass(server, client, delay);
    Ok(())
}

/// Passes on what comes `from` one side until that is closed, each piece `delay` after it came.
fn pass(mut from: TcpStream, to: TcpStream, delay: Duration) {
    let (sender, receiver) = sync_channel(UNDER_WAY);
    thread::spawn(move || deliver(&receiver, to));
    thread::spawn(move || {
        let mut buffer = vec![0; PIECE];
        while let Ok(1..) = from.read(&mut buffer).map(|read| {
            let piece = (Instant::now() + delay, buffer[..read].to_vec());
            // If the other side is gone, so is this one.
            if sender.send(piece).is_ok() { read } else { 0 }
        }) {}
    });
}

/// Writes each piece when its time has come, and closes behind the last.
fn deliver(pieces: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    for (due, piece) in pieces {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&piece).is_err() {
            let _ = to.shutdown(Shutdown::Both); // so that the other direction ends, too
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write); // the peer may have been faster
}
