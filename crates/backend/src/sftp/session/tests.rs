//! Servers that do not keep to the protocol, each played by a script on the other end of a socket.

use super::*;
use crate::ErrorKind;
use std::os::unix::net::UnixStream;

const PATIENCE: Duration = Duration::from_secs(600);

/// A conversation with a server that answers hello, reads one request, and sends `answer` made of its id.
fn after(answer: impl FnOnce([u8; 4]) -> Vec<u8> + Send + 'static) -> Failure {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let server = std::thread::spawn(move || {
        theirs.read_exact(&mut HELLO.clone()).unwrap();
        theirs.write_all(&[0, 0, 0, 5, 2, 0, 0, 0, 3]).unwrap();
        let mut request = [0; 14];
        theirs.read_exact(&mut request).unwrap();
        // The client may be gone before it has read everything.
        let _ = theirs.write_all(&answer(request[5..9].try_into().unwrap()));
    });
    let session = Session::begin(ours.try_clone().unwrap(), ours, String::new, PATIENCE).unwrap();
    let failure = session.exchange().ask(&Request::Stat("x")).and_then(|reply| reply.attributes());
    server.join().unwrap();
    failure.unwrap_err()
}

#[track_caller]
fn is_lost(failure: &Failure, because: &str) {
    assert_eq!(failure.kind(), ErrorKind::Temporary);
    assert_eq!(failure.to_string(), format!("the connection is lost: {because}"));
}

#[test]
fn a_server_that_goes_away_is_a_lost_connection() {
    is_lost(&after(|_| Vec::new()), "it was closed");
    is_lost(&after(|id| [&[0, 0, 0, 40, 105][..], &id, &[0; 10]].concat()), "it was closed");
}

#[test]
fn a_packet_without_an_id_ends_the_conversation() {
    is_lost(&after(|_| vec![0, 0, 0, 1, 105]), "the server does not keep to SFTP: an answer ends early");
    is_lost(&after(|_| vec![0, 0, 0, 0]), "the server does not keep to SFTP: an answer ends early");
}

#[test]
fn a_packet_that_claims_to_be_huge_takes_no_memory() {
    let failure = after(|id| [&[0xff, 0xff, 0xff, 0xff, 105][..], &id].concat());
    assert!(failure.to_string().contains("what came is not SFTP"), "{failure}");
}

#[test]
fn an_answer_to_no_request_ends_the_conversation() {
    let stray = after(|_| vec![0, 0, 0, 9, 105, 0x7f, 0, 0, 0, 0, 0, 0, 0]);
    is_lost(&stray, "the server does not keep to SFTP: an answer to no request");
}

#[test]
fn an_answer_of_the_wrong_type_fails_the_request_alone() {
    let failure = after(|id| [&[0, 0, 0, 9, 104][..], &id, &[0; 4]].concat());
    assert_eq!(failure.to_string(), "the server does not keep to SFTP: an answer does not fit the request");
}

#[test]
fn answers_may_come_in_any_order() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let server = std::thread::spawn(move || {
        theirs.read_exact(&mut HELLO.clone()).unwrap();
        theirs.write_all(&[0, 0, 0, 5, 2, 0, 0, 0, 3]).unwrap();
        theirs.read_exact(&mut [0; 28]).unwrap(); // two requests of 14 bytes
        for id in [1, 0u8] {
            let size = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, id];
            theirs.write_all(&[&[0, 0, 0, 17, 105, 0, 0, 0, id][..], &size].concat()).unwrap();
        }
    });
    let session = Session::begin(ours.try_clone().unwrap(), ours, String::new, PATIENCE).unwrap();
    let mut exchange = session.exchange();
    let asked = ["x", "y"].map(|path| exchange.send(&Request::Stat(path)).unwrap());
    let sizes = asked.map(|id| exchange.wait(id).unwrap().attributes().unwrap().size);
    assert_eq!(sizes, [Some(0), Some(1)]);
    server.join().unwrap();
}

#[test]
fn a_server_that_says_nothing_is_given_up_by_all_who_wait() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(&[0, 0, 0, 5, 2, 0, 0, 0, 3]).unwrap();
    let patience = Duration::from_millis(50);
    let session = Session::begin(ours.try_clone().unwrap(), ours, String::new, patience).unwrap();
    let failures = std::thread::scope(|scope| {
        let waiting =
            [0; 3].map(|_| scope.spawn(|| session.exchange().ask(&Request::Stat("x")).unwrap_err()));
        waiting.map(|thread| thread.join().unwrap())
    });
    failures.iter().for_each(|failure| is_lost(failure, "the server has not answered for 50ms"));
    assert!(session.is_over());
    drop(theirs);
}
