//! Packets as the protocol has them, and answers that nobody should send.

use super::*;
use proptest::prelude::*;

fn reply(code: u8, fields: &[u8]) -> Reply {
    let packet = [&[code, 0, 0, 0, 7][..], fields].concat();
    let (id, reply) = Reply::of(packet).unwrap();
    assert_eq!(id, 7);
    reply
}

#[test]
fn requests_are_as_the_protocol_has_them() {
    let open = Request::Open { path: "a/b", how: READ, mode: 0o600 }.encode(9);
    let expected = [
        &[0, 0, 0, 24, 3, 0, 0, 0, 9][..],
        &[0, 0, 0, 3, b'a', b'/', b'b'],
        &[0, 0, 0, 1],
        &[0, 0, 0, 4, 0, 0, 1, 0x80],
    ];
    assert_eq!(open, expected.concat());
    let handle = Handle(vec![0x80, 0xff]);
    let write = Request::Write { handle: &handle, offset: 1 << 32, length: 5 }.encode(1);
    let expected = [
        &[0, 0, 0, 28, 6, 0, 0, 0, 1][..],
        &[0, 0, 0, 2, 0x80, 0xff],
        &[0, 0, 0, 1, 0, 0, 0, 0],
        &[0, 0, 0, 5],
    ];
    assert_eq!(write, expected.concat(), "its length counts the five bytes that follow");
    let sync = Request::Sync(&handle).encode(1);
    assert_eq!((sync[4], &sync[9..13]), (200, &[0, 0, 0, 17][..]));
}

#[test]
fn what_a_server_offers_is_read_from_its_first_packet() {
    let text = |text: &str| [&length(text.len()).to_be_bytes()[..], text.as_bytes()].concat();
    let pairs = [("posix-rename@openssh.com", "1"), ("new@example", "\u{7f}"), ("statvfs@openssh.com", "1")];
    let mut packet = vec![VERSION, 0, 0, 0, 3];
    packet.extend(pairs.iter().flat_map(|(name, data)| [text(name), text(data)].concat()));
    assert_eq!(Offers::of(&packet).unwrap(), Offers { replace: true, ..Offers::default() });
    assert!(Offers::of(&[VERSION, 0, 0, 0, 2]).is_err());
    assert!(Offers::of(&packet[..packet.len() - 1]).is_err());
}

#[test]
fn names_may_be_any_bytes_and_attributes_may_be_missing() {
    let entry = |name: &[u8], attributes: &[u8]| {
        [&[0, 0, 0, name.len() as u8][..], name, &[0, 0, 0, 2, 0xff, 0xfe], attributes].concat()
    };
    let full = [&[0x80, 0, 0, 0xd][..], &[0; 7], &[9], &[0, 0, 0x81, 0xa4], &[0; 8], &[0, 0, 0, 1]].concat();
    let full = [&full[..], &[0, 0, 0, 1, b'k', 0, 0, 0, 0]].concat();
    let names = [&[0, 0, 0, 2][..], &entry(b"caf\xe9", &[0, 0, 0, 0]), &entry(b"x", &full)].concat();
    let mut seen = Vec::new();
    assert!(reply(NAME, &names).names(|name, attributes| seen.push((name.to_vec(), attributes))).unwrap());
    assert_eq!(seen[0], (b"caf\xe9".to_vec(), Attributes::default()));
    assert_eq!(seen[1].1, Attributes { size: Some(9), mode: Some(0o100_644) });
    assert_eq!(
        (seen[0].1.is_file(), seen[1].1.is_file(), seen[1].1.is_folder()),
        (None, Some(true), Some(false))
    );
}

#[test]
fn the_end_is_no_failure_where_one_reads() {
    let end = reply(STATUS, &[0, 0, 0, 1]);
    assert!(!end.names(|_, _| {}).unwrap());
    assert!(end.content().unwrap().is_none());
    assert!(end.handle().is_err() && end.done().is_err());
}

#[test]
fn answers_of_another_type_are_failures() {
    let done = reply(STATUS, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(done.done().is_ok());
    assert!(done.handle().is_err() && done.attributes().is_err() && done.content().is_err());
    let handle = reply(HANDLE, &[0, 0, 0, 1, 5]);
    assert!(handle.handle().is_ok() && handle.done().is_err());
    assert!(reply(0, &[0, 0, 0, 0]).done().is_err());
    assert!(reply(HANDLE, &[&[0, 0, 1, 1][..], &[0; 257]].concat()).handle().is_err());
}

#[test]
fn a_count_that_lies_costs_nothing() {
    assert!(reply(NAME, &[0xff; 4]).names(|_, _| {}).is_err());
    assert!(reply(ATTRS, &[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).attributes().is_err());
    assert!(reply(DATA, &[0xff, 0xff, 0xff, 0xff, 1]).content().is_err());
}

proptest! {
    #[test]
    fn no_packet_causes_a_panic(packet in proptest::collection::vec(any::<u8>(), 0..200), code in 99u8..202) {
        let _ = Offers::of(&packet);
        let mut packet = packet;
        if let Some(first) = packet.first_mut() {
            *first = code;
        }
        if let Ok((_, reply)) = Reply::of(packet) {
            let _ = (reply.done(), reply.handle(), reply.content().is_ok(), reply.attributes());
            let _ = (reply.names(|_, _| {}), reply.limits(), reply.space());
        }
    }
}
