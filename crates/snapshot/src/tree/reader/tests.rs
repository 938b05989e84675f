//! A tree read in pieces gives what it gives in one piece, whatever it is.

use super::*;
use crate::node::NodeKind;
use crate::tree::decode;
use crate::tree::tests::REFUSED;
use proptest::prelude::*;

/// Gives as many bytes at once as the numbers say, in turn.
struct Pieces<'b> {
    bytes: &'b [u8],
    sizes: &'b [usize],
    turn: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].min(self.bytes.len()).min(buffer.len());
        let (now, later) = self.bytes.split_at(size);
        buffer[..size].copy_from_slice(now);
        (self.bytes, self.turn) = (later, self.turn + 1);
        Ok(size)
    }
}

/// The nodes before the end or the damage, and the other members if there is none.
type Outcome = (Vec<Node>, Option<Unknown>);

fn in_one_piece(bytes: &[u8]) -> Outcome {
    let mut nodes = Vec::new();
    let read = decode::walk(bytes, &mut |node| {
        nodes.push(node);
        Ok::<(), Error>(())
    });
    (nodes, read.ok())
}

fn in_pieces(bytes: &[u8], sizes: &[usize]) -> Outcome {
    let mut reader = NodeReader::new(Pieces { bytes, sizes, turn: 0 });
    let mut nodes = Vec::new();
    loop {
        match reader.next_node() {
            Ok(Some(node)) => nodes.push(node),
            Ok(None) => return (nodes, Some(reader.unknown())),
            Err(Error::DecodeTree { .. }) => return (nodes, None),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn what_is_taken_and_refused_is_the_same() {
    let trees: [&[u8]; 24] = [
        b" ",
        b"{\"nodes\":[]}",
        b"{\"nodes\":[]} and more",
        b"{\"nodes\":[],}",
        b"{,\"nodes\":[]}",
        b"{\"nodes\":[{\"name\":\"a\"}],\"NODES\":[{\"name\":\"b\"}]}",
        b" {\"x\":[{}],\"nodes\" : [ {\"name\":\"b\"} , {\"name\":\"a\"} ] ,\"y\":1} trailing",
        b"{\"nodes\":[{\"name\":\"a\"},]}",
        b"{\"nodes\":[,{\"name\":\"a\"}]}",
        b"{\"nodes\":[{\"name\":\"a\"} {\"name\":\"b\"}]}",
        b"{\"nodes\":[{\"name\":\"a\"}}",
        b"{\"nodes\":[{\"name\":\"a\"]]}",
        b"{\"nodes\":[{\"name\":\"a}]}",
        b"{\"nodes\":[{\"name\":\"a\",\"name\":\"b\"}]}",
        b"{\"nodes\":[{\"name\":\"a\\\"]},{\"}]}",
        b"{\"nodes\":[{\"name\":\"\xff\\\xe2\x82\"}]}",
        b"{\"nodes\":[{\"name\":\"a\",\"x\":{\"]\":[\"}\"]}}],\"z\":\"]}\"}",
        b"{\"nodes\":[{}1]}",
        b"{\"nodes\":[1,true]}",
        b"{\"x\":tru,\"nodes\":[]}",
        b"{\"x\":01,\"nodes\":[]}",
        b"{\"x\":-1.5e7,\"nod\\u0065s\":[]}",
        b"{\"\\ud800\":1,\"nodes\":[]}",
        b"{\"nodes\":[]\xff}",
    ];
    for bytes in trees.into_iter().chain(REFUSED) {
        for sizes in [&[1][..], &[2, 3], &[100_000]] {
            let text = String::from_utf8_lossy(bytes);
            assert_eq!(in_pieces(bytes, sizes), in_one_piece(bytes), "{text}");
        }
    }
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let open = "[".repeat(200_000);
    for bytes in [format!("{{\"nodes\":{open}"), format!("{{\"x\":{open}"), open] {
        assert_eq!(in_pieces(bytes.as_bytes(), &[1000]).1, None);
    }
}

#[test]
fn a_source_that_fails_is_no_damaged_tree() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::Other.into())
        }
    }
    let error = NodeReader::new(Failing).next_node().unwrap_err();
    assert!(matches!(error, Error::Scratch { .. }) && !error.is_damage());
}

fn tree() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::collection::vec(any::<u8>(), 0..12);
    let node = (name, any::<u32>(), prop::option::of(prop::collection::vec(any::<u8>(), 0..40)));
    (prop::collection::vec(node, 0..12), "[ \n]{0,2}", any::<bool>()).prop_map(|(nodes, space, unknown)| {
        let mut json = b"{\"nodes\":[".to_vec();
        for (number, (name, mode, target)) in nodes.into_iter().enumerate() {
            json.extend_from_slice(if number > 0 { b"," } else { b"" });
            json.extend_from_slice(space.as_bytes());
            let mut node = Node::new(name, NodeKind::Symlink);
            node.mode = mode;
            if let Some(target) = target {
                node.rare_mut().link_target = target.into();
            }
            node.write(&mut json);
        }
        json.extend_from_slice(if unknown { b"],\"x\":{\"y\":[1,\"]\"]}}\n" } else { b"]}\n" });
        json
    })
}

proptest! {
    #[test]
    fn pieces_and_damage_of_any_kind_give_what_the_whole_gives(
        mut bytes in tree(),
        sizes in prop::collection::vec(1_usize..50, 1..6),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"{}[]\",:\\ax1 \xff".to_vec())), 0..3),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        prop_assert_eq!(in_pieces(&bytes, &sizes), in_one_piece(&bytes), "{}", String::from_utf8_lossy(&bytes));
    }
}
